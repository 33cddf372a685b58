//! The keys and small rows of the ring; `README.md` has the table. All integers are big-endian.

use std::collections::BTreeMap;
use std::net::IpAddr;

use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

use crate::delivery::NewRejected;
use crate::engine::Fault;
use crate::link::sha256;

pub(super) const ENTRIES: &str = "default";
pub(super) const USAGE: &str = "usage";
pub(super) const IDS: &str = "ids";
pub(super) const QUEUES: &str = "queues";
pub(super) const PEERS: &str = "peers";
pub(super) const META: &str = "meta";
pub(super) const FAMILIES: [&str; 6] = [ENTRIES, USAGE, IDS, QUEUES, PEERS, META];

/// Key of the format in [`META`], and its value. The first release wrote none, and only entries and usage.
pub(super) const FORMAT_KEY: &[u8] = b"format";
pub(super) const FORMAT: &[u8] = &[2];

/// What one entry costs beside its record: its rows in the other families.
const ROWS_BYTES: u64 = 256;

/// Bytes that an entry counts for.
pub(super) fn charge(stored: &[u8]) -> u64 {
    u64::try_from(stored.len()).unwrap_or(u64::MAX).saturating_add(ROWS_BYTES)
}

/// One customer: an IPv4 address, the /64 of an IPv6 address, or a digest of what is no address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Peer([u8; 16]);

impl Peer {
    pub(super) fn of(text: &str) -> Self {
        match text.parse::<IpAddr>().map(|address| address.to_canonical()) {
            Ok(IpAddr::V4(v4)) => Self(v4.to_ipv6_mapped().octets()),
            Ok(IpAddr::V6(v6)) => Self((v6.to_bits() & !u128::from(u64::MAX)).to_be_bytes()),
            Err(_) => {
                let mut short = [0; 16];
                short.iter_mut().zip(sha256(text.as_bytes())).for_each(|(to, from)| *to = from);
                Self(short)
            }
        }
    }
}

/// What an entry takes part in: all of its source, or what one peer sent to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Queue {
    Source,
    Peer(Peer),
}

/// A source's entries: numbers from `first` up to, not including, `next`; and the peers that hold much of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Usage {
    pub(super) bytes: u64,
    pub(super) first: u64,
    pub(super) next: u64,
    pub(super) heavy: BTreeMap<Peer, u64>,
}

impl Usage {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut row = [self.bytes, self.first, self.next].map(u64::to_be_bytes).concat();
        for (peer, bytes) in &self.heavy {
            row.extend_from_slice(&peer.0);
            row.extend_from_slice(&bytes.to_be_bytes());
        }
        row
    }

    /// The first release wrote three numbers and no peers.
    pub(super) fn decode(row: &[u8]) -> Option<Self> {
        let (bytes, rest) = number(row)?;
        let (first, rest) = number(rest)?;
        let (next, mut rest) = number(rest)?;
        let mut heavy = BTreeMap::new();
        while !rest.is_empty() {
            let (peer, after) = rest.split_first_chunk::<16>()?;
            let (held, after) = number(after)?;
            heavy.insert(Peer(*peer), held);
            rest = after;
        }
        Some(Self { bytes, first, next, heavy })
    }

    /// Notes what a peer holds, if that is more than `floor`. So at most `source bytes / floor` peers are noted.
    pub(super) fn weigh(&mut self, peer: Peer, bytes: u64, floor: u64) {
        if floor < bytes {
            self.heavy.insert(peer, bytes);
        } else {
            self.heavy.remove(&peer);
        }
    }

    /// The peer that holds most, among those that hold much.
    pub(super) fn heaviest(&self) -> Option<Peer> {
        self.heavy.iter().max_by_key(|(_, bytes)| **bytes).map(|(peer, _)| *peer)
    }
}

/// What one peer holds of a source, and the number from which its entries may lie.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Load {
    pub(super) bytes: u64,
    pub(super) first: u64,
}

impl Load {
    pub(super) fn encode(self) -> Vec<u8> {
        [self.bytes, self.first].map(u64::to_be_bytes).concat()
    }

    pub(super) fn decode(row: &[u8]) -> Option<Self> {
        let (bytes, rest) = number(row)?;
        let (first, rest) = number(rest)?;
        rest.is_empty().then_some(Self { bytes, first })
    }
}

/// What the list needs of an entry without reading it.
#[derive(Clone, PartialEq, Message)]
pub(super) struct Row {
    #[prost(string, tag = "1")]
    pub(super) source: String,
    #[prost(uint64, tag = "2")]
    pub(super) number: u64,
    #[prost(string, tag = "3")]
    pub(super) code: String,
    #[prost(string, tag = "4")]
    pub(super) peer: String,
    #[prost(int64, tag = "5")]
    pub(super) received_us: i64,
    /// What the entry counts for.
    #[prost(uint64, tag = "6")]
    pub(super) bytes: u64,
    /// The delivery that it was admitted as.
    #[prost(bytes = "bytes", optional, tag = "7")]
    admitted_as: Option<Bytes>,
}

impl Row {
    pub(super) fn of(rejected: &NewRejected, number: u64, bytes: u64) -> Self {
        Self {
            source: rejected.source.clone(),
            number,
            code: rejected.code.clone(),
            peer: rejected.peer.clone(),
            received_us: rejected.received_us,
            bytes,
            admitted_as: None,
        }
    }

    pub(super) fn read(row: &[u8]) -> Result<Self, Fault> {
        Self::decode(row).map_err(|error| Fault(format!("a row of the ring does not decode: {error}")))
    }

    pub(super) fn delivery(&self) -> Option<Uuid> {
        self.admitted_as.as_ref().and_then(|id| Uuid::from_slice(id).ok())
    }

    pub(super) fn admitted(self, delivery: Uuid) -> Self {
        Self { admitted_as: Some(Bytes::copy_from_slice(delivery.as_bytes())), ..self }
    }
}

/// The source's name behind its length, so that one name can begin with another. `None` for a name that is too long
/// to be configured.
pub(super) fn named(source: &str) -> Option<Vec<u8>> {
    let length = u16::try_from(source.len()).ok()?;
    Some([length.to_be_bytes().as_slice(), source.as_bytes()].concat())
}

/// Key of an entry, or of a place in a queue.
pub(super) fn numbered(prefix: &[u8], number: u64) -> Vec<u8> {
    [prefix, number.to_be_bytes().as_slice()].concat()
}

/// Begins the keys of a queue's places.
pub(super) fn queue(source: &[u8], queue: Queue) -> Vec<u8> {
    match queue {
        Queue::Source => [source, &[0]].concat(),
        Queue::Peer(peer) => [source, &[1], peer.0.as_slice()].concat(),
    }
}

/// Key of what a peer holds.
pub(super) fn peer(source: &[u8], peer: Peer) -> Vec<u8> {
    [source, peer.0.as_slice()].concat()
}

/// The number at the end of an entry's or a place's key.
pub(super) fn number_of(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|number| u64::from_be_bytes(*number))
}

/// The name of the source in an entry's key.
pub(super) fn source_of(key: &[u8]) -> Option<&str> {
    let (length, rest) = key.split_first_chunk::<2>()?;
    std::str::from_utf8(rest.get(..usize::from(u16::from_be_bytes(*length)))?).ok()
}

fn number(row: &[u8]) -> Option<(u64, &[u8])> {
    let (number, rest) = row.split_first_chunk::<8>()?;
    Some((u64::from_be_bytes(*number), rest))
}
