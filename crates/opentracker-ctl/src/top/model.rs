//! What is shown, and what keys change about it. Nothing here knows a terminal.

use std::collections::BTreeMap;

use opentracker_api::{Activity, Cluster, ClusterCarrier, ClusterNode, Latency, Top, Torrent};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

/// Letters of a filter.
const MAX_FILTER: usize = 40;

/// Shares of requests whose latency is shown.
pub(super) const SHARES: [f64; 3] = [0.5, 0.99, 0.999];

/// What the program does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Flow {
    Goes,
    Ends,
}

/// The list below the figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum List {
    Torrents,
    Replies,
    Nodes,
}

/// Everything that is shown.
#[derive(Debug)]
pub(super) struct Model {
    pub(super) node: String,
    /// The latest activity and the one before.
    pub(super) now: Option<Activity>,
    before: Option<Activity>,
    largest: Vec<Torrent>,
    cluster: Option<Cluster>,
    /// Why the latest look brought nothing.
    pub(super) fault: Option<String>,
    pub(super) list: List,
    /// The column that a list is sorted by, by its place in [`List::columns`].
    sort: usize,
    pub(super) filter: String,
    /// Keys go to the filter.
    pub(super) is_typing: bool,
    pub(super) is_paused: bool,
    pub(super) wants_help: bool,
}

/// How often something happens.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Rate {
    pub(super) name: String,
    pub(super) per_second: f64,
    pub(super) total: u64,
}

/// How long the requests of a protocol took.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Percentiles {
    pub(super) protocol: String,
    /// For each of [`SHARES`] an upper bound in seconds; `None`: there was no request, or it is
    /// beyond the last bound.
    pub(super) bounds: [Option<f64>; 3],
}

impl List {
    /// The names of what it can be sorted by.
    pub(super) const fn columns(self) -> &'static [&'static str] {
        match self {
            Self::Torrents => &["peers", "seeders", "leechers", "downloads"],
            Self::Replies => &["rate", "total"],
            Self::Nodes => &["address", "lag", "torrents", "dropped"],
        }
    }

    const fn next(self) -> Self {
        match self {
            Self::Torrents => Self::Replies,
            Self::Replies => Self::Nodes,
            Self::Nodes => Self::Torrents,
        }
    }
}

impl Model {
    pub(super) const fn new(node: String) -> Self {
        Self {
            node,
            now: None,
            before: None,
            largest: Vec::new(),
            cluster: None,
            fault: None,
            list: List::Torrents,
            sort: 0,
            filter: String::new(),
            is_typing: false,
            is_paused: false,
            wants_help: false,
        }
    }

    pub(super) fn take_activity(&mut self, activity: Activity) {
        self.fault = None;
        // Two looks at the same instant have no rate.
        let is_later = |now: &Activity| activity.time_ms > now.time_ms;
        if !self.is_paused && self.now.as_ref().is_none_or(is_later) {
            self.before = self.now.replace(activity);
        }
    }

    /// Keeps each torrent once, whichever of the two lists it came in.
    pub(super) fn take_largest(&mut self, largest: Top) {
        if self.is_paused {
            return;
        }
        let Top {
            by_peers,
            by_seeders,
        } = largest;
        let torrents = by_peers.into_iter().chain(by_seeders);
        let by_hash: BTreeMap<_, _> = torrents
            .map(|torrent| (torrent.info_hash.clone(), torrent))
            .collect();
        self.largest = by_hash.into_values().collect();
    }

    pub(super) fn take_cluster(&mut self, cluster: Cluster) {
        if !self.is_paused {
            self.cluster = Some(cluster);
        }
    }

    pub(super) fn take_fault(&mut self, fault: String) {
        self.fault = Some(fault);
    }

    pub(super) fn press(&mut self, key: KeyEvent) -> Flow {
        if key.kind == KeyEventKind::Release {
            return Flow::Goes;
        }
        let is_control = key.modifiers.contains(KeyModifiers::CONTROL);
        match key.code {
            KeyCode::Char('c') if is_control => return Flow::Ends,
            _ if self.is_typing => self.edit(key.code),
            KeyCode::Char('q') => return Flow::Ends,
            _ if self.wants_help => self.wants_help = false,
            KeyCode::Char('h' | '?') => self.wants_help = true,
            KeyCode::Char('p' | ' ') => self.is_paused = !self.is_paused,
            KeyCode::Char('s') => self.sort = (self.sort + 1) % self.list.columns().len(),
            KeyCode::Char('/') => self.is_typing = true,
            KeyCode::Tab => {
                self.list = self.list.next();
                self.sort = 0;
            }
            KeyCode::Esc => self.filter.clear(),
            _ => {}
        }
        Flow::Goes
    }

    fn edit(&mut self, key: KeyCode) {
        match key {
            KeyCode::Char(letter) if self.filter.len() < MAX_FILTER => {
                self.filter.extend(letter.to_lowercase());
            }
            KeyCode::Backspace => drop(self.filter.pop()),
            KeyCode::Enter => self.is_typing = false,
            KeyCode::Esc => {
                self.is_typing = false;
                self.filter.clear();
            }
            _ => {}
        }
    }

    /// What the list is sorted by.
    pub(super) fn sorted_by(&self) -> &'static str {
        self.list.columns()[self.sort]
    }

    fn fits(&self, name: &str) -> bool {
        name.to_lowercase().contains(&self.filter)
    }

    /// Requests by protocol and kind, announces first: a low screen has no room for more.
    pub(super) fn requests(&self) -> Vec<Rate> {
        let name = |of: &opentracker_api::RequestCount| format!("{} {}", of.protocol, of.kind);
        let totals = |activity: &Activity| {
            let requests = activity.requests.iter();
            requests.map(|of| (name(of), of.total)).collect::<Vec<_>>()
        };
        let mut rates = self.rates(totals);
        rates.sort_by_key(|rate| !rate.name.ends_with("announce"));
        rates
    }

    /// Replies by kind, the most frequent first, without those that there never were.
    pub(super) fn replies(&self) -> Vec<Rate> {
        let totals = |activity: &Activity| {
            let replies = activity.replies.iter();
            replies
                .map(|of| (of.kind.clone(), of.total))
                .collect::<Vec<_>>()
        };
        let mut rates = self.rates(totals);
        rates.retain(|rate| rate.total > 0);
        rates.sort_by(|a, b| {
            b.per_second
                .total_cmp(&a.per_second)
                .then(b.total.cmp(&a.total))
        });
        rates
    }

    /// Completed downloads a second.
    pub(super) fn downloads(&self) -> f64 {
        let rates = self.rates(|activity| vec![(String::new(), activity.downloads)]);
        rates.first().map_or(0.0, |rate| rate.per_second)
    }

    fn rates(&self, totals: impl Fn(&Activity) -> Vec<(String, u64)>) -> Vec<Rate> {
        let Some(now) = &self.now else {
            return Vec::new();
        };
        let before: BTreeMap<_, _> = self.before.iter().flat_map(&totals).collect();
        let secs = self.before.as_ref().map_or(f64::INFINITY, |before| {
            (now.time_ms.saturating_sub(before.time_ms)) as f64 / 1000.0
        });
        let rate = |(name, total): (String, u64)| {
            // Counts begin again with a restart.
            let more = total.saturating_sub(before.get(&name).copied().unwrap_or(total));
            let per_second = more as f64 / secs;
            Rate {
                name,
                per_second,
                total,
            }
        };
        totals(now).into_iter().map(rate).collect()
    }

    /// Latency of the requests since the look before, or if there were none since the start.
    pub(super) fn latency(&self) -> Vec<Percentiles> {
        let of_now = self.now.iter().flat_map(|activity| &activity.latency);
        let percentiles = |now: &Latency| {
            let before = self.before.iter().flat_map(|activity| &activity.latency);
            let before = before.into_iter().find(|of| of.protocol == now.protocol);
            let before = before.filter(|before| before.count < now.count);
            Percentiles {
                protocol: now.protocol.clone(),
                bounds: SHARES.map(|share| percentile(now, before, share)),
            }
        };
        of_now.map(percentiles).collect()
    }

    /// The torrents that fit the filter, in the order that is wanted.
    pub(super) fn torrents(&self) -> Vec<&Torrent> {
        let fits = |torrent: &&Torrent| self.fits(&torrent.info_hash);
        let mut torrents: Vec<_> = self.largest.iter().filter(fits).collect();
        let sorted_by = self.sorted_by();
        let weight = |torrent: &Torrent| match sorted_by {
            "seeders" => u64::from(torrent.seeders),
            "leechers" => u64::from(torrent.leechers),
            "downloads" => torrent.downloads,
            _ => u64::from(torrent.seeders) + u64::from(torrent.leechers),
        };
        torrents.sort_by_key(|torrent| std::cmp::Reverse(weight(torrent)));
        torrents
    }

    /// The replies that fit the filter, in the order that is wanted.
    pub(super) fn listed_replies(&self) -> Vec<Rate> {
        let mut replies = self.replies();
        replies.retain(|reply| self.fits(&reply.name));
        if self.sorted_by() == "total" {
            replies.sort_by_key(|reply| std::cmp::Reverse(reply.total));
        }
        replies
    }

    /// The carriers, where nodes are listed.
    pub(super) fn carriers(&self) -> &[ClusterCarrier] {
        let cluster = self.cluster.as_ref();
        let cluster = cluster.filter(|_| self.list == List::Nodes);
        cluster.map_or(&[], |cluster| &cluster.carriers)
    }

    /// The nodes that fit the filter, in the order that is wanted; `None`: there is no cluster, or
    /// it is not shown to us.
    pub(super) fn nodes(&self) -> Option<Vec<&ClusterNode>> {
        let cluster = self.cluster.as_ref()?;
        let fits = |node: &&ClusterNode| {
            node.address
                .as_ref()
                .is_some_and(|address| self.fits(address))
                || node.tracker_id.as_ref().is_some_and(|id| self.fits(id))
        };
        let mut nodes: Vec<_> = cluster.nodes.iter().filter(fits).collect();
        match self.sorted_by() {
            "lag" => nodes.sort_by(|a, b| {
                let lag = |node: &ClusterNode| node.lag_secs.unwrap_or(-1.0);
                lag(b).total_cmp(&lag(a))
            }),
            "torrents" => nodes.sort_by_key(|node| std::cmp::Reverse(node.torrents)),
            "dropped" => nodes.sort_by_key(|node| std::cmp::Reverse(node.dropped)),
            _ => nodes.sort_by(|a, b| a.address.cmp(&b.address)),
        }
        Some(nodes)
    }
}

/// The least bound within which a share of the requests were answered.
fn percentile(now: &Latency, before: Option<&Latency>, share: f64) -> Option<f64> {
    let count = now.count - before.map_or(0, |before| before.count);
    let needed = (count as f64 * share).ceil();
    let earlier = |place: usize| {
        let bucket = before.and_then(|before| before.buckets.get(place));
        bucket.map_or(0, |(_, count)| *count)
    };
    let buckets = now.buckets.iter().enumerate();
    let mut enough = buckets
        .filter(|(place, (_, count))| count.saturating_sub(earlier(*place)) as f64 >= needed);
    if count == 0 {
        return None;
    }
    enough.next().map(|(_, (bound, _))| *bound)
}

#[cfg(test)]
pub(super) mod tests {
    use opentracker_api::{Memory, PeerCounts, ReplyCount, RequestCount, Swarms};

    use super::*;

    /// Activity after so many seconds, each with a thousand announces over UDP.
    pub(in super::super) fn activity(secs: u64) -> Activity {
        let request = |protocol: &str, kind: &str, total| RequestCount {
            protocol: protocol.to_owned(),
            kind: kind.to_owned(),
            total,
        };
        let reply = |kind: &str, total| ReplyCount {
            kind: kind.to_owned(),
            total,
        };
        Activity {
            time_ms: 1_795_554_245_000 + secs * 1000,
            uptime_secs: 3600 + secs,
            requests: vec![
                request("udp", "connect", 1200 * secs),
                request("udp", "announce", 1000 * secs),
                request("udp", "scrape", secs / 2),
                request("http", "announce", 12_345 * secs),
                request("http", "scrape", 7),
            ],
            replies: vec![
                reply("denied", 40 * secs),
                reply("served", 13_000 * secs),
                reply("rate", 2),
                reply("client", 0),
            ],
            latency: vec![Latency {
                protocol: "udp".to_owned(),
                count: 1000 * secs,
                sum_secs: 0.0,
                buckets: vec![(1e-5, 600 * secs), (1e-4, 995 * secs), (1e-3, 998 * secs)],
            }],
            downloads: 3 * secs,
            swarms: Swarms {
                torrents: 310_211,
                seeders: PeerCounts {
                    ipv4: 1_200_000,
                    ipv6: 4333,
                    webtorrent: 0,
                },
                leechers: PeerCounts {
                    ipv4: 700_000,
                    ipv6: 1,
                    webtorrent: 0,
                },
            },
            memory: Memory {
                swarms_octets: 123 << 20,
                resident_octets: Some(150 << 20),
                limit_octets: Some(2 << 30),
            },
        }
    }

    pub(in super::super) fn model() -> Model {
        let mut model = Model::new("/run/opentracker/control.sock".to_owned());
        model.take_activity(activity(10));
        model.take_activity(activity(12));
        let torrent = |digit: &str, seeders, leechers| Torrent {
            info_hash: digit.repeat(40),
            seeders,
            leechers,
            downloads: u64::from(leechers) * 100,
            idle_minutes: 0,
        };
        model.take_largest(Top {
            by_peers: vec![torrent("a", 5, 9000), torrent("b", 800, 200)],
            by_seeders: vec![torrent("b", 800, 200), torrent("c", 700, 1)],
        });
        let node = |address: &str, lag_secs: Option<f64>| ClusterNode {
            address: Some(address.to_owned()),
            tracker_id: Some("aa000001".to_owned()),
            heard_secs_ago: Some(1.0),
            lag_secs,
            is_split: lag_secs.is_none(),
            carriers: match lag_secs {
                None => vec!["nats".to_owned()],
                Some(_) => vec!["group".to_owned(), "nats".to_owned()],
            },
            key: None,
            clock_ahead_secs: None,
            torrents: Some(300),
            packets: 5,
            applied: 4,
            dropped: 0,
        };
        model.take_cluster(Cluster {
            carriers: vec![],
            keys: vec![],
            tracker_id: "00000102".to_owned(),
            is_joined: true,
            nodes: vec![node("192.0.2.9", Some(0.5)), node("192.0.2.1", None)],
        });
        model
    }

    pub(in super::super) fn press(model: &mut Model, keys: &str) -> Flow {
        let mut flow = Flow::Goes;
        for letter in keys.chars() {
            let code = match letter {
                '\t' => KeyCode::Tab,
                '\n' => KeyCode::Enter,
                '\u{1b}' => KeyCode::Esc,
                '\u{8}' => KeyCode::Backspace,
                letter => KeyCode::Char(letter),
            };
            flow = model.press(KeyEvent::new(code, KeyModifiers::NONE));
        }
        flow
    }

    fn hashes(model: &Model) -> String {
        let torrents = model.torrents().into_iter();
        torrents
            .filter_map(|torrent| torrent.info_hash.chars().next())
            .collect()
    }

    #[test]
    fn rates_are_differences() {
        let model = model();
        let rates: Vec<_> = model
            .requests()
            .into_iter()
            .map(|rate| rate.per_second)
            .collect();
        assert_eq!(rates, [1000.0, 12_345.0, 1200.0, 0.5, 0.0]);
        assert_eq!(model.replies()[0].name, "served");
        assert_eq!(model.downloads(), 3.0);
    }

    #[test]
    fn the_first_look_and_a_restart_have_no_rates() {
        let mut model = Model::new(String::new());
        assert!(model.requests().is_empty());
        model.take_activity(activity(10));
        assert!(model.requests().iter().all(|rate| rate.per_second == 0.0));
        let mut after = activity(12);
        after.requests[1].total = 3;
        model.take_activity(after);
        assert_eq!(model.requests()[0].per_second, 0.0);
    }

    #[test]
    fn percentiles_are_bounds_of_buckets() {
        let mut model = model();
        let bounds = |model: &Model| model.latency()[0].bounds;
        assert_eq!(bounds(&model), [Some(1e-5), Some(1e-4), None]);
        // What was before counts no more.
        let mut later = activity(14);
        later.latency[0].count = 12_000 + 100;
        later.latency[0].buckets = vec![(1e-5, 7200), (1e-4, 11_940), (1e-3, 11_976 + 100)];
        model.take_activity(later);
        assert_eq!(bounds(&model), [Some(1e-3); 3]);
        // Since the start, where nothing has come.
        let mut same = activity(16);
        same.latency = model.now.as_ref().unwrap().latency.clone();
        model.take_activity(same);
        assert_eq!(bounds(&model)[0], Some(1e-5));
        model.now.as_mut().unwrap().latency[0].count = 0;
        assert_eq!(bounds(&model), [None; 3]);
    }

    #[test]
    fn keys_sort_filter_and_pause() {
        let mut model = model();
        assert_eq!(hashes(&model), "abc");
        press(&mut model, "s");
        assert_eq!((model.sorted_by(), &*hashes(&model)), ("seeders", "bca"));
        press(&mut model, "/Cx\u{8}q");
        assert!(
            hashes(&model).is_empty() && model.is_typing,
            "q is a letter here"
        );
        press(&mut model, "\u{8}\n");
        assert_eq!(hashes(&model), "c");
        press(&mut model, "\u{1b}");
        assert_eq!(hashes(&model), "bca");
        press(&mut model, "\t\ts");
        let nodes = model.nodes().unwrap();
        assert_eq!(
            (model.sorted_by(), nodes[0].address.as_deref()),
            ("lag", Some("192.0.2.9"))
        );
        press(&mut model, "p");
        model.take_activity(activity(20));
        assert_eq!(model.now.as_ref().unwrap().uptime_secs, 3612);
        press(&mut model, "?");
        assert!(model.wants_help);
        assert_eq!(press(&mut model, "x"), Flow::Goes);
        assert!(!model.wants_help);
        assert_eq!(press(&mut model, "q"), Flow::Ends);
    }

    #[test]
    fn control_c_ends_also_while_typing() {
        let mut model = model();
        press(&mut model, "/a");
        let key = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        assert_eq!(model.press(key), Flow::Ends);
    }
}
