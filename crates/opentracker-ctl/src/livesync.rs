//! The group of a cluster: what goes over it, who is there, and what to send for tests.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context, Result, bail};
use clap::{Args, Subcommand};
use opentracker::multicast::{Group, GroupConfig};
use opentracker_livesync_wire::{Keys, Packet};
use opentracker_types::TrackerId;
use serde_json::{Value, json};

use crate::arguments::Reach;
use crate::compare::{self, Compare};
use crate::packets::{self, What};
use crate::seal::{Opened, Seal, Sealer, Secret};
use crate::show::Heard;
use crate::status;

/// Senders that are listed. Further ones are counted only.
const MAX_SENDERS: usize = 1024;

/// Octets of the longest datagram.
const MAX_DATAGRAM: usize = 65_507;

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Prints each packet of the group. What the trackers of this host send is not among them.
    Dump {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        secret: Secret,
        /// End after so many packets.
        #[arg(long)]
        count: Option<u64>,
    },
    /// Sends packets to the group. Trackers take them if they list our address.
    Inject {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        secret: Secret,
        /// The id to send in the name of, 8 hexadecimal digits.
        #[arg(long, default_value = "63746c21", value_parser = packets::parse_id)]
        id: TrackerId,
        #[command(subcommand)]
        what: What,
    },
    /// Listens for a while and lists the nodes that were heard.
    Nodes {
        #[command(flatten)]
        place: Place,
        #[command(flatten)]
        secret: Secret,
        /// How long to listen; nodes that serve nobody are heard once a beacon interval.
        #[arg(long = "for", default_value = "70s", value_parser = parse_duration)]
        listen_for: Duration,
    },
    /// Asks a running tracker what it knows of the others.
    Status(Reach),
    /// Asks several trackers whom they hear, and names who is heard by some of them alone.
    ///
    /// The exit code is 1 if there is one, or a tracker cannot be asked.
    Compare(Compare),
}

/// Where a cluster is.
#[derive(Debug, Args)]
pub(crate) struct Place {
    /// The address of the interface to join on.
    #[arg(long)]
    interface: Ipv4Addr,
    /// The multicast group.
    #[arg(long, default_value = "224.0.23.5")]
    group: Ipv4Addr,
    /// The port.
    #[arg(long, default_value_t = 9696)]
    port: u16,
}

/// Runs one of the commands.
pub(crate) async fn run(command: Command, json: bool) -> Result<()> {
    match command {
        Command::Dump {
            place,
            secret,
            count,
        } => dump(place.join()?, secret.keys()?.as_ref(), json, count).await,
        Command::Inject {
            place,
            secret,
            id,
            what,
        } => inject(&place.join()?, secret.keys()?.as_ref(), id, &what).await,
        Command::Nodes {
            place,
            secret,
            listen_for,
        } => nodes(place.join()?, secret.keys()?.as_ref(), listen_for, json).await,
        Command::Status(reach) => status::cluster(&reach.nodes, json).await,
        Command::Compare(compare) => compare::run(&compare, json).await,
    }
}

impl Place {
    fn join(&self) -> Result<Group> {
        let group = SocketAddrV4::new(self.group, self.port);
        Ok(Group::join(GroupConfig {
            // Trackers of this host are to hear us.
            loopback: true,
            sources: vec!["0.0.0.0/0".parse().context("everybody")?],
            ..GroupConfig::new(group, self.interface)
        })?)
    }
}

async fn dump(mut group: Group, keys: Option<&Keys>, json: bool, count: Option<u64>) -> Result<()> {
    let mut buffer = vec![0; MAX_DATAGRAM];
    let mut left = count;
    while left != Some(0) {
        let (octets, source) = group.recv(&mut buffer).await?;
        let heard = Heard {
            at: SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default(),
            source,
            opened: Opened::new(&buffer[..octets], keys),
        };
        let line = if json {
            heard.json().to_string()
        } else {
            heard.text()
        };
        writeln!(io::stdout(), "{line}")?;
        left = left.map(|left| left - 1);
    }
    Ok(())
}

async fn inject(group: &Group, keys: Option<&Keys>, id: TrackerId, what: &What) -> Result<()> {
    let mut sealer = keys.map(Sealer::new);
    for mut datagram in packets::datagrams(what, id)? {
        if let Some(sealer) = &mut sealer {
            datagram = sealer.seal(&datagram)?;
        }
        group.send(&datagram).await.context("cannot send")?;
    }
    Ok(())
}

async fn nodes(
    mut group: Group,
    keys: Option<&Keys>,
    listen_for: Duration,
    json: bool,
) -> Result<()> {
    let mut buffer = vec![0; MAX_DATAGRAM];
    let mut senders = Senders::default();
    let end = Instant::now() + listen_for;
    while let Ok(received) = tokio::time::timeout_at(end.into(), group.recv(&mut buffer)).await {
        let (octets, source) = received?;
        let opened = Opened::new(&buffer[..octets], keys);
        senders.hear(opened, source, Instant::now());
    }
    let text = match json {
        true => senders.json(Instant::now()).to_string() + "\n",
        false => senders.table(Instant::now()),
    };
    Ok(io::stdout().lock().write_all(text.as_bytes())?)
}

/// Who was heard.
#[derive(Debug, Default)]
struct Senders {
    by_id: BTreeMap<TrackerId, Sender>,
    /// Packets of senders beyond the number that is listed.
    unlisted: u64,
    /// Datagrams that are no packet.
    unread: u64,
    /// Datagrams whose seal fits no key.
    bad_seals: u64,
}

#[derive(Debug)]
struct Sender {
    source: SocketAddrV4,
    packets: u64,
    torrents: Option<u64>,
    heard_at: Instant,
}

impl Senders {
    fn hear(&mut self, opened: Opened<'_>, source: SocketAddrV4, now: Instant) {
        if opened.seal == Seal::Bad {
            self.bad_seals += 1;
            return;
        }
        let Ok(packet) = Packet::decode(opened.packet) else {
            self.unread += 1;
            return;
        };
        let id = packet.sender();
        if self.by_id.len() >= MAX_SENDERS && !self.by_id.contains_key(&id) {
            self.unlisted += 1;
            return;
        }
        let sender = self.by_id.entry(id).or_insert(Sender {
            source,
            packets: 0,
            torrents: None,
            heard_at: now,
        });
        sender.source = source;
        sender.packets += 1;
        sender.heard_at = now;
        if let Packet::Beacon(beacon) = packet {
            sender.torrents = Some(beacon.torrents);
        }
    }

    fn json(&self, now: Instant) -> Value {
        let node = |(id, sender): (&TrackerId, &Sender)| {
            json!({
                "tracker_id": id.to_string(),
                "address": sender.source.to_string(),
                "packets": sender.packets,
                "torrents": sender.torrents,
                "heard_secs_ago": now.saturating_duration_since(sender.heard_at).as_secs(),
            })
        };
        json!({
            "nodes": self.by_id.iter().map(node).collect::<Vec<_>>(),
            "unlisted_packets": self.unlisted,
            "unread_datagrams": self.unread,
            "badly_sealed_datagrams": self.bad_seals,
        })
    }

    fn table(&self, now: Instant) -> String {
        let mut table = format!(
            "{:8}  {:21}  {:>10}  {:>12}  {}\n",
            "id", "address", "packets", "torrents", "last heard"
        );
        for (id, sender) in &self.by_id {
            let torrents = sender.torrents.map_or("-".to_owned(), |t| t.to_string());
            let ago = now.saturating_duration_since(sender.heard_at).as_secs();
            let source = sender.source.to_string();
            let packets = sender.packets;
            table += &format!("{id}  {source:21}  {packets:>10}  {torrents:>12}  {ago} s ago\n");
        }
        for (count, what) in [
            (self.unlisted, "packets of further senders"),
            (self.unread, "datagrams that are no packet"),
            (self.bad_seals, "datagrams without a seal that fits a key"),
        ] {
            if count > 0 {
                table += &format!("{count} {what}\n");
            }
        }
        table
    }
}

/// Parses a number of seconds, minutes or hours, like `10s`.
pub(crate) fn parse_duration(text: &str) -> Result<Duration> {
    let (number, unit) = text.split_at(text.trim_end_matches(char::is_alphabetic).len());
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 60 * 60,
        _ => bail!("write a number and a unit, `s`, `m` or `h`, like `10s`"),
    };
    let number: u32 = number
        .parse()
        .with_context(|| format!("{number:?} is not a whole number"))?;
    Ok(Duration::from_secs(u64::from(number) * seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations() {
        assert_eq!(parse_duration("10s").unwrap(), Duration::from_secs(10));
        assert_eq!(parse_duration("2m").unwrap(), Duration::from_secs(120));
        for wrong in ["", "s", "10", "-1s", "1.5m", "10 s", "5é"] {
            assert!(parse_duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn senders_are_listed_by_id_and_bounded() {
        let mut senders = Senders::default();
        let (source, now) = ("10.0.0.1:9696".parse().unwrap(), Instant::now());
        let mut hear = |octets: &[u8]| senders.hear(Opened::new(octets, None), source, now);
        hear(b"idid\0\0\0\x01\0\0\0\0\0\0\0\x07");
        hear(b"idid\0\0\0\0");
        hear(b"?");
        let object = senders.json(now + Duration::from_secs(3));
        assert_eq!(object["nodes"][0]["torrents"], 7);
        assert_eq!(object["unread_datagrams"], 1);
        let table = senders.table(now + Duration::from_secs(3));
        let lines: Vec<Vec<&str>> = table
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        let expected = ["69646964", "10.0.0.1:9696", "2", "7", "3", "s", "ago"];
        assert_eq!(lines[1], expected);
        assert_eq!(lines[2].join(" "), "1 datagrams that are no packet");
        for number in 0..=MAX_SENDERS {
            let id = u32::try_from(number).unwrap().to_be_bytes();
            let packet = [&id[..], &[0; 4]].concat();
            senders.hear(Opened::new(&packet, None), source, now);
        }
        assert_eq!((senders.by_id.len(), senders.unlisted), (MAX_SENDERS, 2));
    }
}
