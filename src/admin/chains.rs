//! Chains as they are judged now, and what operators set for them: how deep a payment has to be, and which nodes, or
//! whole chains, are not used. What is set lasts over restarts, and its origin is shown. URLs of nodes are not.

use std::collections::BTreeSet;

use axum::extract::State;
use axum::http::Method;
use chain_config::{Need, TierSpec};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::auth::{Caller, May};
use super::envelope::{Body, Segments};
use super::problem::{Answer, Problem, ok, page};
use super::{Api, pauses};
use crate::config::ActiveChain;
use crate::ledger::{Cordon, FinalityOverride, LedgerError, Who};
use crate::task;

mod shown;
mod tiers;

/// Portions in which events of a released or eased chain are woken.
const PORTIONS_MAX: usize = 100;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct SetFinality {
    /// The whole ladder, weakest tier first.
    tiers: Vec<TierSpec>,
    reason: Option<String>,
    /// Large payments may go out less firm than configured.
    #[serde(default)]
    accept_unfinalized: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Why {
    reason: Option<String>,
}

/// What operators set, at one moment.
struct Set {
    overrides: Vec<FinalityOverride>,
    cordons: Vec<Cordon>,
}

impl Set {
    async fn read(api: &Api) -> Result<Self, Problem> {
        Ok(Self { overrides: api.ledger.finality_overrides().await?, cordons: api.ledger.cordons().await? })
    }
}

/// `GET /chains`
pub(super) async fn list(State(api): State<Api>, caller: Caller) -> Answer {
    caller.may(May::ReadStatus)?;
    let set = Set::read(&api).await?;
    let mut items = Vec::with_capacity(api.config.chains.len());
    for (name, active) in &api.config.chains {
        items.push(one(&api, &set, name, active).await?);
    }
    page(&items, None)
}

/// `GET /chains/{name}`
pub(super) async fn show(State(api): State<Api>, caller: Caller, Segments(name): Segments<String>) -> Answer {
    caller.may(May::ReadStatus)?;
    let active = known(&api, &name)?;
    ok(one(&api, &Set::read(&api).await?, &name, active).await?)
}

async fn one(api: &Api, set: &Set, name: &str, active: &ActiveChain) -> Result<Value, Problem> {
    // Nobody polls for a gateway that does not run.
    let watched = api.started_us.is_some() && api.ledger.is_watched(active.chain.chain_id).await?;
    Ok(shown::chain(name, active, api.verification.chain(name).as_ref(), set, watched))
}

/// `PUT` and `DELETE /chains/{name}/finality`
pub(super) async fn finality(
    State(api): State<Api>,
    caller: Caller,
    method: Method,
    Segments(name): Segments<String>,
    Body(body): Body,
) -> Answer {
    caller.may(May::SetFinality)?;
    caller.is_unlimited()?;
    let active = known(&api, &name)?;
    let (tiers, reason) = if method == Method::DELETE {
        (None, read::<Why>(&body, "{\"reason\": \"…\"}")?.reason)
    } else {
        let asked: SetFinality = read(&body, "{\"tiers\": [{\"confirmations\": 12}], \"reason\": \"…\"}")?;
        tiers::check(&active.chain, &asked.tiers, asked.accept_unfinalized)?;
        (Some(asked.tiers), asked.reason)
    };
    let (by, now_us) = (who(&caller, reason)?, api.clock.now().as_microsecond());
    let (chain_id, of, on) = (active.chain.chain_id, name.clone(), api.clone());
    let changed = done(async move {
        let in_force = || on.verification.chain(&of).map(|now| now.finality);
        let before = in_force();
        let changed = on.ledger.set_finality(&of, tiers, by, now_us).await?;
        on.verification.put_in_force().await?;
        if let (Some(before), Some(after)) = (before, in_force()) {
            wake_eased(&on, chain_id, before.eased_by(&after), now_us).await?;
        }
        Ok(changed)
    })
    .await?;
    if changed {
        tracing::warn!(token = caller.name, chain = name, "an operator changed how deep payments have to be");
    }
    answer(&api, &name, active, changed).await
}

/// `POST /chains/{name}/cordon`
pub(super) async fn cordon(
    State(api): State<Api>,
    caller: Caller,
    Segments(name): Segments<String>,
    Body(body): Body,
) -> Answer {
    set(&api, &caller, (&name, ""), true, &body).await
}

/// `POST /chains/{name}/uncordon`
pub(super) async fn uncordon(
    State(api): State<Api>,
    caller: Caller,
    Segments(name): Segments<String>,
    Body(body): Body,
) -> Answer {
    set(&api, &caller, (&name, ""), false, &body).await
}

/// `POST /chains/{name}/nodes/{node}/cordon`
pub(super) async fn cordon_node(
    State(api): State<Api>,
    caller: Caller,
    Segments((name, node)): Segments<(String, String)>,
    Body(body): Body,
) -> Answer {
    set(&api, &caller, (&name, &node), true, &body).await
}

/// `POST /chains/{name}/nodes/{node}/uncordon`
pub(super) async fn uncordon_node(
    State(api): State<Api>,
    caller: Caller,
    Segments((name, node)): Segments<(String, String)>,
    Body(body): Body,
) -> Answer {
    set(&api, &caller, (&name, &node), false, &body).await
}

/// Takes a node, or with no name of one the whole chain, out of use or back.
async fn set(api: &Api, caller: &Caller, (name, node): (&str, &str), out: bool, body: &[u8]) -> Answer {
    caller.may(May::Operate)?;
    caller.is_unlimited()?;
    let active = known(api, name)?;
    let is_known = node.is_empty() || active.nodes.iter().any(|known| known.name == node);
    if !is_known {
        let known: Vec<&str> = active.nodes.iter().map(|node| node.name.as_str()).collect();
        return Err(Problem::unknown("node of this chain").with_details(json!({"known": known})));
    }
    let by = who(caller, read::<Why>(body, "{\"reason\": \"…\"}")?.reason)?;
    let now_us = api.clock.now().as_microsecond();
    let (chain_id, of, which, on) = (active.chain.chain_id, name.to_owned(), node.to_owned(), api.clone());
    let changed = done(async move {
        let changed = on.ledger.set_cordon(&of, &which, out, by, now_us).await?;
        on.verification.put_in_force().await?;
        if changed && !out {
            wake(&on, chain_id, now_us).await?;
        }
        Ok(changed)
    })
    .await?;
    if changed {
        tracing::warn!(token = caller.name, chain = name, node, out, "an operator changed what is used");
    }
    answer(api, name, active, changed).await
}

/// Stores what was set and puts it in force, to the end, also when the caller hangs up meanwhile. It is put in force when it
/// was stored before, too: a crash may have come between.
async fn done(put: impl Future<Output = Result<bool, LedgerError>> + Send + 'static) -> Result<bool, Problem> {
    let put = task::spawn("admin.chains", put);
    Ok(put.await.map_err(|_| Problem::unavailable("the ledger"))??)
}

/// The chain as it is then.
async fn answer(api: &Api, name: &str, active: &ActiveChain, changed: bool) -> Answer {
    let mut shown = one(api, &Set::read(api).await?, name, active).await?;
    if let Value::Object(fields) = &mut shown {
        fields.insert("changed".into(), changed.into());
    }
    ok(shown)
}

/// What stands on blocks of the chain is looked at now, not when its time comes.
async fn wake(api: &Api, chain_id: u64, now_us: i64) -> Result<(), LedgerError> {
    for _ in 0..PORTIONS_MAX {
        if api.ledger.wake_anchored(chain_id, 0, now_us).await? == 0 {
            break;
        }
    }
    api.wakes.verify.wake();
    Ok(())
}

/// What waits for more than it has to is looked at now; all else goes on waiting and costs nothing.
async fn wake_eased(api: &Api, chain_id: u64, needs: BTreeSet<Need>, now_us: i64) -> Result<(), LedgerError> {
    for need in needs {
        for _ in 0..PORTIONS_MAX {
            if api.ledger.wake_eased(chain_id, need, now_us).await? == 0 {
                break;
            }
        }
        api.wakes.verify.wake();
    }
    Ok(())
}

fn known<'a>(api: &'a Api, name: &str) -> Result<&'a ActiveChain, Problem> {
    api.config.chains.get(name).ok_or_else(|| {
        let known: Vec<&String> = api.config.chains.keys().collect();
        let hint =
            if api.started_us.is_none() { "; with --data, name the configuration with --config too" } else { "" };
        Problem::unknown("active chain").with_details(json!({"known": known})).saying(hint)
    })
}

fn read<T: DeserializeOwned>(body: &[u8], example: &str) -> Result<T, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    serde_json::from_slice(body).map_err(|error| Problem::bad_request(format!("expected {example}: {error}")))
}

/// Everything here needs a reason, for whoever finds it at night.
fn who(caller: &Caller, reason: Option<String>) -> Result<Who, Problem> {
    let reason = pauses::reason(reason)?;
    if reason.is_none() {
        return Err(Problem::bad_request("say why: {\"reason\": \"…\"}"));
    }
    let who = caller.who();
    Ok(Who { name: who.name, from: who.from, reason })
}
