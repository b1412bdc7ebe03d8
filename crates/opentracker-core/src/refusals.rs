//! Examples of what is refused, so that logs can say more than how much it was, and no flood fills
//! them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};

use opentracker_types::{AnnounceRequest, InfoHash};

use crate::clients::Client;
use crate::request::Reason;

/// An announce that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct RefusedAnnounce {
    /// Why.
    pub reason: Reason,
    /// The torrent.
    pub info_hash: InfoHash,
    /// The software that announced.
    pub client: Client,
}

/// For each reason the first refusal since somebody looked.
#[derive(Debug)]
pub(crate) struct Refusals {
    /// A bit for each reason of which there is no example yet.
    wanted: AtomicU32,
    examples: Mutex<Vec<RefusedAnnounce>>,
}

impl Default for Refusals {
    fn default() -> Self {
        Self {
            wanted: AtomicU32::new(u32::MAX),
            examples: Mutex::default(),
        }
    }
}

impl Refusals {
    #[cold]
    pub(crate) fn note(&self, reason: Reason, request: &AnnounceRequest) {
        let bit = 1 << reason as u32;
        // Threads that refuse the same all the time only read.
        if self.wanted.load(Ordering::Relaxed) & bit == 0
            || self.wanted.fetch_and(!bit, Ordering::Relaxed) & bit == 0
        {
            return;
        }
        let example = RefusedAnnounce {
            reason,
            info_hash: request.info_hash,
            client: Client::of_request(request),
        };
        self.examples().push(example);
    }

    /// Takes the examples; others are looked for from now on.
    pub(crate) fn take(&self) -> Vec<RefusedAnnounce> {
        let examples = std::mem::take(&mut *self.examples());
        self.wanted.store(u32::MAX, Ordering::Relaxed);
        examples
    }

    fn examples(&self) -> std::sync::MutexGuard<'_, Vec<RefusedAnnounce>> {
        self.examples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_one_example_of_each_reason() {
        let refusals = Refusals::default();
        let request = |number| AnnounceRequest::new(InfoHash::new([number; 20]), 1);
        for number in 0..100 {
            refusals.note(Reason::Denied, &request(number));
            refusals.note(Reason::Rate, &request(number));
        }
        let reasons = |examples: &[RefusedAnnounce]| {
            let reasons = examples.iter().map(|example| example.reason);
            reasons.collect::<Vec<_>>()
        };
        let examples = refusals.take();
        assert_eq!(reasons(&examples), [Reason::Denied, Reason::Rate]);
        assert_eq!(examples[0].info_hash, InfoHash::new([0; 20]));
        assert_eq!(examples[0].client, Client::Other);
        refusals.note(Reason::Denied, &request(7));
        assert_eq!(reasons(&refusals.take()), [Reason::Denied]);
        assert_eq!(refusals.take(), []);
    }
}
