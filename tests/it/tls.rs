//! A destination behind TLS of its own: it is believed by its authority alone, it knows the gateway by a certificate, and
//! what both speak is used.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use hyper::Version;
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tollgate::task;

use crate::support::authority::{Authority, Pair};
use crate::support::gateway::{FORWARD_SECRET, Setup, Site};
use crate::support::invoice;
use crate::support::receiver::Receiver;

/// More than one lane at a time and more than one message a lane.
const LANES: u64 = 3;
const STEPS: u64 = 4;

/// A gateway that posts to `url`, believes `authority` and shows `client`.
fn site(url: &str, more: &str, authority: &Authority, client: Option<&Pair>) -> Site {
    let own = if client.is_some() { ", cert = \"file:client.pem\", key = \"file:client.key\"" } else { "" };
    let lines = vec![("forward", format!("url = \"{url}\"\ntls = {{ ca = \"file:ca.pem\"{own} }}\n{more}"))];
    let site = Site::new(&Setup { lines, ..Setup::default() });
    let write = |name: &str, text: &str| std::fs::write(site.folder().join(name), text).expect("a file");
    write("ca.pem", &authority.pem());
    if let Some(client) = client {
        write("client.pem", &client.certificate);
        write("client.key", &client.key);
    }
    site
}

#[tokio::test]
async fn a_backend_that_demands_a_certificate_gets_messages_over_http2() {
    let authority = Authority::new();
    let backend = Receiver::start_tls(authority.server(&["h2", "http/1.1"]), &[FORWARD_SECRET]);
    let gateway = site(&backend.url(), "", &authority, Some(&authority.client())).start();
    for step in 0..STEPS {
        for lane in 0..LANES {
            gateway.request_network(&invoice::processing(lane, step)).await.delivery_id();
        }
    }
    let count = usize::try_from(LANES * STEPS).expect("a count");
    let taken = backend.wait_for_taken(count).await;
    assert!(taken.iter().all(|one| one.version == Version::HTTP_2), "{taken:?}");
    assert_eq!(taken.iter().map(|one| &one.webhook_id).collect::<BTreeSet<_>>().len(), count);
}

/// Passes everything on, until it is told to: then it holds the lines that are open, and passes on what new ones bring.
async fn holding(target: SocketAddr) -> (SocketAddr, watch::Sender<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let (hold, held) = watch::channel(());
    task::spawn("holding", async move {
        let mut lines = JoinSet::new();
        while let Ok((mut client, _)) = listener.accept().await {
            let mut held = held.clone();
            held.mark_unchanged();
            lines.spawn(async move {
                let mut server = TcpStream::connect(target).await.expect("the backend");
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                    _ = held.changed() => std::future::pending::<()>().await,
                }
            });
        }
    });
    (address, hold)
}

/// A firewall forgot the connection, or the machine behind it is gone: nothing is refused and nothing comes back.
#[tokio::test]
async fn a_connection_that_is_dead_is_given_up_for_a_new_one() {
    let authority = Authority::new();
    let backend = Receiver::start_tls(authority.server(&["h2"]), &[FORWARD_SECRET]);
    let (way, hold) = holding(backend.address()).await;
    let site = site(&format!("https://{way}/webhooks"), "timeout = \"1s\"", &authority, Some(&authority.client()));
    let gateway = site.start();
    gateway.request_network(&invoice::processing(0, 0)).await.delivery_id();
    backend.wait_for_taken(1).await;
    hold.send_replace(());
    gateway.request_network(&invoice::processing(0, 1)).await.delivery_id();
    backend.wait_for_taken(2).await;
    assert!(2 <= backend.connections());
}

#[tokio::test]
async fn a_backend_without_http2_gets_messages_over_a_connection_that_is_kept() {
    let authority = Authority::new();
    let backend = Receiver::start_tls(authority.server(&["http/1.1"]), &[FORWARD_SECRET]);
    let gateway = site(&backend.url(), "", &authority, Some(&authority.client())).start();
    // One lane: one message after the other, so one connection is enough.
    for step in 0..STEPS {
        gateway.request_network(&invoice::processing(0, step)).await.delivery_id();
    }
    let taken = backend.wait_for_taken(usize::try_from(STEPS).expect("a count")).await;
    assert!(taken.iter().all(|one| one.version == Version::HTTP_11), "{taken:?}");
    assert_eq!(backend.connections(), 1, "kept alive");
}

#[tokio::test]
async fn a_backend_of_another_authority_is_not_believed_and_nothing_is_sent() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let backend = Receiver::start_tls(stranger.server(&["h2", "http/1.1"]), &[FORWARD_SECRET]);
    let gateway = site(&backend.url(), "", &authority, Some(&stranger.client())).start();
    gateway.request_network(&invoice::processing(0, 0)).await.delivery_id();
    gateway.says("\"tls\"").await;
    assert_eq!(backend.received().len(), 0);
}

#[tokio::test]
async fn a_backend_that_misses_our_certificate_is_sent_nothing() {
    let authority = Authority::new();
    let backend = Receiver::start_tls(authority.server(&["h2", "http/1.1"]), &[FORWARD_SECRET]);
    let gateway = site(&backend.url(), "", &authority, None).start();
    gateway.request_network(&invoice::processing(0, 0)).await.delivery_id();
    gateway.says("\"not delivered\"").await;
    assert_eq!(backend.received().len(), 0);
}

/// Whoever listens where a backend was configured sees a handshake and nothing else.
#[tokio::test]
async fn nothing_leaves_in_the_open() {
    let authority = Authority::new();
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("https://{}/webhooks", listener.local_addr().expect("its address"));
    let gateway = site(&url, "", &authority, Some(&authority.client())).start();
    gateway.request_network(&invoice::processing(0, 0)).await.delivery_id();
    let (mut socket, _) = listener.accept().await.expect("a connection");
    let mut heard = vec![0; 4096];
    let length = socket.read(&mut heard).await.expect("its first bytes");
    heard.truncate(length);
    assert_eq!(heard.first(), Some(&0x16), "a handshake record");
    let text = String::from_utf8_lossy(&heard);
    assert!(!text.contains("webhook") && !text.contains("POST"), "{text}");
}
