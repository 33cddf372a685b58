//! Which chain a claim is looked for on.

use super::Rules;
use crate::config::ActiveChain;
use crate::ledger::DueEvent;
use crate::verify::claim;

/// Where to look for the transaction. A provider's word for the network is a hint, and whoever can sign can change it:
/// the chains on which the expectation takes money come first, then every network that was claimed, so that no claim
/// hides another. A chain that has the transaction in a block is stayed with.
pub(super) fn where_to_look<'a>(event: &DueEvent, rules: &Rules<'a>) -> Option<(&'a str, &'a ActiveChain)> {
    let claimed: Vec<_> = claimed_chains(event, rules).collect();
    let accept = event.expectation.as_ref().map(|stored| stored.terms.accept.as_slice()).unwrap_or_default();
    let takes_money = |active: &ActiveChain| accept.iter().any(|way| way.chain_id == active.chain.chain_id);
    let mut places: Vec<(&str, &ActiveChain)> = Vec::new();
    let accepted = rules.chains.iter().map(|(name, active)| (name.as_str(), active));
    let (hinted, others): (Vec<_>, Vec<_>) = accepted
        .filter(|(_, active)| takes_money(active))
        .partition(|(name, _)| claimed.iter().any(|(other, _)| other == name));
    for place in hinted.into_iter().chain(others).chain(claimed) {
        if !places.iter().any(|(name, _)| *name == place.0) {
            places.push(place);
        }
    }
    let seen =
        event.anchor.and_then(|anchor| places.iter().find(|(_, active)| active.chain.chain_id == anchor.chain_id));
    let turn = usize::try_from(event.progress.looks).ok().and_then(|looks| looks.checked_rem(places.len()));
    seen.or_else(|| places.get(turn?)).copied()
}

/// The active chains that the claims name, the newest first.
pub(super) fn claimed_chains<'a>(
    event: &DueEvent,
    rules: &Rules<'a>,
) -> impl Iterator<Item = (&'a str, &'a ActiveChain)> {
    let (chains, provider) = (rules.chains, &event.facts.provider);
    event.networks.iter().filter_map(move |network| claim::chain_of(chains, provider, network))
}
