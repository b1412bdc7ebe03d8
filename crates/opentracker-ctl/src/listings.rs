//! What a tracker lists: torrents, blocks, prefixes that are limited, its configuration.

use std::io::{self, Write};

use anyhow::Result;
use clap::{Args, ValueEnum};
use opentracker_api::{BlockPage, LimitedPage, Step, Torrent, TorrentDetail, TorrentPage, Verdict};
use opentracker_types::InfoHash;
use serde_json::{Map, Value};

use crate::hashes;
use crate::nodes::Nodes;
use crate::query::Query;
use crate::words::{count, seconds, table, time};

/// Entries of a page when all are wanted.
const PAGE: u32 = 1000;

/// Lists torrents, or shows one.
#[derive(Debug, Args)]
pub(crate) struct Torrents {
    /// One torrent, with its peers; none: a list.
    #[arg(value_name = "HASH", value_parser = hashes::parse)]
    info_hash: Option<InfoHash>,
    /// The order of the list.
    #[arg(long, value_enum, default_value_t = Order::Peers, conflicts_with = "info_hash")]
    sort: Order,
    /// Torrents of the list at most.
    #[arg(long, default_value_t = 20, conflicts_with = "info_hash")]
    limit: u32,
    /// Lists all of them. With `--json` each page of 1000 is a line.
    #[arg(long, conflicts_with_all = ["info_hash", "limit"])]
    all: bool,
    /// Peers of the one torrent at most.
    #[arg(
        long,
        value_name = "NUMBER",
        default_value_t = 50,
        requires = "info_hash"
    )]
    peers: u32,
    #[command(flatten)]
    nodes: Nodes,
}

/// The order of torrents.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Order {
    /// As they are stored: the quickest.
    None,
    /// By info hash.
    InfoHash,
    /// The most peers first.
    Peers,
    /// The most seeders first.
    Seeders,
    /// The most leechers first.
    Leechers,
    /// The most downloads first.
    Downloads,
}

/// Lists blocks.
#[derive(Debug, Args)]
pub(crate) struct Blocks {
    /// Blocks of the list at most; not given: all.
    #[arg(long)]
    limit: Option<u32>,
    #[command(flatten)]
    nodes: Nodes,
}

/// Lists prefixes.
#[derive(Debug, Args)]
pub(crate) struct Limited {
    /// Prefixes of the list at most.
    #[arg(long, default_value_t = 50)]
    limit: u32,
    #[command(flatten)]
    nodes: Nodes,
}

impl Order {
    const fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::InfoHash => "info_hash",
            Self::Peers => "peers",
            Self::Seeders => "seeders",
            Self::Leechers => "leechers",
            Self::Downloads => "downloads",
        }
    }
}

pub(crate) async fn torrents(wanted: &Torrents, json: bool) -> Result<()> {
    let node = wanted.nodes.one()?;
    if let Some(info_hash) = wanted.info_hash {
        let path = Query::new(format!("torrents/{info_hash}")).with("peers", Some(wanted.peers));
        let answer = node.get(path.as_str()).await?;
        return print(&match json {
            true => answer.line(),
            false => torrent(&answer.value()?),
        });
    }
    let mut left = if wanted.all { u32::MAX } else { wanted.limit };
    let mut cursor: Option<String> = None;
    if !json {
        print(TORRENTS_HEAD)?;
    }
    loop {
        let path = Query::new("torrents")
            .with("sort", Some(wanted.sort.word()))
            .with("limit", Some(left.min(PAGE)))
            .with("cursor", cursor.take());
        let answer = node.get(path.as_str()).await?;
        let page: TorrentPage = answer.value()?;
        if !wanted.all {
            left = left.saturating_sub(page.torrents.len().try_into().unwrap_or(u32::MAX));
        }
        if json {
            print(&answer.line())?;
        } else {
            print(&page.torrents.iter().map(torrent_line).collect::<String>())?;
        }
        match page.next {
            Some(next) if left > 0 => cursor = Some(next),
            _ => return Ok(()),
        }
    }
}

pub(crate) async fn blocks(wanted: &Blocks, json: bool) -> Result<()> {
    let node = wanted.nodes.one()?;
    let mut left = wanted.limit.unwrap_or(u32::MAX);
    let mut cursor: Option<String> = None;
    loop {
        let path = Query::new("blocks")
            .with("limit", Some(left.min(PAGE)))
            .with("cursor", cursor.take());
        let answer = node.get(path.as_str()).await?;
        let page: BlockPage = answer.value()?;
        left = left.saturating_sub(page.blocks.len().try_into().unwrap_or(u32::MAX));
        if json {
            print(&answer.line())?;
        } else {
            let line = |block: &opentracker_api::Block| {
                let line = format!(
                    "{}  {}  {}",
                    block.info_hash,
                    time(block.time_ms),
                    block.note
                );
                line.trim_end().to_owned() + "\n"
            };
            print(&page.blocks.iter().map(line).collect::<String>())?;
        }
        match page.next {
            Some(next) if left > 0 => cursor = Some(next),
            _ => return Ok(()),
        }
    }
}

pub(crate) async fn limited(wanted: &Limited, json: bool) -> Result<()> {
    let path = Query::new("limited").with("limit", Some(wanted.limit));
    let answer = wanted.nodes.one()?.get(path.as_str()).await?;
    if json {
        return print(&answer.line());
    }
    print(&limited_text(&answer.value()?))
}

/// Prints the configuration in force.
pub(crate) async fn config(nodes: &Nodes, json: bool) -> Result<()> {
    let answer = nodes.one()?.get("config").await?;
    print(&match json {
        true => answer.line(),
        false => config_text(&answer.value()?),
    })
}

/// Writes sections and keys as the file has them.
fn config_text(config: &Map<String, Value>) -> String {
    let mut text = String::new();
    for (name, section) in config {
        let gap = if text.is_empty() { "" } else { "\n" };
        text += &format!("{gap}[{name}]\n");
        for (key, value) in section.as_object().into_iter().flatten() {
            text += &format!("{key} = {}\n", toml(value));
        }
    }
    text
}

/// Writes a value as TOML, which differs from JSON in its tables alone.
fn toml(value: &Value) -> String {
    match value {
        Value::Array(values) => {
            let values: Vec<_> = values.iter().map(toml).collect();
            format!("[{}]", values.join(", "))
        }
        Value::Object(keys) => {
            let pair = |(key, value)| format!("{key} = {}", toml(value));
            format!(
                "{{ {} }}",
                keys.iter().map(pair).collect::<Vec<_>>().join(", ")
            )
        }
        other => other.to_string(),
    }
}

fn print(text: &str) -> Result<()> {
    Ok(io::stdout().lock().write_all(text.as_bytes())?)
}

const TORRENTS_HEAD: &str =
    "info hash                                  seeders  leechers  downloads  idle\n";

/// Lines have one width, so that pages need not know of each other.
fn torrent_line(torrent: &Torrent) -> String {
    let Torrent {
        info_hash,
        seeders,
        leechers,
        downloads,
        idle_minutes,
    } = torrent;
    let idle = seconds(u64::from(*idle_minutes) * 60);
    format!("{info_hash:40}  {seeders:>8}  {leechers:>8}  {downloads:>9}  {idle}\n")
}

fn torrent(torrent: &TorrentDetail) -> String {
    let verdict = match torrent.verdict {
        Verdict::Served => "served",
        Verdict::Blocked => "blocked by hand",
        Verdict::Denied => "not served: it is on the deny list",
        Verdict::NotAllowed => "not served: it is not on the allow list",
    };
    let mut text = format!("{}: {verdict}\n", torrent.info_hash);
    let Some(swarm) = &torrent.swarm else {
        return text + "nobody announces it\n";
    };
    text += &format!(
        "{}, {}, {}, last announce {} ago\n",
        count(swarm.seeders, "seeder"),
        count(swarm.leechers, "leecher"),
        count(swarm.downloads, "download"),
        seconds(u64::from(swarm.idle_minutes) * 60)
    );
    for peer in &torrent.peers {
        let role = if peer.is_seeder { "seeder" } else { "leecher" };
        text += &format!("{role:7}  {}\n", peer.address);
    }
    text
}

fn limited_text(page: &LimitedPage) -> String {
    if page.prefixes.is_empty() {
        return "nobody sends too much\n".to_owned();
    }
    let head = ["prefix", "full again in", "its requests are"];
    let mut rows = vec![head.map(str::to_owned).to_vec()];
    for prefix in &page.prefixes {
        let step = match prefix.step {
            Step::Slowed => "served, with twice the interval",
            Step::Refused => "refused",
            Step::Silent => "not answered",
        };
        let full = format!("{:.0} s", prefix.full_in_secs);
        rows.push(vec![prefix.prefix.clone(), full, step.to_owned()]);
    }
    table(&rows)
}

#[cfg(test)]
mod tests {
    use opentracker_api::{LimitedPrefix, Peer};

    use super::*;

    #[test]
    fn torrents_are_lines() {
        let swarm = Torrent {
            info_hash: "ab".repeat(20),
            seeders: 1,
            leechers: 20,
            downloads: 300,
            idle_minutes: 61,
        };
        let line = torrent_line(&swarm);
        assert!(
            line.ends_with("        1        20        300  1 h 1 min\n"),
            "{line}"
        );
        let column = |text: &str, word: &str| text.find(word).unwrap() + word.len();
        assert_eq!(column(TORRENTS_HEAD, "leechers"), column(&line, " 20"));

        let mut one = TorrentDetail {
            info_hash: "ab".repeat(20),
            verdict: Verdict::Served,
            swarm: Some(swarm),
            peers: vec![Peer {
                address: "[::1]:7".to_owned(),
                is_seeder: true,
            }],
        };
        let said = torrent(&one);
        assert!(
            said.contains("1 seeder, 20 leechers, 300 downloads"),
            "{said}"
        );
        assert!(said.ends_with("\nseeder   [::1]:7\n"), "{said}");
        one.swarm = None;
        one.verdict = Verdict::Denied;
        let said = torrent(&one);
        assert!(
            said.contains("on the deny list\nnobody announces it\n"),
            "{said}"
        );
    }

    #[test]
    fn a_configuration_is_toml() {
        let config = serde_json::json!({
            "admin": { "hosts": [], "token": "a\"b" },
            "udp": { "listen": ["[::]:1", { "address": "[::]:2", "v6_only": true }], "workers": 0 },
        });
        let config: Map<String, Value> = serde_json::from_value(config).unwrap();
        assert_eq!(
            config_text(&config),
            "[admin]\nhosts = []\ntoken = \"a\\\"b\"\n\n[udp]\nlisten = [\"[::]:1\", { address = \
             \"[::]:2\", v6_only = true }]\nworkers = 0\n"
        );
    }

    #[test]
    fn prefixes_are_listed_with_what_becomes_of_them() {
        let mut page = LimitedPage { prefixes: vec![] };
        assert_eq!(limited_text(&page), "nobody sends too much\n");
        page.prefixes.push(LimitedPrefix {
            prefix: "192.0.2.1/32".to_owned(),
            step: Step::Silent,
            full_in_secs: 12.4,
        });
        let said = limited_text(&page);
        assert!(
            said.ends_with("192.0.2.1/32           12 s  not answered\n"),
            "{said}"
        );
    }
}
