use crate::counters::{CounterSet, Family};

/// What clients make a habit of: how soon they come back, and how many peers they ask for.
///
/// Each value is counted apart, by a sample of the announces if they come fast. The statistics show
/// them all; the metrics would have hundreds of series, so they have none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Habit {
    /// A known peer announced so many whole minutes after the time before.
    RenewedAfter(u8),
    /// A client was to get up to so many peers, by its wish or by default. [`Self::MAX_WANTED`]
    /// stands for more as well.
    Wanted(u8),
}

/// Numbers of minutes that a peer's age can have.
const MINUTES: usize = 256;

impl Habit {
    /// The most peers that are counted apart.
    pub const MAX_WANTED: u8 = 200;

    pub(crate) fn wanted(peers: usize) -> Self {
        let peers = u8::try_from(peers).unwrap_or(Self::MAX_WANTED);
        Self::Wanted(peers.min(Self::MAX_WANTED))
    }
}

impl CounterSet for Habit {
    const FAMILIES: &'static [Family] = &[];
    const LEN: usize = MINUTES + Self::MAX_WANTED as usize + 1;

    fn index(self) -> usize {
        match self {
            Self::RenewedAfter(minutes) => usize::from(minutes),
            Self::Wanted(peers) => MINUTES + usize::from(peers.min(Self::MAX_WANTED)),
        }
    }
}
