//! A socket on which a node announces new blocks.
//!
//! What it says is a hint to look, and nothing of it is believed or kept: a node that says nothing, or the wrong thing, costs
//! a poll at most. So its chain is not asked for either. The socket may be hostile: a message has a limit, and they
//! are read no faster than a chain has blocks.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async_with_config};

use super::CALL_DEADLINE;
use crate::config::Secret;

/// Largest message, bytes. A header has some thousands.
const MESSAGE_MAX: usize = 256 << 10;
/// Between messages that are read; more of them wait in the connection.
const REST: Duration = Duration::from_millis(20);

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// How long a socket is waited for.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Without a block for so long it is given up.
    pub silence: Duration,
    /// Before it is connected again; it doubles while no block comes.
    pub first: Duration,
    /// Longest of these waits.
    pub longest: Duration,
}

/// What is read of a message.
#[derive(Deserialize)]
struct Said<'a> {
    method: Option<&'a str>,
}

/// Calls `announced` for each block that the node announces. Never ends: a socket that is lost or silent is connected
/// again, later each time while it brings nothing.
pub async fn listen(url: &Secret, patience: Patience, announced: impl Fn()) {
    let mut wait = patience.first;
    loop {
        let blocks = hear(url, patience.silence, &announced).await;
        if 0 < blocks {
            wait = patience.first;
        }
        tracing::debug!(blocks, "a socket that announces blocks was lost or silent");
        sleep(wait).await;
        wait = wait.saturating_mul(2).min(patience.longest);
    }
}

/// One connection, from its beginning to its end; how many blocks it announced.
async fn hear(url: &Secret, silence: Duration, announced: &impl Fn()) -> u64 {
    let mut blocks = 0_u64;
    let Ok(Ok(mut socket)) = timeout(CALL_DEADLINE, subscribed(url)).await else { return blocks };
    let mut until = Instant::now() + silence;
    while let Ok(Some(Ok(message))) = timeout_at(until, socket.next()).await {
        if is_block(&message) {
            announced();
            blocks = blocks.saturating_add(1);
            until = Instant::now() + silence;
        }
        sleep(REST).await;
    }
    blocks
}

async fn subscribed(url: &Secret) -> Result<Socket, Error> {
    let config = WebSocketConfig::default().max_message_size(Some(MESSAGE_MAX)).max_frame_size(Some(MESSAGE_MAX));
    let (mut socket, _response) = connect_async_with_config(url.expose(), Some(config), true).await?;
    let call = json!({"jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": ["newHeads"]});
    socket.send(Message::text(call.to_string())).await?;
    Ok(socket)
}

fn is_block(message: &Message) -> bool {
    let Message::Text(text) = message else { return false };
    serde_json::from_str::<Said<'_>>(text).is_ok_and(|said| said.method == Some("eth_subscription"))
}

#[cfg(test)]
mod tests;
