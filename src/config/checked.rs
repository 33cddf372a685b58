//! The validated configuration: what every component is built from. Plain data, no strings left to parse.
//!
//! Not `Debug`: it holds secrets. `config::print` shows it redacted.

use std::collections::BTreeMap;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::Duration;

use alloy_primitives::Address;
use chain_config::Chain;
use reqwest::Url;

mod lifetime;
mod source;

pub use lifetime::*;
pub use source::*;

use super::secret::Secret;
use crate::message::MessageType;

/// Everything, checked.
#[derive(Clone)]
pub struct Config {
    /// Holds `evidence/` and, embedded, `ledger.db`.
    pub data_dir: PathBuf,
    /// The public listener.
    pub ingress: Ingress,
    /// The admin listener.
    pub admin: Admin,
    /// Logs and the optional metrics listener.
    pub telemetry: Telemetry,
    /// How the process ends.
    pub shutdown: Shutdown,
    /// The evidence log.
    pub evidence: Evidence,
    /// The ledger.
    pub ledger: Ledger,
    /// Copies of both.
    pub backup: Backup,
    /// Webhook endpoints; names and paths are unique.
    pub sources: Vec<Source>,
    /// Verification rules.
    pub verification: Verification,
    /// Active chains by configured name, merged with the built-in data.
    pub chains: BTreeMap<String, ActiveChain>,
    /// Destinations by name; `default` is `[forward]` itself.
    pub destinations: BTreeMap<String, Destination>,
    /// Whether messages carry the provider's body as `claimed`. One choice for all: a message is rendered once.
    pub include_claimed: bool,
}

/// Least of [`Config::anchor_age`].
const ANCHOR_AGE_LEAST: Duration = Duration::from_secs(60);

impl Config {
    /// The source of that name.
    #[must_use]
    pub fn source(&self, name: &str) -> Option<&Source> {
        self.sources.iter().find(|source| source.name == name)
    }

    /// A payment's anchor must have been looked at no longer ago than this before anybody is sent it for the first time:
    /// a minute, or two head polls of the slowest chain.
    #[must_use]
    pub fn anchor_age(&self) -> Duration {
        let slowest_poll = self.chains.values().map(|chain| chain.poll).max().unwrap_or_default();
        ANCHOR_AGE_LEAST.max(slowest_poll.saturating_mul(2))
    }

    /// Which of a source's destinations take a type of message.
    #[must_use]
    pub fn destinations_of(&self, source: &Source, message_type: MessageType) -> Vec<String> {
        let takes = |name: &&String| {
            self.destinations.get(name.as_str()).is_some_and(|destination| {
                destination.types.is_empty() || destination.types.iter().any(|t| t == message_type.as_str())
            })
        };
        source.forward_to.iter().filter(takes).cloned().collect()
    }
}

/// `[ingress]`
#[derive(Clone)]
pub struct Ingress {
    /// Where providers post.
    pub listen: SocketAddr,
    /// Largest body, bytes.
    pub max_body: usize,
    /// Largest header section, bytes.
    pub max_headers: usize,
    /// Open connections.
    pub max_connections: usize,
    /// From accept to the first byte.
    pub first_byte_timeout: Duration,
    /// From the first byte to the end of the header section.
    pub header_timeout: Duration,
    /// Whole body.
    pub body_timeout: Duration,
    /// Slowest body after its first second, bytes a second.
    pub min_body_rate: usize,
    /// Networks whose forwarding headers are believed.
    pub trusted_proxies: Vec<Network>,
    /// A path that answers 200 for load balancers.
    pub health_path: Option<String>,
}

/// An address block such as `10.0.0.0/8`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    /// Network address.
    pub address: IpAddr,
    /// Leading bits that count.
    pub prefix: u8,
}

impl Network {
    /// Whether the block holds the address. An IPv4-mapped IPv6 address counts as its IPv4 address.
    #[must_use]
    pub fn contains(&self, ip: IpAddr) -> bool {
        fn bits(ip: IpAddr) -> (u128, u8) {
            match ip.to_canonical() {
                IpAddr::V4(v4) => (u128::from(v4.to_bits()), 32),
                IpAddr::V6(v6) => (v6.to_bits(), 128),
            }
        }
        let ((network, width), (address, other)) = (bits(self.address), bits(ip));
        let host_bits = u32::from(width.saturating_sub(self.prefix));
        width == other && (host_bits == 128 || network >> host_bits == address >> host_bits)
    }
}

/// `[admin]`
#[derive(Clone)]
pub struct Admin {
    /// Where operators and the backend call.
    pub listen: SocketAddr,
    /// Who may.
    pub tokens: Vec<Token>,
}

/// One bearer token.
#[derive(Clone)]
pub struct Token {
    /// For the audit trail.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The token itself.
    pub secret: Secret,
    /// Only these sources; empty is all.
    pub sources: Vec<String>,
}

/// What a token may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Role {
    /// Expectations, feed, own events.
    Backend,
    /// Reads, no bodies.
    Viewer,
    /// Reads, bodies and evidence.
    Auditor,
    /// Acts.
    Operator,
    /// All.
    Admin,
}

/// `[telemetry]`
#[derive(Clone)]
pub struct Telemetry {
    /// One JSON object a line, or text for people.
    pub json: bool,
    /// A `tracing` filter.
    pub level: String,
    /// Unauthenticated health and metrics only.
    pub listen: Option<SocketAddr>,
}

/// `[shutdown]`
#[derive(Clone)]
pub struct Shutdown {
    /// readyz says 503, requests are still taken.
    pub delay: Duration,
    /// Open requests may finish.
    pub grace: Duration,
}

/// `[evidence]`
#[derive(Clone)]
pub struct Evidence {
    /// The log's folder.
    pub path: PathBuf,
    /// Free bytes below which nothing is taken.
    pub reserve: u64,
    /// Bytes of rejected requests kept per source.
    pub rejected_max: u64,
    /// Copies of one signed body kept.
    pub repeats_max: u32,
    /// What happens before the reserve is reached.
    pub watermarks: Watermarks,
    /// What a source keeps where it does not say otherwise.
    pub retention: Retention,
    /// Between looks at what may go.
    pub retention_every: Duration,
    /// Where evidence goes before it is deleted here.
    pub archive: Option<Archive>,
    /// Signed checkpoints.
    pub seal: Seal,
}

/// `[evidence.seal]`
#[derive(Clone)]
pub struct Seal {
    /// The file of the key that signs.
    pub key: PathBuf,
    /// Between checkpoints.
    pub every: Duration,
    /// Each checkpoint is appended to it.
    pub publish_file: Option<PathBuf>,
    /// Each checkpoint is posted to it; path and query may hold a token.
    pub publish_url: Option<Url>,
}

/// `[ledger]`
#[derive(Clone)]
pub struct Ledger {
    /// SQLite file.
    pub path: PathBuf,
}

/// `[backup]`
#[derive(Clone, Default)]
pub struct Backup {
    /// Where backups go.
    pub path: PathBuf,
    /// The files that this configuration was read from, in order: they go with a backup.
    pub settings: Vec<PathBuf>,
}

/// `[verification]`
#[derive(Clone)]
pub struct Verification {
    /// Without an expectation nothing is verified.
    pub require_expectation: bool,
    /// When not empty, no other recipient is ever accepted, expectations included.
    pub recipients: Vec<Address>,
    /// How long an unanswered claim is tried.
    pub give_up: Duration,
    /// Default absolute deviation, a decimal string in token units (`"0.01"`).
    pub tolerance_abs: String,
    /// Default relative deviation, basis points.
    pub tolerance_bps: u16,
    /// How long a thin event waits for its snapshot.
    pub twin_grace: Duration,
    /// How long a forwarded payment whose block is gone is searched for, at least.
    pub regrace: Duration,
    /// Most US dollars per chain that may be forwarded and not final.
    pub exposure_cap_usd: Option<u64>,
    /// Whether chains are searched for money that no webhook announced.
    pub scan: bool,
    /// How long an ended expectation is watched.
    pub late_watch: Duration,
    /// Blocks asked for at once.
    pub scan_range_blocks: u64,
    /// Addresses that nobody may have in a payment.
    pub screening: Screening,
}

/// `[verification.screening]`
#[derive(Clone, Default)]
pub struct Screening {
    /// Deny lists; without any nothing is screened.
    pub files: Vec<PathBuf>,
    /// How old a list may be to say that nobody is on it.
    pub max_age: Duration,
    /// Contracts that list sanctioned addresses, by configured chain name.
    pub oracle: BTreeMap<String, Address>,
}

/// A chain that is switched on.
#[derive(Clone)]
pub struct ActiveChain {
    /// Merged data: built-in, then the file.
    pub chain: Chain,
    /// Its nodes; at least one.
    pub nodes: Vec<Node>,
    /// Nodes that must agree.
    pub agree: usize,
    /// Different owners among them.
    pub owners: usize,
    /// Between looks at the head.
    pub poll: Duration,
}

/// One JSON-RPC node.
#[derive(Clone)]
pub struct Node {
    /// Shown in votes and metrics.
    pub name: String,
    /// Who runs it.
    pub owner: String,
    /// May hold an API key.
    pub url: Secret,
    /// Its WebSocket endpoint; may hold an API key.
    pub ws: Option<Secret>,
    /// Compute units a second, by the weights of `chain::rpc::Method::cost`; none is unpaced.
    pub rate: Option<u32>,
    /// What kind of node it is, such as `light-client`.
    pub tag: Option<String>,
}

/// The name of `[forward]` itself: where whoever names no destination means to send.
pub const DEFAULT_DESTINATION: &str = "default";

/// A destination: `[forward]` or `[forward.to.NAME]`.
#[derive(Clone)]
pub struct Destination {
    /// `default` or the table's name.
    pub name: String,
    /// Where to post; none is pull only.
    pub url: Option<String>,
    /// `whsec_` keys, all sign, newest first.
    pub secrets: Vec<Secret>,
    /// Message types; empty is all that are sent by default.
    pub types: Vec<String>,
    /// One attempt.
    pub timeout: Duration,
    /// Messages in flight.
    pub concurrency: usize,
    /// Attempts a second; none is unpaced.
    pub rate: Option<u32>,
    /// First wait after a failure.
    pub backoff_first: Duration,
    /// Longest wait.
    pub backoff_max: Duration,
    /// When it is left alone.
    pub breaker: Breaker,
    /// After this a message is dead.
    pub max_age: Duration,
    /// Status codes beside 2xx that mean taken.
    pub accept: Vec<u16>,
    /// Loopback and private addresses may be posted to.
    pub allow_private: bool,
    /// Whom it is believed to be, and who we are to it.
    pub tls: Tls,
}

/// `[forward.tls]`: parsed, and found to fit together.
#[derive(Clone)]
pub struct Tls {
    /// The only authorities that are believed; empty is those that the machine trusts.
    pub ca: Vec<reqwest::Certificate>,
    /// Our certificate with its key.
    pub identity: Option<reqwest::Identity>,
}

impl Tls {
    /// The machine's authorities, and no certificate of ours.
    #[must_use]
    pub const fn of_the_machine() -> Self {
        Self { ca: Vec::new(), identity: None }
    }
}

/// When a destination is left alone, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    /// Lanes that fail, with nothing taken between them.
    pub failures: usize,
    /// Wait before the first probe.
    pub first: Duration,
    /// Longest wait between probes.
    pub max: Duration,
}
