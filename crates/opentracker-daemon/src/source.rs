//! Where the configuration comes from, now and at each reload.

use std::io::{self, Read as _};
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use opentracker::config::{Finding, Layers};
use opentracker::{Config, ConfigErrors, Folders};

use crate::args::Options;

/// How long the files may take to be read again.
const PATIENCE: Duration = Duration::from_secs(10);

/// A configuration, what is worth a warning about it, and which of its files have nothing in them.
#[derive(Debug)]
pub(crate) struct Read {
    pub(crate) config: Config,
    pub(crate) warnings: Vec<Finding>,
    blank: Vec<PathBuf>,
}

/// Reads the files, then the environment, then the flags; each wins over what comes before it.
/// `folders` has those of the files.
pub(crate) fn read(options: &Options, folders: &Folders) -> Result<Read, ConfigErrors> {
    let mut layers = Layers::default();
    let mut blank = Vec::new();
    for path in &options.configs {
        match read_file(path, folders) {
            Ok(octets) => {
                if octets.trim_ascii().is_empty() {
                    blank.push(path.clone());
                }
                layers.file(path, &octets);
            }
            Err(error) => layers.unreadable(path, &error),
        }
    }
    layers.environment(std::env::vars_os());
    options.apply_to(&mut layers);
    let (config, warnings) = layers.build()?;
    Ok(Read {
        config,
        warnings,
        blank,
    })
}

/// Reads a configuration again for a program that runs.
///
/// # Errors
///
/// It cannot be read any more, does not answer, came through a pipe, has a fault, or has lost all
/// that was in it: with its defaults the tracker would be open to everybody.
pub(crate) fn read_again(options: &Options, folders: &Arc<Folders>, last: &Read) -> Result<Read> {
    if options.configs.is_empty() {
        return Ok(read(options, folders)?);
    }
    let (done, result) = channel();
    let reading = thread::Builder::new().name("configuration".to_owned());
    reading.spawn({
        let (options, folders) = (options.clone(), Arc::clone(folders));
        move || {
            let read = refuse_pipes(&options).and_then(|()| Ok(read(&options, &folders)?));
            // Nobody listens any more if it took too long.
            done.send(read).ok();
        }
    })?;
    let read = result.recv_timeout(PATIENCE);
    let read = read.context("a file of it does not answer")??;
    let is_lost = |path: &&PathBuf| !last.blank.contains(path);
    if let Some(path) = read.blank.iter().find(is_lost) {
        bail!("{}: it is empty", path.display());
    }
    Ok(read)
}

fn read_file(path: &Path, folders: &Folders) -> io::Result<Vec<u8>> {
    let mut octets = Vec::new();
    folders.open(path)?.read_to_end(&mut octets)?;
    Ok(octets)
}

fn refuse_pipes(options: &Options) -> Result<()> {
    let is_pipe =
        |path: &&PathBuf| std::fs::metadata(path).is_ok_and(|file| file.file_type().is_fifo());
    if let Some(path) = options.configs.iter().find(is_pipe) {
        bail!("{}: it is a pipe, which is read only once", path.display());
    }
    Ok(())
}
