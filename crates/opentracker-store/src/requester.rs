//! A peer that announces: where it was entered, and which others it may be given.

use opentracker_types::Scope;

use crate::cell::{Cell, Refreshed};
use crate::kind::Family;

/// Who asks for peers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Requester {
    pub(crate) scope: Scope,
    pub(crate) seeding: bool,
    pub(crate) family: Family,
    pub(crate) location: Location,
}

/// Where an announcing peer stands, so that it is not handed to itself.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Location {
    /// Index among the list's cells of its family.
    Listed(usize),
    /// Slot in the table of its class.
    Tabled(usize),
}

/// What an announce did to a swarm.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entered {
    pub(crate) location: Location,
    /// Whether the peer was a seeder before; `None`: it was not known.
    pub(crate) was_seeding: Option<bool>,
    pub(crate) refreshed: Refreshed,
}

/// What the peers of a table have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Class {
    pub(crate) scope: Scope,
    pub(crate) seeding: bool,
}

impl Class {
    pub(crate) fn of<C: Cell>(cell: &C, seeding: bool) -> Self {
        Self {
            scope: cell.scope(),
            seeding,
        }
    }

    pub(crate) fn is_visible_to(self, requester: &Requester) -> bool {
        !(self.seeding && requester.seeding) && self.scope.is_visible_to(requester.scope)
    }
}
