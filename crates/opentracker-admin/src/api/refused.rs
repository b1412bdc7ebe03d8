//! What the OpenAPI document says of problems.

use std::collections::BTreeMap;

use opentracker_api::PROBLEM_TYPE;
use utoipa::IntoResponses;
use utoipa::openapi::RefOr;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::response::{Response, ResponseBuilder};
use utoipa::openapi::schema::Ref;

/// The problems that any request may have.
pub(super) struct Refused;

impl IntoResponses for Refused {
    fn responses() -> BTreeMap<String, RefOr<Response>> {
        let problem = |description: &str| {
            let schema = Ref::from_schema_name("Problem");
            let content = ContentBuilder::new().schema(Some(schema)).build();
            let response = ResponseBuilder::new()
                .description(description)
                .content(PROBLEM_TYPE, content)
                .build();
            RefOr::T(response)
        };
        let all = [
            ("400", "A parameter is wrong; `field` names it."),
            ("401", "A token is needed, or the one that came is wrong."),
            ("403", "Who asks has no right to this."),
            (
                "409",
                "The present configuration has no such thing, or there is no room.",
            ),
            ("500", "It was tried and failed."),
            ("503", "It cannot be done at present."),
        ];
        all.map(|(status, description)| (status.to_owned(), problem(description)))
            .into()
    }
}
