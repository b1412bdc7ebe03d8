//! What changes something at a tracker, or at several: blocks, purges, reloads, snapshots, drains.

use std::cell::Cell;
use std::io::{self, Write};

use anyhow::{Result, bail, ensure};
use clap::Args;
use hyper::Method;
use opentracker_api::{
    Blocked, Drain, Lasts, ListChange, Purged, Reloaded, SnapshotWritten, Unblocked, Verdict,
};
use serde::de::DeserializeOwned;

use crate::hashes::Hashes;
use crate::nodes::{Answer, Node, Nodes, Refused};
use crate::query::Query;
use crate::words::{count, octets, or_dash};
use crate::{AlreadySaid, EXIT_FAILED};

/// Blocks torrents.
#[derive(Debug, Args)]
pub(crate) struct Block {
    #[command(flatten)]
    hashes: Hashes,
    /// Why, for those who look at it later; in place of the notes of a list.
    #[arg(long)]
    note: Option<String>,
    #[command(flatten)]
    nodes: Nodes,
}

/// Ends blocks, or purges.
#[derive(Debug, Args)]
pub(crate) struct Torrents {
    #[command(flatten)]
    hashes: Hashes,
    #[command(flatten)]
    nodes: Nodes,
}

/// A request, and what it is about.
struct Change {
    method: Method,
    path: String,
}

pub(crate) async fn block(block: &Block, json: bool) -> Result<()> {
    let changes = block.hashes.read()?.into_iter().map(|noted| {
        let note = block
            .note
            .clone()
            .or((!noted.note.is_empty()).then_some(noted.note));
        let query = Query::new(format!("blocks/{}", noted.info_hash)).with("note", note);
        Change::new(Method::PUT, query.as_str())
    });
    tell(
        &block.nodes,
        json,
        &changes.collect::<Vec<_>>(),
        |done: &Blocked| {
            let Purged { torrents, peers } = done.purged;
            let gone = match torrents {
                0 => "nobody announced it".to_owned(),
                _ => format!("{} gone", count(peers, "peer")),
            };
            let lasts = lasts(done.lasts);
            format!("{} blocked, {gone}{lasts}", done.block.info_hash)
        },
    )
    .await
}

pub(crate) async fn unblock(torrents: &Torrents, json: bool) -> Result<()> {
    let changes = torrents.changes("blocks")?;
    tell(&torrents.nodes, json, &changes, |done: &Unblocked| {
        let was = match done.was_blocked {
            true => "not blocked any more",
            false => "was not blocked",
        };
        let verdict = match done.verdict {
            Verdict::Served => "",
            Verdict::Blocked => ", but still blocked",
            Verdict::Denied => ", but it is on the deny list",
            Verdict::NotAllowed => ", but it is not on the allow list",
        };
        let lasts = lasts(done.lasts);
        format!("{} {was}{verdict}{lasts}", done.info_hash)
    })
    .await
}

pub(crate) async fn purge(torrents: &Torrents, json: bool) -> Result<()> {
    let changes = torrents.changes("torrents")?;
    tell(&torrents.nodes, json, &changes, |done: &Purged| {
        let torrents = count(done.torrents, "torrent");
        format!("{torrents} and {} purged", count(done.peers, "peer"))
    })
    .await
}

pub(crate) async fn reload(nodes: &Nodes, json: bool) -> Result<()> {
    let change = [Change::new(Method::POST, "reload")];
    // `systemctl reload` fails by it, too.
    let is_whole = Cell::new(true);
    let say = |done: &Reloaded| {
        is_whole.set(is_whole.get() && done.faults.is_empty());
        reloaded(done)
    };
    tell(nodes, json, &change, say).await?;
    ensure!(is_whole.get(), AlreadySaid { code: EXIT_FAILED });
    Ok(())
}

pub(crate) async fn snapshot(nodes: &Nodes, json: bool) -> Result<()> {
    let change = [Change::new(Method::POST, "snapshot")];
    tell(nodes, json, &change, |done: &SnapshotWritten| {
        format!(
            "{} written: {}, {} and {}",
            done.path,
            octets(done.octets),
            count(done.torrents, "torrent"),
            count(done.peers, "peer")
        )
    })
    .await
}

pub(crate) async fn drain(nodes: &Nodes, json: bool, method: Method) -> Result<()> {
    let change = [Change::new(method, "drain")];
    tell(nodes, json, &change, |done: &Drain| {
        match done.is_draining {
            true => {
                "draining: /readyz says 503, answers go on until `undrain` or a stop".to_owned()
            }
            false => "serving: /readyz says 200".to_owned(),
        }
    })
    .await
}

impl Change {
    fn new(method: Method, path: &str) -> Self {
        let path = path.to_owned();
        Self { method, path }
    }
}

impl Torrents {
    fn changes(&self, what: &str) -> Result<Vec<Change>> {
        let hashes = self.hashes.read()?.into_iter();
        let path = hashes.map(|noted| format!("{what}/{}", noted.info_hash));
        Ok(path
            .map(|path| Change::new(Method::DELETE, &path))
            .collect())
    }
}

/// Tells every tracker of every change, and prints what each says to it. A tracker that refuses
/// one hears of the next, and one that does not answer does not hold up the others.
async fn tell<T: DeserializeOwned>(
    nodes: &Nodes,
    json: bool,
    changes: &[Change],
    say: impl Fn(&T) -> String,
) -> Result<()> {
    let nodes = nodes.all()?;
    let mut failed = false;
    for node in &nodes {
        let name = if nodes.len() > 1 {
            format!("{node}: ")
        } else {
            String::new()
        };
        for Change { method, path } in changes {
            match change(node, method, path, json, &name, &say).await {
                Ok(()) => {}
                Err(error) if error.is::<io::Error>() => return Err(error),
                Err(error) => {
                    failed = true;
                    let is_refused = error.is::<Refused>();
                    let name = if is_refused { &*name } else { "" };
                    eprintln!("opentracker-ctl: {name}{error:#}");
                    if !is_refused {
                        break;
                    }
                }
            }
        }
    }
    if failed {
        bail!(AlreadySaid { code: EXIT_FAILED });
    }
    Ok(())
}

async fn change<T: DeserializeOwned>(
    node: &Node,
    method: &Method,
    path: &str,
    json: bool,
    name: &str,
    say: impl Fn(&T) -> String,
) -> Result<()> {
    let answer = node.ask(method.clone(), path).await?;
    let said = say(&answer.value()?);
    let line = match json {
        true => answer.line(),
        false => format!("{name}{}{said}\n", instance(&answer)),
    };
    io::stdout().lock().write_all(line.as_bytes())?;
    Ok(())
}

/// Which process it is that changed, so that nobody steers another unawares.
fn instance(answer: &Answer) -> String {
    let pid = answer
        .instance
        .split(';')
        .find_map(|part| part.trim().strip_prefix("pid="));
    pid.map(|pid| format!("pid {pid}: ")).unwrap_or_default()
}

const fn lasts(lasts: Lasts) -> &'static str {
    match lasts {
        Lasts::Always => "",
        Lasts::UntilRestart => "; until the next restart alone, since `snapshot.path` is not set",
    }
}

fn reloaded(done: &Reloaded) -> String {
    let mut parts = Vec::new();
    if !done.changed.is_empty() {
        parts.push(format!("in force: {}", done.changed.join(", ")));
    }
    for ListChange { key, before, after } in &done.lists {
        parts.push(format!("{key} {} → {}", or_dash(*before), or_dash(*after)));
    }
    if done.purged.torrents > 0 {
        parts.push(format!("{} purged", count(done.purged.torrents, "torrent")));
    }
    if !done.need_restart.is_empty() {
        parts.push(format!("after a restart: {}", done.need_restart.join(", ")));
    }
    for fault in &done.faults {
        parts.push(format!("stays as it was: {fault}"));
    }
    match parts.is_empty() {
        true => "reloaded, nothing has changed".to_owned(),
        false => format!("reloaded; {}", parts.join("; ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reload_is_told_in_a_line() {
        let mut done = Reloaded {
            changed: vec![],
            need_restart: vec![],
            lists: vec![],
            purged: Purged {
                torrents: 0,
                peers: 0,
            },
            faults: vec![],
        };
        assert_eq!(reloaded(&done), "reloaded, nothing has changed");
        done.changed.push("announce.interval".to_owned());
        done.need_restart.push("udp.listen".to_owned());
        done.lists.push(ListChange {
            key: "access.deny".to_owned(),
            before: None,
            after: Some(7),
        });
        done.purged.torrents = 2;
        done.faults.push("access.allow: no such file".to_owned());
        assert_eq!(
            reloaded(&done),
            "reloaded; in force: announce.interval; access.deny - → 7; 2 torrents purged; \
             after a restart: udp.listen; stays as it was: access.allow: no such file"
        );
    }
}
