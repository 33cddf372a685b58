//! `list --follow`: what comes, as it comes.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

use super::filter::{FilterArgs, PageArgs};
use super::table::{self, Layout, Output};
use super::target::Target;
use super::{Exit, Failure};
use crate::task::Wake;

/// Between two looks.
const PACE: Duration = Duration::from_secs(1);

/// How far back a look reaches behind the newest that was shown: what was received earlier may be taken in later.
const REACH: SignedDuration = SignedDuration::from_secs(60);

/// Shows the items, given newest first, oldest first, and then what comes.
///
/// # Errors
/// A stopped gateway's folder, where nothing comes; and as [`Target::get`].
pub(super) async fn list(
    target: &Target,
    path: &str,
    filter: &FilterArgs,
    mut items: Vec<Value>,
    layout: &Layout,
    output: Output,
) -> Result<(), Failure> {
    if target.is_local() {
        return Err(Failure::new(Exit::Usage, "nothing comes to a stopped gateway: leave --data or --follow out"));
    }
    let mut newest = items.first().and_then(received);
    let (floor, mut seen) = (newest, HashSet::new());
    let (mut heading, mut first) = (true, true);
    loop {
        items.retain(|item| seen.insert(id(item, layout)));
        items.reverse();
        if !items.is_empty() {
            table::append(&items, layout, output, heading)?;
            heading = false;
        }
        newest = items.iter().filter_map(received).fold(newest, |newest, at| newest.max(Some(at)));
        Wake::default().wait(PACE).await;
        let since = newest.and_then(|at| at.checked_sub(REACH).ok());
        items = PageArgs::all().items(target, path, &filter.query_since(since)).await?;
        let still: HashSet<String> = items.iter().map(|item| id(item, layout)).collect();
        seen.retain(|id| still.contains(id));
        if std::mem::take(&mut first) {
            // Older than what was asked for: it was there before.
            let old = items.iter().filter(|item| received(item).is_some_and(|at| Some(at) < floor));
            seen.extend(old.map(|item| id(item, layout)));
        }
    }
}

fn id(item: &Value, layout: &Layout) -> String {
    item.pointer(layout.id).and_then(Value::as_str).unwrap_or_default().to_owned()
}

fn received(item: &Value) -> Option<Timestamp> {
    item.get("received_at")?.as_str()?.parse().ok()
}
