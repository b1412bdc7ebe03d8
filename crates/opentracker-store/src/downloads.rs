//! How often a torrent was downloaded, in the 32 bits that its cache line has for it.
//!
//! One request must not buy a day of memory. So a torrent is *established* only when peers of two
//! prefixes announced it, or its announces span more than one interval, or a sibling told of it;
//! until then it is forgotten with its last peer, downloads and all.
//!
//! | bits | established | not established |
//! |---|---|---|
//! | 31 | 0 | 1 |
//! | 30 | whether there are WebTorrent peers | the same |
//! | 19..30 | count | minute of the first announce, modulo 2048 |
//! | 0..19 | count | count |
//!
//! An established count of all ones means that the count is larger, and in [`LargeCounts`]. So one
//! comparison tells most torrents, whose count stands here and who have no WebTorrent peers.

use std::collections::BTreeMap;

use opentracker_types::{InfoHash, SavedTorrent};

use crate::clock::{Minute, Moment, Timing};

/// A torrent's download count, and whether the torrent is established.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Downloads(u32);

const NOT_ESTABLISHED: u32 = 1 << 31;
const HAS_WEB: u32 = 1 << 30;
const MINUTE_BITS: u32 = 11;
const COUNT_BITS: u32 = 19;
const LARGE: u32 = HAS_WEB - 1;

/// The largest count of a torrent that is not established; beyond it downloads are not counted.
const MOST_BEFORE: u32 = (1 << COUNT_BITS) - 1;

/// A torrent that is not established has a peer. So at its next announce the last one is at most
/// the longest timeout and some sweeps old, and the first one before that was within an interval.
const _: () = assert!(
    Timing::MAX_INTERVAL.as_secs() / 60 + Timing::MAX_PEER_TIMEOUT.as_secs() / 60 + 60
        < 1 << MINUTE_BITS,
    "minutes since the first announce never wrap"
);

impl Downloads {
    /// None, of a torrent that is established.
    pub(crate) const NONE: Self = Self(0);

    /// None, of a torrent that is announced for the first time.
    pub(crate) fn first_announced(now: Minute) -> Self {
        let minute = now.get() % (1 << MINUTE_BITS);
        Self(NOT_ESTABLISHED | minute << COUNT_BITS)
    }

    pub(crate) fn is_established(self) -> bool {
        self.0 & NOT_ESTABLISHED == 0
    }

    /// Whether the torrent is kept when its swarm has no peers: those of WebTorrent are elsewhere.
    pub(crate) fn are_kept(self) -> bool {
        self.has_web() || self.is_established() && self != Self::NONE
    }

    /// Whether the torrent has WebTorrent peers.
    #[inline]
    pub(crate) fn has_web(self) -> bool {
        self.0 & HAS_WEB != 0
    }

    /// Takes note of whether the torrent has WebTorrent peers.
    #[must_use]
    pub(crate) fn with_web(self, has_web: bool) -> Self {
        let without = self.0 & !HAS_WEB;
        Self(if has_web { without | HAS_WEB } else { without })
    }

    /// Whether the first announce of a torrent that is not established was more than an interval
    /// before one that was so many minutes ago.
    pub(crate) fn span_interval(self, age_minutes: u8, moment: &Moment) -> bool {
        let ago = u32::from(age_minutes);
        self.minutes_since_first(moment).saturating_sub(ago) > moment.interval
    }

    /// Minutes since the first announce of a torrent, unless it is established.
    pub(crate) fn unestablished_minutes(self, moment: &Moment) -> Option<u16> {
        let minutes = self.minutes_since_first(moment);
        let minutes = u16::try_from(minutes).expect("it has 11 bits");
        (!self.is_established()).then_some(minutes)
    }

    fn minutes_since_first(self, moment: &Moment) -> u32 {
        let first = self.0 >> COUNT_BITS;
        moment.now.get().wrapping_sub(first) % (1 << MINUTE_BITS)
    }

    /// Establishes the torrent; keeps the count.
    pub(crate) fn establish(&mut self) {
        if !self.is_established() {
            self.0 &= HAS_WEB | MOST_BEFORE;
        }
    }
}

/// The counts of a bucket's torrents that are too large for [`Downloads`].
#[derive(Debug, Default)]
pub(crate) struct LargeCounts(BTreeMap<InfoHash, u64>);

impl LargeCounts {
    /// The count of a torrent.
    #[inline]
    pub(crate) fn get(&self, downloads: Downloads, info_hash: &InfoHash) -> u64 {
        if downloads.0 < LARGE {
            return downloads.0.into();
        }
        match downloads.with_web(false).0 {
            LARGE => self.0.get(info_hash).copied().unwrap_or(LARGE.into()),
            count if downloads.is_established() => count.into(),
            count => (count & MOST_BEFORE).into(),
        }
    }

    /// Counts one more download; saturates.
    pub(crate) fn add_one(&mut self, downloads: &mut Downloads, info_hash: &InfoHash) {
        let count = self.get(*downloads, info_hash).saturating_add(1);
        if downloads.is_established() {
            *downloads = self.put(count, info_hash).with_web(downloads.has_web());
        } else if count <= MOST_BEFORE.into() {
            downloads.0 += 1;
        }
    }

    /// Returns a count, of a torrent that is established and has no WebTorrent peers, in the form that
    /// the torrent keeps.
    pub(crate) fn put(&mut self, count: u64, info_hash: &InfoHash) -> Downloads {
        match u32::try_from(count) {
            Ok(count) if count < LARGE => Downloads(count),
            _ => {
                self.0.insert(*info_hash, count);
                Downloads(LARGE)
            }
        }
    }

    /// Returns what is known of a torrent, if it is known, together with what was saved of it.
    pub(crate) fn restore(
        &mut self,
        known: Option<Downloads>,
        saved: &SavedTorrent,
        passed_minutes: u32,
        moment: &Moment,
    ) -> Downloads {
        let info_hash = &saved.info_hash;
        let ours = known.map_or(0, |known| self.get(known, info_hash));
        let count = ours.max(saved.downloads);
        let has_web = known.is_some_and(Downloads::has_web);
        let saved_minutes = match saved.unestablished_minutes {
            Some(minutes) if known.is_none_or(|known| !known.is_established()) => minutes,
            _ => return self.put(count, info_hash).with_web(has_web),
        };
        let minutes = u32::from(saved_minutes).saturating_add(passed_minutes);
        // Longer ago it would wrap; so long is always more than an interval.
        let minutes = minutes.min((1 << MINUTE_BITS) - 1 - u32::from(u8::MAX));
        let count = u32::try_from(count.min(MOST_BEFORE.into())).expect("bounded by 32 bits");
        Downloads(Downloads::first_announced(moment.now.before(minutes)).0 | count)
            .with_web(has_web)
    }

    /// Forgets the count of a torrent that is removed.
    pub(crate) fn forget(&mut self, downloads: Downloads, info_hash: &InfoHash) {
        if downloads.with_web(false).0 == LARGE {
            self.0.remove(info_hash);
        }
    }

    /// Octets on the heap, about.
    pub(crate) fn heap_octets(&self) -> usize {
        self.0.len() * size_of::<(InfoHash, u64)>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const HASH: InfoHash = InfoHash::new([1; 20]);

    fn moment(minute: u32) -> Moment {
        let timing = Timing::default().with_interval(Duration::from_secs(24 * 60 * 60));
        Moment::new(Minute::new(minute), &timing)
    }

    #[test]
    fn counts_grow_beyond_every_border() {
        let mut large = LargeCounts::default();
        for start in [0, 1 << 20, u64::from(LARGE) - 3, 1 << 32, u64::MAX - 2] {
            let mut downloads = large.put(start, &HASH);
            for more in 0..5 {
                assert!(downloads.is_established());
                assert_eq!(large.get(downloads, &HASH), start.saturating_add(more));
                large.add_one(&mut downloads, &HASH);
            }
            large.forget(downloads, &HASH);
            assert_eq!(large.heap_octets(), 0);
        }
    }

    #[test]
    fn what_was_counted_before_stays_counted() {
        let mut large = LargeCounts::default();
        let mut downloads = Downloads::first_announced(Minute::new(5000));
        for count in 0..3 {
            assert_eq!(large.get(downloads, &HASH), count);
            large.add_one(&mut downloads, &HASH);
            assert!(!downloads.is_established() && !downloads.are_kept());
        }
        downloads.establish();
        assert!(downloads.are_kept());
        assert_eq!(large.get(downloads, &HASH), 3);
    }

    #[test]
    fn web_torrent_peers_change_neither_count_nor_standing() {
        let mut large = LargeCounts::default();
        for start in [0, 77, u64::from(LARGE) - 1, 1 << 40] {
            let mut downloads = large.put(start, &HASH).with_web(true);
            large.add_one(&mut downloads, &HASH);
            assert!(downloads.has_web() && downloads.is_established());
            assert_eq!(large.get(downloads, &HASH), start + 1);
            let without = downloads.with_web(false);
            assert!(!without.has_web() && without.are_kept());
            assert_eq!(large.get(without, &HASH), start + 1);
            large.forget(downloads, &HASH);
            assert_eq!(large.heap_octets(), 0);
        }
        let mut downloads = Downloads::first_announced(Minute::new(999)).with_web(true);
        large.add_one(&mut downloads, &HASH);
        assert!(!downloads.is_established() && downloads.are_kept());
        assert_eq!(large.get(downloads, &HASH), 1);
        assert!(!downloads.span_interval(0, &moment(999 + 1440)));
        assert!(downloads.span_interval(0, &moment(999 + 1441)));
        downloads.establish();
        assert!(downloads.has_web() && downloads.is_established());
        assert_eq!(large.get(downloads, &HASH), 1);
    }

    #[test]
    fn before_it_is_established_a_count_saturates() {
        let mut large = LargeCounts::default();
        let mut downloads = Downloads::first_announced(Minute::new(2047));
        downloads.0 |= MOST_BEFORE - 1;
        for _ in 0..3 {
            large.add_one(&mut downloads, &HASH);
            assert_eq!(large.get(downloads, &HASH), MOST_BEFORE.into());
            assert!(!downloads.span_interval(0, &moment(2047)));
        }
    }

    #[test]
    fn an_interval_is_exact_to_the_minute() {
        for first in [0, 1, 607, 2047, 2048, 100_000] {
            let downloads = Downloads::first_announced(Minute::new(first));
            for later in 0..1440 + 300 {
                let spans = downloads.span_interval(0, &moment(first + later));
                assert_eq!(spans, later > 1440, "{first} + {later}");
            }
        }
    }

    #[test]
    fn an_announce_before_the_first_spans_nothing() {
        let downloads = Downloads::first_announced(Minute::new(1000));
        for age in [0, 1, 200] {
            let ago = u32::from(age);
            for (later, spans) in [(0, false), (1440 + ago, false), (1441 + ago, true)] {
                let moment = moment(1000 + later);
                assert_eq!(
                    downloads.span_interval(age, &moment),
                    spans,
                    "{later} - {age}"
                );
            }
        }
    }

    #[test]
    fn nobody_downloaded_it() {
        assert!(Downloads::NONE.is_established());
        assert!(!Downloads::NONE.are_kept());
    }
}
