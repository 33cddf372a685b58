//! From the JSON of a PUT to checked terms. Pure; every problem is reported at once, each with its field.

use chain_config::amount;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::config::{self, Config, Provider, Source};
use crate::model::{Accept, Assurance, Expectation, ExpectationKey, Rail, Tolerance};
use crate::provider::request_network::normal_request_id;

mod ways;

/// Bytes of `metadata` as JSON.
const METADATA_BYTES_MAX: usize = 4096;
/// Bytes of an id or a key.
const ID_BYTES_MAX: usize = 128;

/// Why terms were refused: one code, and every field with what is wrong.
#[derive(Debug)]
pub(super) struct Problems {
    pub(super) code: &'static str,
    pub(super) list: Vec<(String, String)>,
}

/// The body as sent. The flat fields are sugar for one `accept`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Body {
    source: Option<String>,
    request_id: Option<String>,
    payment_reference: Option<String>,
    provider_object: Option<String>,
    accept: Option<Vec<Way>>,
    chain: Option<String>,
    token: Option<String>,
    recipient: Option<String>,
    amount: Option<String>,
    payer: Option<String>,
    not_before: Option<Timestamp>,
    deadline: Option<Timestamp>,
    grace: Option<String>,
    tolerance: Option<Deviation>,
    rails: Option<Vec<Rail>>,
    min_assurance: Option<Assurance>,
    metadata: Option<Map<String, Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Way {
    chain: String,
    token: String,
    recipients: Vec<String>,
    amount: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Deviation {
    abs: Option<String>,
    bps: Option<u16>,
}

/// Collects problems; the first code that is not the general one wins.
struct Reader<'a> {
    config: &'a Config,
    problems: Problems,
}

/// Reads and checks.
pub(super) fn read(
    id: &str,
    body: &[u8],
    config: &Config,
    sees: impl Fn(&str) -> bool,
) -> Result<Expectation, Problems> {
    let mut reader = Reader { config, problems: Problems { code: "EXPECTATION_INVALID", list: Vec::new() } };
    let body: Body = match serde_json::from_slice(body) {
        Ok(body) => body,
        Err(error) => {
            reader.say("", format!("{error}; send a JSON object with the documented fields"));
            return Err(reader.problems);
        }
    };
    if !well_formed(id) {
        reader.say("id", "1 to 128 of A-Z a-z 0-9 . _ : -".to_owned());
    }
    let terms = reader.terms(id, body, sees);
    match terms {
        Some(terms) if reader.problems.list.is_empty() => Ok(terms),
        Some(_) | None => Err(reader.problems),
    }
}

fn well_formed(text: &str) -> bool {
    (1..=ID_BYTES_MAX).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._:-".contains(&byte))
}

impl Reader<'_> {
    fn say(&mut self, field: impl Into<String>, what: String) {
        self.problems.list.push((field.into(), what));
    }

    fn say_as(&mut self, code: &'static str, field: impl Into<String>, what: String) {
        self.problems.code = code;
        self.say(field, what);
    }

    fn terms(&mut self, id: &str, mut body: Body, sees: impl Fn(&str) -> bool) -> Option<Expectation> {
        let ways = self.ways(&mut body);
        let key = self.key(&body);
        let realm = key.as_ref().and_then(|key| self.realm(body.source.as_deref(), key, sees));
        let accept: Vec<Accept> = ways.iter().enumerate().filter_map(|(index, way)| self.accept(index, way)).collect();
        let tolerance = self.tolerance(body.tolerance.as_ref(), &accept);
        let rails = key.as_ref().map(|key| self.rails(key, body.rails.clone()));
        let payer = body.payer.as_deref().and_then(|text| self.address("payer", text));
        let grace_seconds = self.grace(body.grace.as_deref());
        let metadata = body.metadata.take().unwrap_or_default();
        if serde_json::to_vec(&metadata).map_or(true, |bytes| METADATA_BYTES_MAX < bytes.len()) {
            self.say("metadata", format!("at most {METADATA_BYTES_MAX} bytes of JSON"));
        }
        if let (Some(from), Some(to)) = (body.not_before, body.deadline)
            && to <= from
        {
            self.say("deadline", "must be after not_before".to_owned());
        }
        Some(Expectation {
            id: id.to_owned(),
            realm: realm?,
            key: key?,
            accept,
            payer,
            not_before: body.not_before,
            deadline: body.deadline,
            grace_seconds,
            tolerance,
            rails: rails?,
            min_assurance: body.min_assurance,
            metadata,
        })
    }

    fn key(&mut self, body: &Body) -> Option<ExpectationKey> {
        let given = [&body.request_id, &body.payment_reference, &body.provider_object];
        match given.iter().filter(|key| key.is_some()).count() {
            1 => {}
            0 if body.rails.as_deref() == Some(&[Rail::Direct]) => return Some(ExpectationKey::Direct),
            _ => {
                let what = "exactly one of request_id, payment_reference and provider_object finds the payment; \
                    or none of them, with rails [\"direct\"], when its recipient or payer does";
                self.say("request_id", what.to_owned());
                return None;
            }
        }
        if let Some(text) = &body.payment_reference {
            return match text.parse() {
                Ok(reference) => Some(ExpectationKey::PaymentReference(reference)),
                Err(error) => {
                    self.say("payment_reference", format!("{error}, such as 0x2c3366941274c34c"));
                    None
                }
            };
        }
        let (field, text) = match (&body.request_id, &body.provider_object) {
            (Some(id), _) => ("request_id", id),
            (None, Some(object)) => ("provider_object", object),
            (None, None) => return None,
        };
        if !well_formed(text) {
            self.say(field, format!("1 to {ID_BYTES_MAX} of A-Z a-z 0-9 . _ : -"));
            return None;
        }
        Some(match body.request_id {
            Some(_) => ExpectationKey::RequestId(normal_request_id(text)),
            None => ExpectationKey::ProviderObject(text.clone()),
        })
    }

    /// The realm of the named source; without a name, of the only source that could carry the key.
    fn realm(&mut self, name: Option<&str>, key: &ExpectationKey, sees: impl Fn(&str) -> bool) -> Option<String> {
        let carries = |source: &&Source| match key {
            ExpectationKey::RequestId(_) | ExpectationKey::PaymentReference(_) => {
                source.provider == Provider::RequestNetwork
            }
            ExpectationKey::ProviderObject(_) => source.provider == Provider::Stripe,
            ExpectationKey::Direct => true,
        };
        let mut realms: Vec<&str> = self
            .config
            .sources
            .iter()
            .filter(|source| sees(&source.name) && name.map_or_else(|| carries(source), |name| source.name == name))
            .map(|source| source.realm.as_str())
            .collect();
        realms.sort_unstable();
        realms.dedup();
        match realms.as_slice() {
            [realm] => Some((*realm).to_owned()),
            [] => {
                self.say("source", "names no configured source that this token may use".to_owned());
                None
            }
            _ => {
                self.say("source", "needed: several sources could carry this payment".to_owned());
                None
            }
        }
    }

    /// `abs` is in token units, so it needs one number of decimals.
    fn tolerance(&mut self, given: Option<&Deviation>, accept: &[Accept]) -> Tolerance {
        let defaults = &self.config.verification;
        let abs = given.and_then(|given| given.abs.as_deref()).unwrap_or(&defaults.tolerance_abs).to_owned();
        let bps = given.and_then(|given| given.bps).unwrap_or(defaults.tolerance_bps);
        if 10_000 < bps {
            self.say("tolerance.bps", "0 to 10000 basis points".to_owned());
        }
        let Some(decimals) = accept.first().map(|way| way.decimals) else { return Tolerance::default() };
        let abs = match amount::parse(&abs, decimals) {
            Ok(abs) => abs,
            Err(error) => {
                self.say("tolerance.abs", error.to_string());
                return Tolerance::default();
            }
        };
        if !abs.is_zero() && accept.iter().any(|way| way.decimals != decimals) {
            self.say("tolerance.abs", "the accepted tokens have different decimals: use bps".to_owned());
        }
        Tolerance { abs, bps }
    }

    /// A reference is matched by the proxies' rails only; nothing in a payload selects a rail.
    fn rails(&mut self, key: &ExpectationKey, given: Option<Vec<Rail>>) -> Vec<Rail> {
        let only = match key {
            ExpectationKey::RequestId(_) | ExpectationKey::PaymentReference(_) => Rail::Reference,
            ExpectationKey::ProviderObject(_) | ExpectationKey::Direct => Rail::Direct,
        };
        if given.is_some_and(|rails| rails != [only]) {
            self.say("rails", format!("with this key only [\"{only}\"] can match; leave it out"));
        }
        vec![only]
    }

    fn grace(&mut self, text: Option<&str>) -> u64 {
        let Some(text) = text else { return 0 };
        config::duration(text).map_or_else(
            |_| {
                self.say("grace", "a duration with its unit (ms, s, m, h, d), such as \"15m\" or \"1d\"".to_owned());
                0
            },
            |grace| grace.as_secs(),
        )
    }
}
