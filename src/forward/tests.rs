//! Decisions by table, and the worker over real sockets.

mod breaker;
mod classify;
mod failures;
mod guard;
mod lanes;
mod ledger;
mod operations;
mod outage;
#[path = "../../tests/it/support/receiver.rs"]
mod receiver;
mod restarts;
mod schedule;
mod sqlite;
mod support;
mod worker;
