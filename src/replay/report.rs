//! What a replay says: verdict now against verdict then, grouped.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::plan::{Effect, Now, Then};
use crate::model::EventId;

/// Groups shown; what fits none of them is counted in `more_groups`.
const GROUPS_MAX: usize = 200;

/// Events named in a group.
const EXAMPLES: usize = 3;

/// See the module.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Report {
    /// Deliveries that were looked at.
    pub(super) deliveries: u64,
    /// Events that they belong to.
    pub(super) events: u64,
    /// Deliveries that made no event.
    pub(super) without_event: u64,
    /// Events by what was done, or would be.
    pub(super) effects: BTreeMap<String, u64>,
    /// Messages that would be due, by type; what verification sends is decided when it has judged.
    pub(super) would_send: BTreeMap<String, u64>,
    /// Verdict then and now.
    pub(super) groups: Vec<Group>,
    /// Events of groups that are not shown.
    pub(super) more_groups: u64,
    /// Events that somebody moved between the look and the step: nothing was written for them.
    #[serde(default)]
    pub(super) changed_meanwhile: u64,
}

/// Events with one change of verdict.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Group {
    then: String,
    now: String,
    effect: String,
    would_send: Option<String>,
    by_evidence: bool,
    events: u64,
    examples: Vec<EventId>,
}

impl Report {
    /// Counts an event.
    pub(super) fn add(&mut self, event: EventId, then: &Then, now: Option<&Now>, effect: Effect) {
        self.events = self.events.saturating_add(1);
        count(&mut self.effects, effect.as_str());
        let would_send = now.filter(|_| effect == Effect::JudgedAgain).and_then(|now| now.would_send.clone());
        if let Some(kind) = &would_send {
            count(&mut self.would_send, kind);
        }
        let code = |code: Option<crate::model::Code>| code.map_or("-", crate::model::Code::as_str);
        let before = format!("{} {}", then.state, code(then.code));
        let said = now.map_or_else(|| "not judged".to_owned(), |now| format!("{} {}", now.verdict.as_str(), now.code));
        let by_evidence = now.is_some_and(|now| now.by_evidence);
        let fits = |group: &&mut Group| {
            group.then == before
                && group.now == said
                && group.effect == effect.as_str()
                && group.would_send == would_send
                && group.by_evidence == by_evidence
        };
        if let Some(group) = self.groups.iter_mut().find(fits) {
            group.events = group.events.saturating_add(1);
            if group.examples.len() < EXAMPLES {
                group.examples.push(event);
            }
        } else if self.groups.len() < GROUPS_MAX {
            self.groups.push(Group {
                then: before,
                now: said,
                effect: effect.as_str().to_owned(),
                would_send,
                by_evidence,
                events: 1,
                examples: vec![event],
            });
        } else {
            self.more_groups = self.more_groups.saturating_add(1);
        }
    }
}

fn count(counts: &mut BTreeMap<String, u64>, what: &str) {
    let n = counts.entry(what.to_owned()).or_default();
    *n = n.saturating_add(1);
}
