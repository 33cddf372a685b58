//! What every request and answer of the admin side has in common: an id, and refusals in the envelope, those of the
//! framework included. Nothing here knows what is asked for.

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{FromRequest, FromRequestParts, Path, Query, Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::{Api, BODY_BYTES_MAX};
use crate::net::request_id::request_id;

const REQUEST_ID: &str = "x-request-id";

/// Gives the request its id, and a refusal its body.
pub(super) async fn wrap(State(api): State<Api>, request: Request, next: Next) -> Response {
    let id = request_id(request.headers(), api.clock.now());
    let mut response = next.run(request).await;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let (mut parts, _empty) = response.into_parts();
        parts.headers.remove(header::CONTENT_LENGTH);
        parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        response = Response::from_parts(parts, problem.body(&id).into());
    }
    stamp(&mut response, &id);
    response
}

/// The id, and that nobody in between keeps the answer.
pub(super) fn stamp<B>(response: &mut axum::http::Response<B>, request_id: &str) {
    if let Ok(value) = HeaderValue::from_str(request_id) {
        response.headers_mut().insert(REQUEST_ID, value);
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
}

/// Query parameters; what does not fit is refused in the envelope.
pub(super) struct Params<T>(pub(super) T);

/// Path segments; what does not fit is refused in the envelope.
pub(super) struct Segments<T>(pub(super) T);

/// A body of at most [`BODY_BYTES_MAX`].
pub(super) struct Body(pub(super) Bytes);

impl<T: DeserializeOwned> FromRequestParts<Api> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _api: &Api) -> Result<Self, Problem> {
        match Query::try_from_uri(&parts.uri) {
            Ok(Query(read)) => Ok(Self(read)),
            Err(rejection) => Err(Problem::bad_request(rejection.body_text())),
        }
    }
}

impl<T: DeserializeOwned + Send> FromRequestParts<Api> for Segments<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Problem> {
        match Path::from_request_parts(parts, api).await {
            Ok(Path(read)) => Ok(Self(read)),
            Err(rejection) => Err(Problem::bad_request(rejection.body_text())),
        }
    }
}

impl FromRequest<Api> for Body {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        Bytes::from_request(request, api).await.map(Self).map_err(|rejection| unread(&rejection))
    }
}

fn unread(rejection: &BytesRejection) -> Problem {
    if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Problem::too_large(BODY_BYTES_MAX);
    }
    Problem::bad_request("the body did not arrive whole")
}
