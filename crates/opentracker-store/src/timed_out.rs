use crate::cell::{Cell, Cell4};
use crate::clock::Moment;

/// Peers that a sweep removed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TimedOut {
    pub(crate) v4_seeders: u32,
    pub(crate) v4_leechers: u32,
    pub(crate) v6_seeders: u32,
    pub(crate) v6_leechers: u32,
    /// Minutes since the youngest of them announced.
    pub(crate) youngest: Option<u8>,
}

impl TimedOut {
    pub(crate) fn total(&self) -> u64 {
        [
            self.v4_seeders,
            self.v4_leechers,
            self.v6_seeders,
            self.v6_leechers,
        ]
        .map(u64::from)
        .iter()
        .sum()
    }

    pub(crate) fn note<C: Cell>(&mut self, cell: &C, moment: &Moment) {
        let count = match (C::LEN == Cell4::LEN, cell.is_seeding()) {
            (true, true) => &mut self.v4_seeders,
            (true, false) => &mut self.v4_leechers,
            (false, true) => &mut self.v6_seeders,
            (false, false) => &mut self.v6_leechers,
        };
        *count += 1;
        let minutes = moment.minutes_since(cell.age());
        self.youngest = Some(self.youngest.map_or(minutes, |least| least.min(minutes)));
    }
}
