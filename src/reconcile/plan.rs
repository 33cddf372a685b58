//! What to ask for: which logs, in which blocks. Pure.
//!
//! Every expectation that logs can show is in some filter, every block is in some range, and no range begins anywhere but
//! behind the cursor. Only blocks that enough nodes call final are asked for, and none so young that its webhook may still
//! be on its way.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use alloy_primitives::{Address, B256};
use chain_config::Contracts;

use crate::chain::{Log, LogFilter, Stand};
use crate::ledger::ScanTarget;
use crate::model::{ExpectationKey, Rail};
use crate::verify::events::{self, Kind};
use crate::verify::matcher::Reference;
use crate::verify::matcher::reading::emitters;
use crate::verify::quorum::Policy;

/// Topics of one place in one filter. Nodes take more (1000 and above); their answers grow with it.
pub const TOPICS_MAX: usize = 200;

/// Contracts of one filter.
pub const ADDRESSES_MAX: usize = 100;

/// A webhook may be on its way for so long: Request Network gives up after 21 seconds, and its own reading of the chain
/// comes before that. Younger money counts as announced.
const ON_ITS_WAY: Duration = Duration::from_secs(60);

/// A payment may be so much older than its expectation, when the backend puts it late.
const LOOK_BACK: Duration = Duration::from_secs(30 * 60);

/// What a log is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// A proxy's event with this topic, the hash of a reference (R1 to R3).
    Reference(B256),
    /// An escrow's event with this topic, the reference itself (R4).
    Escrow(B256),
    /// A token's transfer to this recipient (R5).
    Transfer {
        /// Contract.
        token: Address,
        /// Who receives.
        to: Address,
    },
}

/// Blocks from one height to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks {
    /// First.
    pub from: u64,
    /// Last.
    pub to: u64,
}

/// What is watched on one chain.
#[derive(Debug, Clone, Default)]
pub struct Watch {
    targets: Vec<ScanTarget>,
    /// Positions of the targets that a mark may pay.
    marks: BTreeMap<Mark, Vec<usize>>,
}

/// The events of contracts that payments with a reference go through. A new one is a line here; which contracts have it,
/// and that its logs are money, is the matcher's to say.
const EVENTS: [(B256, Kind); 5] = [
    (events::TOKEN_PROXY, Kind::Token),
    (events::NATIVE_PROXY, Kind::Native),
    (events::PLAIN_TOKEN_PROXY, Kind::PlainToken),
    (events::PLAIN_NATIVE_PROXY, Kind::PlainNative),
    (events::ESCROW, Kind::Escrow),
];

/// The mark of an event that carries a reference in its second topic.
const fn marked(kind: Kind, topic: B256) -> Mark {
    match kind {
        Kind::Token | Kind::Native | Kind::PlainToken | Kind::PlainNative => Mark::Reference(topic),
        Kind::Escrow => Mark::Escrow(topic),
    }
}

// === impl Watch ===

impl Watch {
    /// Watches what logs can show of these.
    #[must_use]
    pub fn of(targets: Vec<ScanTarget>) -> Self {
        let mut marks: BTreeMap<Mark, Vec<usize>> = BTreeMap::new();
        for (place, target) in targets.iter().enumerate() {
            for mark in marks_of(target) {
                marks.entry(mark).or_default().push(place);
            }
        }
        Self { targets, marks }
    }

    /// Everything that logs are looked for by.
    #[must_use]
    pub fn marks(&self) -> BTreeSet<Mark> {
        self.marks.keys().copied().collect()
    }

    /// Expectations that a mark may pay.
    pub fn paid_by<'a>(&'a self, mark: &Mark) -> impl Iterator<Item = &'a ScanTarget> {
        self.marks.get(mark).into_iter().flatten().filter_map(|place| self.targets.get(*place))
    }

    /// When the oldest of them was put.
    #[must_use]
    pub fn oldest_us(&self) -> Option<i64> {
        self.targets.iter().map(|target| target.created_us).min()
    }

    /// The mark of a log, when it is watched.
    #[must_use]
    pub fn mark(&self, contracts: &Contracts, log: &Log) -> Option<Mark> {
        let mark = match log.topics.as_slice() {
            [events::TRANSFER, _, to] => Mark::Transfer { token: log.address, to: Address::from_word(*to) },
            [event, reference] => {
                let (_, kind) = EVENTS.into_iter().find(|(topic, _)| topic == event)?;
                emitters(contracts, kind).any(|emitter| *emitter == log.address).then(|| marked(kind, *reference))?
            }
            _ => return None,
        };
        self.marks.contains_key(&mark).then_some(mark)
    }
}

/// A reference is looked for at the proxies, a direct payment at its tokens. Native coins leave no log, and a request id
/// alone is on no chain.
fn marks_of(target: &ScanTarget) -> Vec<Mark> {
    match &target.key {
        ExpectationKey::PaymentReference(reference) if target.rails.contains(&Rail::Reference) => {
            let reference = Reference::of(reference);
            let raw = reference.raw().map(Mark::Escrow);
            std::iter::once(Mark::Reference(reference.hashed())).chain(raw).collect()
        }
        ExpectationKey::PaymentReference(_) => Vec::new(),
        ExpectationKey::RequestId(_) | ExpectationKey::ProviderObject(_) | ExpectationKey::Direct
            if target.rails.contains(&Rail::Direct) =>
        {
            let ways = target.accept.iter().filter_map(|way| Some((way.token?, &way.recipients)));
            ways.flat_map(|(token, recipients)| recipients.iter().map(move |to| Mark::Transfer { token, to: *to }))
                .collect()
        }
        ExpectationKey::RequestId(_) | ExpectationKey::ProviderObject(_) | ExpectationKey::Direct => Vec::new(),
    }
}

/// The filters that take every log with one of these marks. They may take others too.
#[must_use]
pub fn filters(marks: &BTreeSet<Mark>, contracts: &Contracts) -> Vec<LogFilter> {
    let (mut references, mut raw, mut tokens, mut recipients) =
        (Vec::new(), Vec::new(), BTreeSet::new(), BTreeSet::new());
    for mark in marks {
        match mark {
            Mark::Reference(topic) => references.push(*topic),
            Mark::Escrow(topic) => raw.push(*topic),
            Mark::Transfer { token, to } => {
                tokens.insert(*token);
                recipients.insert(to.into_word());
            }
        }
    }
    let (escrows, proxies): (Vec<_>, Vec<_>) = EVENTS.into_iter().partition(|(_, kind)| *kind == Kind::Escrow);
    let mut filters = Vec::new();
    for (kinds, topics) in [(proxies, references), (escrows, raw)] {
        let events: Vec<B256> = kinds.iter().map(|(event, _)| *event).collect();
        let at_these: BTreeSet<Address> =
            kinds.iter().flat_map(|(_, kind)| emitters(contracts, *kind)).copied().collect();
        for topics in topics.chunks(TOPICS_MAX) {
            filters.extend(at(&at_these, &[&events, topics]));
        }
    }
    let recipients: Vec<B256> = recipients.into_iter().collect();
    for to in recipients.chunks(TOPICS_MAX) {
        filters.extend(at(&tokens, &[&[events::TRANSFER], &[], to]));
    }
    filters
}

fn at(addresses: &BTreeSet<Address>, topics: &[&[B256]]) -> Vec<LogFilter> {
    let addresses: Vec<Address> = addresses.iter().copied().collect();
    let topics: Vec<Vec<B256>> = topics.iter().map(|any| any.to_vec()).collect();
    addresses
        .chunks(ADDRESSES_MAX)
        .map(|addresses| LogFilter { addresses: addresses.to_vec(), topics: topics.clone() })
        .collect()
}

// === heights ===

/// How far a node's word counts: to its `finalized` block; where no node of the chain has that tag, to a depth that the
/// chain's policy calls enough for any sum.
#[must_use]
pub fn covers(stands: &[(&str, Stand)], deepest: u64) -> Vec<Option<u64>> {
    let any_tag = stands.iter().any(|(_, stand)| stand.finalized.is_some());
    // Confirmations count the block itself.
    let below = deepest.saturating_sub(1);
    let cover = |(_, stand): &(&str, Stand)| match stand.finalized {
        Some(finalized) => Some(finalized.number),
        None if any_tag => None,
        None => stand.head.number.checked_sub(below),
    };
    stands.iter().map(cover).collect()
}

/// How far the chain may be searched now: final for enough nodes, and old enough that webhooks have come.
#[must_use]
pub fn agreed(policy: Policy, stands: &[(&str, Stand)], deepest: u64, block_time_ms: u64) -> Option<u64> {
    let covered: Vec<(&str, u64)> =
        stands.iter().zip(covers(stands, deepest)).filter_map(|((owner, _), cover)| Some((*owner, cover?))).collect();
    let heads: Vec<(&str, u64)> = stands.iter().map(|(owner, stand)| (*owner, stand.head.number)).collect();
    let old_enough = policy.supported(&heads)?.checked_sub(blocks_in(ON_ITS_WAY, block_time_ms))?;
    Some(policy.supported(&covered)?.min(old_enough))
}

/// The next blocks behind the cursor; none when all are searched.
#[must_use]
pub fn next(cursor: u64, agreed: u64, width: u64) -> Option<Blocks> {
    let from = cursor.checked_add(1)?;
    let to = cursor.saturating_add(width.max(1)).min(agreed);
    (from <= to).then_some(Blocks { from, to })
}

/// Where a chain's search begins: as far back as the oldest expectation reaches, at most as long as ended ones are
/// watched.
#[must_use]
pub fn first(agreed: u64, oldest_us: Option<i64>, now_us: i64, at_most: Duration, block_time_ms: u64) -> u64 {
    let age = oldest_us.map_or(0, |oldest| now_us.saturating_sub(oldest).max(0));
    let age = Duration::from_micros(age.unsigned_abs()).saturating_add(LOOK_BACK).min(at_most.max(LOOK_BACK));
    agreed.saturating_sub(blocks_in(age, block_time_ms))
}

/// Blocks behind the cursor in which money may already lie for an expectation that is new.
#[must_use]
pub fn look_back(cursor: u64, block_time_ms: u64) -> Blocks {
    Blocks { from: cursor.saturating_sub(blocks_in(LOOK_BACK, block_time_ms)), to: cursor }
}

/// Where to go on when the chain is another one at the cursor: so far back that the two are the same there.
#[must_use]
pub const fn rewound(cursor: u64, window: u64) -> u64 {
    // A cursor at block 0 can only be wrong about the chain as a whole, which its nodes are asked for elsewhere.
    cursor.saturating_sub(if window == 0 { 1 } else { window })
}

/// Blocks that come in a time, one more than fit.
fn blocks_in(time: Duration, block_time_ms: u64) -> u64 {
    let time_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
    time_ms.checked_div(block_time_ms).unwrap_or(time_ms).saturating_add(1)
}

#[cfg(test)]
mod tests;
