//! The same API without a socket: commands at this machine call it in process, with an admin's rights.

use std::future::poll_fn;

use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::{Request, Response};
use tower_service::Service;

use super::Api;
use super::auth::InProcess;

impl Api {
    /// Answers a request that was made in this process by `name`: whoever may open the data folder may do
    /// what an admin may. It goes through the same routes, roles and checks as one from outside.
    ///
    /// # Errors
    /// When the answer's body does not come to its end.
    pub async fn call(&self, name: &str, mut request: Request<Full<Bytes>>) -> Result<Response<Bytes>, axum::Error> {
        request.extensions_mut().insert(InProcess { name: name.to_owned() });
        let mut router = self.router();
        let Ok(()) = poll_fn(|cx| Service::<Request<Full<Bytes>>>::poll_ready(&mut router, cx)).await;
        let Ok(answer) = router.call(request).await;
        let (parts, body) = answer.into_parts();
        Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
    }
}
