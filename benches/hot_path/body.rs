//! Signed webhooks, no two alike, of the sizes that Stripe posts.

use jiff::Timestamp;
use tollgate::config::Provider;
use tollgate::provider::{example, sign};

/// Signs what is posted.
pub(crate) const SECRET: &str = "whsec_bench-5c1d7e0b9a3f";

/// Bytes of the bodies, one after the other: 1 to 8 KB, 1.8 KB in the middle.
const SIZES: [usize; 8] = [1_024, 1_200, 1_500, 1_800, 1_800, 2_400, 4_096, 8_192];

/// Stands in each template where the number of the webhook goes, in the event's id and in its object's: a payment of its own
/// each, because what is about one payment is sent one after the other.
const PLACE: &str = "NNNNNNNNNNNNNNNN";

/// Bodies with a hole where the id goes.
pub(crate) struct Templates(Vec<Template>);

struct Template {
    body: Vec<u8>,
    /// Where each [`PLACE`] begins.
    at: Vec<usize>,
}

impl Templates {
    pub(crate) fn new() -> Self {
        Self(SIZES.iter().map(|bytes| Template::padded_to(*bytes)).collect())
    }

    /// The `n`th webhook of a run: its body and the headers that sign it now. Each `n` is another event.
    pub(crate) fn webhook(&self, n: u64) -> (Vec<u8>, Vec<(String, String)>) {
        let index = usize::try_from(n).unwrap() % self.0.len();
        let Template { body, at } = &self.0[index];
        let mut body = body.clone();
        let number = format!("{n:016x}");
        at.iter().for_each(|at| body[*at..*at + number.len()].copy_from_slice(number.as_bytes()));
        let headers = sign::headers(&Provider::Stripe, SECRET, &body, Timestamp::now(), &number);
        (body, headers)
    }
}

impl Template {
    /// A payment of Stripe with as much metadata as the size asks for.
    fn padded_to(bytes: usize) -> Self {
        let mut event = example::example(&Provider::Stripe, "payment_intent.succeeded").unwrap();
        event["id"] = format!("evt_{PLACE}").into();
        event["data"]["object"]["id"] = format!("pi_{PLACE}").into();
        event["data"]["object"]["metadata"]["note"] = String::new().into();
        let without = serde_json::to_vec(&event).unwrap().len();
        let note: String = "0123456789abcdef".chars().cycle().take(bytes.saturating_sub(without)).collect();
        event["data"]["object"]["metadata"]["note"] = note.into();
        let body = serde_json::to_vec(&event).unwrap();
        let places = body.windows(PLACE.len()).enumerate().filter(|(_, window)| *window == PLACE.as_bytes());
        let at: Vec<usize> = places.map(|(at, _)| at).collect();
        assert!(at.len() == 2, "an event and its object");
        Self { body, at }
    }
}
