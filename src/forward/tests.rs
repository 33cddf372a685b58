//! Decisions by table, and the worker over real sockets.

mod classify;
mod failures;
mod guard;
mod lanes;
mod ledger;
#[path = "../../tests/it/support/receiver.rs"]
mod receiver;
mod schedule;
mod sqlite;
mod support;
mod worker;
