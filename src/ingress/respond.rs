//! Every answer of the public listener: the only code that picks its statuses, codes and texts.
//!
//! It must never say which secret or which byte of a signature was wrong, and never echo what was sent.

use std::borrow::Cow;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Body;
use hyper::header::{ALLOW, CONNECTION, CONTENT_LENGTH, CONTENT_TYPE, HeaderName, HeaderValue, RETRY_AFTER};
use hyper::{Response, StatusCode, Version};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::provider::Rejection;

/// Seconds after which a 503 may be tried again.
const RETRY_AFTER_UNAVAILABLE_S: u64 = 1;
/// The same for a source that waits for disk space while others are taken: its provider tries for long, and space does
/// not come back within a second.
const RETRY_AFTER_SHED_S: u64 = 60;

/// Why nothing is taken below the reserve.
pub(super) const BELOW_RESERVE: &str = "free space is below the reserve";

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Why a request is not stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// Not rightly signed.
    Signature(Rejection),
    /// The body is over the limit, bytes.
    BodyTooLarge { limit: usize },
    /// The header section is over the limit, bytes.
    HeadersTooLarge { limit: usize },
    /// Not HTTP as agreed.
    BadRequest { reason: &'static str },
    /// A deadline passed while reading.
    TooSlow { what: &'static str },
    /// No source has this path.
    NotFound,
    /// Another method than the path takes.
    MethodNotAllowed { allow: &'static str },
    /// The client is outside the source's `allow_ips`.
    Forbidden,
    /// Too many wrong signatures from this client, and this is one more.
    RateLimited { retry_after_s: u64 },
    /// The delivery cannot be kept now.
    Unavailable { why: &'static str },
    /// More deliveries of the source are being stored than it has slots.
    Overloaded,
    /// Space is short, and this source's provider can wait.
    Shed,
}

/// Whether the request's body was read to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Rest {
    /// The connection can take the next request.
    Read,
    /// What follows on the connection is not a request.
    Unread,
}

impl Refusal {
    pub(super) const fn status(&self) -> StatusCode {
        match self {
            Self::Signature(_) => StatusCode::UNAUTHORIZED,
            Self::BodyTooLarge { .. } => StatusCode::PAYLOAD_TOO_LARGE,
            Self::HeadersTooLarge { .. } => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::BadRequest { .. } => StatusCode::BAD_REQUEST,
            Self::TooSlow { .. } => StatusCode::REQUEST_TIMEOUT,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed { .. } => StatusCode::METHOD_NOT_ALLOWED,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
            Self::Unavailable { .. } | Self::Overloaded | Self::Shed => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The stable code of the contract.
    pub(super) const fn code(&self) -> &'static str {
        match self {
            Self::Signature(rejection) => rejection.code(),
            Self::BodyTooLarge { .. } => "BODY_TOO_LARGE",
            Self::HeadersTooLarge { .. } => "HEADERS_TOO_LARGE",
            Self::BadRequest { .. } => "BAD_REQUEST",
            Self::TooSlow { .. } => "REQUEST_TIMEOUT",
            Self::NotFound => "NOT_FOUND",
            Self::MethodNotAllowed { .. } => "METHOD_NOT_ALLOWED",
            Self::Forbidden => "FORBIDDEN",
            Self::RateLimited { .. } => "RATE_LIMITED",
            Self::Unavailable { .. } | Self::Overloaded | Self::Shed => "EVIDENCE_UNAVAILABLE",
        }
    }

    fn message(&self) -> Cow<'static, str> {
        Cow::Borrowed(match self {
            Self::Signature(rejection) => return Cow::Owned(rejection.to_string()),
            Self::BodyTooLarge { .. } => "the body is over the limit: send less, or raise ingress.max_body",
            Self::HeadersTooLarge { .. } => {
                "the header section is over the limit: send less, or raise ingress.max_headers"
            }
            Self::BadRequest { .. } => "the request is malformed",
            Self::TooSlow { .. } => "the request did not arrive in time: send it again",
            Self::NotFound => "no source has this path: compare the webhook URL with sources.path",
            Self::MethodNotAllowed { .. } => "this path does not take this method",
            Self::Forbidden => "this address may not post to this source",
            Self::RateLimited { .. } => "too many wrong signatures from this address: sign rightly, or wait",
            Self::Unavailable { .. } | Self::Overloaded | Self::Shed => {
                "the delivery cannot be stored now and was not: send it again"
            }
        })
    }

    fn details(&self) -> Value {
        match self {
            Self::Signature(_) | Self::NotFound | Self::Forbidden => json!({}),
            Self::BodyTooLarge { limit } | Self::HeadersTooLarge { limit } => json!({ "limit_bytes": limit }),
            Self::BadRequest { reason } => json!({ "reason": reason }),
            Self::TooSlow { what } => json!({ "waited_for": what }),
            Self::MethodNotAllowed { allow } => json!({ "allow": allow }),
            Self::RateLimited { retry_after_s } => json!({ "retry_after_s": retry_after_s }),
            Self::Unavailable { why } => json!({ "retry_after_s": RETRY_AFTER_UNAVAILABLE_S, "reason": why }),
            Self::Overloaded => {
                json!({ "retry_after_s": RETRY_AFTER_UNAVAILABLE_S, "reason": "more deliveries come than can be stored" })
            }
            Self::Shed => json!({ "retry_after_s": RETRY_AFTER_SHED_S, "reason": "disk space is short" }),
        }
    }
}

/// 200: the delivery is on disk.
pub(super) fn stored(delivery_id: Uuid, request_id: &str) -> Response<Full<Bytes>> {
    let body = format!(r#"{{"success":true,"data":{{"delivery_id":"{delivery_id}"}}}}"#);
    answer(StatusCode::OK, body, request_id)
}

/// 200 for load balancers.
pub(super) fn healthy(request_id: &str) -> Response<Full<Bytes>> {
    answer(StatusCode::OK, r#"{"success":true,"data":{"status":"ok"}}"#.to_owned(), request_id)
}

/// The envelope of an error. Over HTTP/1 an unread body ends the connection.
pub(super) fn refused(refusal: &Refusal, request_id: &str, rest: Rest, version: Version) -> Response<Full<Bytes>> {
    let body = json!({
        "success": false,
        "error": { "code": refusal.code(), "message": refusal.message(), "details": refusal.details() },
        "request_id": request_id,
    });
    let mut response = answer(refusal.status(), body.to_string(), request_id);
    let headers = response.headers_mut();
    match refusal {
        Refusal::MethodNotAllowed { allow } => {
            headers.insert(ALLOW, HeaderValue::from_static(allow));
        }
        Refusal::RateLimited { retry_after_s } => {
            headers.insert(RETRY_AFTER, HeaderValue::from(*retry_after_s));
        }
        Refusal::Unavailable { .. } | Refusal::Overloaded => {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_UNAVAILABLE_S));
        }
        Refusal::Shed => {
            headers.insert(RETRY_AFTER, HeaderValue::from(RETRY_AFTER_SHED_S));
        }
        Refusal::Signature(_)
        | Refusal::BodyTooLarge { .. }
        | Refusal::HeadersTooLarge { .. }
        | Refusal::BadRequest { .. }
        | Refusal::TooSlow { .. }
        | Refusal::NotFound
        | Refusal::Forbidden => {}
    }
    if rest == Rest::Unread && version < Version::HTTP_2 {
        headers.insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The answer to HEAD: as long as it would be, and without its body. Over HTTP/2 nothing below drops the body, and a
/// client that gets one calls the stream broken.
pub(super) fn head_only(mut response: Response<Full<Bytes>>) -> Response<Full<Bytes>> {
    if let Some(length) = response.body().size_hint().exact() {
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    *response.body_mut() = Full::default();
    response
}

fn answer(status: StatusCode, body: String, request_id: &str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, JSON);
    // Well-formed by construction: checked when taken from the caller, else a UUID.
    if let Ok(id) = HeaderValue::from_str(request_id) {
        headers.insert(REQUEST_ID, id);
    }
    response
}
