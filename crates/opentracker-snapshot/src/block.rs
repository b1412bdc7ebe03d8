//! The head of the file and the heads of its blocks (docs/snapshot.md, "File" and "Blocks").

/// The version of the format that is written, and the newest that is read.
pub const VERSION: u32 = 1;

/// Octets of a block's content at most, before it is compressed. Few enough that nobody waits long
/// for a processor that compresses one.
pub const MAX_CONTENT: usize = 64 * 1024;

/// Octets of a block's content at most, as it stands in the file: what cannot be compressed grows
/// by a few octets.
pub(crate) const MAX_PACKED: usize = MAX_CONTENT + 4096;

/// The first octets of a file. Not text, and broken by whoever takes it for text.
pub(crate) const MAGIC: [u8; 8] = *b"\x89OTS\r\n\x1a\n";

/// The first octets of a block, by which the next one is found behind damage.
pub(crate) const MARKER: [u8; 4] = *b"\xa7OTB";

/// What a block holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Kind(pub(crate) u8);

impl Kind {
    /// The last one: totals.
    pub(crate) const END: Self = Self(0);
    /// Torrents and their peers.
    pub(crate) const SWARMS: Self = Self(1);
}

/// The head of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileHead {
    pub(crate) version: u32,
    /// Seconds since 1970.
    pub(crate) created: u64,
}

impl FileHead {
    pub(crate) const LEN: usize = 24;

    pub(crate) fn encode(self) -> [u8; Self::LEN] {
        let mut out = Octets::new();
        out.put(MAGIC);
        out.put(self.version.to_be_bytes());
        out.put(self.created.to_be_bytes());
        out.finish()
    }

    /// Reads a head that is whole.
    pub(crate) fn decode(octets: &[u8]) -> Option<Self> {
        let mut fields = Fields::checked::<{ Self::LEN }>(octets)?;
        (fields.take()? == MAGIC).then_some(())?;
        Some(Self {
            version: u32::from_be_bytes(fields.take()?),
            created: u64::from_be_bytes(fields.take()?),
        })
    }
}

/// The head of a block.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BlockHead {
    pub(crate) kind: Kind,
    /// Blocks before it.
    pub(crate) number: u32,
    /// As in the head of the file, which may be damaged.
    pub(crate) created: u64,
    /// Octets of the content before it was compressed.
    pub(crate) content_len: u32,
    /// Octets of the content in the file.
    pub(crate) packed_len: u32,
    /// CRC-32 of the content in the file.
    pub(crate) packed_sum: u32,
}

impl BlockHead {
    pub(crate) const LEN: usize = 36;

    pub(crate) fn encode(self) -> [u8; Self::LEN] {
        let mut out = Octets::new();
        out.put(MARKER);
        out.put([self.kind.0, 0, 0, 0]);
        out.put(self.number.to_be_bytes());
        out.put(self.created.to_be_bytes());
        out.put(self.content_len.to_be_bytes());
        out.put(self.packed_len.to_be_bytes());
        out.put(self.packed_sum.to_be_bytes());
        out.finish()
    }

    /// Reads a head that is whole and within the bounds.
    pub(crate) fn decode(octets: &[u8]) -> Option<Self> {
        let mut fields = Fields::checked::<{ Self::LEN }>(octets)?;
        (fields.take()? == MARKER).then_some(())?;
        let [kind, ..] = fields.take::<4>()?;
        let head = Self {
            kind: Kind(kind),
            number: u32::from_be_bytes(fields.take()?),
            created: u64::from_be_bytes(fields.take()?),
            content_len: u32::from_be_bytes(fields.take()?),
            packed_len: u32::from_be_bytes(fields.take()?),
            packed_sum: u32::from_be_bytes(fields.take()?),
        };
        let is_bounded =
            head.content_len() <= MAX_CONTENT && head.packed_len as usize <= MAX_PACKED;
        is_bounded.then_some(head)
    }

    pub(crate) fn content_len(&self) -> usize {
        self.content_len as usize
    }

    /// Octets of the whole block.
    pub(crate) fn block_len(&self) -> usize {
        Self::LEN + self.packed_len as usize
    }
}

/// Octets of a head, to be written one field after the other; the last four are their checksum.
struct Octets<const LEN: usize> {
    octets: [u8; LEN],
    len: usize,
}

impl<const LEN: usize> Octets<LEN> {
    fn new() -> Self {
        Self {
            octets: [0; LEN],
            len: 0,
        }
    }

    fn put<const N: usize>(&mut self, field: [u8; N]) {
        self.octets[self.len..self.len + N].copy_from_slice(&field);
        self.len += N;
    }

    fn finish(mut self) -> [u8; LEN] {
        let sum = crc32fast::hash(&self.octets[..self.len]);
        self.put(sum.to_be_bytes());
        debug_assert_eq!(self.len, LEN);
        self.octets
    }
}

/// Octets to be read one field after the other.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fields<'a>(pub(crate) &'a [u8]);

impl<'a> Fields<'a> {
    /// The fields of a head of `LEN` octets, if the checksum in its last four is right.
    fn checked<const LEN: usize>(octets: &'a [u8]) -> Option<Self> {
        let (fields, sum) = octets.get(..LEN)?.split_last_chunk()?;
        (crc32fast::hash(fields) == u32::from_be_bytes(*sum)).then_some(Self(fields))
    }

    pub(crate) fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (field, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*field)
    }

    /// Takes so many items of `N` octets.
    pub(crate) fn take_items<const N: usize>(&mut self, items: usize) -> Option<&'a [[u8; N]]> {
        let (octets, rest) = self.0.split_at_checked(items * N)?;
        self.0 = rest;
        Some(octets.as_chunks().0)
    }
}
