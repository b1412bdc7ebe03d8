//! The list of info hashes that a tracker has to be given which serves only those it knows.

use std::fs::File;
use std::io::{self, BufWriter, Write};

use anyhow::{Context, Result};

use crate::args::AllowListArgs;
use crate::population::Seeds;

/// Writes the info hashes of the population, 40 digits a line.
///
/// # Errors
///
/// The file cannot be written.
pub(crate) fn run(args: &AllowListArgs) -> Result<()> {
    match &args.output {
        Some(path) => {
            let context = || format!("cannot write {}", path.display());
            let file = File::create(path).with_context(context)?;
            write(args, file).with_context(context)
        }
        None => match write(args, io::stdout().lock()) {
            // Whoever read it had enough.
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result.context("cannot write to standard output"),
        },
    }
}

fn write(args: &AllowListArgs, output: impl Write) -> io::Result<()> {
    let mut output = BufWriter::with_capacity(1 << 16, output);
    let seeds = Seeds::new(args.seed);
    for torrent in 0..args.torrents {
        writeln!(output, "{}", seeds.info_hash(torrent))?;
    }
    output.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_an_info_hash_of_the_population() {
        let args = AllowListArgs {
            torrents: 100,
            seed: 9,
            output: None,
        };
        let mut list = Vec::new();
        write(&args, &mut list).unwrap();
        let list = String::from_utf8(list).unwrap();
        assert_eq!(list.lines().count(), 100);
        for (torrent, line) in (0..).zip(list.lines()) {
            assert_eq!(line.parse(), Ok(Seeds::new(9).info_hash(torrent)));
        }
    }
}
