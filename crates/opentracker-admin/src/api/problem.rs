//! Answers that say what is wrong with a request (RFC 9457).

use hyper::StatusCode;
use opentracker_api::Problem;

use crate::control::ControlError;
use crate::token::Credential;

pub(super) fn problem(status: StatusCode, kind: &str, title: &str, detail: &str) -> Problem {
    Problem {
        kind: format!("/api/v1/problems/{kind}"),
        title: title.to_owned(),
        status: status.as_u16(),
        detail: detail.to_owned(),
        field: None,
    }
}

/// A parameter that is wrong, and what would be right.
pub(super) fn bad_parameter(field: &str, detail: &str) -> Problem {
    let title = "A parameter is wrong";
    let status = StatusCode::BAD_REQUEST;
    Problem {
        field: Some(field.to_owned()),
        ..problem(status, "bad-parameter", title, detail)
    }
}

pub(super) fn not_found(detail: &str) -> Problem {
    let title = "There is no such thing";
    problem(StatusCode::NOT_FOUND, "not-found", title, detail)
}

/// Too much of the same is under way.
pub(super) fn busy(detail: &str) -> Problem {
    let title = "Too many at once";
    problem(StatusCode::SERVICE_UNAVAILABLE, "busy", title, detail)
}

/// What could not be done for the operator.
pub(super) fn not_done(error: ControlError) -> Problem {
    let (status, kind, title) = match &error {
        ControlError::NotNow => (
            StatusCode::SERVICE_UNAVAILABLE,
            "not-now",
            "It cannot be done at present",
        ),
        ControlError::Unavailable(_) => (
            StatusCode::CONFLICT,
            "unavailable",
            "The configuration has no such thing",
        ),
        ControlError::Full(_) => (StatusCode::CONFLICT, "full", "There is no room"),
        ControlError::Failed(_) => (StatusCode::INTERNAL_SERVER_ERROR, "failed", "It has failed"),
    };
    problem(status, kind, title, &error.to_string())
}

/// Who asks has no right to it, and what would give it to him.
pub(super) fn denied(credential: Credential, may_show_token: bool) -> Problem {
    match credential {
        Credential::Wrong => problem(
            StatusCode::UNAUTHORIZED,
            "wrong-token",
            "The token is wrong",
            "it is not the one in the file of `admin.token`, or there is none",
        ),
        _ if may_show_token => problem(
            StatusCode::UNAUTHORIZED,
            "token-needed",
            "A token is needed",
            "send that of `admin.token` in `Authorization: Bearer`, or use the control socket",
        ),
        _ => problem(
            StatusCode::FORBIDDEN,
            "forbidden",
            "This is not for you",
            "it takes the operator's own listener or control socket, or a network of `access.admin`",
        ),
    }
}

/// A request that is none, whatever it asks for.
pub(crate) fn bad_request(detail: &str) -> Problem {
    let title = "The request is wrong";
    problem(StatusCode::BAD_REQUEST, "bad-request", title, detail)
}

/// A page from elsewhere sent it, or it came through a proxy where none is trusted.
pub(crate) fn foreign() -> Problem {
    let title = "The request comes from elsewhere";
    let detail = "it was sent by a page of another origin, through a proxy, or to a name that is not \
                  in `admin.hosts`";
    problem(StatusCode::FORBIDDEN, "foreign", title, detail)
}
