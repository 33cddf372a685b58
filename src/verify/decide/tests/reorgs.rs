//! Random histories of one payment: whatever the chain does, the backend ends up told the truth, once.

use alloy_primitives::Address;
use proptest::prelude::*;

use super::*;
use crate::model::Sender;

/// Where the transaction is, as the nodes show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum World {
    /// In this block. Blocks with odd numbers commit to its success, the others to its failure.
    In(u8),
    /// Nowhere.
    Absent,
    /// The nodes cannot say: they are down, or they differ.
    Doubt,
}

/// What the backend was told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Told {
    Paid(u8),
    Retracted,
}

fn shown(world: World) -> Observations {
    match world {
        World::In(block) => {
            let mut moved = receipt(proxy_payment(PAYEE, HUNDRED, TOPIC));
            (moved.block_hash, moved.status) = (B256::repeat_byte(block), Some(u64::from(block % 2)));
            unanimous(&view(HEIGHT + 30, Some(HEIGHT - 9), moved))
        }
        World::Absent => {
            let mut view = view(HEIGHT + 30, Some(HEIGHT - 9), receipt(vec![]));
            (view.receipt, view.header_at) = (None, Some(header(HEIGHT, B256::ZERO)));
            unanimous(&view)
        }
        World::Doubt => seen(vec![Err(crate::chain::NodeError::Unavailable("deadline passed"))]),
    }
}

/// The ledger's part, as far as one event goes: writes a decision, and tells the backend.
fn write(event: &mut DueEvent, decision: Decision, moment: Moment, told: &mut Vec<Told>) {
    event.wait = None;
    match decision {
        Decision::Record(recorded) => {
            let is_newly_missed = recorded.code == Code::Reorged && event.code != Some(Code::Reorged);
            if is_newly_missed {
                event.progress.first_us = moment.now_us;
            }
            let keeps = crate::ledger::state::is_confirmed(recorded.state);
            (event.state, event.code) = (recorded.state, Some(recorded.code));
            event.anchor = recorded.anchor.or(event.anchor.filter(|_| keeps));
        }
        Decision::Confirm(confirmation) => {
            let anchor = confirmation.anchor.expect("a payment");
            told.push(Told::Paid(anchor.block_hash[0]));
            (event.state, event.code, event.sent) = (EventState::Forwarded, Some(Code::Verified), true);
            (event.anchor, event.claimed) = (Some(anchor), confirmation.slots);
        }
        Decision::Retract(_) => {
            told.push(Told::Retracted);
            (event.state, event.code, event.sent) = (EventState::Retracted, Some(Code::Retracted), false);
            event.claimed.clear();
            event.progress.first_us = moment.now_us;
        }
        Decision::Reanchor(moved) => {
            (event.anchor, event.claimed, event.code) = (Some(moved.anchor), moved.slots, Some(Code::Verified));
        }
    }
}

fn any_world() -> impl Strategy<Value = World> {
    prop_oneof![
        4 => (1_u8..7).prop_map(World::In),
        2 => Just(World::Absent),
        2 => Just(World::Doubt),
    ]
}

proptest! {
    /// Doubt decides nothing; messages take turns; and once the world stands still, what was told last is true.
    #[test]
    fn the_backend_ends_up_told_the_truth_once(steps in proptest::collection::vec((any_world(), 1_i64..200), 0..25), last in any_world()) {
        let mut event = expected_event();
        event.sender = Some(Sender { from: Address::ZERO, nonce: 7 });
        let (mut moment, mut told) = (NOW, Vec::new());
        // Long enough for every grace, and every step that one world takes.
        let settling = std::iter::repeat_n((last, 120), 6);
        for (world, seconds) in steps.into_iter().chain(settling) {
            moment.now_us += seconds * 1_000_000;
            if matches!(event.state, EventState::Refuted | EventState::Held | EventState::Settled) {
                break;
            }
            let decision = decide_by(&event, &shown(world), &verification(), moment);
            let said = told.len();
            write(&mut event, decision, moment, &mut told);
            prop_assert!(world != World::Doubt || told.len() == said, "doubt was told as something");
        }
        for pair in told.windows(2) {
            prop_assert_ne!(pair[0] == Told::Retracted, pair[1] == Told::Retracted, "told twice: {:?}", told);
        }
        prop_assert_ne!(told.first(), Some(&Told::Retracted));
        match last {
            World::Doubt => {}
            World::In(block) if block % 2 == 1 => {
                prop_assert!(matches!(told.last(), Some(Told::Paid(_))), "{told:?} {:?}", event.state);
                prop_assert_eq!(event.anchor.map(|anchor| anchor.block_hash), Some(B256::repeat_byte(block)));
            }
            World::In(_) | World::Absent => {
                prop_assert!(!matches!(told.last(), Some(Told::Paid(_))), "{told:?} {:?}", event.state);
            }
        }
    }
}
