use opentracker_types::TrackerId;

use crate::{LiveRecord, PacketBuf, PushError, SyncLive6Writer, SyncLiveWriter};

/// Fills packets of announces in either record form, for whoever chooses the form at run time.
///
/// ```
/// use opentracker_livesync_wire::types::{InfoHash, PeerFlags, TrackerId};
/// use opentracker_livesync_wire::{LiveRecord, LiveWriter, PushError};
///
/// let sender = TrackerId::new([1, 2, 3, 4]);
/// let peer = "[2001:db8::7]:6881".parse()?;
/// let record = LiveRecord::new(InfoHash::new([7; 20]), peer, PeerFlags::SEEDING);
/// assert_eq!(LiveWriter::sync_live(sender).push(&record), Err(PushError::NotIpv4));
/// assert_eq!(LiveWriter::sync_live6(sender).push(&record), Ok(()));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone)]
pub struct LiveWriter(Form);

#[derive(Debug, Clone)]
enum Form {
    SyncLive(SyncLiveWriter),
    SyncLive6(SyncLive6Writer),
}

/// Does the same with the writer of either form.
macro_rules! each_form {
    ($form:expr, $writer:ident => $then:expr) => {
        match $form {
            Form::SyncLive($writer) => $then,
            Form::SyncLive6($writer) => $then,
        }
    };
}

impl LiveWriter {
    /// Starts a [`SyncLive`](crate::SyncLive) packet, which takes IPv4 peers alone.
    pub fn sync_live(sender: TrackerId) -> Self {
        Self(Form::SyncLive(SyncLiveWriter::new(sender)))
    }

    /// Starts a [`SyncLive6`](crate::SyncLive6) packet, which takes peers of both families, IPv4
    /// ones as `::ffff:a.b.c.d`.
    pub fn sync_live6(sender: TrackerId) -> Self {
        Self(Form::SyncLive6(SyncLive6Writer::new(sender)))
    }

    /// Sets the most octets of a packet, as the writers of both forms do.
    #[must_use]
    pub fn with_max_octets(self, max_octets: usize) -> Self {
        Self(match self.0 {
            Form::SyncLive(writer) => Form::SyncLive(writer.with_max_octets(max_octets)),
            Form::SyncLive6(writer) => Form::SyncLive6(writer.with_max_octets(max_octets)),
        })
    }

    /// Appends a record.
    ///
    /// # Errors
    ///
    /// Fails, and leaves the packet as it is, when it is full or its form has no room for the
    /// peer's address.
    #[inline]
    pub fn push(&mut self, record: &LiveRecord) -> Result<(), PushError> {
        each_form!(&mut self.0, writer => writer.push(record))
    }

    /// Returns how many records are in the packet.
    pub const fn len(&self) -> usize {
        each_form!(&self.0, writer => writer.len())
    }

    /// Tells whether there is no record in the packet.
    pub const fn is_empty(&self) -> bool {
        each_form!(&self.0, writer => writer.is_empty())
    }

    /// Tells whether no further record fits.
    #[inline]
    pub const fn is_full(&self) -> bool {
        each_form!(&self.0, writer => writer.is_full())
    }

    /// Returns the packet as it stands.
    pub fn as_bytes(&self) -> &[u8] {
        each_form!(&self.0, writer => writer.as_bytes())
    }

    /// Returns the packet and starts the next one of the same form.
    pub fn take(&mut self) -> PacketBuf {
        each_form!(&mut self.0, writer => writer.take())
    }
}
