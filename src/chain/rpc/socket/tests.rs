use std::sync::Arc;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_tungstenite::accept_async;

use super::*;
use crate::task;

const BRISK: Patience = Patience {
    silence: Duration::from_millis(300),
    first: Duration::from_millis(1),
    longest: Duration::from_millis(4),
};

/// A node whose sockets send these one after the other, the first connection the first list, and the last one again; each
/// stays open. What it was asked is counted.
async fn node(says: Vec<Vec<Message>>) -> (Secret, Arc<Semaphore>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Secret::new(format!("ws://{}/KEY", listener.local_addr().unwrap()));
    let asked = Arc::new(Semaphore::new(0));
    let count = Arc::clone(&asked);
    drop(task::spawn("socket.node", async move {
        let mut says = says.into_iter().peekable();
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let mut socket = accept_async(stream).await.unwrap();
            let call = socket.next().await.unwrap().unwrap().into_text().unwrap();
            assert!(call.contains("eth_subscribe") && call.contains("newHeads"), "{call}");
            count.add_permits(1);
            let now = if says.len() == 1 { says.peek().cloned() } else { says.next() };
            drop(task::spawn("socket.says", async move {
                for message in now.unwrap_or_default() {
                    if socket.send(message).await.is_err() {
                        return;
                    }
                }
                std::future::pending::<()>().await;
            }));
        }
    }));
    (url, asked)
}

fn block() -> Message {
    Message::text(json!({"jsonrpc": "2.0", "method": "eth_subscription", "params": {"result": {}}}).to_string())
}

/// Listens until so many blocks were announced.
async fn until(url: &Secret, blocks: u32) {
    let heard = Arc::new(Semaphore::new(0));
    let announced = || heard.add_permits(1);
    tokio::select! {
        () = listen(url, BRISK, announced) => {}
        all = heard.acquire_many(blocks) => drop(all),
    }
}

#[tokio::test]
async fn a_silent_socket_is_connected_again_and_only_blocks_count() {
    let noise = [
        Message::text("{}"),
        Message::text("no JSON"),
        Message::text(json!({"jsonrpc": "2.0", "id": 1, "result": "0x1"}).to_string()),
        Message::binary(vec![0; 9]),
        Message::Ping(vec![1].into()),
    ];
    let (url, asked) = node(vec![vec![], noise.to_vec(), vec![block(), block()]]).await;
    until(&url, 2).await;
    assert_eq!(asked.available_permits(), 3, "silence, noise, blocks");
}

#[tokio::test]
async fn a_socket_that_breaks_off_or_says_too_much_is_connected_again() {
    let large = Message::text(" ".repeat(MESSAGE_MAX + 1));
    let (url, asked) = node(vec![vec![Message::Close(None)], vec![large], vec![block()]]).await;
    until(&url, 1).await;
    assert_eq!(asked.available_permits(), 3);
}

#[tokio::test]
async fn a_node_that_is_not_there_is_tried_again() {
    let gone = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = Secret::new(format!("ws://{}", gone.local_addr().unwrap()));
    drop(gone);
    let heard = timeout(Duration::from_millis(200), listen(&url, BRISK, || panic!("nobody said so"))).await;
    assert!(heard.is_err(), "it never ends");
}
