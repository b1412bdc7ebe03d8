//! Load of the cluster protocol: SYNC_LIVE packets as a busy sibling sends them
//! (docs/livesync.md, peer sync).

use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::SystemTime;

use anyhow::{Context, Result, ensure};
use opentracker_datagrams::{SendBatch, set_send_buffer};
use opentracker_livesync_wire::{
    HEADER_LEN, Keys, LiveRecord, LiveWriter, MAX_PACKET, MAX_SEALABLE_PACKET, PacketBuf, Stamp,
    SyncLive, SyncLive6,
};
use opentracker_types::{PeerAddr, PeerFlags, TrackerId};
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};
use serde_json::to_value;
use socket2::{Domain, Protocol, Socket, Type};

use crate::args::LivesyncArgs;
use crate::drive::{self, Turn, drive};
use crate::guard;
use crate::pace::{Clock, Pace};
use crate::population::Population;
use crate::report::Report;
use crate::sources::{capacity, nth};
use crate::tally::Tally;

/// The most addresses that the peers are spread over.
const MAX_ADDRESSES: u64 = 1 << 16;

/// Octets of the socket's buffer, if the system grants them.
const BUFFER_OCTETS: usize = 8 << 20;

/// Makes load as told, and reports what was sent.
///
/// # Errors
///
/// The target is refused, or the system does not send to it.
pub(crate) fn run(args: &LivesyncArgs) -> Result<Report> {
    check_target(args)?;
    ensure!(args.run.threads == 1, "a sibling sends from one thread");
    let mut random = SmallRng::seed_from_u64(args.population.seed);
    let sender = TrackerId::new(random.next_u32().to_be_bytes());
    let keys = args.secret.as_deref().map(read).transpose()?;
    let (writer, record_octets) = if args.peer_net.network().is_ipv4() {
        (LiveWriter::sync_live(sender), SyncLive::RECORD_LEN)
    } else {
        (LiveWriter::sync_live6(sender), SyncLive6::RECORD_LEN)
    };
    let most = match keys {
        Some(_) => (MAX_SEALABLE_PACKET - HEADER_LEN) / record_octets,
        None => (MAX_PACKET - HEADER_LEN) / record_octets,
    };
    let records = match args.records {
        Some(records) => usize::try_from(records)?,
        None => most,
    };
    ensure!(
        records <= most,
        "a packet has at most {most} of these records"
    );
    let addresses = capacity(args.peer_net).min(MAX_ADDRESSES);
    let engine = Engine {
        socket: open(args).with_context(|| format!("cannot send from {}", args.interface))?,
        pace: Pace::in_lots(args.rate, records as u64),
        population: Population::new(&args.population, addresses, 1)?,
        addresses,
        writer,
        records,
        keys,
        number: random.next_u32(),
        args,
        random,
        packets: SendBatch::new(1),
        tally: Tally::default(),
    };
    let measurement = drive(vec![engine], Clock::start(), args.time, &args.run)?;
    let target = args.target.to_string();
    Ok(Report::new(
        "livesync",
        target,
        to_value(args)?,
        &measurement,
    ))
}

fn read(secret: &Path) -> Result<Keys> {
    let text = fs::read_to_string(secret);
    let text = text.with_context(|| format!("cannot read {}", secret.display()))?;
    Keys::parse(&text).with_context(|| secret.display().to_string())
}

/// Refuses to reach beyond this site: by a public address, or by a group that routers pass on.
fn check_target(args: &LivesyncArgs) -> Result<()> {
    let allow_public = args.run.allow_public_target;
    let target = args.target;
    if !target.ip().is_multicast() {
        return guard::check(target.ip(), allow_public);
    }
    ensure!(target.is_ipv4(), "the group of a cluster is an IPv4 group");
    ensure!(
        args.ttl <= 1 || allow_public,
        "with more than one hop, routers pass packets on to others; if they may, say {}",
        guard::PUBLIC_TARGET_FLAG
    );
    guard::check(args.interface, allow_public)
}

fn open(args: &LivesyncArgs) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(args.target),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    if args.target.ip().is_multicast()
        && let IpAddr::V4(interface) = args.interface
    {
        socket.set_multicast_if_v4(&interface)?;
        socket.set_multicast_ttl_v4(args.ttl.into())?;
        socket.set_multicast_loop_v4(true)?;
    }
    socket.bind(&SocketAddr::new(args.interface, 0).into())?;
    set_send_buffer(&socket, BUFFER_OCTETS)?;
    Ok(socket.into())
}

struct Engine<'a> {
    socket: UdpSocket,
    pace: Pace,
    population: Population,
    /// Addresses that the peers are spread over.
    addresses: u64,
    writer: LiveWriter,
    /// Records of a packet.
    records: usize,
    keys: Option<Keys>,
    /// That of the next seal.
    number: u32,
    args: &'a LivesyncArgs,
    random: SmallRng,
    packets: SendBatch,
    tally: Tally,
}

impl Engine<'_> {
    fn record(&mut self) -> LiveRecord {
        let number = self.random.random_range(0..self.population.peers());
        let peer = self.population.peer(number);
        let ip = nth(self.args.peer_net, number % self.addresses);
        let stopped = self.random.random_bool(self.args.stopped);
        let flags = match (peer.is_seeder, stopped) {
            (_, true) => PeerFlags::STOPPED,
            (true, false) => PeerFlags::SEEDING,
            (false, false) => PeerFlags::NONE,
        };
        let info_hash = self.population.info_hash(peer.torrent);
        let address = PeerAddr::new(ip.expect("below the capacity of the network"), peer.port);
        LiveRecord::new(info_hash, address, flags)
    }

    fn queue_packet(&mut self) {
        for _ in 0..self.records {
            let record = self.record();
            let pushed = self.writer.push(&record);
            pushed.expect("there is room for `records`, all of the packet's family");
        }
        let mut packet = self.writer.take();
        self.seal(&mut packet);
        let octets = packet.as_bytes();
        self.packets.buffer()[..octets.len()].copy_from_slice(octets);
        self.packets.push(octets.len(), self.args.target, None);
    }

    /// Seals a packet, if there is a secret.
    #[expect(
        clippy::cast_possible_truncation,
        reason = "it is modulo 2³² in a seal"
    )]
    fn seal(&mut self, packet: &mut PacketBuf) {
        let Some(keys) = &self.keys else {
            return;
        };
        let now = SystemTime::UNIX_EPOCH.elapsed().unwrap_or_default();
        let stamp = Stamp {
            time: now.as_secs() as u32,
            number: self.number,
        };
        let sealed = packet.seal(stamp, keys.first());
        sealed.expect("there is room for the seal behind `records`");
        self.number = self.number.wrapping_add(1);
    }
}

impl drive::Engine for Engine<'_> {
    fn turn(&mut self, now: u64) -> Result<Turn> {
        while !self.packets.is_full() && self.pace.take(now).is_some() {
            self.queue_packet();
        }
        if self.packets.is_empty() {
            return Ok(Turn::Idle);
        }
        let sent = self.packets.send(&self.socket);
        if sent.sent == 0
            && let Some(error) = sent.error
        {
            return Err(error).context("cannot send to the target");
        }
        self.tally.counts.unsent += sent.failed as u64;
        self.tally.packets += sent.sent as u64;
        self.tally.records += (sent.sent * self.records) as u64;
        Ok(Turn::Busy)
    }

    fn pace(&mut self) -> &mut Pace {
        &mut self.pace
    }

    fn tally(&mut self) -> &mut Tally {
        &mut self.tally
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::args::{Arguments, Command};

    fn check(options: &[&str]) -> Result<()> {
        let arguments = ["loadgen", "livesync"].iter().chain(options);
        let Command::Livesync(args) = Arguments::parse_from(arguments).command else {
            panic!("not the command livesync");
        };
        check_target(&args)
    }

    #[test]
    fn groups_stay_on_the_link_and_targets_on_the_site() {
        for options in [
            &["224.0.23.5:9696"][..],
            &["224.0.23.5:9696", "--interface", "192.168.0.1"],
            &["127.0.0.1:9696", "--ttl", "9"],
            &["224.0.23.5:9696", "--ttl", "9", "--allow-public-target"],
            &["198.51.100.1:9696", "--allow-public-target"],
        ] {
            assert!(check(options).is_ok(), "{options:?}");
        }
        for options in [
            &["224.0.23.5:9696", "--interface", "198.51.100.1"][..],
            &["224.0.23.5:9696", "--ttl", "2"],
            &["198.51.100.1:9696"],
            &["[ff02::1]:9696"],
        ] {
            assert!(check(options).is_err(), "{options:?}");
        }
    }
}
