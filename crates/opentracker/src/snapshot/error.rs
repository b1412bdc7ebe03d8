use std::io;
use std::path::PathBuf;

use opentracker_snapshot::OpenError;

/// Why snapshots cannot be kept where they should be, or the one that is there not be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotError {
    /// The folder is not there, or is none.
    #[error("snapshot.path: cannot open the folder {}", folder.display())]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// There is something else.
    #[error("snapshot.path: {} is no file", path.display())]
    NotAFile {
        /// What the configuration says.
        path: PathBuf,
    },
    /// The user that the process has become may not write there.
    #[error("snapshot.path: cannot write {}", path.display())]
    Unwritable {
        /// What the configuration says.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The list of what was blocked by hand, which is kept beside it, cannot be read.
    #[error("snapshot.path: cannot read {}", path.display())]
    Blocks {
        /// The list.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// The file is not taken. It stays as it is.
    #[error("snapshot.path: cannot restore {}", path.display())]
    Unreadable {
        /// What the configuration says.
        path: PathBuf,
        /// What is wrong with it.
        #[source]
        cause: OpenError,
    },
}

/// Why a snapshot was not written that was asked for.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SnapshotNowError {
    /// `snapshot.path` is empty.
    #[error("snapshots are off: snapshot.path is empty")]
    Off,
    /// The tracker stops, and writes its last one.
    #[error("the tracker stops")]
    Stopping,
    /// It could not be written.
    #[error("cannot write the snapshot")]
    Failed(#[source] io::Error),
}
