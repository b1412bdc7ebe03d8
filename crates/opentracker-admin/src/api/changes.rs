//! What changes something, and the lists of what was changed.

use opentracker_api as api;
use opentracker_api::Problem;

use super::parameters::{self, Parameters};
use super::problem::bad_parameter;
use super::refused::Refused;
use super::{Api, Reply, json};

/// Blocks of a page, unless others are asked for.
const PAGE: usize = 100;
const MAX_PAGE: usize = 1000;

/// The torrents that were blocked by hand, a page at a time.
#[utoipa::path(
    get,
    path = "/api/v1/blocks",
    tag = "blocks",
    params(
        ("limit" = Option<u16>, Query, minimum = 1, maximum = 1000, description = "Blocks of a page; 100."),
        ("cursor" = Option<String>, Query, pattern = "^[0-9a-f]{40}$", description = "`next` of the page before."),
    ),
    responses((status = 200, body = api::BlockPage), Refused),
)]
pub(super) fn blocks(api: &Api, query: &str) -> Result<Reply, Problem> {
    let parameters = Parameters::read(query, &["limit", "cursor"])?;
    let limit = parameters.number("limit", PAGE, 1..=MAX_PAGE)?;
    let after = parameters.info_hash("cursor");
    let after = after.map_err(|_| bad_parameter("cursor", "write the `next` of a page"))?;
    let mut blocks = api.control()?.blocks(after, limit + 1);
    let has_more = blocks.len() > limit;
    blocks.truncate(limit);
    let last = blocks.last().filter(|_| has_more);
    let next = last.map(|block| block.info_hash.clone());
    json(&api::BlockPage { blocks, next })
}

/// Blocks a torrent at this node, and forgets its peers at once.
#[utoipa::path(
    put,
    path = "/api/v1/blocks/{info_hash}",
    tag = "blocks",
    params(
        ("info_hash" = String, Path, pattern = "^[0-9a-fA-F]{40}$", description = "40 hexadecimal digits."),
        ("note" = Option<String>, Query, max_length = 200, pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]*$", description = "Why; one line of at most 200 characters."),
    ),
    responses((status = 200, body = api::Blocked), Refused),
)]
pub(super) async fn block(api: &Api, info_hash: &str, query: &str) -> Result<Reply, Problem> {
    let info_hash = parameters::info_hash("info_hash", info_hash)?;
    let parameters = Parameters::read(query, &["note"])?;
    let note = parameters.note()?.to_owned();
    let blocked = api.have_done(move |control| control.block(info_hash, &note));
    json(&blocked.await?)
}

/// Ends a block. What the other lists say of the torrent holds again.
#[utoipa::path(
    delete,
    path = "/api/v1/blocks/{info_hash}",
    tag = "blocks",
    params(("info_hash" = String, Path, pattern = "^[0-9a-fA-F]{40}$", description = "40 hexadecimal digits.")),
    responses((status = 200, body = api::Unblocked), Refused),
)]
pub(super) async fn unblock(api: &Api, info_hash: &str, query: &str) -> Result<Reply, Problem> {
    let info_hash = parameters::info_hash("info_hash", info_hash)?;
    Parameters::read(query, &[])?;
    let unblocked = api.have_done(move |control| control.unblock(info_hash));
    json(&unblocked.await?)
}

/// Reads configuration and lists again, as SIGHUP does, and says what has changed.
#[utoipa::path(
    post,
    path = "/api/v1/reload",
    tag = "process",
    responses((status = 200, body = api::Reloaded), Refused),
)]
pub(super) async fn reload(api: &Api, query: &str) -> Result<Reply, Problem> {
    Parameters::read(query, &[])?;
    json(&api.have_done(|control| control.reload()).await?)
}

/// Writes a snapshot, and answers when it is in place.
#[utoipa::path(
    post,
    path = "/api/v1/snapshot",
    tag = "process",
    responses((status = 200, body = api::SnapshotWritten), Refused),
)]
pub(super) async fn snapshot(api: &Api, query: &str) -> Result<Reply, Problem> {
    Parameters::read(query, &[])?;
    json(&api.have_done(|control| control.snapshot()).await?)
}

/// Whether clients are to go elsewhere.
#[utoipa::path(
    get,
    path = "/api/v1/drain",
    tag = "process",
    responses((status = 200, body = api::Drain), Refused),
)]
pub(super) fn is_draining(api: &Api, query: &str) -> Result<Reply, Problem> {
    Parameters::read(query, &[])?;
    json(&api::Drain {
        is_draining: api.tracker.is_draining(),
    })
}

/// Has clients go elsewhere: `/readyz` answers 503 and HTTP connections are closed after each
/// response, while everything is served as before, until the drain is ended or the tracker stops.
#[utoipa::path(
    put,
    path = "/api/v1/drain",
    tag = "process",
    responses((status = 200, body = api::Drain), Refused),
)]
pub(super) fn drain(api: &Api, query: &str) -> Result<Reply, Problem> {
    set_draining(api, query, true)
}

/// Ends a drain.
#[utoipa::path(
    delete,
    path = "/api/v1/drain",
    tag = "process",
    responses((status = 200, body = api::Drain), Refused),
)]
pub(super) fn undrain(api: &Api, query: &str) -> Result<Reply, Problem> {
    set_draining(api, query, false)
}

fn set_draining(api: &Api, query: &str, is_draining: bool) -> Result<Reply, Problem> {
    Parameters::read(query, &[])?;
    api.tracker.set_draining(is_draining);
    let word = if is_draining { "begins" } else { "ends" };
    tracing::info!("a drain {word}");
    json(&api::Drain { is_draining })
}
