use std::collections::BTreeMap;
use std::time::Instant;

use opentracker_livesync_wire::KeyName;
use opentracker_scrape_sync::Standing;
use opentracker_types::TrackerId;

use crate::pace::Pace;
use crate::roster::SIBLING_LIFETIME;
use crate::sibling::SiblingSeal;
use crate::window::{self, Window};
use crate::{Counter, Kind, Sibling, Source};

/// How many siblings that seal are known. While it is full of those heard within
/// [`SIBLING_LIFETIME`], packets of a further one are dropped, so that no window is forgotten while
/// a packet that it knows can be shown to us once more.
pub const MAX_MEMBERS: usize = 256;

/// The siblings that seal, by id: who has none of the keys cannot make one up.
#[derive(Debug, Default)]
pub(crate) struct Members(BTreeMap<TrackerId, Member>);

#[derive(Debug)]
struct Member {
    sibling: Sibling,
    window: Window,
    pace: Pace,
    /// The latest packet that was taken, and when it came by its first carrier.
    latest: (u32, Instant),
}

impl Members {
    /// Looks whether a packet of this number may be taken. But for noting that it came, nothing changes.
    ///
    /// # Errors
    ///
    /// Why it may not, as it is counted.
    pub(crate) fn check(
        &mut self,
        id: TrackerId,
        number: u32,
        via: Kind,
        now: Instant,
    ) -> Result<(), Counter> {
        let Some(member) = self.0.get_mut(&id) else {
            let has_room = self.0.len() < MAX_MEMBERS || self.silent(now).is_some();
            return has_room.then_some(()).ok_or(Counter::RosterFull);
        };
        match member.window.standing(number) {
            window::Standing::Seen => {
                member.note_copy(number, via, now);
                Err(Counter::Duplicate)
            }
            window::Standing::Behind => Err(Counter::Behind),
            window::Standing::New if member.pace.take(now) => Ok(()),
            window::Standing::New => {
                member.sibling.dropped_packets += 1;
                Err(Counter::Rate)
            }
        }
    }

    /// Notes a packet that may be taken, and returns whose it is.
    pub(crate) fn hear(
        &mut self,
        id: TrackerId,
        number: u32,
        seal: SiblingSeal,
        source: Source,
        now: Instant,
    ) -> &mut Sibling {
        if self.0.len() >= MAX_MEMBERS
            && !self.0.contains_key(&id)
            && let Some(silent) = self.silent(now)
        {
            self.0.remove(&silent);
        }
        let member = self
            .0
            .entry(id)
            .or_insert_with(|| Member::new(id, number, now));
        member.window.note(number);
        member.latest = (number, now);
        member.sibling.lag_by[source.via as usize] = None;
        member.sibling.seal = Some(seal);
        member.sibling.hear(source, now);
        &mut member.sibling
    }

    /// Returns the key that a sender's last packet was sealed with.
    pub(crate) fn key_of(&self, id: TrackerId) -> Option<KeyName> {
        let seal = self.0.get(&id)?.sibling.seal?;
        Some(seal.key)
    }

    /// Tells whether a packet of a sender was taken within [`SIBLING_LIFETIME`].
    pub(crate) fn has_heard(&self, id: TrackerId, now: Instant) -> bool {
        self.0.get(&id).is_some_and(|member| !member.is_silent(now))
    }

    /// Tells whether one of them has an id.
    pub(crate) fn has(&self, id: TrackerId) -> bool {
        self.0.contains_key(&id)
    }

    /// Returns how all of them stand in scrape sync.
    pub(crate) fn standings(&mut self) -> impl Iterator<Item = (TrackerId, &mut Standing)> {
        let members = self.0.iter_mut();
        members.map(|(&id, member)| (id, &mut member.sibling.standing))
    }

    pub(crate) fn siblings(&self) -> impl Iterator<Item = &Sibling> {
        self.0.values().map(|member| &member.sibling)
    }

    /// Returns the one that has been silent for longest, if that is long enough to forget it.
    fn silent(&self, now: Instant) -> Option<TrackerId> {
        let members = self.0.iter();
        let (&id, member) = members.min_by_key(|(_, member)| member.sibling.heard_at)?;
        member.is_silent(now).then_some(id)
    }
}

impl Member {
    fn new(id: TrackerId, number: u32, now: Instant) -> Self {
        let mut pace = Pace::new(now);
        pace.take(now);
        Self {
            sibling: Sibling::new(id, now),
            window: Window::new(number),
            pace,
            latest: (number, now),
        }
    }

    /// Notes a packet that was taken already, when it came by another carrier.
    fn note_copy(&mut self, number: u32, via: Kind, now: Instant) {
        self.sibling.note(via, now);
        let (latest, came_at) = self.latest;
        if number == latest {
            let lag = now.saturating_duration_since(came_at);
            self.sibling.lag_by[via as usize] = Some(lag);
        }
    }

    fn is_silent(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.sibling.heard_at) >= SIBLING_LIFETIME
    }
}
