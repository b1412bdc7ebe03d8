//! What there is to read at once.

use std::sync::PoisonError;
use std::time::Instant;

use opentracker_api as api;
use opentracker_api::Problem;
use opentracker_core::{AccessLists, ClientList, HashList, Networks, Step};

use super::parameters::Parameters;
use super::problem::not_found;
use super::refused::Refused;
use super::{Api, Reply, json, unix_millis};
use crate::activity::{self, memory, swarms};
use crate::control::Control;
use crate::process::resident_octets;
use crate::top::TopCache;

/// Torrents in a list of the largest, unless more are asked for.
const TOP: usize = 10;
const MAX_TOP: usize = 100;

/// Prefixes in a list, unless others are asked for.
const LIMITED: usize = 100;
const MAX_LIMITED: usize = 1000;

/// What the tracker is, and how it is.
#[utoipa::path(
    get,
    path = "/api/v1/status",
    tag = "read",
    responses((status = 200, body = api::Status), Refused),
)]
pub(super) fn status(api: &Api, query: &str) -> Result<Reply, Problem> {
    Parameters::read(query, &[])?;
    let tracker = &api.tracker;
    let control = api.control.get();
    let control = control.as_deref();
    let snapshot = api.snapshot();
    let state = match tracker.is_draining() {
        true => api::State::Draining,
        false => api::State::Serving,
    };
    json(&api::Status {
        instance: api.instance(),
        version: api.identity.version.clone(),
        time_ms: unix_millis(Instant::now()),
        uptime_secs: snapshot.uptime_secs,
        state,
        listeners: control.map(Control::listeners).unwrap_or_default(),
        xdp: control.map(Control::xdp).unwrap_or_default(),
        certificates: control.map(Control::certificates).unwrap_or_default(),
        swarms: swarms(&snapshot.totals),
        memory: memory(&snapshot, resident_octets()),
        lists: lists(&tracker.rules().lists),
        snapshot: control.and_then(Control::snapshot_status),
        reload: control.and_then(Control::reload_status),
    })
}

/// What the tracker has done since its start, and what it keeps. Rates are differences of two of them.
#[utoipa::path(
    get,
    path = "/api/v1/activity",
    tag = "read",
    responses((status = 200, body = api::Activity), Refused),
)]
pub(super) fn activity(api: &Api, query: &str) -> Result<Reply, Problem> {
    Parameters::read(query, &[])?;
    let now = unix_millis(Instant::now());
    json(&activity::activity(&api.snapshot(), resident_octets(), now))
}

/// Which software announces, by its peer ids.
#[utoipa::path(
    get,
    path = "/api/v1/clients",
    tag = "read",
    responses((status = 200, body = api::Clients), Refused),
)]
pub(super) fn clients(api: &Api, query: &str) -> Result<Reply, Problem> {
    Parameters::read(query, &[])?;
    json(&activity::clients(api.tracker.counters()))
}

/// What was, for up to seven days: a value every five minutes, of each series.
#[utoipa::path(
    get,
    path = "/api/v1/trends",
    tag = "read",
    responses((status = 200, body = api::Trends), Refused),
)]
pub(super) fn trends(api: &Api, query: &str) -> Result<Reply, Problem> {
    Parameters::read(query, &[])?;
    let trends = api.trends.lock().unwrap_or_else(PoisonError::into_inner);
    json(&trends.answer())
}

/// The largest torrents.
#[utoipa::path(
    get,
    path = "/api/v1/top",
    tag = "read",
    params(("limit" = Option<u8>, Query, minimum = 1, maximum = 100, description = "Torrents in each list; 10.")),
    responses((status = 200, body = api::Top), Refused),
)]
pub(super) async fn top(api: &Api, cache: &TopCache, query: &str) -> Result<Reply, Problem> {
    let parameters = Parameters::read(query, &["limit"])?;
    let limit = parameters.number("limit", TOP, 1..=MAX_TOP)?;
    let top = cache.get(&api.tracker).await;
    let now = Instant::now();
    let torrents = |hashes: Vec<_>| {
        // One that is gone meanwhile, or is not served any more, is left out.
        let found = hashes
            .iter()
            .filter_map(|hash| api.tracker.summary(hash, now));
        found
            .map(|found| super::torrents::torrent_of(&found))
            .collect()
    };
    json(&api::Top {
        by_peers: torrents(top.by_peers(limit)),
        by_seeders: torrents(top.by_seeders(limit)),
    })
}

/// The cluster as this node sees it.
#[utoipa::path(
    get,
    path = "/api/v1/cluster",
    tag = "read",
    responses((status = 200, body = api::Cluster), (status = 404, body = Problem, content_type = "application/problem+json", description = "Live sync is off."), Refused),
)]
pub(super) fn cluster(api: &Api, query: &str) -> Result<Reply, Problem> {
    Parameters::read(query, &[])?;
    let cluster = api.cluster().ok_or_else(|| not_found("live sync is off"))?;
    let nodes = cluster.nodes.iter().map(|node| api::ClusterNode {
        address: node.address.map(|address| address.to_string()),
        tracker_id: node.tracker_id.map(|id| id.to_string()),
        heard_secs_ago: node.heard_ago.map(|ago| ago.as_secs_f64()),
        is_split: node.is_split,
        carriers: node.carriers.iter().map(ToString::to_string).collect(),
        key: node.key.clone(),
        clock_ahead_secs: node.clock_ahead_secs,
        lag_secs: node.lag.map(|lag| lag.as_secs_f64()),
        torrents: node.torrents,
        packets: node.packets,
        applied: node.applied,
        dropped: node.dropped,
    });
    let carriers = cluster.carriers.iter().map(|carrier| api::ClusterCarrier {
        name: carrier.name.to_owned(),
        is_up: carrier.is_up,
        destinations: carrier.destinations as u64,
        waiting: carrier.waiting as u64,
        received: carrier.received,
        sent: carrier.sent,
        received_octets: carrier.received_octets,
        sent_octets: carrier.sent_octets,
        send_errors: carrier.send_errors,
        dropped: carrier.dropped + carrier.dropped_tells + carrier.backlog,
    });
    let keys = cluster.packets_by_key.iter();
    let keys = keys.map(|(name, packets)| api::ClusterKey {
        name: name.clone(),
        packets: *packets,
    });
    json(&api::Cluster {
        tracker_id: cluster.tracker_id.to_string(),
        is_joined: cluster.is_joined,
        carriers: carriers.collect(),
        keys: keys.collect(),
        nodes: nodes.collect(),
    })
}

/// The configuration in force: an object of sections, each an object of keys.
#[utoipa::path(
    get,
    path = "/api/v1/config",
    tag = "read",
    responses((status = 200, body = Object), Refused),
)]
pub(super) fn config(api: &Api, query: &str) -> Result<Reply, Problem> {
    Parameters::read(query, &[])?;
    json(&api.control()?.config())
}

/// The prefixes that send more than `limits.rate`, those first that are furthest over it.
#[utoipa::path(
    get,
    path = "/api/v1/limited",
    tag = "read",
    params(("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "Prefixes at most; 100.")),
    responses((status = 200, body = api::LimitedPage), Refused),
)]
pub(super) fn limited(api: &Api, query: &str) -> Result<Reply, Problem> {
    let parameters = Parameters::read(query, &["limit"])?;
    let limit = parameters.number("limit", LIMITED, 1..=MAX_LIMITED)?;
    let limited = api.tracker.limited(limit, Instant::now());
    let prefixes = limited.iter().map(|limited| api::LimitedPrefix {
        prefix: limited.prefix.to_string(),
        step: match limited.step {
            Step::Slowed => api::Step::Slowed,
            Step::Refused => api::Step::Refused,
            Step::Silent => api::Step::Silent,
        },
        full_in_secs: limited.full_in.as_secs_f64(),
    });
    json(&api::LimitedPage {
        prefixes: prefixes.collect(),
    })
}

fn lists(lists: &AccessLists) -> api::Lists {
    let count = |list: Option<usize>| list.map(|entries| entries as u64);
    let hashes = |list: &Option<HashList>| count(list.as_ref().map(HashList::len));
    api::Lists {
        allow: hashes(&lists.allow),
        deny: hashes(&lists.deny),
        deny_clients: count(lists.deny_clients.as_ref().map(ClientList::len)),
        deny_networks: count(lists.deny_networks.as_ref().map(Networks::len)),
        blocked: hashes(&lists.blocked).unwrap_or(0),
    }
}
