use std::io::{self, Read};

use zstd::bulk::Decompressor;

use crate::block::{BlockHead, FileHead, Kind, MAGIC, MARKER, MAX_CONTENT, MAX_PACKED, VERSION};
use crate::input::Input;
use crate::swarms::Swarms;
use crate::writer::{Tally, Totals};

/// Octets that are looked at together: a block and as much again.
const BUFFER_OCTETS: usize = 2 * (BlockHead::LEN + MAX_PACKED);

/// Why a file is not read at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum OpenError {
    /// It is something else.
    #[error("it is no snapshot")]
    NotSnapshot,
    /// It was written by a newer program.
    #[error("snapshot of version {version}, this program reads {VERSION}")]
    Newer {
        /// The version of the file.
        version: u32,
    },
    /// It cannot be read.
    #[error("it cannot be read")]
    Io(#[from] io::Error),
}

/// Reads a snapshot, whole or damaged: whatever is whole of it.
///
/// It takes a few hundred kilobytes of memory, whatever the file says.
pub struct Reader<R> {
    input: Input<R>,
    decompressor: Decompressor<'static>,
    content: Vec<u8>,
    /// The least number that the next block may have; `None` after the last block.
    next_number: Option<u64>,
    tally: Tally,
    report: Report,
}

/// What a snapshot was found to be. It grows while the snapshot is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Report {
    /// When it was made, in seconds since 1970; `None` if nothing that is whole says so.
    pub created: Option<u64>,
    /// Blocks that are whole.
    pub blocks: u64,
    /// Those of them whose kind this version does not know.
    pub unknown: u64,
    /// Blocks that are missing or damaged, of those before the last one that is whole.
    pub lost_blocks: u64,
    /// Octets that belong to nothing that is whole.
    pub lost_octets: u64,
    /// What was found.
    pub found: Totals,
    /// What was written, as the last block says; `None` without it: the file was cut off.
    pub written: Option<Totals>,
}

impl Report {
    /// Tells whether nothing is missing.
    pub fn is_whole(&self) -> bool {
        self.lost_blocks == 0 && self.lost_octets == 0 && self.written == Some(self.found)
    }
}

impl<R: Read> Reader<R> {
    /// Looks at the head of a snapshot.
    ///
    /// # Errors
    ///
    /// [`OpenError`]. A damaged snapshot is none.
    pub fn new(input: R) -> Result<Self, OpenError> {
        let mut reader = Self {
            input: Input::new(input, BUFFER_OCTETS),
            decompressor: Decompressor::new()?,
            content: Vec::with_capacity(MAX_CONTENT),
            next_number: Some(0),
            tally: Tally::default(),
            report: Report::default(),
        };
        let octets = reader.input.peek(BUFFER_OCTETS)?;
        match FileHead::decode(octets) {
            Some(FileHead { version, .. }) if version > VERSION => {
                return Err(OpenError::Newer { version });
            }
            Some(head) => {
                reader.report.created = Some(head.created);
                reader.input.consume(FileHead::LEN);
            }
            None => {
                // A snapshot whose head is damaged is known by its beginning or by a block.
                let beginning = &octets[..octets.len().min(MAGIC.len())];
                let is_cut = !octets.is_empty() && MAGIC.starts_with(beginning);
                let mut places = octets.windows(BlockHead::LEN);
                if !is_cut && !places.any(|place| BlockHead::decode(place).is_some()) {
                    return Err(OpenError::NotSnapshot);
                }
            }
        }
        Ok(reader)
    }

    /// Returns the swarms of the next block that is whole and has some, or `None` at the end.
    ///
    /// # Errors
    ///
    /// What the input says.
    pub fn next_swarms(&mut self) -> io::Result<Option<Swarms<'_>>> {
        while let Some(head) = self.next_block()? {
            match head.kind {
                Kind::SWARMS => {
                    // Found well-formed before.
                    let swarms = Swarms::decode(head.created, &self.content);
                    let parts = swarms.clone().into_iter().flatten();
                    parts.for_each(|part| self.tally.add(&part.torrent.info_hash, part.len()));
                    self.report.found = self.tally.totals;
                    return Ok(swarms);
                }
                Kind::END => {
                    self.report.written = Totals::decode(&self.content);
                    self.next_number = None;
                }
                _ => self.report.unknown += 1,
            }
        }
        Ok(None)
    }

    /// Returns what was found so far; all of it after [`Self::next_swarms`] has said that this is
    /// the end.
    pub fn report(&self) -> &Report {
        &self.report
    }

    /// Goes on to the next block that is whole; leaves its content in `content`.
    fn next_block(&mut self) -> io::Result<Option<BlockHead>> {
        loop {
            let octets = self.input.peek(BlockHead::LEN)?;
            if octets.is_empty() {
                return Ok(None);
            }
            let head = BlockHead::decode(octets).filter(|head| self.is_expected(head));
            if let Some(head) = head
                && self.unpack(&head)?
            {
                let number = u64::from(head.number);
                self.report.created = Some(head.created);
                self.report.blocks += 1;
                self.report.lost_blocks += number - self.next_number.unwrap_or(number);
                self.next_number = Some(number + 1);
                self.input.consume(head.block_len());
                return Ok(Some(head));
            }
            self.skip()?;
        }
    }

    /// Whether a block belongs to this snapshot and comes after the one before it.
    fn is_expected(&self, head: &BlockHead) -> bool {
        let is_later = |next| u64::from(head.number) >= next;
        let is_ours = |created| head.created == created;
        self.next_number.is_some_and(is_later) && self.report.created.is_none_or(is_ours)
    }

    /// Unpacks the content of the block that comes next; tells whether it is whole.
    fn unpack(&mut self, head: &BlockHead) -> io::Result<bool> {
        let octets = self.input.peek(head.block_len())?;
        let Some(packed) = octets.get(BlockHead::LEN..head.block_len()) else {
            return Ok(false);
        };
        if crc32fast::hash(packed) != head.packed_sum {
            return Ok(false);
        }
        self.content.clear();
        // Into a vector that does not grow, so that a few octets cannot become very many.
        let unpacked = self
            .decompressor
            .decompress_to_buffer(packed, &mut self.content);
        let is_as_said = unpacked.is_ok_and(|octets| octets == head.content_len());
        Ok(is_as_said && is_well_formed(head, &self.content))
    }

    /// Gives up what does not begin a block that is whole, up to the next marker.
    fn skip(&mut self) -> io::Result<()> {
        // Behind the first octet. What may be the beginning of a marker is kept.
        let octets = self.input.peek(BUFFER_OCTETS)?;
        let rest = octets.get(1..).unwrap_or_default();
        let marker = rest.windows(MARKER.len()).position(|four| four == MARKER);
        let is_last = octets.len() < BUFFER_OCTETS;
        let lost = match marker {
            Some(place) => 1 + place,
            None if is_last => octets.len(),
            None => octets.len() - (MARKER.len() - 1),
        };
        self.report.lost_octets += lost as u64;
        self.input.consume(lost);
        Ok(())
    }
}

fn is_well_formed(head: &BlockHead, content: &[u8]) -> bool {
    match head.kind {
        Kind::SWARMS => Swarms::decode(head.created, content).is_some(),
        Kind::END => Totals::decode(content).is_some(),
        _ => true,
    }
}
