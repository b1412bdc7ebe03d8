//! What the unit tests share.

use std::sync::Arc;
use std::time::Instant;

use opentracker_core::{PeerBuffers, Requester, Rules, Tracker, Worker};
use opentracker_types::{AnnounceRequest, InfoHash};

pub(crate) fn tracker(now: Instant) -> Arc<Tracker> {
    Arc::new(Tracker::new(Rules::default(), now, &mut rand::rng()))
}

pub(crate) fn hash(number: u32) -> InfoHash {
    let mut octets = [0xab; 20];
    octets[..4].copy_from_slice(&number.to_be_bytes());
    InfoHash::new(octets)
}

/// Puts a seeder into each of so many torrents.
pub(crate) fn seed(tracker: &Arc<Tracker>, torrents: u32, now: Instant) {
    let mut worker = Worker::new(Arc::clone(tracker), 1, None);
    for number in 0..torrents {
        let mut request = AnnounceRequest::new(hash(number), 1).with_left(0);
        request.num_want = Some(0);
        let mut peers = PeerBuffers::both(&mut [], &mut []);
        let requester = Requester::new([192, 0, 2, 1].into());
        worker
            .announce(&request, &requester, now, &mut peers)
            .unwrap();
    }
}
