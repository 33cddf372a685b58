//! What a backend really receives while a secret is rotated, verified by the packages that backends use.

use serde_json::json;

use super::{BOTH, assert_judged, question, tampered};
use crate::support::gateway::{FORWARD_SECRET, Setup, Site};
use crate::support::invoice;
use crate::support::receiver::Receiver;

const NEW_SECRET: &str = "whsec_dG9sbGdhdGUtdGVzdC1mb3J3YXJkLXNlY3JldC0wMDAy";
const STRANGER: &str = super::STRANGER;

#[tokio::test]
async fn a_received_message_verifies_with_the_old_and_the_new_secret() {
    let backend = Receiver::start(&[NEW_SECRET]);
    let mut site = Site::new(&Setup { backend: Some(backend.address()), ..Setup::default() });
    site.set("IT_NEW", NEW_SECRET);
    site.set("TOLLGATE_FORWARD__SECRETS", "[\"env:IT_NEW\", \"env:IT_FORWARD\"]");
    let gateway = site.start();
    gateway.request_network(&invoice::processing(0, 0)).await.delivery_id();
    let received = backend.wait_for_taken(1).await.remove(0);
    let text = |name: &str| received.headers[name].to_str().expect("text").to_owned();
    let headers = json!({
        "webhook-id": text("webhook-id"),
        "webhook-timestamp": text("webhook-timestamp"),
        "webhook-signature": text("webhook-signature"),
    });
    let body = String::from_utf8(received.body.to_vec()).expect("text");
    let verify = json!({"op": "standardwebhooks.verify"});
    let cases = [
        (true, question(&verify, NEW_SECRET, &body, &headers)),
        (true, question(&verify, FORWARD_SECRET, &body, &headers)),
        (false, question(&verify, STRANGER, &body, &headers)),
        (false, question(&verify, NEW_SECRET, &tampered(&body), &headers)),
    ];
    for ask in BOTH {
        assert_judged(ask, &cases);
    }
}
