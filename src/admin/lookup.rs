//! Ids in paths: whole, or a beginning that only one has, as people copy them from tables.

use uuid::Uuid;

use super::Api;
use super::auth::Caller;
use super::problem::Problem;
use crate::ledger::IdOf;
use crate::task;

/// Hexadecimal digits of a UUID.
const DIGITS: usize = 32;
/// Hexadecimal digits of a transaction's hash.
const HASH_DIGITS: usize = 64;
/// Fewest digits of a beginning.
const DIGITS_MIN: usize = 4;
/// Ids looked at that share a beginning. More than these is never unique, whatever the caller may see.
const CANDIDATES: usize = 64;

/// The id that is meant by `text`. Of the ids with a beginning only those count that the caller may see.
pub(super) async fn id(api: &Api, caller: &Caller, of: IdOf, text: &str) -> Result<Uuid, Problem> {
    let (low, high) = meant(text)?;
    if low == high {
        return Ok(low);
    }
    let what = match of {
        IdOf::Delivery => "delivery",
        IdOf::Event => "event",
        IdOf::Payment | IdOf::Transaction => "payment",
    };
    only(caller, what, text, api.ledger.ids(of, low, high, CANDIDATES).await?)
}

/// The event of the payment that is meant: by its `pay_` id, the id of its event, or its transaction.
pub(super) async fn payment(api: &Api, caller: &Caller, text: &str) -> Result<Uuid, Problem> {
    let lower = text.trim().to_ascii_lowercase();
    let hash = lower.strip_prefix("0x").or_else(|| (lower.len() == HASH_DIGITS).then_some(lower.as_str()));
    let (of, digits) = match (lower.strip_prefix("pay_"), hash) {
        (Some(digits), _) => (IdOf::Payment, digits),
        // Half of a hash names it: nobody finds two that begin so.
        (None, Some(digits)) if digits.len() <= HASH_DIGITS => {
            (IdOf::Transaction, digits.get(..DIGITS).unwrap_or(digits))
        }
        (None, _) => (IdOf::Event, lower.as_str()),
    };
    let (low, high) = meant(digits)?;
    let found = api.ledger.ids(of, low, high, CANDIDATES).await?;
    only(caller, "payment", text, found)
}

/// The same for requests in the ring of rejected ones.
pub(super) async fn rejected(api: &Api, caller: &Caller, text: &str) -> Result<Uuid, Problem> {
    let (low, high) = meant(text)?;
    if low == high {
        return Ok(low);
    }
    let evidence = api.evidence.clone();
    let found = task::spawn_blocking(move || evidence.rejected_ids(low, high, CANDIDATES)).await;
    only(caller, "rejected request", text, found.map_err(|_| Problem::unavailable("the ring"))??)
}

fn meant(text: &str) -> Result<(Uuid, Uuid), Problem> {
    range(text).ok_or_else(|| {
        Problem::bad_request(format!("{text:?} is no id, nor the beginning of one: give {DIGITS_MIN} digits or more"))
    })
}

/// The only one of these that the caller may see.
fn only(caller: &Caller, what: &str, text: &str, found: Vec<(Uuid, String)>) -> Result<Uuid, Problem> {
    let all_seen = found.len() < CANDIDATES;
    let mut seen = found.into_iter().filter(|(_, source)| caller.sees(source));
    match (seen.next(), seen.next()) {
        (Some((id, _)), None) if all_seen => Ok(id),
        (None, None) if all_seen => Err(Problem::unknown(what)),
        _ => Err(Problem::ambiguous(what, text)),
    }
}

/// The least and the greatest UUID that begin so; both the same for a whole one.
fn range(text: &str) -> Option<(Uuid, Uuid)> {
    let digits: String = text.chars().filter(|c| *c != '-').collect();
    let fits = (DIGITS_MIN..=DIGITS).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    let filled = |with: &str| Uuid::try_parse(&format!("{digits}{}", with.repeat(DIGITS - digits.len()))).ok();
    if fits { filled("0").zip(filled("f")) } else { None }
}

#[cfg(test)]
mod tests {
    use super::range;

    #[test]
    fn a_beginning_spans_the_ids_that_have_it() {
        let (low, high) = range("0192AB-c").unwrap();
        assert_eq!(low.to_string(), "0192abc0-0000-0000-0000-000000000000");
        assert_eq!(high.to_string(), "0192abcf-ffff-ffff-ffff-ffffffffffff");
        let whole = "0192abcd-1234-7000-8000-123456789abc";
        let (low, high) = range(whole).unwrap();
        assert_eq!((low, low.to_string().as_str()), (high, whole));
        for wrong in ["", "019", "0-1-9", "xyzw", "0192abcd-1234-7000-8000-123456789abc0", "%"] {
            assert!(range(wrong).is_none(), "{wrong}");
        }
    }
}
