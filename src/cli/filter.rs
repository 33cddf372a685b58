//! What the lists have in common: filters, how many, in which order. The names are the API's query parameters.

use jiff::Timestamp;
use serde_json::Value;

use super::Failure;
use super::target::{Query, Target};

/// Most items the API gives at once.
const PAGE: usize = 500;

/// Most items of [`PageArgs::all`].
const ALL: usize = 100_000;

/// Filters of deliveries and events; all of those given have to hold.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct FilterArgs {
    /// Of this source.
    #[arg(long)]
    source: Option<String>,
    /// Whose event is in this state.
    #[arg(long)]
    state: Option<String>,
    /// With this outcome code.
    #[arg(long)]
    code: Option<String>,
    /// That became a message of this type, such as payment.verified.
    #[arg(long = "type", value_name = "TYPE")]
    message_type: Option<String>,
    /// Of this account of the provider.
    #[arg(long, value_name = "ID")]
    account: Option<String>,
    /// On this chain, as claimed or proven: its name or number.
    #[arg(long, value_name = "CHAIN")]
    chain: Option<String>,
    /// With this payer, recipient or token.
    #[arg(long, value_name = "0x…")]
    address: Option<String>,
    /// Known by this: any id, hash, address, reference or key.
    #[arg(short, long, value_name = "ANY")]
    q: Option<String>,
    /// Of this type, as the provider calls it.
    #[arg(long, value_name = "TYPE")]
    provider_type: Option<String>,
    /// That claim this transaction.
    #[arg(long, value_name = "HASH")]
    tx: Option<String>,
    /// That claim this payment reference.
    #[arg(long, value_name = "REFERENCE")]
    payment_reference: Option<String>,
    /// Of this request of the provider.
    #[arg(long, value_name = "ID")]
    request_id: Option<String>,
    /// That belong to this expectation.
    #[arg(long, value_name = "ID")]
    expectation: Option<String>,
    /// That are this payment.
    #[arg(long, value_name = "ID")]
    payment: Option<String>,
    /// Received at or after: 3h or 2d ago, or RFC 3339.
    #[arg(long, value_name = "WHEN")]
    since: Option<String>,
    /// Received before.
    #[arg(long, value_name = "WHEN")]
    until: Option<String>,
}

impl FilterArgs {
    /// As query parameters.
    #[must_use]
    pub fn query(&self) -> Query {
        self.within(self.since.clone(), self.until.clone())
    }

    /// The same, of what was received since then; without a time, since a minute ago.
    #[must_use]
    pub fn query_since(&self, since: Option<Timestamp>) -> Query {
        let since = since.map_or_else(|| "1m".to_owned(), |since| since.to_string());
        self.within(Some(since), None)
    }

    fn within(&self, since: Option<String>, until: Option<String>) -> Query {
        Query::default()
            .with("source", self.source.as_ref())
            .with("state", self.state.as_ref())
            .with("code", self.code.as_ref())
            .with("type", self.message_type.as_ref())
            .with("account", self.account.as_ref())
            .with("chain", self.chain.as_ref())
            .with("address", self.address.as_ref())
            .with("q", self.q.as_ref())
            .with("provider_type", self.provider_type.as_ref())
            .with("tx", self.tx.as_ref())
            .with("payment_reference", self.payment_reference.as_ref())
            .with("request_id", self.request_id.as_ref())
            .with("expectation", self.expectation.as_ref())
            .with("payment", self.payment.as_ref())
            .with("since", since)
            .with("until", until)
    }
}

/// How many, in which order.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct PageArgs {
    /// Show at most so many, the newest.
    #[arg(short = 'n', long = "limit", value_name = "N", default_value_t = 50)]
    limit: usize,
    /// Oldest first.
    #[arg(long)]
    reverse: bool,
}

impl PageArgs {
    /// Everything, within reason.
    #[must_use]
    pub const fn all() -> Self {
        Self { limit: ALL, reverse: false }
    }

    /// Reads pages of a list until there are enough.
    ///
    /// # Errors
    /// As [`Target::get`].
    pub async fn items(self, target: &Target, path: &str, query: &Query) -> Result<Vec<Value>, Failure> {
        let mut items: Vec<Value> = Vec::new();
        let mut after: Option<String> = None;
        while items.len() < self.limit {
            let wanted = self.limit.saturating_sub(items.len()).min(PAGE);
            let query = query.clone().with("limit", Some(wanted)).with("after", after.as_ref());
            let mut page = target.get(path, &query).await?;
            let got = match page.get_mut("items").map(Value::take) {
                Some(Value::Array(got)) => got,
                _ => Vec::new(),
            };
            items.extend(got);
            // A page may be empty and not the last: the gateway looks at so many rows a page.
            let next = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if next.is_none() || next == after {
                break;
            }
            after = next;
        }
        items.truncate(self.limit);
        if self.reverse {
            items.reverse();
        }
        Ok(items)
    }
}
