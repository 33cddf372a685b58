//! One binary for every test that looks at the product from outside; one file a promise.
//!
//! One binary, because each one links RocksDB. The modules are `cfg(test)` so that what lints allow in tests holds for
//! their helpers too. Other parts (an EVM node, contracts, the official packages) are real; a test whose part is
//! missing fails with the command that installs it.

#[cfg(test)]
mod admin;
#[cfg(test)]
mod again;
#[cfg(test)]
mod archive;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod backup;
#[cfg(test)]
mod chains;
#[cfg(test)]
mod cost;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod demo;
#[cfg(test)]
mod disk;
#[cfg(test)]
mod evidence;
#[cfg(test)]
mod failing;
#[cfg(test)]
#[expect(dead_code, reason = "the evidence log's own tests use the rest")]
#[path = "../../evidence-store/tests/power/faulty.rs"]
mod faulty;
#[cfg(test)]
mod handling;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod interop;
#[cfg(test)]
mod keeping;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod lifetime;
#[cfg(test)]
mod operate;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod pause;
#[cfg(test)]
mod payments;
#[cfg(test)]
mod power;
#[cfg(test)]
mod rails;
#[cfg(test)]
mod rebuild;
#[cfg(test)]
mod rejected;
#[cfg(test)]
mod removed;
#[cfg(test)]
mod rpc;
#[cfg(test)]
mod scan;
#[cfg(test)]
mod screening;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod send;
#[cfg(test)]
mod serve;
#[cfg(test)]
mod start;
#[cfg(test)]
mod support;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod tls;
#[cfg(test)]
mod trial;
#[cfg(test)]
mod verdicts;
