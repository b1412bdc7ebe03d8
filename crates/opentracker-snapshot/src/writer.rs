use std::io::{self, Write};

use opentracker_types::{InfoHash, SavedPeer, SavedTorrent};
use zstd::bulk::Compressor;

use crate::block::{BlockHead, FileHead, Kind, MAX_CONTENT, MAX_PACKED, VERSION};
use crate::swarms::{self, PART_HEAD_LEN, V6_LEN};

/// The fastest one. Addresses and info hashes are random, so a higher level gains little.
const LEVEL: i32 = 1;

/// What is in a snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// Torrents. The parts of a large swarm count as one, as long as they follow each other.
    pub torrents: u64,
    /// Peers.
    pub peers: u64,
}

/// Writes a snapshot, in blocks of at most [`MAX_CONTENT`] octets before compression.
///
/// What it writes is a whole snapshot only after [`Self::finish`].
pub struct Writer<W> {
    output: W,
    created: u64,
    number: u32,
    /// What the next block will hold.
    content: Vec<u8>,
    packed: Vec<u8>,
    compressor: Compressor<'static>,
    tally: Tally,
}

impl<W: Write> Writer<W> {
    /// Begins a snapshot that is made at `created`, in seconds since 1970.
    ///
    /// # Errors
    ///
    /// What the output says, or that there is no memory to compress with.
    pub fn new(mut output: W, created: u64) -> io::Result<Self> {
        let version = VERSION;
        output.write_all(&FileHead { version, created }.encode())?;
        Ok(Self {
            output,
            created,
            number: 0,
            content: Vec::with_capacity(MAX_CONTENT),
            packed: Vec::with_capacity(MAX_PACKED),
            compressor: Compressor::new(LEVEL)?,
            tally: Tally::default(),
        })
    }

    /// Writes a torrent and peers of it. Of a large swarm they may come in parts, one call after
    /// the other.
    ///
    /// # Errors
    ///
    /// What the output says. The snapshot is to be given up then.
    pub fn put(&mut self, torrent: &SavedTorrent, peers: &[SavedPeer]) -> io::Result<()> {
        self.tally.add(&torrent.info_hash, peers.len());
        let mut rest = peers;
        loop {
            if MAX_CONTENT - self.content.len() < PART_HEAD_LEN + V6_LEN {
                self.put_block(Kind::SWARMS)?;
            }
            let room = MAX_CONTENT - self.content.len();
            rest = swarms::encode(torrent, rest, room, &mut self.content);
            if rest.is_empty() {
                return Ok(());
            }
        }
    }

    /// Writes what is left and the totals, by which a snapshot is known to be whole, and returns
    /// the output.
    ///
    /// # Errors
    ///
    /// What the output says. The snapshot is not whole then.
    pub fn finish(mut self) -> io::Result<(W, Totals)> {
        if !self.content.is_empty() {
            self.put_block(Kind::SWARMS)?;
        }
        let totals = self.tally.totals;
        self.content.extend(totals.encode());
        self.put_block(Kind::END)?;
        self.output.flush()?;
        Ok((self.output, totals))
    }

    fn put_block(&mut self, kind: Kind) -> io::Result<()> {
        self.packed.clear();
        self.compressor
            .compress_to_buffer(&self.content, &mut self.packed)?;
        let len = |octets: &[u8]| u32::try_from(octets.len()).expect("the buffers are bounded");
        let head = BlockHead {
            kind,
            number: self.number,
            created: self.created,
            content_len: len(&self.content),
            packed_len: len(&self.packed),
            packed_sum: crc32fast::hash(&self.packed),
        };
        self.output.write_all(&head.encode())?;
        self.output.write_all(&self.packed)?;
        self.content.clear();
        self.number = self.number.checked_add(1).ok_or_else(too_large)?;
        Ok(())
    }
}

impl Totals {
    pub(crate) fn encode(self) -> [u8; 16] {
        (u128::from(self.torrents) << 64 | u128::from(self.peers)).to_be_bytes()
    }

    pub(crate) fn decode(octets: &[u8]) -> Option<Self> {
        let (torrents, peers) = octets.split_first_chunk()?;
        Some(Self {
            torrents: u64::from_be_bytes(*torrents),
            peers: u64::from_be_bytes(peers.try_into().ok()?),
        })
    }
}

/// Counts torrents whose parts follow each other once.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pub(crate) totals: Totals,
    latest: Option<InfoHash>,
}

impl Tally {
    pub(crate) fn add(&mut self, info_hash: &InfoHash, peers: usize) {
        if self.latest.as_ref() != Some(info_hash) {
            self.latest = Some(*info_hash);
            self.totals.torrents += 1;
        }
        self.totals.peers += peers as u64;
    }
}

fn too_large() -> io::Error {
    io::Error::other("a snapshot has 2^32 blocks at most")
}
