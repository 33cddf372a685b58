//! New blocks as nodes announce them: a hint to whoever follows the chain, beside its polls. No vote, and nothing is kept.

use std::time::Duration;

use tracing::Instrument;

use super::side_by_side::all;
use super::{ChainNodes, Member};
use crate::chain::rpc::socket::{self, Patience};
use crate::task::Wake;

/// A socket is given up after so many blocks that it did not announce.
const SILENT_BLOCKS: u64 = 3;
/// And not before this: the blocks of the fastest chains are no measure of a connection.
const SILENCE_MIN: Duration = Duration::from_secs(5);
/// First wait before a socket is connected again; it doubles.
const WAIT_FIRST: Duration = Duration::from_secs(1);
/// Longest wait.
const WAIT_MAX: Duration = Duration::from_secs(60);

/// How long sockets of a chain are waited for.
pub(super) fn patience(block_time_ms: u64) -> Patience {
    let silence = Duration::from_millis(block_time_ms.saturating_mul(SILENT_BLOCKS)).max(SILENCE_MIN);
    Patience { silence, first: WAIT_FIRST, longest: WAIT_MAX }
}

impl ChainNodes {
    /// Gives a hint for each block that any node announces; one connection a node.
    pub(super) async fn listen(&self, announced: &Wake) {
        let sockets = self.nodes.iter().filter_map(|node: &Member| Some((node, node.ws.as_ref()?)));
        all(sockets.map(|(node, url)| {
            let span = tracing::debug_span!("socket", chain = self.name, node = node.name);
            socket::listen(url, self.patience, || announced.wake()).instrument(span)
        }))
        .await;
    }
}
