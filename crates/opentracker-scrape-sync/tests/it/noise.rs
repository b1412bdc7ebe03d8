//! Whatever comes in, in whatever order, and however late the driver is: the machine neither
//! panics nor spins nor grows.

use std::collections::BTreeMap;
use std::time::Duration;

use opentracker_livesync_wire::{Beacon, Inquire};
use opentracker_scrape_sync::{MAX_TELL_BACK, Output, ScrapeSync, Settings, Standing};
use opentracker_types::{InfoHash, TrackerId};
use proptest::prelude::*;

use crate::start;

#[derive(Debug, Clone)]
enum Call {
    Torrents(u64),
    Renamed(u8),
    Beacon(u8, u64),
    Inquire(u8, u8),
    Tell(u8, Vec<(u8, bool)>),
    Peers(u8),
    TellSize(u64),
    TellEnd,
    Wait(Duration),
    Timeout,
}

proptest! {
    #[test]
    fn neither_panics_nor_spins_nor_grows(calls in prop::collection::vec(call(), 1..300)) {
        let mut now = start();
        let mut us = ScrapeSync::new(id(0), Settings::default(), now);
        let mut siblings: BTreeMap<TrackerId, Standing> = BTreeMap::new();
        for call in calls {
            match call {
                Call::Torrents(torrents) => us.handle_torrents(torrents),
                Call::Renamed(number) => us.handle_id(id(number)),
                Call::Beacon(sender, torrents) => {
                    let sender = id(sender);
                    let standing = siblings.entry(sender).or_default();
                    us.handle_beacon(&Beacon { sender, torrents }, standing, now);
                }
                Call::Inquire(sender, target) => {
                    let (sender, target) = (id(sender), id(target));
                    us.handle_inquire(&Inquire { sender, target }, now);
                }
                Call::Tell(sender, records) => {
                    let standing = siblings.entry(id(sender)).or_default();
                    us.handle_tell(id(sender), standing, now);
                    for (torrent, ours_is_larger) in records {
                        us.handle_record(InfoHash::new([torrent; 20]), ours_is_larger);
                    }
                }
                Call::Peers(sender) => {
                    let standing = siblings.entry(id(sender)).or_default();
                    us.handle_told_peers(id(sender), standing, now);
                }
                Call::TellSize(packets) => us.handle_tell_size(packets),
                Call::TellEnd => us.handle_tell_end(now),
                Call::Wait(time) => now += time,
                Call::Timeout => {
                    now = now.max(us.poll_timeout().unwrap_or(now));
                    let known = siblings.iter_mut().map(|(id, standing)| (*id, standing));
                    us.handle_timeout(known, now);
                    prop_assert!(us.poll_timeout().is_none_or(|next| next > now));
                }
            }
            let outputs: Vec<Output> = std::iter::from_fn(|| us.poll_output()).take(6).collect();
            prop_assert!(outputs.len() <= 5, "one of each kind at most");
            for output in outputs {
                if let Output::TellBack(torrents) = output {
                    prop_assert!((1..=MAX_TELL_BACK).contains(&torrents.len()));
                }
            }
        }
    }
}

fn call() -> impl Strategy<Value = Call> {
    let time = prop_oneof![0u64..30, 0u64..100_000].prop_map(Duration::from_millis);
    let record = (any::<u8>(), any::<bool>());
    prop_oneof![
        any::<u64>().prop_map(Call::Torrents),
        (any::<u8>(), any::<u64>()).prop_map(|(sender, torrents)| Call::Beacon(sender, torrents)),
        (0u8..4, 0u8..2).prop_map(|(sender, target)| Call::Inquire(sender, target)),
        (0u8..4, prop::collection::vec(record, 0..45))
            .prop_map(|(sender, records)| Call::Tell(sender, records)),
        any::<u8>().prop_map(Call::Renamed),
        (0u8..4).prop_map(Call::Peers),
        any::<u64>().prop_map(Call::TellSize),
        Just(Call::TellEnd),
        time.prop_map(Call::Wait),
        Just(Call::Timeout),
    ]
}

fn id(number: u8) -> TrackerId {
    TrackerId::new([number; 4])
}
