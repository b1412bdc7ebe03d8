//! Where the configuration comes from, now and at each reload.

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use opentracker::{Config, ConfigError};

use crate::args::Options;

/// How long a file may take to be read again.
const PATIENCE: Duration = Duration::from_secs(10);

/// A configuration, and whether its file had anything in it.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) config: Config,
    is_blank: bool,
}

/// Reads the file, then the environment, then the flags; each wins over what comes before it.
pub(crate) fn read(options: &Options) -> Result<Read, ConfigError> {
    let mut is_blank = true;
    let mut config = Config::default();
    if let Some(path) = &options.config {
        let text = fs::read_to_string(path).map_err(|error| unreadable(path, &error))?;
        is_blank = text.trim().is_empty();
        config = Config::from_text(&text, path)?;
    }
    config = config.with_environment(std::env::vars_os())?;
    options.apply_to(&mut config);
    Ok(Read { config, is_blank })
}

/// Reads a configuration again for a program that runs.
///
/// # Errors
///
/// It cannot be read any more, does not answer, came through a pipe, has a fault, or has lost all
/// that was in it: with its defaults the tracker would be open to everybody.
pub(crate) fn read_again(options: &Options, last: &Read) -> Result<Read, ConfigError> {
    let Some(path) = options.config.clone() else {
        return read(options);
    };
    let (done, result) = channel();
    let reading = thread::Builder::new().name("configuration".to_owned());
    let spawned = reading.spawn({
        let options = options.clone();
        move || {
            // Nobody listens any more if it took too long.
            done.send(refuse_pipe(&options).and_then(|()| read(&options)))
                .ok();
        }
    });
    spawned.map_err(|error| unreadable(&path, &error))?;
    let silent = |_| unreadable(&path, &io::Error::other("it does not answer"));
    let read = result.recv_timeout(PATIENCE).map_err(silent)??;
    if read.is_blank && !last.is_blank {
        return Err(unreadable(&path, &io::Error::other("it is empty")));
    }
    Ok(read)
}

fn refuse_pipe(options: &Options) -> Result<(), ConfigError> {
    let mut files = options.config.iter();
    let pipe = files.find(|path| fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo()));
    pipe.map_or(Ok(()), |path| {
        let cause = io::Error::other("it is a pipe, which is read only once");
        Err(unreadable(path, &cause))
    })
}

fn unreadable(path: &Path, error: &io::Error) -> ConfigError {
    ConfigError {
        origin: path.to_owned(),
        line: None,
        key: None,
        message: format!("cannot read it: {error}"),
    }
}
