//! The OpenAPI document.

use opentracker_api::Problem;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{OpenApi as Document, SecurityRequirement};
use utoipa::{Modify, OpenApi};

use super::parameters::Parameters;
use super::refused::Refused;
use super::{Reply, json};

/// All of it.
#[derive(OpenApi)]
#[openapi(
    paths(
        document,
        super::read::status,
        super::read::activity,
        super::read::clients,
        super::read::trends,
        super::read::top,
        super::read::cluster,
        super::read::config,
        super::read::limited,
        super::torrents::torrents,
        super::torrents::torrent,
        super::torrents::purge,
        super::changes::blocks,
        super::changes::block,
        super::changes::unblock,
        super::changes::reload,
        super::changes::snapshot,
        super::changes::is_draining,
        super::changes::drain,
        super::changes::undrain,
        super::streams::events,
        super::streams::trace,
    ),
    components(schemas(Problem, opentracker_api::Sort)),
    modifiers(&Token),
    info(
        title = "opentracker",
        description = "The admin API of a BitTorrent tracker. Over its control socket everything is \
                       allowed. Over TCP changes, and what names peers, need the token of \
                       `admin.token`. The header field `opentracker-instance` of every reply names \
                       the process that answers. Fields may be added; readers ignore those that they \
                       do not know.",
        license(name = "MIT OR Apache-2.0"),
    ),
)]
struct Api;

/// Says how the token is sent.
struct Token;

impl Modify for Token {
    fn modify(&self, document: &mut Document) {
        let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build();
        let components = document.components.get_or_insert_default();
        components.add_security_scheme("token", SecurityScheme::Http(scheme));
        let token = SecurityRequirement::new("token", <[&str; 0]>::default());
        document.security = Some(vec![SecurityRequirement::default(), token]);
    }
}

/// This document.
#[utoipa::path(
    get,
    path = "/api/v1/openapi.json",
    tag = "read",
    responses((status = 200, body = Object), Refused),
)]
pub(super) fn document(query: &str) -> Result<Reply, Problem> {
    Parameters::read(query, &[])?;
    json(&Api::openapi())
}
