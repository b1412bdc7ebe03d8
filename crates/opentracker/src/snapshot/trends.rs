//! The trends, which are kept beside the snapshot and written with it.

use std::sync::{Arc, Mutex, PoisonError};

use opentracker_admin::Trends;

use super::place::Place;

/// What the name of their file has more than that of the snapshot.
const ENDING: &str = "trends";

/// Reads what was kept. What cannot be read is warned of, and trends begin anew.
pub(crate) fn restore(snapshot: &Place) -> Trends {
    let Some(place) = place(snapshot) else {
        return Trends::default();
    };
    let path = place.path().display();
    if let Err(error) = place.remove_leftovers() {
        tracing::warn!("cannot remove what was left beside {path}: {error}");
    }
    match place.read(Trends::MAX_OCTETS) {
        Ok(None) => Trends::default(),
        Ok(Some(octets)) => Trends::decode(&octets).unwrap_or_else(|error| {
            tracing::warn!("the trends in {path} begin anew: {error}");
            Trends::default()
        }),
        Err(error) => {
            tracing::warn!("the trends in {path} begin anew: {error}");
            Trends::default()
        }
    }
}

/// The trends, and where they are kept.
#[derive(Debug)]
pub(super) struct Kept {
    place: Option<Place>,
    trends: Arc<Mutex<Trends>>,
    /// It has been said that they cannot be written.
    is_said: bool,
}

impl Kept {
    pub(super) fn new(snapshot: &Place, trends: Arc<Mutex<Trends>>) -> Self {
        Self {
            place: place(snapshot),
            trends,
            is_said: false,
        }
    }

    /// Writes them down. A failure costs nothing but them, and is said once.
    pub(super) fn write(&mut self) {
        let Some(place) = &self.place else {
            return;
        };
        let trends = self.trends.lock();
        let octets = trends.unwrap_or_else(PoisonError::into_inner).encode();
        match place.write(&octets) {
            Ok(()) => self.is_said = false,
            Err(error) if !self.is_said => {
                let path = place.path().display();
                tracing::warn!("cannot keep the trends in {path}: {error}");
                self.is_said = true;
            }
            Err(_) => {}
        }
    }
}

fn place(snapshot: &Place) -> Option<Place> {
    snapshot
        .sibling(ENDING)
        .inspect_err(|error| tracing::warn!("the trends are not kept: {error}"))
        .ok()
}
