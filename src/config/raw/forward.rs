//! `[forward]` and `[forward.to.NAME]`: the same keys, where the named ones override what differs.

use std::collections::BTreeMap;

use crate::config::DEFAULT_DESTINATION;
use crate::config::read::{Count, Reader, Value, join};
use crate::config::section::section;
use crate::config::shape::{Field, Presence, Shape};
use crate::config::tree::{Item, Node};
use crate::config::value::{Certificates, HttpUrl, Message, SecretText, SigningKey, Span};

const SECOND: u64 = 1000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

section! {
    /// What `[forward]` and each `[forward.to.NAME]` say.
    struct Destination {
        /// Where messages are posted; without it they wait to be pulled. Plain http needs a loopback address or
        /// allow_private.
        url: optional HttpUrl;
        /// Keys that sign, newest first; all of them sign, so that a receiver can change over. At least one with url.
        secrets: list SigningKey;
        /// Message types to send; without it all that are sent.
        types: list Message;
        /// One attempt, from connect to the end of the answer.
        timeout: default Span<100, { 5 * MINUTE }> = "15s";
        /// Messages in flight at once, each of another lane.
        concurrency: default Count<1, 1024> = 64;
        /// Attempts a second; without it unpaced.
        rate: optional Count<1, 100_000>;
        /// Waits after failures.
        backoff: table Backoff;
        /// When the destination is left alone.
        breaker: table Breaker;
        /// After this a message is dead until it is sent again by hand. An outage of all lanes does not count.
        max_age: default Span<MINUTE, { 90 * DAY }> = "7d";
        /// Status codes beside 2xx that mean taken.
        accept: list Count<300, 599>;
        /// Whether the destination may be at a loopback, private or link-local address.
        allow_private: default bool = false;
        /// How an https destination is known, and how it knows us.
        tls: table Tls;
    }

    /// `[forward.tls]`
    struct Tls {
        /// Certificates of the only authorities that are believed; without it, those that this machine trusts.
        ca: optional Certificates;
        /// Our certificate, for a destination that asks for one; those that lead to its authority follow it.
        cert: optional Certificates;
        /// Its private key in PEM, without a passphrase.
        key: optional SecretText;
    }

    /// `[forward.backoff]`
    struct Backoff {
        /// Wait after the first failure; it doubles, with full jitter.
        first: default Span<10, HOUR> = "1s";
        /// Longest wait.
        max: default Span<100, DAY> = "5m";
    }

    /// `[forward.breaker]`
    struct Breaker {
        /// Lanes that fail one after the other, with nothing taken between them, until only single probes are sent.
        failures: default Count<1, 1000> = 5;
        /// Wait before the first probe; it doubles, and half of it is drawn.
        first: default Span<100, HOUR> = "1s";
        /// Longest wait between probes.
        max: default Span<100, HOUR> = "30s";
    }

    /// What only `[forward]` says.
    struct Own {
        /// Whether messages carry the provider's body, unverified, as claimed.
        include_claimed: default bool = true;
    }
}

/// `[forward]`: the destination "default", the others, and what holds for all.
#[derive(Clone)]
pub(in crate::config) struct Forward {
    /// What holds for all.
    pub(in crate::config) own: Own,
    /// "default" and the named ones.
    pub(in crate::config) destinations: BTreeMap<String, Destination>,
}

impl Forward {
    fn fields() -> Vec<Field> {
        let mut fields = Destination::fields();
        fields.extend(Own::fields());
        fields.push(Field {
            key: "to",
            about: "Further destinations by name; what a table does not say is as in [forward].".to_owned(),
            shape: Shape::Names(Box::new(Destination::shape())),
            presence: Presence::Optional,
        });
        fields
    }
}

impl Value for Forward {
    fn shape() -> Shape {
        Shape::Table(Self::fields())
    }

    fn read(node: &Node, key: &str, reader: &mut Reader<'_>) -> Option<Self> {
        let table = reader.table(node, key)?;
        reader.refuse_unknown(table, key, &Self::fields());
        let mut destinations = BTreeMap::new();
        if let Some(default) = Destination::read_keys(table, key, reader) {
            destinations.insert(DEFAULT_DESTINATION.to_owned(), default);
        }
        if let Some(to) = table.get("to") {
            let mut shared = table.clone();
            shared.retain(|name, _| Destination::fields().iter().any(|field| field.key == name));
            let mut merged = to.clone();
            if let Item::Table(named) = &mut merged.item {
                // Each named table is laid over [forward], so that what it does not say keeps its origin there.
                for node in named.values_mut().filter(|node| matches!(node.item, Item::Table(_))) {
                    let over = node.clone();
                    *node = Node { item: Item::Table(shared.clone()), origin: over.origin.clone() };
                    node.lay(over);
                }
                if named.contains_key(DEFAULT_DESTINATION) {
                    let help = "write its keys directly under [forward], or choose another name";
                    reader.problem(
                        &join(key, "to.default"),
                        "expected another name; [forward] itself is \"default\"",
                        help,
                    );
                }
            }
            destinations.extend(BTreeMap::<String, Destination>::read(&merged, &join(key, "to"), reader)?);
        }
        Some(Self { own: Own::read_keys(table, key, reader)?, destinations })
    }
}
