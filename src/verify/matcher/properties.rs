//! Whatever the logs: no panic, no place used twice, no more money than moved, and no match once any one thing that
//! binds is altered.

use std::collections::BTreeSet;

use alloy_primitives::Bytes;
use proptest::prelude::*;

use super::built::*;
use super::tests::search_for;
use super::*;
use crate::verify::events;
use crate::verify::fixture::*;

fn any_log() -> impl Strategy<Value = Log> {
    let known = prop_oneof![
        Just(USDC),
        Just(PROXY),
        Just(ETH_PROXY),
        Just(CONVERSION),
        Just(PLAIN),
        Just(WRAPPER),
        Just(FAKE_TOKEN),
        any::<[u8; 20]>().prop_map(Address::from)
    ];
    let topic = prop_oneof![
        Just(events::TRANSFER),
        Just(events::TOKEN_PROXY),
        Just(events::NATIVE_PROXY),
        Just(events::PLAIN_TOKEN_PROXY),
        Just(events::ESCROW),
        Just(TOPIC),
        Just(raw_topic()),
        Just(B256::from(word(PAYEE))),
        any::<[u8; 32]>().prop_map(B256::from)
    ];
    let value = prop_oneof![Just(word(USDC)), Just(word(PAYEE)), Just([0xff; 32]), Just([0; 32]), any::<[u8; 32]>()];
    let data = (prop::collection::vec(value, 0..6), 0_usize..2)
        .prop_map(|(words, extra)| Bytes::from([words.concat(), vec![0; extra]].concat()));
    (known, prop::collection::vec(topic, 0..5), data).prop_map(|(address, topics, data)| Log { address, topics, data })
}

/// What really happens, and what attackers add: pieces that meet, in any order.
fn any_piece() -> impl Strategy<Value = Vec<Log>> {
    let topic = prop_oneof![Just(TOPIC), Just(OTHER_TOPIC)];
    let to = prop_oneof![3 => Just(PAYEE), 1 => Just(STRANGER)];
    (0_u8..7, topic, to, 0_u64..4, 0_u64..4).prop_map(|(piece, topic, to, value, stated)| match piece {
        0 => proxy_payment(to, value, topic),
        1 => vec![transfer(USDC, PAYER, to, value)],
        2 => vec![token_event(PROXY, USDC, to, stated, topic)],
        3 => vec![transfer(USDC, PAYER, to, value), token_event(CONVERSION, USDC, to, value, topic)],
        4 => vec![transfer(USDC, PAYER, to, value), plain_token_event(PLAIN, USDC, to, stated, topic)],
        5 => vec![transfer(FAKE_TOKEN, PAYER, to, value), token_event(PROXY, FAKE_TOKEN, to, stated, topic)],
        _ => vec![transfer(USDC, PAYER, to, value), escrow_event(WRAPPER, USDC, to, value, raw_topic())],
    })
}

/// Everything that every rail and payer finds in one transaction.
fn all_found(logs: &[Log]) -> Vec<Found> {
    let rails = [Rail::Reference(ours()), Rail::Reference(other()), Rail::Direct(Payer::Anyone)];
    let found = rails.map(|rail| match search_for(rail, logs) {
        Outcome::Found(found) => Some(found),
        Outcome::Doubt(_) => None,
    });
    found.into_iter().flatten().collect()
}

/// The value of the transfer at a place.
fn moved(logs: &[Log], slot: Slot) -> U256 {
    let Slot::Log(position) = slot else { panic!("{slot}") };
    let log = &logs[usize::try_from(position).unwrap()];
    events::transfer(position, log).map_or(U256::ZERO, |transfer| transfer.value)
}

#[derive(Debug, Clone, Copy)]
enum Altered {
    Emitter,
    Token,
    Recipient,
    Reference,
    Value,
    TransferToken,
    TransferRecipient,
}

/// The genuine payment with one thing about it changed.
fn altered(what: Altered, to: [u8; 20]) -> Vec<Log> {
    let other = Address::from(to);
    let mut logs = proxy_payment(PAYEE, HUNDRED, TOPIC);
    let put = |log: &mut Log, word_at: usize| {
        let mut data = log.data.to_vec();
        data[word_at * 32 + 12..word_at * 32 + 32].copy_from_slice(&to);
        log.data = data.into();
    };
    match what {
        Altered::Emitter => logs[2].address = other,
        Altered::Token => put(&mut logs[2], 0),
        Altered::Recipient => put(&mut logs[2], 1),
        Altered::Value => put(&mut logs[2], 2),
        Altered::Reference => logs[2].topics[1] = B256::from(word(other)),
        Altered::TransferToken => logs[0].address = other,
        Altered::TransferRecipient => logs[0].topics[2] = B256::from(word(other)),
    }
    logs
}

fn any_alteration() -> impl Strategy<Value = Altered> {
    prop_oneof![
        Just(Altered::Emitter),
        Just(Altered::Token),
        Just(Altered::Recipient),
        Just(Altered::Reference),
        Just(Altered::Value),
        Just(Altered::TransferToken),
        Just(Altered::TransferRecipient)
    ]
}

proptest! {
    #[test]
    fn arbitrary_logs_never_panic_and_never_pay_more_than_their_transfers(
        logs in prop::collection::vec(any_log(), 0..12),
    ) {
        for rail in [Rail::Reference(ours()), Rail::Direct(Payer::Anyone)] {
            if let Outcome::Found(found) = search_for(rail, &logs) {
                let ours = logs.iter().filter_map(|log| events::transfer(0, log));
                let ours = ours.filter(|transfer| transfer.token == USDC && transfer.to == PAYEE);
                let moved = ours.fold(U256::ZERO, |sum, transfer| sum.saturating_add(transfer.value));
                prop_assert!(found.amount <= moved);
                prop_assert!(!found.amount.is_zero());
            }
        }
    }

    #[test]
    fn no_place_is_used_twice_and_a_sum_is_what_its_places_moved(
        pieces in prop::collection::vec(any_piece(), 0..8),
    ) {
        let logs = pieces.concat();
        let mut used = BTreeSet::new();
        for found in all_found(&logs) {
            let sum = found.consumed.iter().fold(U256::ZERO, |sum, one| sum + one.amount);
            prop_assert_eq!(sum, found.amount);
            prop_assert_eq!(found.stated, found.amount, "no token here is credited short");
            for one in &found.consumed {
                prop_assert!(used.insert(one.slot), "{} is used twice in {:?}", one.slot, logs);
                prop_assert_eq!(one.amount, moved(&logs, one.slot));
                prop_assert_eq!((one.recipient, one.token), (PAYEE, Some(USDC)));
            }
            prop_assert!(found.consumed.is_sorted_by(|one, other| one.slot < other.slot));
        }
    }

    #[test]
    fn logs_of_others_never_change_the_outcome(
        pieces in prop::collection::vec(any_piece(), 0..5),
        noise in prop::collection::vec((any_log(), any::<prop::sample::Index>()), 0..6),
    ) {
        let logs = pieces.concat();
        // What is neither a token that is expected nor a contract that is registered says nothing.
        let is_other = |log: &Log| !matches!(log.address, USDC | PROXY | ETH_PROXY | CONVERSION | PLAIN | WRAPPER);
        let (mut noisy, mut shift) = (logs.clone(), Vec::new());
        for (log, at) in noise.into_iter().filter(|(log, _)| is_other(log)) {
            let at = at.index(noisy.len() + 1);
            noisy.insert(at, log);
            shift.push(at);
        }
        // Where each log of before is now.
        let now = |slot: Slot| {
            let Slot::Log(position) = slot else { panic!("{slot}") };
            let start = usize::try_from(position).unwrap();
            let at = shift.iter().fold(start, |place, at| if *at <= place { place + 1 } else { place });
            Slot::Log(u32::try_from(at).unwrap())
        };
        let before = all_found(&logs).into_iter().map(|mut found| {
            found.consumed.iter_mut().for_each(|one| one.slot = now(one.slot));
            found
        });
        prop_assert_eq!(before.collect::<Vec<_>>(), all_found(&noisy));
    }

    #[test]
    fn altering_any_one_thing_that_binds_leaves_no_match(what in any_alteration(), to in any::<[u8; 20]>()) {
        let other = Address::from(to);
        prop_assume!(![PROXY, USDC, PAYEE].contains(&other));
        let outcome = search_for(Rail::Reference(ours()), &altered(what, to));
        prop_assert!(matches!(outcome, Outcome::Doubt(_)), "{what:?}: {outcome:?}");
    }

    #[test]
    fn noise_around_a_payment_does_not_change_it(
        before in prop::collection::vec(any_log(), 0..6),
        after in prop::collection::vec(any_log(), 0..6),
    ) {
        // What itself speaks of a payment is not noise.
        let noise = |log: &Log| events::proxy_event(0, log).is_none() && events::transfer(0, log).is_none();
        let before: Vec<Log> = before.into_iter().filter(noise).collect();
        let after: Vec<Log> = after.into_iter().filter(noise).collect();
        let logs = [before, proxy_payment(PAYEE, HUNDRED, TOPIC), after].concat();
        prop_assert_eq!(found(search_for(Rail::Reference(ours()), &logs)).amount, U256::from(HUNDRED));
    }
}
