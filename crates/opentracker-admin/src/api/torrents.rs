//! Torrents: pages of them in any order, one of them, and its end.

use std::cmp::Reverse;
use std::time::Instant;

use opentracker_api as api;
use opentracker_api::{Problem, Sort};
use opentracker_core::{TorrentSummary, Tracker, Verdict, Walk};
use opentracker_types::{InfoHash, PeerAddr};

use super::parameters::{self, Parameters};
use super::problem::{bad_parameter, not_found};
use super::refused::Refused;
use super::{Api, Reply, json};
use crate::pace::Pace;

/// Torrents of a page, unless others are asked for.
const PAGE: usize = 100;
const MAX_PAGE: usize = 1000;

/// The most peers that are shown of a torrent.
const MAX_PEERS: usize = 1000;

/// Torrents, a page at a time.
///
/// What is there from the first page to the last is in exactly one of them, if its place in the order
/// does not change meanwhile: with `sort=none` and `sort=info_hash` it never does.
#[utoipa::path(
    get,
    path = "/api/v1/torrents",
    tag = "torrents",
    params(
        ("sort" = Option<Sort>, Query, description = "Their order; `none`, the quickest."),
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "Torrents of a page; 100."),
        ("cursor" = Option<String>, Query, pattern = "^[0-9a-f]{56}$", description = "`next` of the page before, with the same `sort`."),
    ),
    responses((status = 200, body = api::TorrentPage), Refused),
)]
pub(super) async fn torrents(api: &Api, query: &str) -> Result<Reply, Problem> {
    let parameters = Parameters::read(query, &["sort", "limit", "cursor"])?;
    let limit = parameters.number("limit", PAGE, 1..=MAX_PAGE)?;
    let sort = parameters.sort()?;
    let after = parameters.text("cursor").map(|text| {
        let wrong = || bad_parameter("cursor", "write the `next` of a page with the same `sort`");
        Rank::read(text).ok_or_else(wrong)
    });
    let after = after.transpose()?;
    let (found, next) = match sort {
        Sort::None => next_in_store(&api.tracker, after, limit).await,
        sort => {
            let _walking = api.walking.lock().await;
            next_in_order(&api.tracker, sort, after, limit).await
        }
    };
    json(&api::TorrentPage {
        torrents: found.iter().map(torrent_of).collect(),
        next,
    })
}

/// A torrent, whether it is served, and its peers.
#[utoipa::path(
    get,
    path = "/api/v1/torrents/{info_hash}",
    tag = "torrents",
    params(
        ("info_hash" = String, Path, pattern = "^[0-9a-fA-F]{40}$", description = "40 hexadecimal digits."),
        ("peers" = Option<u16>, Query, minimum = 0, maximum = 1000, description = "Peers that are shown at most; 0."),
    ),
    responses((status = 200, body = api::TorrentDetail), Refused),
)]
pub(super) fn torrent(api: &Api, info_hash: &str, query: &str) -> Result<Reply, Problem> {
    let info_hash = parameters::info_hash("info_hash", info_hash)?;
    let parameters = Parameters::read(query, &["peers"])?;
    let most = parameters.number("peers", 0, 0..=MAX_PEERS)?;
    let tracker = &api.tracker;
    let mut peers = Vec::new();
    if most > 0 {
        tracker.visit_peers(&info_hash, |compact, is_seeder| {
            if peers.len() < most
                && let Some(peer) = PeerAddr::from_compact(compact)
            {
                let address = peer.to_string();
                peers.push(api::Peer { address, is_seeder });
            }
        });
    }
    let summary = tracker.summary(&info_hash, Instant::now());
    json(&api::TorrentDetail {
        info_hash: info_hash.to_string(),
        verdict: verdict_of(tracker.rules().lists.verdict(&info_hash)),
        swarm: summary.as_ref().map(torrent_of),
        peers,
    })
}

/// Forgets a torrent with its peers and its count of downloads, until somebody announces it again.
#[utoipa::path(
    delete,
    path = "/api/v1/torrents/{info_hash}",
    tag = "torrents",
    params(("info_hash" = String, Path, pattern = "^[0-9a-fA-F]{40}$", description = "40 hexadecimal digits.")),
    responses((status = 200, body = api::Purged), (status = 404, body = Problem, content_type = "application/problem+json", description = "It is not there."), Refused),
)]
pub(super) fn purge(api: &Api, info_hash: &str, query: &str) -> Result<Reply, Problem> {
    let info_hash = parameters::info_hash("info_hash", info_hash)?;
    Parameters::read(query, &[])?;
    let removed = api.tracker.remove(&info_hash, Instant::now());
    let removed = removed.ok_or_else(|| not_found("nobody announces this torrent"))?;
    json(&api::Purged {
        torrents: 1,
        peers: u64::from(removed.seeders) + u64::from(removed.leechers),
    })
}

pub(super) fn torrent_of(summary: &TorrentSummary) -> api::Torrent {
    api::Torrent {
        info_hash: summary.info_hash.to_string(),
        seeders: summary.counts.seeders,
        leechers: summary.counts.leechers,
        downloads: summary.counts.downloads,
        idle_minutes: summary.idle_minutes,
    }
}

/// Returns what the API calls a verdict.
pub fn verdict_of(verdict: Verdict) -> api::Verdict {
    match verdict {
        Verdict::Served => api::Verdict::Served,
        Verdict::Blocked => api::Verdict::Blocked,
        Verdict::Denied => api::Verdict::Denied,
        Verdict::NotAllowed => api::Verdict::NotAllowed,
    }
}

/// A place in an order: of the store, part by part and there by info hash; or of a number, the larger
/// first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    number: u64,
    info_hash: Reverse<InfoHash>,
}

impl Rank {
    fn of(torrent: &TorrentSummary, sort: Sort) -> Self {
        let counts = &torrent.counts;
        let (seeders, leechers) = (u64::from(counts.seeders), u64::from(counts.leechers));
        let number = match sort {
            Sort::None | Sort::InfoHash => 0,
            Sort::Peers => seeders + leechers,
            Sort::Seeders => seeders,
            Sort::Leechers => leechers,
            Sort::Downloads => counts.downloads,
        };
        Self {
            number,
            info_hash: Reverse(torrent.info_hash),
        }
    }

    fn read(text: &str) -> Option<Self> {
        let is_lower_hex = |octet| matches!(octet, b'0'..=b'9' | b'a'..=b'f');
        let is_whole = text.len() == 56 && text.bytes().all(is_lower_hex);
        let (number, info_hash) = is_whole.then(|| text.split_at(16))?;
        Some(Self {
            number: u64::from_str_radix(number, 16).ok()?,
            info_hash: Reverse(info_hash.parse().ok()?),
        })
    }

    fn write(self) -> String {
        format!("{:016x}{}", self.number, self.info_hash.0)
    }
}

/// Finds the next torrents in the order of the store.
async fn next_in_store(
    tracker: &Tracker,
    after: Option<Rank>,
    limit: usize,
) -> (Vec<TorrentSummary>, Option<String>) {
    let mut found: Vec<TorrentSummary> = Vec::new();
    let begin = after.map_or(0, |after| after.number);
    let mut part = u16::try_from(begin).unwrap_or(u16::MAX);
    let mut walk = Walk::beginning_at(part);
    let mut pace = Pace::default();
    let mut last = None;
    while let Some(torrents) = walk.next_part(tracker, Instant::now()) {
        let number = u64::from(part);
        let is_ahead = |torrent: &&TorrentSummary| {
            after.is_none_or(|after| number > after.number || torrent.info_hash > after.info_hash.0)
        };
        let mut ahead: Vec<_> = torrents.iter().filter(is_ahead).copied().collect();
        let seen = torrents.len();
        ahead.sort_unstable_by_key(|torrent| torrent.info_hash);
        for torrent in ahead {
            if found.len() == limit {
                return (found, last.map(Rank::write));
            }
            let info_hash = Reverse(torrent.info_hash);
            last = Some(Rank { number, info_hash });
            found.push(torrent);
        }
        part = part.saturating_add(1);
        pace.note(seen).await;
    }
    (found, None)
}

/// Finds the next torrents in another order: a walk over all of them.
async fn next_in_order(
    tracker: &Tracker,
    sort: Sort,
    after: Option<Rank>,
    limit: usize,
) -> (Vec<TorrentSummary>, Option<String>) {
    // One more, to see whether there is another page.
    let wanted = limit + 1;
    let mut found: Vec<TorrentSummary> = Vec::new();
    let mut lowest: Option<Rank> = None;
    let mut walk = Walk::new();
    let mut pace = Pace::default();
    while let Some(torrents) = walk.next_part(tracker, Instant::now()) {
        let is_wanted = |torrent: &&TorrentSummary| {
            let rank = Rank::of(torrent, sort);
            after.is_none_or(|after| rank < after) && lowest.is_none_or(|lowest| rank > lowest)
        };
        found.extend(torrents.iter().filter(is_wanted));
        let seen = torrents.len();
        if found.len() >= 2 * wanted {
            keep_first(&mut found, sort, wanted);
            lowest = found.last().map(|torrent| Rank::of(torrent, sort));
        }
        pace.note(seen).await;
    }
    keep_first(&mut found, sort, wanted);
    let has_more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().filter(|_| has_more);
    let next = last.map(|torrent| Rank::of(torrent, sort).write());
    (found, next)
}

fn keep_first(found: &mut Vec<TorrentSummary>, sort: Sort, wanted: usize) {
    found.sort_unstable_by_key(|torrent| Reverse(Rank::of(torrent, sort)));
    found.truncate(wanted);
}
