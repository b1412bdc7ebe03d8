//! Streams: what happens to torrents, and requests with what became of them.

use std::time::{Duration, Instant};

use ipnet::IpNet;
use opentracker_api::Problem;
use opentracker_core::Traced;

use super::lines::{End, Lines, REJECTED, SERVED, Source, word};
use super::parameters::Parameters;
use super::problem::{bad_parameter, busy};
use super::refused::Refused;
use super::{Api, Reply};

/// Requests of a trace, and its seconds, unless others are asked for.
const TRACED: usize = 1000;
const MAX_TRACED: usize = 1_000_000;
const SECONDS: usize = 60;
const MAX_SECONDS: usize = 3600;

/// What happens to torrents from now on: one JSON object a line, and an empty line after 15 seconds
/// without one. It ends when the reader goes or the tracker stops. What a reader is too slow for is
/// counted in `missed` of the next event.
#[utoipa::path(
    get,
    path = "/api/v1/events",
    tag = "streams",
    responses((status = 200, body = opentracker_api::Event, content_type = "application/x-ndjson"), Refused),
)]
pub(super) fn events(api: &Api, query: &str) -> Result<Reply, Problem> {
    Parameters::read(query, &[])?;
    let subscription = api.tracker.subscribe_to_events(|_| true);
    lines(api, Source::Events(subscription), End::default())
}

/// Requests from now on, each with what became of it: one JSON object a line. Under load only as many
/// are shown as a reader can take; those between are counted in `missed`.
#[utoipa::path(
    get,
    path = "/api/v1/trace",
    tag = "streams",
    params(
        ("info_hash" = Option<String>, Query, pattern = "^[0-9a-fA-F]{40}$", description = "Those for this torrent alone."),
        ("prefix" = Option<String>, Query, description = "Those from this address or network alone, like 192.0.2.0/24."),
        ("outcome" = Option<String>, Query, description = "Those with this one alone: `served`, `rejected` (not understood), or the reason of a refusal: `denied`, `blocked`, `not_allowed`, `port`, `address`, `client`, `network`, `full`, `swarm_full`, `rate`, `flood`."),
        ("max" = Option<u32>, Query, minimum = 1, maximum = 1000000, description = "Requests after which it ends; 1000."),
        ("seconds" = Option<u16>, Query, minimum = 1, maximum = 3600, description = "Seconds after which it ends; 60."),
    ),
    responses((status = 200, body = opentracker_api::Traced, content_type = "application/x-ndjson"), Refused),
)]
pub(super) fn trace(api: &Api, query: &str) -> Result<Reply, Problem> {
    let known = ["info_hash", "prefix", "outcome", "max", "seconds"];
    let parameters = Parameters::read(query, &known)?;
    let info_hash = parameters.info_hash("info_hash")?;
    let network = parameters.text("prefix").map(network).transpose()?;
    let outcome = parameters.text("outcome").map(outcome).transpose()?;
    let most = parameters.number("max", TRACED, 1..=MAX_TRACED)?;
    let seconds = parameters.number("seconds", SECONDS, 1..=MAX_SECONDS)?;
    let wants = move |traced: &Traced| {
        info_hash.is_none_or(|info_hash| traced.request.info_hash() == Some(info_hash))
            && network.is_none_or(|network| network.contains(&traced.client))
            && outcome
                .as_deref()
                .is_none_or(|outcome| word(&traced.outcome) == outcome)
    };
    let end = End {
        lines: Some(most),
        at: Some(Instant::now() + Duration::from_secs(seconds as u64)),
    };
    let subscription = api.tracker.subscribe_to_requests(wants);
    lines(api, Source::Requests(subscription), end)
}

fn lines(api: &Api, source: Source, end: End) -> Result<Reply, Problem> {
    let slot = api.streams.clone().try_acquire_owned();
    let slot = slot.map_err(|_full| busy("as many streams as there may be are read already"))?;
    let is_stopping = api.is_stopping.clone();
    Ok(Reply::Lines(Lines::new(source, end, is_stopping, slot)))
}

fn network(text: &str) -> Result<IpNet, Problem> {
    let address = || Some(IpNet::from(text.parse::<std::net::IpAddr>().ok()?));
    let network = text.parse().ok().or_else(address);
    network
        .ok_or_else(|| bad_parameter("prefix", "write an address or a network, like 192.0.2.0/24"))
}

fn outcome(text: &str) -> Result<String, Problem> {
    let is_reason = opentracker_core::Reason::ALL
        .iter()
        .any(|reason| reason.word() == text);
    if is_reason || [SERVED, REJECTED].contains(&text) {
        return Ok(text.to_owned());
    }
    let reasons = opentracker_core::Reason::ALL.map(opentracker_core::Reason::word);
    let detail = format!("write {SERVED}, {REJECTED}, {}", reasons.join(", "));
    Err(bad_parameter("outcome", &detail))
}
