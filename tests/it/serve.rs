//! `serve` starts, takes a webhook and drains on SIGTERM with exit code 0.

use super::support::gateway::{Setup, Site};

#[tokio::test]
async fn a_gateway_serves_and_drains() {
    let gateway = Site::new(&Setup::default()).start();
    let body = br#"{"event":"payment.processing","requestId":"01ab","subStatus":"initiated"}"#;
    let delivery = gateway.request_network(body).await.delivery_id();
    gateway.event_in(&delivery, "forwarding", "PROVIDER_EVENT").await;
    let (status, log) = gateway.terminate();
    assert_eq!(status.code(), Some(0), "{log}");
}
