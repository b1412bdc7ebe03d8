//! What the operator may have done, by those who can.

use std::fmt;
use std::sync::{Arc, OnceLock, Weak};

use opentracker_api as api;
use opentracker_types::InfoHash;

/// What a tracker does for its operator, besides what this crate finds in core itself.
///
/// Each function may take its time: it is called on a thread of its own.
pub trait Control: fmt::Debug + Send + Sync {
    /// Returns the addresses that are served.
    fn listeners(&self) -> Vec<api::ListenerStatus>;

    /// Returns the interfaces that are served below the network stack.
    fn xdp(&self) -> Vec<api::XdpStatus>;

    /// Returns the certificates of HTTPS.
    fn certificates(&self) -> Vec<api::CertificateStatus>;

    /// Returns what is known of snapshots; `None`: there are none.
    fn snapshot_status(&self) -> Option<api::SnapshotStatus>;

    /// Returns what is known of the latest reload.
    fn reload_status(&self) -> Option<api::ReloadStatus>;

    /// Returns the configuration in force: a JSON object of sections, each an object of keys.
    fn config(&self) -> serde_json::Value;

    /// Reads configuration and lists again.
    ///
    /// # Errors
    ///
    /// [`ControlError`]; what cannot be read is no error but named in the answer.
    fn reload(&self) -> Result<api::Reloaded, ControlError>;

    /// Writes a snapshot.
    ///
    /// # Errors
    ///
    /// [`ControlError`].
    fn snapshot(&self) -> Result<api::SnapshotWritten, ControlError>;

    /// Blocks a torrent, and forgets it.
    ///
    /// # Errors
    ///
    /// [`ControlError`].
    fn block(&self, info_hash: InfoHash, note: &str) -> Result<api::Blocked, ControlError>;

    /// Ends a block; that there was none is no error.
    ///
    /// # Errors
    ///
    /// [`ControlError`].
    fn unblock(&self, info_hash: InfoHash) -> Result<api::Unblocked, ControlError>;

    /// Returns the blocks behind an info hash in their order, and at most so many.
    fn blocks(&self, after: Option<InfoHash>, most: usize) -> Vec<api::Block>;
}

/// Where the plane finds who does it, who is there later than the plane.
#[derive(Debug, Default)]
pub struct ControlSlot(OnceLock<Weak<dyn Control>>);

impl ControlSlot {
    /// Says that he is there, until he is dropped. Said once it stays.
    pub fn fill(&self, control: &Arc<impl Control + 'static>) {
        let control: Weak<dyn Control> = Arc::<_>::downgrade(control) as Weak<_>;
        self.0.set(control).ok();
    }

    pub(crate) fn get(&self) -> Option<Arc<dyn Control>> {
        self.0.get().and_then(Weak::upgrade)
    }
}

/// Why something was not done.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum ControlError {
    /// The tracker starts or stops.
    NotNow,
    /// The present configuration has no such thing; why, and what would be right.
    Unavailable(String),
    /// There are as many as there may be.
    Full(String),
    /// It was tried and failed; why.
    Failed(String),
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotNow => f.write_str("the tracker starts or stops at present"),
            Self::Unavailable(why) | Self::Full(why) | Self::Failed(why) => f.write_str(why),
        }
    }
}

impl std::error::Error for ControlError {}
