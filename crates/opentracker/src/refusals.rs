//! What is said of refusals each minute: how many there were, and an example of each kind.

use opentracker_core::Tracker;

/// The families of what is refused, and the reasons that are meant there; all, if there are none.
const FAMILIES: [(&str, &[&str]); 2] = [
    ("opentracker_refused_total", &[]),
    ("opentracker_rate_limited_total", &["refused", "silent"]),
];

/// How much was refused so far, by reason.
#[derive(Debug)]
pub(crate) struct Refused(Vec<(&'static str, u64)>);

impl Refused {
    pub(crate) fn count(tracker: &Tracker) -> Self {
        let mut counts = Vec::new();
        for sums in tracker.counters().families() {
            let known = FAMILIES.iter().find(|(name, _)| *name == sums.family.name);
            let Some((_, meant)) = known else { continue };
            for series in sums.family.series {
                let reason = series.first().copied().unwrap_or_default();
                if meant.is_empty() || meant.contains(&reason) {
                    counts.push((reason, sums.sum(series)));
                }
            }
        }
        Self(counts)
    }

    /// Says what was refused since before, in as many lines as there are reasons, and one; no line if
    /// nothing was. Examples name torrents and software, and nobody's address.
    pub(crate) fn since(&self, before: &Self, tracker: &Tracker) -> Vec<String> {
        let earlier = |reason| {
            let found = before.0.iter().find(|(other, _)| *other == reason);
            found.map_or(0, |(_, count)| *count)
        };
        let more = |&(reason, count): &(&'static str, u64)| {
            let more = count.wrapping_sub(earlier(reason));
            (more > 0).then_some((reason, more))
        };
        let more: Vec<_> = self.0.iter().filter_map(more).collect();
        // Taken in any case, so that they are never of an earlier minute.
        let examples = tracker.take_refused();
        if more.is_empty() {
            return Vec::new();
        }
        let total: u64 = more.iter().map(|(_, count)| count).sum();
        let reasons = more
            .iter()
            .map(|(reason, count)| format!("{count} {reason}"));
        let reasons: Vec<_> = reasons.collect();
        let sum = format!("refused {total} requests: {}", reasons.join(", "));
        let examples = examples.iter().map(|example| {
            format!(
                "refused for example an announce of {} by {}: {}",
                example.info_hash,
                example.client.name(),
                example.reason.explain()
            )
        });
        std::iter::once(sum).chain(examples).collect()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use opentracker_core::{PeerBuffers, Requester, Rules, Worker};
    use opentracker_types::{AnnounceRequest, InfoHash};

    use super::*;

    #[test]
    fn a_minute_has_a_sum_and_an_example_of_each_reason() {
        let denied = InfoHash::new([0xab; 20]);
        let mut rules = Rules::default();
        rules.lists.deny = Some([denied].into_iter().collect());
        let now = Instant::now();
        let tracker = Arc::new(Tracker::new(rules, now, &mut rand::rng()));
        let mut worker = Worker::new(Arc::clone(&tracker), 1, None);
        let mut announce = |info_hash, port| {
            let request = AnnounceRequest::new(info_hash, port);
            let mut peers = PeerBuffers::both(&mut [], &mut []);
            let requester = Requester::new([192, 0, 2, 1].into());
            worker
                .announce(&request, &requester, now, &mut peers)
                .unwrap_err();
        };
        let mut before = Refused::count(&tracker);
        let mut said = || {
            let now = Refused::count(&tracker);
            let lines = now.since(&before, &tracker);
            before = now;
            lines
        };
        assert_eq!(said(), [""; 0]);
        announce(denied, 1);
        announce(denied, 2);
        announce(InfoHash::new([0xcd; 20]), 0);
        assert_eq!(
            said(),
            [
                "refused 3 requests: 2 denied, 1 address".to_owned(),
                format!(
                    "refused for example an announce of {denied} by other: the torrent is on the \
                     deny list"
                ),
                format!(
                    "refused for example an announce of {} by other: port 0 cannot be a peer's",
                    InfoHash::new([0xcd; 20])
                ),
            ]
        );
        assert_eq!(said(), [""; 0], "nothing more");
    }
}
