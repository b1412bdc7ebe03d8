//! Torrents that were blocked by hand: a list of the program's own, kept beside the snapshot.

use std::collections::BTreeMap;
use std::io;
use std::ops::Bound;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use opentracker_core::HashList;
use opentracker_types::InfoHash;

use crate::snapshot::{Place, SnapshotError};
use crate::unix_time;

/// The ending of the file's name.
const ENDING: &str = "blocked";

/// Blocks at most: each is made by hand, and the file is written anew for each. Who has more of them
/// has a list, which is what `access.deny` is for.
pub(crate) const MAX_BLOCKS: usize = 100_000;

/// Octets that are read: far more than so many blocks have.
const MAX_OCTETS: u64 = 64 << 20;

/// Why a torrent was blocked, and when.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) note: String,
    /// Since 1970.
    pub(crate) time: Duration,
}

/// The blocks, and the file that has them.
#[derive(Debug)]
pub(crate) struct Blocks {
    place: Option<Place>,
    all: Mutex<BTreeMap<InfoHash, Block>>,
}

/// Why a torrent was not blocked, or the end of a block was not written down.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BlockError {
    #[error("there are {MAX_BLOCKS} blocks: put them into the file of access.deny")]
    Full,
    #[error("it holds until the next restart: {path} cannot be written: {cause}")]
    NotKept { path: String, cause: io::Error },
}

impl Blocks {
    /// Reads the blocks that are kept beside the snapshot, if there is one.
    pub(crate) fn read(snapshot: Option<&Place>) -> Result<Self, SnapshotError> {
        let Some(snapshot) = snapshot else {
            return Ok(Self {
                place: None,
                all: Mutex::default(),
            });
        };
        let unreadable = |cause| SnapshotError::Blocks {
            path: snapshot.path_beside(ENDING),
            cause,
        };
        let place = snapshot.sibling(ENDING).map_err(unreadable)?;
        if let Err(error) = place.remove_leftovers() {
            tracing::warn!("snapshot.path: cannot remove what was left there: {error}");
        }
        let text = place.read(MAX_OCTETS).map_err(unreadable)?;
        let text = text.unwrap_or_default();
        let (all, skipped) = parse(&String::from_utf8_lossy(&text));
        if skipped > 0 {
            let path = place.path().display();
            tracing::warn!("{path}: {skipped} lines are no blocks and were skipped");
        }
        Ok(Self {
            place: Some(place),
            all: Mutex::new(all),
        })
    }

    /// Tells whether they outlast a restart.
    pub(crate) fn are_kept(&self) -> bool {
        self.place.is_some()
    }

    /// Returns them as the rules have them.
    pub(crate) fn list(&self) -> Option<HashList> {
        list(&self.all())
    }

    /// Returns those behind an info hash in their order, and at most so many.
    pub(crate) fn after(&self, after: Option<InfoHash>, most: usize) -> Vec<(InfoHash, Block)> {
        let begin = after.map_or(Bound::Unbounded, Bound::Excluded);
        let all = self.all();
        let blocks = all.range((begin, Bound::Unbounded)).take(most);
        blocks.map(|(hash, block)| (*hash, block.clone())).collect()
    }

    /// Blocks a torrent: `enforce` is given the new list, and then it is written down. Blocked again,
    /// a torrent gets the new note.
    pub(crate) fn add(
        &self,
        info_hash: InfoHash,
        note: &str,
        enforce: impl FnOnce(Option<HashList>),
    ) -> (Block, Result<(), BlockError>) {
        let block = Block {
            note: note.to_owned(),
            time: unix_time::now(),
        };
        let mut all = self.all();
        if all.len() >= MAX_BLOCKS && !all.contains_key(&info_hash) {
            return (block, Err(BlockError::Full));
        }
        all.insert(info_hash, block.clone());
        enforce(list(&all));
        let kept = self.keep(&all);
        (block, kept)
    }

    /// Ends a block, and returns whether there was one.
    pub(crate) fn remove(
        &self,
        info_hash: InfoHash,
        enforce: impl FnOnce(Option<HashList>),
    ) -> (bool, Result<(), BlockError>) {
        let mut all = self.all();
        if all.remove(&info_hash).is_none() {
            return (false, Ok(()));
        }
        enforce(list(&all));
        let kept = self.keep(&all);
        (true, kept)
    }

    fn keep(&self, all: &BTreeMap<InfoHash, Block>) -> Result<(), BlockError> {
        let Some(place) = &self.place else {
            return Ok(());
        };
        let lines = all.iter().map(|(info_hash, block)| {
            let Block { note, time } = block;
            format!("{info_hash} {} {note}\n", time.as_millis())
        });
        let text = lines.collect::<String>();
        place.write(text.as_bytes()).map_err(|cause| {
            let path = place.path().display().to_string();
            BlockError::NotKept { path, cause }
        })
    }

    fn all(&self) -> MutexGuard<'_, BTreeMap<InfoHash, Block>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn list(all: &BTreeMap<InfoHash, Block>) -> Option<HashList> {
    (!all.is_empty()).then(|| all.keys().copied().collect())
}

/// Reads lines of info hash, milliseconds since 1970, and note, and how many are none.
fn parse(text: &str) -> (BTreeMap<InfoHash, Block>, usize) {
    let mut all = BTreeMap::new();
    let mut skipped = 0;
    for line in text.lines().filter(|line| !line.is_empty()) {
        let mut parts = line.splitn(3, ' ');
        let mut next = || parts.next();
        let block = || {
            let info_hash: InfoHash = next()?.parse().ok()?;
            let millis: u64 = next()?.parse().ok()?;
            let note = next().unwrap_or_default().to_owned();
            let time = Duration::from_millis(millis);
            Some((info_hash, Block { note, time }))
        };
        match { block }() {
            Some((info_hash, block)) => drop(all.insert(info_hash, block)),
            None => skipped += 1,
        }
    }
    (all, skipped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::PathBuf;

    const A: InfoHash = InfoHash::new([0xaa; 20]);
    const B: InfoHash = InfoHash::new([0xbb; 20]);

    fn folder(name: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("blocks-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        folder
    }

    #[test]
    fn blocks_are_read_again() {
        let folder = folder("again");
        let place = Place::open(&folder.join("swarms")).unwrap();
        let blocks = Blocks::read(place.as_ref()).unwrap();
        assert!(blocks.are_kept() && blocks.list().is_none());
        let mut enforced = None;
        for (info_hash, note) in [(B, ""), (A, "notice 7, ä"), (B, "again")] {
            let (_, kept) = blocks.add(info_hash, note, |list| enforced = list);
            kept.unwrap();
        }
        let list = enforced.unwrap();
        assert!(list.contains(&A) && list.contains(&B));
        let read = Blocks::read(place.as_ref()).unwrap();
        let notes = |blocks: &Blocks| {
            let all = blocks.after(None, 9).into_iter();
            all.map(|(hash, block)| (hash, block.note))
                .collect::<Vec<_>>()
        };
        let expected = [(A, "notice 7, ä".to_owned()), (B, "again".to_owned())];
        assert_eq!(notes(&read), expected);
        assert_eq!(read.after(Some(A), 9).len(), 1);
        assert_eq!(read.after(None, 1).len(), 1);
        let (was_blocked, kept) = read.remove(A, |_| ());
        kept.unwrap();
        assert!(was_blocked && !read.remove(A, |_| unreachable!()).0);
        assert_eq!(notes(&Blocks::read(place.as_ref()).unwrap()), expected[1..]);
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn other_lines_are_skipped() {
        let text = format!("{A} 7 a note\n\nx\n{B}\n{B} seven\n");
        let (all, skipped) = parse(&text);
        assert_eq!((all.len(), skipped), (1, 3));
        assert_eq!(all[&A].time, Duration::from_millis(7));
    }

    #[test]
    fn what_cannot_be_written_holds_until_a_restart() {
        let folder = folder("gone");
        let place = Place::open(&folder.join("swarms")).unwrap();
        let blocks = Blocks::read(place.as_ref()).unwrap();
        fs::remove_dir_all(&folder).unwrap();
        let mut enforced = None;
        let (_, kept) = blocks.add(A, "", |list| enforced = list);
        assert!(enforced.unwrap().contains(&A));
        let error = kept.unwrap_err().to_string();
        assert!(error.contains("until the next restart"), "{error}");
        let unkept = Blocks::read(None).unwrap();
        unkept.add(A, "", |_| ()).1.unwrap();
        assert!(!unkept.are_kept());
    }
}
