//! Whatever the logs: no panic, and no match once any one thing that binds is altered.

use alloy_primitives::Bytes;
use proptest::prelude::*;

use super::tests::{found, search_for};
use super::*;
use crate::verify::fixture::*;

fn any_log() -> impl Strategy<Value = Log> {
    let known = prop_oneof![
        Just(USDC),
        Just(PROXY),
        Just(ETH_PROXY),
        Just(FAKE_TOKEN),
        any::<[u8; 20]>().prop_map(Address::from)
    ];
    let topic = prop_oneof![
        Just(events::TRANSFER),
        Just(events::TOKEN_PROXY),
        Just(events::NATIVE_PROXY),
        Just(TOPIC),
        Just(B256::from(word(PAYEE))),
        any::<[u8; 32]>().prop_map(B256::from)
    ];
    let value = prop_oneof![Just(word(USDC)), Just(word(PAYEE)), Just([0xff; 32]), Just([0; 32]), any::<[u8; 32]>()];
    let data = (prop::collection::vec(value, 0..6), 0_usize..2)
        .prop_map(|(words, extra)| Bytes::from([words.concat(), vec![0; extra]].concat()));
    (known, prop::collection::vec(topic, 0..5), data).prop_map(|(address, topics, data)| Log { address, topics, data })
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
        for rail in [Rail::Reference(TOPIC), Rail::Direct(Payer::Anyone)] {
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
    fn altering_any_one_thing_that_binds_leaves_no_match(what in any_alteration(), to in any::<[u8; 20]>()) {
        let other = Address::from(to);
        prop_assume!(![PROXY, USDC, PAYEE].contains(&other));
        let outcome = search_for(Rail::Reference(TOPIC), &altered(what, to));
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
        prop_assert_eq!(found(search_for(Rail::Reference(TOPIC), &logs)).amount, U256::from(HUNDRED));
    }
}
