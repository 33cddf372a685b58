//! Request Network API v2.
//!
//! Signature: `x-request-network-signature`, HMAC-SHA-256 of the raw body, hexadecimal, keyed with the secret's text
//! as given. Nothing else is signed, no time, no delivery id, no test flag: a captured body stays valid as long as
//! the secret, so identity comes from the body alone and the chain judges the rest.
//!
//! A transaction hash that is there but is no 32 bytes stays a claim, with the text in its identity: verification
//! refutes it with `TX_HASH_MALFORMED`. A hash, reference or request id that is missing leaves the event held.

use bytes::Bytes;
use hyper::HeaderMap;
use jiff::Timestamp;

use super::json::{self, Json};
use super::keys::Keys;
use super::{Interpretation, Kind, Rejection, UNKNOWN_TYPE, Verified, headers, plain_or_ignored};
use crate::config::Source;
use crate::model::{Basis, Claim, Code, Identity, Part, PaymentReference};

/// The signature header.
pub const SIGNATURE_HEADER: &str = "x-request-network-signature";
/// The delivery id, unsigned: shown, never used.
pub const DELIVERY_HEADER: &str = "x-request-network-delivery";
/// Retries so far, unsigned.
pub const RETRY_HEADER: &str = "x-request-network-retry-count";
/// Set on deliveries that an operator of the provider's console asked for, unsigned.
pub const TEST_HEADER: &str = "x-request-network-test";

const SCHEME: &str = "request-network";

/// Types that say money arrived.
const MONEY: [&str; 2] = ["payment.confirmed", "payment.partial"];

/// Documented as sent beside the base event, for the same payment.
const VARIANTS: [&str; 2] = [".client_id", ".checkout"];

/// The rest of the catalogue.
const OTHERS: [&str; 10] = [
    "payment.failed",
    "payment.refunded",
    "payment.processing",
    "request.recurring",
    "compliance.updated",
    "payment_detail.updated",
    "secure_payment.user_event",
    "secure_payment.access_rejected",
    "client_id.linked",
    "kyt.screening.completed",
];

pub(super) fn verify(
    keys: &Keys,
    headers: &HeaderMap,
    body: &[u8],
    received: Timestamp,
) -> Result<Verified, Rejection> {
    let tag = hash(headers::one(headers, SIGNATURE_HEADER)?).ok_or(Rejection::Malformed)?;
    let secret = keys.matching(&[body], &[tag], received).ok_or(Rejection::Mismatch)?;
    Ok(Verified::by(SCHEME, secret, None))
}

/// 32 bytes in hexadecimal of either case, `0x` or not.
pub(super) fn hash(text: &str) -> Option<Vec<u8>> {
    let digits = without_0x(text);
    if digits.len() == 64 { hex::decode(digits).ok() } else { None }
}

fn without_0x(text: &str) -> &str {
    text.strip_prefix("0x").or_else(|| text.strip_prefix("0X")).unwrap_or(text)
}

/// A request id in the form in which claims carry it and expectations are found by it: lower-case hexadecimal
/// without `0x` where it is hexadecimal, else as sent.
#[must_use]
pub fn normal_request_id(text: &str) -> String {
    match hex::decode(without_0x(text)) {
        Ok(bytes) if !bytes.is_empty() => hex::encode(bytes),
        _ => text.to_owned(),
    }
}

/// What the money events of one payment have in common.
struct Paid {
    request_id: String,
    reference: PaymentReference,
    tx_hash: String,
}

impl Paid {
    /// None when a required part is missing, is no text, or is given twice in two ways.
    fn read(event: &Json<'_>) -> Option<Self> {
        Some(Self {
            request_id: request_id(event)?,
            reference: event.field("paymentReference")?.parse().ok()?,
            tx_hash: event.field("txHash")?,
        })
    }
}

/// `requestId` and its older spelling `requestID`; when both are there they have to agree.
fn request_id(event: &Json<'_>) -> Option<String> {
    let spelled = |name| match event.get(name) {
        None | Some(Json::Null) => Ok(None),
        Some(value) => value.name().map(|text| Some(normal_request_id(&text))).ok_or(()),
    };
    match (spelled("requestId").ok()?, spelled("requestID").ok()?) {
        (Some(new), Some(old)) if new != old => None,
        (new, old) => new.or(old),
    }
}

/// Request id, reference and transaction, decoded: case, `0x`, the spelling of the key and the variant do not
/// matter, and neither do the claim's other fields.
fn identify(realm: &str, paid: &Paid) -> Identity {
    let request = hex::decode(&paid.request_id).ok();
    let lower = paid.request_id.to_ascii_lowercase();
    let tx = hash(&paid.tx_hash);
    Identity::derive(
        "request-network",
        realm,
        "paid",
        &[
            request.as_deref().map_or(Part::Text(&lower), Part::Bytes),
            Part::Bytes(paid.reference.as_bytes()),
            tx.as_deref().map_or(Part::Text(&paid.tx_hash), Part::Bytes),
        ],
    )
}

/// Documented as `true`. Anything but a plain "false" marks a test: what is really paid comes without it too.
pub(super) fn is_test(headers: &[(Bytes, Bytes)]) -> bool {
    headers::all(headers, TEST_HEADER).any(|value| !value.trim_ascii().eq_ignore_ascii_case(b"false"))
}

pub(super) fn interpret(source: &Source, headers: &[(Bytes, Bytes)], body: &[u8]) -> Result<Interpretation, Code> {
    if is_test(headers) {
        return Err(Code::TestHeader);
    }
    let of_body = |event_type: &str, kind| Interpretation::of_body(source, event_type, body, kind);
    let event = match json::parse(body) {
        Ok(event) => event,
        Err(fault) => return Ok(of_body(UNKNOWN_TYPE, Kind::Ended(fault.code()))),
    };
    let Some(event_type) = event.field("event") else {
        return Ok(of_body(UNKNOWN_TYPE, Kind::Ended(Code::IdentityIncomplete)));
    };
    let known = match family(&event_type) {
        Some(family) => match Paid::read(&event) {
            Some(paid) => paid_event(source, &event, family, &event_type, &paid),
            None => of_body(&event_type, Kind::Ended(Code::IdentityIncomplete)),
        },
        None => of_body(&event_type, other_kind(source, &event, &event_type)),
    };
    let lane = request_id(&event).map(|id| format!("{}:{id}", source.realm));
    Ok(Interpretation { lane: lane.unwrap_or_else(|| known.lane.clone()), client_id: event.field("clientId"), ..known })
}

/// The base type of a money event, whichever variant this is.
fn family(event_type: &str) -> Option<&'static str> {
    MONEY.into_iter().find(|base| match event_type.strip_prefix(base) {
        Some(rest) => rest.is_empty() || VARIANTS.contains(&rest),
        None => false,
    })
}

/// An event of a payment. The filters are asked about the base type: variants are deliveries of one event, and
/// which of them comes first must not decide its fate.
fn paid_event(source: &Source, event: &Json<'_>, family: &str, event_type: &str, paid: &Paid) -> Interpretation {
    let kind = if !wanted(source, event) || !source.types.passes(family) {
        Kind::Ended(Code::TypeIgnored)
    } else if fiat_leg(event) {
        Kind::Ended(Code::FiatLeg)
    } else {
        Kind::Claim(claim(event, paid))
    };
    Interpretation::new(identify(&source.realm, paid), event_type, kind)
}

fn other_kind(source: &Source, event: &Json<'_>, event_type: &str) -> Kind {
    match plain_or_ignored(source, event_type) {
        Kind::Plain if !wanted(source, event) => Kind::Ended(Code::TypeIgnored),
        Kind::Plain if !OTHERS.contains(&event_type) => Kind::Ended(Code::EventTypeUnknown),
        kind => kind,
    }
}

/// Whether `client_ids` let it pass. The field is optional on every event, so that its absence says nothing.
fn wanted(source: &Source, event: &Json<'_>) -> bool {
    source.client_ids.is_empty() || event.field("clientId").is_none_or(|id| source.client_ids.contains(&id))
}

/// The off-ramp leg pays a partner. A flag in a shape that nobody documents is read as set: held is the safe side.
fn fiat_leg(event: &Json<'_>) -> bool {
    !matches!(event.get("isCryptoToFiat"), None | Some(Json::Null | Json::Bool(false)))
}

fn claim(event: &Json<'_>, paid: &Paid) -> Claim {
    let amount = event.get("amount").and_then(Json::scalar);
    Claim {
        basis: Basis::Reference,
        // Without a network no configured chain is found: verification says so.
        network: event.field("network").unwrap_or_default(),
        tx_hash: paid.tx_hash.clone(),
        payment_reference: Some(paid.reference.clone()),
        request_id: Some(paid.request_id.clone()),
        provider_objects: Vec::new(),
        amount,
        // `currency` may be the invoice's, `paymentCurrency` is what was paid in.
        currency: event.field("paymentCurrency").or_else(|| event.field("currency")),
        payer: event.field("payerAddress"),
    }
}

#[cfg(test)]
mod tests;
