//! Access lists from files.

use std::io;
use std::path::{Path, PathBuf};

use opentracker_core::{AccessLists, HashList, ParseListError};
use rand::Rng;

use crate::config::Access;

/// Why an access list cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ListError {
    /// The file cannot be read.
    #[error("access.{key}: cannot read {}", path.display())]
    Unreadable {
        /// `allow` or `deny`.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// A line of the file is not an info hash.
    #[error("access.{key}: {}: {cause}", path.display())]
    Malformed {
        /// `allow` or `deny`.
        key: &'static str,
        /// The file.
        path: PathBuf,
        /// Which line, and what is wrong with it.
        cause: ParseListError,
    },
}

/// Reads both lists.
pub(crate) fn read(access: &Access) -> Result<AccessLists, ListError> {
    Ok(AccessLists {
        allow: read_list("allow", &access.allow)?,
        deny: read_list("deny", &access.deny)?,
    })
}

fn read_list(key: &'static str, path: &Path) -> Result<Option<HashList>, ListError> {
    if path.as_os_str().is_empty() {
        return Ok(None);
    }
    let octets = std::fs::read(path).map_err(|cause| ListError::Unreadable {
        key,
        path: path.to_owned(),
        cause,
    })?;
    // A comment may be in any encoding.
    let text = String::from_utf8_lossy(&octets);
    let mut hash_key = [0; 16];
    rand::rng().fill_bytes(&mut hash_key);
    let list = HashList::parse(&text, hash_key).map_err(|cause| ListError::Malformed {
        key,
        path: path.to_owned(),
        cause,
    })?;
    Ok(Some(list))
}
