//! The only place that picks an admin status. Callers see a code and what to do; the cause goes to the log.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http_body_util::Full;
use serde::Serialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::envelope::stamp;
use crate::ledger::LedgerError;
use crate::net::Fault;

/// A refusal, ready to be answered. It travels in the response's extensions until the request's id is at hand.
#[derive(Clone, Debug)]
pub(super) struct Problem {
    status: StatusCode,
    code: &'static str,
    message: String,
    details: Value,
}

/// What a handler returns.
pub(super) type Answer = Result<Response, Problem>;

/// `{"success":true,"data":…}` with 200.
pub(super) fn ok(data: impl Serialize) -> Answer {
    Ok(success(StatusCode::OK, data))
}

/// `{"success":true,"data":…}` with a status.
pub(super) fn success(status: StatusCode, data: impl Serialize) -> Response {
    (status, Json(json!({"success": true, "data": data}))).into_response()
}

/// Items of a page when the caller does not say.
const PAGE_DEFAULT: usize = 50;
/// Most items of a page.
const PAGE_MAX: usize = 500;

/// How many items a page has, from what the caller asked for.
pub(super) fn page_limit(asked: Option<usize>) -> usize {
    asked.unwrap_or(PAGE_DEFAULT).clamp(1, PAGE_MAX)
}

/// `{"items":[…],"next":…}`: `next` is the cursor of the last item of a full page.
pub(super) fn page<T: Serialize>(items: &[T], next: Option<String>) -> Answer {
    ok(json!({"items": items, "next": next}))
}

impl Problem {
    fn new(status: StatusCode, code: &'static str, message: impl Into<String>) -> Self {
        Self { status, code, message: message.into(), details: json!({}) }
    }

    pub(super) fn with_details(mut self, details: Value) -> Self {
        self.details = details;
        self
    }

    /// With something more to say.
    pub(super) fn saying(mut self, more: &str) -> Self {
        self.message.push_str(more);
        self
    }

    /// The envelope.
    pub(super) fn body(&self, request_id: &str) -> Bytes {
        envelope(self.code, &self.message, &self.details, request_id)
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "BAD_REQUEST", message)
    }

    /// Of `?after=`.
    pub(super) fn bad_cursor(text: &str) -> Self {
        Self::bad_request(format!("?after=: {text:?} is no cursor of a page"))
    }

    pub(super) fn unauthorized() -> Self {
        Self::new(
            StatusCode::UNAUTHORIZED,
            "UNAUTHORIZED",
            "send `Authorization: Bearer TOKEN` with a configured token",
        )
    }

    pub(super) fn forbidden(message: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, "FORBIDDEN", message)
    }

    pub(super) fn unknown(what: &str) -> Self {
        Self::new(StatusCode::NOT_FOUND, "NOT_FOUND", format!("no such {what}"))
    }

    /// It was here, and was removed on purpose.
    pub(super) fn gone(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::GONE, code, message)
    }

    /// Whether there is no such thing.
    pub(super) fn is_unknown(&self) -> bool {
        self.status == StatusCode::NOT_FOUND
    }

    pub(super) fn conflict(message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, "EXPECTATION_CONFLICT", message)
    }

    /// What was asked for cannot be now, because of something else.
    pub(super) fn taken(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::CONFLICT, code, message)
    }

    /// A position in a ledger that was restored or rebuilt since, or in another one, or that was never given out.
    pub(super) fn expired_cursor() -> Self {
        let message = "the cursor is of another ledger, or of this one before it was restored or rebuilt, or beyond its end: \
             begin without `after`, and drop the webhook ids that you know";
        Self::new(StatusCode::GONE, "CURSOR_EXPIRED", message)
    }

    /// A beginning that several ids have, or may have.
    pub(super) fn ambiguous(what: &str, prefix: &str) -> Self {
        let message = format!("{prefix:?} is the beginning of more than one id of a {what}: give more of it");
        Self::new(StatusCode::CONFLICT, "AMBIGUOUS_ID", message)
    }

    pub(super) fn invalid(code: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, code, message)
    }

    pub(super) fn too_large(limit_bytes: usize) -> Self {
        let message = format!("the body is over {limit_bytes} bytes");
        Self::new(StatusCode::PAYLOAD_TOO_LARGE, "BODY_TOO_LARGE", message)
            .with_details(json!({"limit_bytes": limit_bytes}))
    }

    pub(super) fn unavailable(what: &str) -> Self {
        Self::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "UNAVAILABLE",
            format!("{what} does not answer now; try again, acks are not affected"),
        )
    }
}

impl From<LedgerError> for Problem {
    fn from(error: LedgerError) -> Self {
        if let LedgerError::BadCursor(_) = error {
            return Self::bad_request(format!("?after=: {error}"));
        }
        tracing::warn!(%error, "an admin request could not be answered from the ledger");
        Self::unavailable("the ledger")
    }
}

impl From<evidence_store::ReadError> for Problem {
    fn from(error: evidence_store::ReadError) -> Self {
        use evidence_store::ReadError;
        tracing::error!(%error, "an admin request could not be answered from the evidence log");
        // Trying again helps only against a disk that does not answer.
        let (code, record, way_out) = match &error {
            ReadError::Engine(_) => return Self::unavailable("the evidence log"),
            ReadError::Damaged { seq, .. } => (
                "EVIDENCE_DAMAGED",
                seq,
                "is damaged and is not served. Nothing was repaired: keep a copy of the data folder as it is, check the \
                 disk, then restore the whole folder from a backup",
            ),
            ReadError::Newer { seq, .. } => ("EVIDENCE_NEWER", seq, "was written by a later release: run that release"),
        };
        let message = format!("record {record} of the evidence log {way_out}");
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, code, message).with_details(json!({"record": record}))
    }
}

impl From<evidence_store::ChangeError> for Problem {
    fn from(error: evidence_store::ChangeError) -> Self {
        use evidence_store::ChangeError;
        match error {
            ChangeError::Held(_) => Self::taken("HELD", error.to_string()),
            ChangeError::Unknown(_) => Self::unknown("delivery"),
            ChangeError::Read(error) => error.into(),
            ChangeError::TooMany { .. } => Self::bad_request(error.to_string()),
            ChangeError::Append(_) => {
                tracing::warn!(%error, "the evidence log did not take a change");
                Self::unavailable("the evidence log")
            }
            ChangeError::Reclaim(_) => {
                tracing::error!(%error, "removed bytes are on the disk still");
                Self::new(StatusCode::INTERNAL_SERVER_ERROR, "NOT_RECLAIMED", error.to_string())
            }
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        let headers = response.headers_mut();
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if self.status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response.extensions_mut().insert(self);
        response
    }
}

/// The answer for a connection that brought no request.
pub(super) fn fault(fault: Fault) -> Response<Full<Bytes>> {
    let (status, code) = match fault {
        Fault::Malformed => (StatusCode::BAD_REQUEST, "BAD_REQUEST"),
        Fault::HeadersTooLarge => (StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE, "HEADERS_TOO_LARGE"),
        Fault::TooSlow => (StatusCode::REQUEST_TIMEOUT, "REQUEST_TIMEOUT"),
    };
    let request_id = Uuid::now_v7().to_string();
    let body = envelope(code, &fault.to_string(), &json!({}), &request_id);
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    stamp(&mut response, &request_id);
    response
}

fn envelope(code: &str, message: &str, details: &Value, request_id: &str) -> Bytes {
    let body = json!({
        "success": false,
        "error": {"code": code, "message": message, "details": details},
        "request_id": request_id,
    });
    Bytes::from(body.to_string())
}

pub(super) async fn not_found() -> Problem {
    Problem::unknown("path; the API is under /api/v1")
}

pub(super) async fn method_not_allowed() -> Problem {
    Problem::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", "this path has other methods; see Allow")
}
