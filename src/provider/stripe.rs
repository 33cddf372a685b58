//! Stripe: snapshot events, thin events, and the crypto charge among them.
//!
//! Signature: `Stripe-Signature: t=<unix s>,v1=<64 lower hex>[,…]`, HMAC-SHA-256 over `t`, a dot and the raw body;
//! the key is the whole text of the secret. Stripe's own libraries disagree at the edges. Decided here, the strict
//! side unless that could lose an event that Stripe sends:
//!
//! | case | here |
//! |---|---|
//! | `v1` in upper-case hex, base64 or the wrong length | that candidate is skipped |
//! | blank after the comma | the name is ` v1`, another scheme: ignored |
//! | trailing comma, element without `=`, other schemes | ignored |
//! | `t` twice | taken when equal, refused when not |
//! | `t` with a sign, a blank, a leading zero, more than 12 digits | refused |
//! | time ahead beyond the tolerance | refused |
//! | tolerance 0 | a window of one second |
//! | old and wrong at once | reported as wrong: the signature is checked first |
//! | body empty, not UTF-8, or with a byte order mark | judged by its bytes alone |

use std::time::Duration;

use hyper::HeaderMap;
use jiff::Timestamp;

use super::json::{self, Json};
use super::keys::Keys;
use super::{Interpretation, Kind, Rejection, UNKNOWN_TYPE, Verified, headers, plain_or_ignored, time};
use crate::config::Source;
use crate::model::{Basis, Claim, Code, Identity, Part};

/// The signature header.
pub const SIGNATURE_HEADER: &str = "stripe-signature";

const SCHEME: &str = "stripe-v1";
const SNAPSHOT: &str = "event";
const THIN: &str = "v2.core.event";

/// The one type that claims a transfer: `charge.refunded` and others repeat the hash of the original payment.
const CLAIMING: &str = "charge.succeeded";

pub(super) fn verify(
    keys: &Keys,
    headers: &HeaderMap,
    body: &[u8],
    received: Timestamp,
    tolerance: Duration,
) -> Result<Verified, Rejection> {
    let signature = Signature::parse(headers::one(headers, SIGNATURE_HEADER)?)?;
    let parts = [signature.time.as_bytes(), b".", body];
    let secret = keys.matching(&parts, &signature.candidates, received).ok_or(Rejection::Mismatch)?;
    time::within(signature.signed_at, received, tolerance)?;
    Ok(Verified::by(SCHEME, secret, Some(signature.signed_at)))
}

/// The parsed header.
struct Signature<'h> {
    /// As signed.
    time: &'h str,
    signed_at: i64,
    candidates: Vec<Vec<u8>>,
}

impl<'h> Signature<'h> {
    fn parse(header: &'h str) -> Result<Self, Rejection> {
        let (mut time, mut named, mut candidates) = (None, false, Vec::new());
        for element in header.split(',') {
            match element.split_once('=') {
                Some(("t", value)) if time.is_some_and(|seen| seen != value) => return Err(Rejection::Malformed),
                Some(("t", value)) => time = Some(value),
                Some(("v1", value)) => {
                    named = true;
                    candidates.extend(lower_hex(value));
                }
                _ => {}
            }
        }
        let time = time.ok_or(Rejection::Malformed)?;
        let signed_at = time::unix_seconds(time).ok_or(Rejection::Malformed)?;
        if named { Ok(Self { time, signed_at, candidates }) } else { Err(Rejection::Malformed) }
    }
}

/// 32 bytes in lower-case hexadecimal, the only form Stripe sends.
fn lower_hex(text: &str) -> Option<Vec<u8>> {
    let plain = text.len() == 64 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'));
    if !plain {
        return None;
    }
    let mut tag = vec![0; 32];
    hex::decode_to_slice(text, &mut tag).is_ok().then_some(tag)
}

/// What finds and files an event, read from either style.
struct Named {
    event_type: String,
    id: String,
    livemode: bool,
    account: Option<String>,
    /// The snapshot that a thin event announces.
    twin: Option<String>,
}

impl Named {
    fn read(event: &Json<'_>) -> Result<Self, Code> {
        let thin = match event.field("object").as_deref() {
            Some(SNAPSHOT) => false,
            Some(THIN) => true,
            Some(_) => return Err(Code::EventTypeUnknown),
            None => return Err(Code::IdentityIncomplete),
        };
        let Some(Json::Bool(livemode)) = event.get("livemode") else { return Err(Code::IdentityIncomplete) };
        // Absent and null both say that there is no twin; anything else has to be an id, or the twins would part.
        let twin = match event.get("snapshot_event").filter(|_| thin) {
            None | Some(Json::Null) => None,
            Some(other) => Some(other.name().ok_or(Code::IdentityIncomplete)?),
        };
        Ok(Self {
            event_type: event.field("type").ok_or(Code::IdentityIncomplete)?,
            id: event.field("id").ok_or(Code::IdentityIncomplete)?,
            livemode: *livemode,
            account: account(event),
            twin,
        })
    }
}

/// Account, mode and event id; a thin event and its snapshot give the same.
fn identify(realm: &str, named: &Named) -> Identity {
    let account = named.account.as_deref().map_or(Part::None, Part::Text);
    let id = named.twin.as_ref().unwrap_or(&named.id);
    Identity::derive("stripe", realm, "event", &[account, Part::Flag(named.livemode), Part::Text(id)])
}

pub(super) fn interpret(source: &Source, body: &[u8]) -> Interpretation {
    let ended = |event_type: &str, code| Interpretation::of_body(source, event_type, body, Kind::Ended(code));
    let event = match json::parse(body) {
        Ok(event) => event,
        Err(fault) => return ended(UNKNOWN_TYPE, fault.code()),
    };
    let named = match Named::read(&event) {
        Ok(named) => named,
        Err(code) => return ended(event.field("type").as_deref().unwrap_or(UNKNOWN_TYPE), code),
    };
    let kind = kind(source, &event, &named);
    let alone = Interpretation::new(identify(&source.realm, &named), &named.event_type, kind);
    Interpretation {
        lane: lane(&event).unwrap_or_else(|| alone.lane.clone()),
        provider_event_id: Some(named.id),
        account: named.account,
        api_version: event.field("api_version"),
        livemode: named.livemode,
        ..alone
    }
}

/// The connected account: the last `acct_` segment of `account`, else of `context` (`org_…/acct_…`).
fn account(event: &Json<'_>) -> Option<String> {
    ["account", "context"].iter().find_map(|name| {
        let path = event.field(name)?;
        path.rsplit('/').find(|segment| segment.starts_with("acct_")).map(str::to_owned)
    })
}

fn kind(source: &Source, event: &Json<'_>, named: &Named) -> Kind {
    if named.livemode != source.livemode {
        return Kind::Ended(Code::TestMode);
    }
    if !source.accounts.is_empty() && !named.account.as_ref().is_some_and(|account| source.accounts.contains(account)) {
        return Kind::Ended(Code::TypeIgnored);
    }
    // A thin type is the snapshot's with `v1.` before it. The filter is asked about the snapshot's, so that twins
    // share one fate whichever comes first.
    let event_type = named.event_type.as_str();
    match plain_or_ignored(source, event_type.strip_prefix("v1.").unwrap_or(event_type)) {
        Kind::Plain if named.twin.is_some() => Kind::Thin,
        Kind::Plain if named.livemode && event_type == CLAIMING => claim(event).map_or(Kind::Plain, Kind::Claim),
        other => other,
    }
}

/// The chain's side of a crypto charge. None when there is nothing a chain could answer: a card, a field not
/// filled in, a hash of another family of chains, or the literal hashes of test mode.
fn claim(event: &Json<'_>) -> Option<Claim> {
    let charge = event.get("data")?.get("object")?;
    let crypto = charge.get("payment_method_details")?.get("crypto")?;
    let tx_hash = crypto.field("transaction_hash").filter(|text| super::request_network::hash(text).is_some())?;
    Some(Claim {
        basis: Basis::Charge,
        network: crypto.field("network")?,
        tx_hash,
        payment_reference: None,
        request_id: None,
        provider_objects: [charge.field("id"), reference(charge.get("payment_intent"))].into_iter().flatten().collect(),
        // The charge states fiat cents: no amount of tokens.
        amount: None,
        currency: crypto.field("token_currency"),
        payer: crypto.field("buyer_address"),
    })
}

/// The payment intent, else the object the event is about.
fn lane(event: &Json<'_>) -> Option<String> {
    let object = event.get("data").and_then(|data| data.get("object"));
    let intent = object.and_then(|object| reference(object.get("payment_intent")));
    let id = || object.or_else(|| event.get("related_object")).and_then(|object| object.field("id"));
    intent.or_else(id)
}

/// An id, or the id of the object that was expanded in its place.
fn reference(value: Option<&Json<'_>>) -> Option<String> {
    let value = value?;
    value.name().or_else(|| value.field("id"))
}

#[cfg(test)]
mod tests;
