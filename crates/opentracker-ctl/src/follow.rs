//! Streams that are followed: events of torrents, and requests with what became of them.

use std::io::{self, Write};

use anyhow::{Context, Result, bail};
use clap::Args;
use opentracker_api::{Event, EventKind, Traced};
use opentracker_types::InfoHash;
use serde::de::DeserializeOwned;

use crate::hashes;
use crate::nodes::Nodes;
use crate::query::Query;
use crate::words::{count, octets, time};

/// Follows events.
#[derive(Debug, Args)]
pub(crate) struct Events {
    /// End after so many.
    #[arg(long)]
    count: Option<u64>,
    #[command(flatten)]
    nodes: Nodes,
}

/// Follows requests.
#[derive(Debug, Args)]
pub(crate) struct Trace {
    /// Requests for this torrent alone.
    #[arg(long, value_name = "HASH", value_parser = hashes::parse)]
    info_hash: Option<InfoHash>,
    /// Requests from this address or network alone, like `192.0.2.0/24`.
    #[arg(long, value_name = "NET")]
    prefix: Option<String>,
    /// Requests with this outcome alone: `served`, `rejected` if they could not be understood, or a
    /// reason like `denied`.
    #[arg(long, value_name = "WORD")]
    outcome: Option<String>,
    /// End after so many requests; not given: 1000.
    #[arg(long, value_name = "NUMBER")]
    max: Option<u32>,
    /// End after so many seconds; not given: 60.
    #[arg(long)]
    seconds: Option<u32>,
    #[command(flatten)]
    nodes: Nodes,
}

pub(crate) async fn events(events: &Events, json: bool) -> Result<()> {
    follow(&events.nodes, "events", json, events.count, event).await
}

pub(crate) async fn trace(trace: &Trace, json: bool) -> Result<()> {
    let path = Query::new("trace")
        .with("info_hash", trace.info_hash)
        .with("prefix", trace.prefix.as_ref())
        .with("outcome", trace.outcome.as_ref())
        .with("max", trace.max)
        .with("seconds", trace.seconds);
    follow(&trace.nodes, path.as_str(), json, None, traced).await
}

/// Prints a line for each of a stream, as soon as it comes.
async fn follow<T: DeserializeOwned>(
    nodes: &Nodes,
    path: &str,
    json: bool,
    count: Option<u64>,
    say: impl Fn(&T) -> String,
) -> Result<()> {
    let mut lines = nodes.one()?.follow(path).await?;
    let mut left = count;
    while left != Some(0) {
        let Some(line) = lines.next().await? else {
            // One that was to go on has ended because the tracker does.
            if count.is_some() {
                bail!("the tracker ended the stream");
            }
            return Ok(());
        };
        let line = match json {
            true => line,
            false => {
                let value = serde_json::from_str(&line);
                say(&value.context("a line is not what was expected")?)
            }
        };
        writeln!(io::stdout(), "{line}")?;
        left = left.map(|left| left - 1);
    }
    Ok(())
}

fn event(event: &Event) -> String {
    let what = match event.event {
        EventKind::FirstSeeder => "first seeder",
        EventKind::Completed => "completed",
        EventKind::Gone => "gone",
        EventKind::Blocked => "blocked",
        EventKind::Unblocked => "unblocked",
    };
    let swarm = match event.event {
        EventKind::FirstSeeder | EventKind::Completed => format!(
            "  {}, {}",
            count(event.seeders, "seeder"),
            count(event.leechers, "leecher")
        ),
        _ => String::new(),
    };
    let missed = missed(event.missed);
    format!(
        "{}  {what:12}  {}{swarm}{missed}",
        time(event.time_ms),
        event.info_hash
    )
}

fn missed(missed: u64) -> String {
    match missed {
        0 => String::new(),
        missed => format!("  ({missed} before this one were missed)"),
    }
}

/// Tells of a request in the order in which one asks: when, who, what, and what became of it.
fn traced(traced: &Traced) -> String {
    let mut request = format!("{} {}", traced.protocol, traced.request);
    if let Some(event) = &traced.event {
        request += &format!(" {event}");
    }
    if let Some(info_hash) = &traced.info_hash {
        request += &format!(" {info_hash}");
    }
    let mut client = traced.client.clone();
    if let Some(port) = traced.port {
        client += &format!(" port {port}");
    }
    if let Some(peer_id) = &traced.peer_id {
        client += &format!(" ({peer_id})");
    }
    let mut says = Vec::new();
    match traced.left {
        Some(0) => says.push("has everything".to_owned()),
        Some(left) => says.push(format!("lacks {}", octets(left))),
        None => {}
    }
    if let Some(peers) = traced.num_want {
        says.push(format!("wants {}", count(peers, "peer")));
    }
    let says = says
        .iter()
        .map(|say| format!(", {say}"))
        .collect::<String>();
    let (time, outcome, missed) = (time(traced.time_ms), outcome(traced), missed(traced.missed));
    format!("{time}  {request} from {client}{says}: {outcome}{missed}")
}

/// What became of a request. What it was served is told in full; of the rest the tracker says why.
fn outcome(traced: &Traced) -> String {
    if traced.outcome != "served" {
        return traced.detail.clone();
    }
    let mut told = Vec::new();
    for (number, noun) in [
        (traced.peers, "peer"),
        (traced.seeders, "seeder"),
        (traced.leechers, "leecher"),
    ] {
        if let Some(number) = number {
            told.push(count(number, noun));
        }
    }
    if let Some(interval) = traced.interval_secs {
        told.push(format!("again in {interval} s"));
    }
    match told.is_empty() {
        true => "served".to_owned(),
        false => format!("served: {}", told.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_lines() {
        let mut happened = Event {
            time_ms: 0,
            event: EventKind::FirstSeeder,
            info_hash: "ab".repeat(20),
            seeders: 1,
            leechers: 2,
            missed: 0,
        };
        let hash = "ab".repeat(20);
        let expected = format!("1970-01-01 00:00:00Z  first seeder  {hash}  1 seeder, 2 leechers");
        assert_eq!(event(&happened), expected);
        happened.event = EventKind::Gone;
        happened.missed = 3;
        let said = event(&happened);
        assert!(said.ends_with(&format!(
            "gone          {hash}  (3 before this one were missed)"
        )));
    }

    #[test]
    fn requests_are_told_in_words() {
        let mut request = Traced {
            time_ms: 1000,
            protocol: "udp".to_owned(),
            request: "announce".to_owned(),
            client: "192.0.2.1".to_owned(),
            port: Some(6881),
            info_hash: Some("ab".repeat(20)),
            peer_id: Some("-qB5000-".to_owned()),
            event: Some("started".to_owned()),
            left: Some(2048),
            num_want: Some(1),
            outcome: "served".to_owned(),
            detail: String::new(),
            seeders: Some(1),
            leechers: Some(0),
            peers: Some(2),
            interval_secs: Some(1800),
            missed: 0,
        };
        assert_eq!(
            traced(&request),
            format!(
                "1970-01-01 00:00:01Z  udp announce started {} from 192.0.2.1 port 6881 (-qB5000-), \
                 lacks 2.0 KiB, wants 1 peer: served: 2 peers, 1 seeder, 0 leechers, again in 1800 s",
                "ab".repeat(20)
            )
        );
        request.outcome = "denied".to_owned();
        request.detail = "refused: the torrent is on the deny list".to_owned();
        request.missed = 3;
        let line = traced(&request);
        let expected =
            ": refused: the torrent is on the deny list  (3 before this one were missed)";
        assert!(line.ends_with(expected), "{line}");
    }
}
