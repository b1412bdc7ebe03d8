use crate::cell::Cell;
use crate::clock::Moment;
use crate::kind::PerKind;

/// Peers that a sweep removed.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct TimedOut {
    pub(crate) peers: PerKind<u64>,
    /// Minutes since the youngest of them announced.
    pub(crate) youngest: Option<u8>,
}

impl TimedOut {
    pub(crate) fn note<C: Cell>(&mut self, cell: &C, moment: &Moment) {
        self.peers[(C::FAMILY, cell.is_seeding())] += 1;
        let minutes = moment.minutes_since(cell.age());
        self.youngest = Some(self.youngest.map_or(minutes, |least| least.min(minutes)));
    }
}
