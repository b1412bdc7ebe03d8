//! Snapshots: what is in one, and whether it is whole.

use std::fs::File;
use std::io::{self, BufWriter, StdoutLock, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};
use clap::Subcommand;
use opentracker_snapshot::{Reader, Report, SwarmPart};
use opentracker_types::{SavedPeer, SavedTorrent};
use serde_json::json;

use crate::arguments::Reach;
use crate::changes;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Has a tracker write its snapshot now, and waits for it.
    Now(Reach),
    /// Prints the torrents of a snapshot, one a line: info hash, seeders, leechers, downloads, idle
    /// minutes.
    Dump {
        /// The snapshot.
        file: PathBuf,
        /// Prints the peers instead: info hash, address, what it is, age in minutes.
        #[arg(long)]
        peers: bool,
    },
    /// Says whether a snapshot is whole, and what is missing. The exit code is 1 if something is.
    Verify {
        /// The snapshot.
        file: PathBuf,
    },
}

pub(crate) async fn run(command: &Command, json: bool) -> Result<()> {
    match command {
        Command::Now(reach) => changes::snapshot(&reach.nodes, json).await,
        Command::Dump { file, peers } => dump(file, *peers, json),
        Command::Verify { file } => verify(file, json),
    }
}

/// Prints whatever is whole, as a tracker would restore it; fails in the end if that is not all.
fn dump(file: &Path, peers: bool, json: bool) -> Result<()> {
    let mut reader = open(file)?;
    let mut dump = Dump {
        out: BufWriter::new(io::stdout().lock()),
        json,
        torrent: None,
    };
    while let Some(swarms) = reader.next_swarms()? {
        for part in swarms {
            if peers {
                part.peers()
                    .try_for_each(|peer| dump.put_peer(&part.torrent, &peer))?;
            } else {
                dump.put_part(&part)?;
            }
        }
    }
    dump.end_torrent()?;
    dump.out.flush()?;
    ensure_whole(file, reader.report())
}

fn verify(file: &Path, json: bool) -> Result<()> {
    let mut reader = open(file)?;
    while reader.next_swarms()?.is_some() {}
    let report = reader.report();
    let (found, made) = (&report.found, report.created.unwrap_or_default());
    let text = if json {
        let object = json!({
            "file": file.display().to_string(),
            "is_whole": report.is_whole(),
            "torrents": found.torrents,
            "peers": found.peers,
            "blocks": report.blocks,
            "created_ms": made * 1000,
            "lost_blocks": report.lost_blocks,
            "lost_octets": report.lost_octets,
        });
        object.to_string()
    } else {
        format!(
            "{}: {} torrents and {} peers in {} blocks, made {made} seconds after 1970",
            file.display(),
            found.torrents,
            found.peers,
            report.blocks,
        )
    };
    writeln!(io::stdout(), "{text}")?;
    ensure_whole(file, report)
}

/// Says what is missing of a snapshot that is damaged.
fn ensure_whole(file: &Path, report: &Report) -> Result<()> {
    let end = match report.written {
        None => ", and its end is missing",
        Some(_) => "",
    };
    ensure!(
        report.is_whole(),
        "{} is damaged: {} blocks and {} octets are lost{end}",
        file.display(),
        report.lost_blocks,
        report.lost_octets
    );
    Ok(())
}

fn open(file: &Path) -> Result<Reader<File>> {
    let name = || format!("cannot read {}", file.display());
    let opened = File::open(file).with_context(name)?;
    Reader::new(opened).with_context(name)
}

struct Dump {
    out: BufWriter<StdoutLock<'static>>,
    json: bool,
    /// The latest torrent, whose next part may follow, with its seeders and leechers.
    torrent: Option<(SavedTorrent, [u64; 2])>,
}

impl Dump {
    fn put_part(&mut self, part: &SwarmPart<'_>) -> io::Result<()> {
        let is_another =
            |(torrent, _): &(SavedTorrent, _)| torrent.info_hash != part.torrent.info_hash;
        if self.torrent.as_ref().is_none_or(is_another) {
            self.end_torrent()?;
        }
        let seeders = part.peers().filter(|peer| peer.seeding).count();
        let (_, counts) = self.torrent.get_or_insert((part.torrent, [0; 2]));
        counts[0] += seeders as u64;
        counts[1] += (part.len() - seeders) as u64;
        Ok(())
    }

    fn end_torrent(&mut self) -> io::Result<()> {
        let Some((torrent, [seeders, leechers])) = self.torrent.take() else {
            return Ok(());
        };
        let SavedTorrent {
            info_hash,
            downloads,
            idle_minutes,
            unestablished_minutes,
            ..
        } = torrent;
        if self.json {
            let object = json!({
                "info_hash": info_hash.to_string(),
                "seeders": seeders,
                "leechers": leechers,
                "downloads": downloads,
                "idle_minutes": idle_minutes,
                "established": unestablished_minutes.is_none(),
            });
            writeln!(self.out, "{object}")
        } else {
            writeln!(
                self.out,
                "{info_hash} {seeders} {leechers} {downloads} {idle_minutes}"
            )
        }
    }

    fn put_peer(&mut self, torrent: &SavedTorrent, peer: &SavedPeer) -> io::Result<()> {
        let SavedPeer {
            addr,
            seeding,
            completed,
            age_minutes,
        } = peer;
        let info_hash = torrent.info_hash;
        if self.json {
            let object = json!({
                "info_hash": info_hash.to_string(),
                "address": addr.to_string(),
                "seeding": seeding,
                "completed": completed,
                "age_minutes": age_minutes,
            });
            writeln!(self.out, "{object}")
        } else {
            let role = if *seeding { "seeder" } else { "leecher" };
            let completed = if *completed { "completed" } else { "-" };
            writeln!(
                self.out,
                "{info_hash} {addr} {role} {completed} {age_minutes}"
            )
        }
    }
}
