//! Tollgate: an edge gateway for payment webhooks.
//!
//! Data flows one way, joined only by durable hand-offs; no stage calls another:
//!
//! ```text
//! provider ──POST──▶ ingress ──▶ evidence log ──▶ intake ──▶ verify ──▶ forward ──▶ core backend
//!                    HMAC        fsync, then 2xx  identity   chain RPC  signed, retried, in lanes
//! ```
//!
//! | module | what it is |
//! |---|---|
//! | [`net`] | sockets, limits and deadlines of both listeners |
//! | [`ingress`] | stage 1: route, read, verify the signature, append, answer |
//! | [`provider`] | pure: what a provider's bytes say (signature, identity, claim) |
//! | [`intake`] | stage 2: follow the evidence log into the ledger |
//! | [`verify`] | stage 3: prove claims on chain, decide, commit |
//! | [`chain`] | reading chains by JSON-RPC |
//! | [`reconcile`] | beside the flow: money that no webhook announced |
//! | [`forward`] | stage 4: send what is due to the backend |
//! | [`ledger`] | what is known and due; the only module with SQL |
//! | [`message`] | what the backend receives, rendered once |
//! | [`model`] | the words of the product as types |
//! | [`backup`] | log, ledger and settings at one point, and back |
//! | [`jobs`] | long work that operators start |
//! | [`explain`] | why an event is where it is, in words |
//! | [`replay`] | deliveries judged again, messages sent again: work that outlives a restart |
//! | [`config`] | files and environment to one checked value |
//! | [`admin`] | the operators' and the backend's HTTP API |
//! | [`cli`] | one file a command |
//! | [`screening`] | deny lists: read, replaced with care |
//! | [`watermark`] | what little free space means, source by source |
//! | [`rebuild`] | a new ledger from the log and what is left of the old one |
//! | [`archive`] | evidence outside the box: files in a directory or a bucket |
//! | [`telemetry`] | logs and metrics |

pub mod admin;
pub mod app;
pub mod archive;
pub mod backup;
pub mod chain;
pub mod cli;
pub mod clock;
pub mod config;
pub mod demo;
pub mod digest;
pub mod explain;
pub mod forward;
pub mod ingress;
pub mod intake;
pub mod jobs;
pub mod ledger;
pub mod message;
pub mod model;
pub mod net;
pub mod provider;
pub mod rebuild;
pub mod reconcile;
pub mod replay;
pub mod retention;
pub mod screening;
pub mod seal;
pub mod task;
pub mod telemetry;
pub mod verify;
pub mod watermark;
