//! RLP lists, written and read item by item; and the quantities of 256 bits that JSON holds for them.
//!
//! Reading is strict, as what was encoded twice must be the same bytes: nothing may be left over, and numbers have no
//! leading zeros. It must never panic: bundles come from anywhere.

use alloy_primitives::{Address, U256};
use alloy_rlp::{Decodable, Encodable, Header};
use serde::{Deserialize, Deserializer};

/// Hexadecimal digits of 256 bits.
const DIGITS_MAX: usize = 64;

/// A JSON-RPC quantity of up to 256 bits; padding with zeros is taken, as nodes pad signatures.
#[derive(Clone, Copy)]
pub(super) struct Big(pub(super) U256);

impl<'de> Deserialize<'de> for Big {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        big(&text).map(Self).ok_or_else(|| serde::de::Error::custom("not a quantity"))
    }
}

fn big(text: &str) -> Option<U256> {
    let digits = text.strip_prefix("0x").filter(|digits| (1..=DIGITS_MAX).contains(&digits.len()))?;
    digits.bytes().all(|b| b.is_ascii_hexdigit()).then_some(())?;
    U256::from_str_radix(digits, 16).ok()
}

/// A list being written.
#[derive(Clone, Default)]
pub(super) struct List(Vec<u8>);

impl List {
    pub(super) fn item(&mut self, item: &impl Encodable) {
        item.encode(&mut self.0);
    }

    pub(super) fn optional(&mut self, item: Option<&impl Encodable>) {
        if let Some(item) = item {
            self.item(item);
        }
    }

    /// The receiver of a transaction: nothing when it makes a contract.
    pub(super) fn receiver(&mut self, to: Option<Address>) {
        match to {
            Some(to) => self.item(&to),
            None => self.item(&[0_u8; 0].as_slice()),
        }
    }

    pub(super) fn list(&mut self, list: &Self) {
        list.finish(&mut self.0);
    }

    /// Appends the whole list to `out`.
    pub(super) fn finish(&self, out: &mut Vec<u8>) {
        Header { list: true, payload_length: self.0.len() }.encode(out);
        out.extend_from_slice(&self.0);
    }
}

/// A list being read.
pub(super) struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    /// All of `bytes` as one list.
    pub(super) fn whole(mut bytes: &'a [u8]) -> Option<Self> {
        let payload = Header::decode_bytes(&mut bytes, true).ok()?;
        bytes.is_empty().then_some(Self(payload))
    }

    pub(super) fn is_done(&self) -> bool {
        self.0.is_empty()
    }

    pub(super) fn item<T: Decodable>(&mut self) -> Option<T> {
        T::decode(&mut self.0).ok()
    }

    pub(super) fn bytes(&mut self) -> Option<&'a [u8]> {
        Header::decode_bytes(&mut self.0, false).ok()
    }

    pub(super) fn list(&mut self) -> Option<Self> {
        Header::decode_bytes(&mut self.0, true).ok().map(Self)
    }
}
