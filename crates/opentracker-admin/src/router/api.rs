//! Requests for the admin API.

use hyper::header::{ALLOW, CACHE_CONTROL, HeaderName, WWW_AUTHENTICATE};
use hyper::http::request::Parts;
use hyper::{Method, Response, StatusCode};
use opentracker_api::{INSTANCE_HEADER, Instance, PROBLEM_TYPE, Problem};

use super::{Asked, Router, failure, page, respond, with};
use crate::api::{self, ApiRequest, Reply};
use crate::body::PageBody;
use crate::counters::Counter;
use crate::rights::{ListenerKind, is_cross_site};
use crate::token::Credential;

const JSON: &str = "application/json";
const JSON_LINES: &str = "application/x-ndjson";

/// Tells whether a request is for the admin API.
pub(super) fn is_api(head: &Parts) -> bool {
    head.uri.path().starts_with(api::ROOT)
}

impl Router {
    /// Says which process answers.
    pub(super) fn with_instance(&self, response: Response<PageBody>) -> Response<PageBody> {
        let Instance { pid, tracker_id } = self.api.instance();
        let instance = format!("pid={pid}; tracker_id={tracker_id}");
        with(
            response,
            HeaderName::from_static(INSTANCE_HEADER),
            &instance,
        )
    }

    /// Answers a request for the admin API.
    pub(super) async fn api(
        &self,
        asked: &Asked<'_>,
        credential: Credential,
    ) -> Response<PageBody> {
        let Asked { head, rights, .. } = asked;
        let is_change = !matches!(head.method, Method::GET | Method::HEAD);
        if is_change && asked.listener != ListenerKind::Control && is_cross_site(&head.headers) {
            return self.forbid_foreign(head);
        }
        let path = head.uri.path();
        let path = path.strip_prefix(api::ROOT).unwrap_or_default();
        let request = ApiRequest {
            method: &head.method,
            path,
            query: head.uri.query().unwrap_or_default(),
            rights: *rights,
            credential,
        };
        let response = match self.api.answer(request, &self.top).await {
            Ok(Reply::Json(octets)) => {
                self.counters.count(Counter::Api);
                page(StatusCode::OK, JSON, octets)
            }
            Ok(Reply::Lines(lines)) => {
                self.counters.count(Counter::Api);
                respond(StatusCode::OK, JSON_LINES, PageBody::lines(lines))
            }
            Err(problem) => self.problem(&problem, path),
        };
        with(response, CACHE_CONTROL, "no-store")
    }

    fn problem(&self, problem: &Problem, path: &str) -> Response<PageBody> {
        let status = status_of(problem);
        self.counters.count(match status {
            StatusCode::BAD_REQUEST => Counter::BadParameter,
            StatusCode::UNAUTHORIZED => Counter::BadToken,
            StatusCode::FORBIDDEN => Counter::Forbidden,
            StatusCode::NOT_FOUND => Counter::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Counter::BadMethod,
            _ => Counter::NotDone,
        });
        let response = problem_page(problem);
        match status {
            StatusCode::UNAUTHORIZED => with(response, WWW_AUTHENTICATE, "Bearer"),
            StatusCode::METHOD_NOT_ALLOWED => {
                let methods = api::methods(path).unwrap_or_default();
                with(response, ALLOW, methods)
            }
            _ => response,
        }
    }

    /// Refuses what is no good request, in the words of whom it was sent to.
    pub(super) fn refuse_request(
        &self,
        head: &Parts,
        counter: Counter,
        reason: &str,
    ) -> Response<PageBody> {
        if is_api(head) {
            self.counters.count(counter);
            return problem_page(&api::bad_request(reason));
        }
        self.refuse(counter, StatusCode::BAD_REQUEST, failure(reason))
    }

    pub(super) fn forbid_foreign(&self, head: &Parts) -> Response<PageBody> {
        if is_api(head) {
            self.counters.count(Counter::Foreign);
            return problem_page(&api::foreign());
        }
        self.forbid(Counter::Foreign)
    }
}

fn problem_page(problem: &Problem) -> Response<PageBody> {
    let body = serde_json::to_vec(problem).expect("it has no map with keys but text");
    page(status_of(problem), PROBLEM_TYPE, body)
}

fn status_of(problem: &Problem) -> StatusCode {
    StatusCode::from_u16(problem.status).expect("problems have statuses of hyper")
}
