use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::{Request, Response};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::wire::is_hypers_own;
use super::{BindError, Drained, Fault, Limits, Listener, Service, Tower, serve};
use crate::task::{self, StopSwitch};

const PATIENCE: Duration = Duration::from_secs(20);
const GET: &[u8] = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n";

/// Says that a request came, and answers when told to.
#[derive(Clone, Default)]
struct Held {
    came: Arc<Notify>,
    go: Arc<Notify>,
}

impl Service for Held {
    type Body = Full<Bytes>;

    fn call(&self, _: Request<Incoming>) -> impl Future<Output = Response<Full<Bytes>>> + Send + 'static {
        let held = self.clone();
        async move {
            held.came.notify_one();
            held.go.notified().await;
            Response::new(Full::new(Bytes::from_static(b"done")))
        }
    }

    fn fault(&self, fault: Fault, _: SocketAddr) -> Response<Full<Bytes>> {
        Response::new(Full::new(Bytes::from(format!("fault: {fault}"))))
    }
}

fn limits() -> Limits {
    Limits { first_byte: Duration::from_millis(100), idle: Duration::from_millis(100), ..Limits::admin() }
}

fn start<S: Service>(limits: Limits, service: S, grace: Duration) -> (SocketAddr, StopSwitch, JoinHandle<Drained>) {
    let listener = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let address = listener.local_addr();
    let (switch, stop) = task::stop();
    (address, switch, task::spawn("served", serve(listener, limits, service, stop, grace)))
}

async fn connect(address: SocketAddr) -> TcpStream {
    TcpStream::connect(address).await.unwrap()
}

/// Everything until the other side closes.
async fn rest(mut stream: TcpStream) -> String {
    let mut bytes = Vec::new();
    // A reset after the last byte ends the reading too.
    drop(timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("closes"));
    String::from_utf8(bytes).unwrap()
}

#[tokio::test]
async fn a_port_in_use_says_so_and_names_the_way_out() {
    let first = Listener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    let error = Listener::bind(first.local_addr()).unwrap_err();
    assert!(matches!(error, BindError::InUse { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains(&first.local_addr().to_string()) && text.contains("`listen`"), "{text}");
    drop(first);
}

#[tokio::test]
async fn an_address_of_another_machine_says_so() {
    let error = Listener::bind("203.0.113.77:0".parse().unwrap()).unwrap_err();
    assert!(matches!(error, BindError::NotLocal { .. }), "{error}");
}

#[tokio::test]
async fn connections_over_the_limit_wait_for_a_slot() {
    let held = Held::default();
    let (address, _stop, _served) = start(Limits { connections: 1, ..limits() }, held.clone(), PATIENCE);
    let mut first = connect(address).await;
    first.write_all(GET).await.unwrap();
    timeout(PATIENCE, held.came.notified()).await.unwrap();
    let mut second = connect(address).await;
    second.write_all(GET).await.unwrap();
    let unserved = timeout(Duration::from_millis(200), held.came.notified()).await;
    assert!(unserved.is_err(), "no slot, no service");
    held.go.notify_one();
    assert!(rest(first).await.ends_with("done"));
    timeout(PATIENCE, held.came.notified()).await.expect("the slot is free again");
    held.go.notify_one();
    assert!(rest(second).await.ends_with("done"));
}

#[tokio::test]
async fn idle_connections_close_without_a_word() {
    let held = Held::default();
    let (address, _stop, _served) = start(limits(), held.clone(), PATIENCE);
    assert_eq!(rest(connect(address).await).await, "", "silent from the start");
    let mut stream = connect(address).await;
    held.go.notify_one();
    stream.write_all(GET).await.unwrap();
    let text = rest(stream).await;
    assert!(text.starts_with("HTTP/1.1 200") && text.ends_with("done"), "{text}");
}

#[tokio::test]
async fn an_empty_line_after_a_request_begins_nothing() {
    let held = Held::default();
    let hasty = Limits { header: Duration::from_millis(50), idle: Duration::from_millis(200), ..limits() };
    let (address, _stop, _served) = start(hasty, held.clone(), PATIENCE);
    let mut stream = connect(address).await;
    held.go.notify_one();
    stream.write_all(GET).await.unwrap();
    let mut status = [0; 12];
    timeout(PATIENCE, stream.read_exact(&mut status)).await.unwrap().unwrap();
    stream.write_all(b"\r\n").await.unwrap();
    assert!(rest(stream).await.ends_with("done"), "closed as idle, not as slow");
}

#[tokio::test]
async fn a_beginning_that_came_with_the_request_before_it_is_too_slow() {
    let held = Held::default();
    let (address, _stop, _served) = start(limits(), held.clone(), PATIENCE);
    let mut stream = connect(address).await;
    held.go.notify_one();
    stream.write_all(&[GET, b"GET / HT"].concat()).await.unwrap();
    let text = rest(stream).await;
    assert!(text.contains("done") && text.ends_with("fault: too slow"), "{text}");
}

#[tokio::test]
async fn a_partial_preface_is_answered_and_closed() {
    let (address, _stop, _served) =
        start(Limits { header: Duration::from_millis(100), ..limits() }, Held::default(), PATIENCE);
    let mut stream = connect(address).await;
    stream.write_all(b"PRI *").await.unwrap();
    assert!(rest(stream).await.ends_with("fault: too slow"));
}

#[tokio::test]
async fn what_hyper_refuses_is_answered_by_the_service() {
    let (address, _stop, _served) = start(limits(), Held::default(), PATIENCE);
    for (bytes, fault) in [(&b"no http\r\n\r\n"[..], "malformed"), (&[b'A'; 70_000][..], "headers too large")] {
        let mut stream = connect(address).await;
        drop(stream.write_all(bytes).await);
        let text = rest(stream).await;
        assert!(text.ends_with(&format!("fault: {fault}")), "{text}");
        assert_eq!(text.matches("HTTP/1.1").count(), 1, "{text}");
    }
}

#[tokio::test]
async fn the_drain_waits_for_open_requests_and_then_cuts() {
    let held = Held::default();
    let (address, stop, served) = start(limits(), held.clone(), PATIENCE);
    let mut stream = connect(address).await;
    stream.write_all(GET).await.unwrap();
    timeout(PATIENCE, held.came.notified()).await.unwrap();
    stop.stop();
    held.go.notify_one();
    assert!(rest(stream).await.ends_with("done"));
    assert_eq!(served.await.unwrap(), Drained { aborted: 0 });

    let held = Held::default();
    let (address, stop, served) = start(limits(), held.clone(), Duration::from_millis(100));
    let mut stream = connect(address).await;
    stream.write_all(GET).await.unwrap();
    timeout(PATIENCE, held.came.notified()).await.unwrap();
    stop.stop();
    let drained = timeout(PATIENCE, served).await.expect("the grace ends").unwrap();
    assert_eq!(drained, Drained { aborted: 1 });
    assert_eq!(rest(stream).await, "");
}

#[tokio::test]
async fn an_old_connection_ends_with_its_request() {
    let held = Held::default();
    let patient = Limits { age: Duration::ZERO, idle: 10 * PATIENCE, ..limits() };
    let (address, _stop, _served) = start(patient, held.clone(), PATIENCE);
    let mut stream = connect(address).await;
    stream.write_all(GET).await.unwrap();
    timeout(PATIENCE, held.came.notified()).await.expect("the request is taken all the same");
    held.go.notify_one();
    assert!(rest(stream).await.ends_with("done"));
}

#[tokio::test]
async fn a_request_that_came_is_served_while_stopping() {
    let held = Held::default();
    let (address, stop, served) = start(limits(), held.clone(), PATIENCE);
    let mut stream = connect(address).await;
    let (start, end) = GET.split_at(7);
    stream.write_all(start).await.unwrap();
    // A second connection that is served shows that the first one was accepted.
    let mut second = connect(address).await;
    second.write_all(GET).await.unwrap();
    timeout(PATIENCE, held.came.notified()).await.unwrap();
    stop.stop();
    held.go.notify_one();
    assert!(rest(second).await.ends_with("done"));
    stream.write_all(end).await.unwrap();
    timeout(PATIENCE, held.came.notified()).await.unwrap();
    held.go.notify_one();
    assert!(rest(stream).await.ends_with("done"));
    assert_eq!(served.await.unwrap(), Drained { aborted: 0 });
}

#[tokio::test]
async fn a_peer_that_takes_no_bytes_is_dropped() {
    #[derive(Clone)]
    struct Large;
    impl Service for Large {
        type Body = Full<Bytes>;

        fn call(&self, _: Request<Incoming>) -> impl Future<Output = Response<Full<Bytes>>> + Send + 'static {
            std::future::ready(Response::new(Full::new(Bytes::from(vec![7; 64 * 1024 * 1024]))))
        }

        fn fault(&self, _: Fault, _: SocketAddr) -> Response<Full<Bytes>> {
            Response::default()
        }
    }
    let impatient = Limits { write_stall: Duration::from_millis(100), connections: 1, ..limits() };
    let (address, _stop, _served) = start(impatient, Large, PATIENCE);
    let mut greedy = connect(address).await;
    greedy.write_all(GET).await.unwrap();
    // The only slot comes free although the first peer stays.
    let mut second = connect(address).await;
    second.write_all(GET).await.unwrap();
    let mut status = [0; 12];
    timeout(PATIENCE, second.read_exact(&mut status)).await.expect("served").unwrap();
    assert_eq!(&status, b"HTTP/1.1 200");
    drop(greedy);
}

#[tokio::test]
async fn an_idle_http2_connection_is_closed() {
    let (address, _stop, _served) = start(limits(), Held::default(), PATIENCE);
    let mut stream = connect(address).await;
    // The preface, and an empty SETTINGS frame (RFC 9113 section 6.5).
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0").await.unwrap();
    let mut bytes = Vec::new();
    drop(timeout(PATIENCE, stream.read_to_end(&mut bytes)).await.expect("closes"));
    assert_eq!(bytes[3], 4, "our SETTINGS came: it was taken as HTTP/2");
}

#[tokio::test]
async fn a_tower_service_serves() {
    #[derive(Clone)]
    struct Echo;
    impl tower_service::Service<Request<Incoming>> for Echo {
        type Response = Response<Full<Bytes>>;
        type Error = Infallible;
        type Future = std::future::Ready<Result<Self::Response, Infallible>>;

        fn poll_ready(&mut self, _: &mut std::task::Context<'_>) -> std::task::Poll<Result<(), Infallible>> {
            std::task::Poll::Ready(Ok(()))
        }

        fn call(&mut self, request: Request<Incoming>) -> Self::Future {
            let peer = request.extensions().get::<super::Arrival>().unwrap().peer;
            std::future::ready(Ok(Response::new(Full::new(Bytes::from(peer.to_string())))))
        }
    }
    let faults = |fault: Fault| Response::new(Full::new(Bytes::from(fault.to_string())));
    let (address, _stop, _served) = start(limits(), Tower::new(Echo, faults), PATIENCE);
    let mut stream = connect(address).await;
    let own = stream.local_addr().unwrap();
    stream.write_all(GET).await.unwrap();
    assert!(rest(stream).await.ends_with(&own.to_string()));
}

#[test]
fn only_hypers_own_answers_are_kept_back() {
    let own = "HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\ndate: Fri\r\n\r\n";
    assert!(is_hypers_own(own.as_bytes()));
    assert!(is_hypers_own(own.replace("400 Bad Request", "431 X").as_bytes()));
    for other in [
        own.replace("400", "404"),
        own.replace("400", "200"),
        own.replace("length: 0", "length: 2"),
        own.replace("date: Fri", "x-request-id: 1"),
        format!("{own}body"),
        own.replace("\r\n\r\n", "\r\n"),
        String::new(),
    ] {
        assert!(!is_hypers_own(other.as_bytes()), "{other}");
    }
}
