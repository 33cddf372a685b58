use alloy_primitives::B256;
use proptest::prelude::*;

use super::{GAP_MAX, Ring, Step, Why};
use crate::chain::Header;

fn hash(number: u64, fork: u8) -> B256 {
    let mut hash = B256::repeat_byte(fork);
    hash.0[..8].copy_from_slice(&number.to_be_bytes());
    hash
}

/// A block of a fork whose parent is of the same fork.
fn block(number: u64, fork: u8) -> Header {
    on(number, fork, fork)
}

/// A block of a fork on a parent of another one.
fn on(number: u64, fork: u8, parent: u8) -> Header {
    let parent = number.checked_sub(1).map_or(B256::ZERO, |before| hash(before, parent));
    Header { number, hash: hash(number, fork), parent, timestamp: number, is_sealed: false }
}

fn ring(from: u64, to: u64) -> Ring {
    let mut ring = Ring::new(64);
    for number in from..=to {
        ring.see(&block(number, 1));
    }
    ring
}

#[test]
fn a_chain_that_grows_is_remembered_as_far_as_the_window_goes() {
    let mut ring = Ring::new(4);
    assert_eq!(ring.see(&block(10, 1)), Step::Anew(Why::Far));
    for number in 11..20 {
        assert_eq!(ring.see(&block(number, 1)), Step::Grown, "{number}");
        assert_eq!(ring.see(&block(number, 1)), Step::Known, "{number}");
    }
    assert_eq!(ring.head().map(|head| head.number), Some(19));
    assert_eq!(ring.at(16).map(|block| block.hash), Some(hash(16, 1)));
    assert_eq!(ring.at(15), None);
    assert_eq!(ring.at(20), None);
}

#[test]
fn a_replaced_head_names_the_height_that_was_lost() {
    let mut ring = ring(10, 20);
    assert_eq!(ring.see(&on(20, 2, 1)), Step::Lost { from: 20 });
    assert_eq!(ring.at(20).map(|block| block.hash), Some(hash(20, 2)));
    assert_eq!(ring.at(19).map(|block| block.hash), Some(hash(19, 1)));
}

#[test]
fn a_deeper_reorganisation_is_followed_back_to_the_common_ancestor() {
    let mut ring = ring(10, 20);
    // The new chain left the old one after block 16 and is longer.
    assert_eq!(ring.see(&block(22, 2)), Step::NeedsParent { hash: hash(21, 2) });
    for number in (18..=21).rev() {
        assert_eq!(ring.see(&block(number, 2)), Step::NeedsParent { hash: hash(number - 1, 2) }, "{number}");
    }
    assert_eq!(ring.see(&on(17, 2, 1)), Step::Lost { from: 17 });
    assert_eq!(ring.head().map(|head| head.hash), Some(hash(22, 2)));
    for number in 17..=22 {
        assert_eq!(ring.at(number).map(|block| block.hash), Some(hash(number, 2)), "{number}");
    }
    assert_eq!(ring.at(16).map(|block| block.hash), Some(hash(16, 1)));
}

#[test]
fn a_small_gap_is_closed_and_a_large_one_begins_anew() {
    let mut near = ring(10, 20);
    assert_eq!(near.see(&block(22, 1)), Step::NeedsParent { hash: hash(21, 1) });
    assert_eq!(near.see(&block(21, 1)), Step::Grown);
    assert_eq!(near.head().map(|head| head.number), Some(22));
    let mut far = ring(10, 20);
    assert_eq!(far.see(&block(22 + GAP_MAX, 1)), Step::Anew(Why::Far));
    assert_eq!(far.at(20), None);
}

#[test]
fn what_replaces_everything_that_is_remembered_is_deep_once_a_window_was_seen() {
    let mut ring = Ring::new(5);
    for number in 10..=14 {
        ring.see(&block(number, 1));
    }
    for number in (11..=15).rev() {
        assert!(matches!(ring.see(&block(number, 2)), Step::NeedsParent { .. }), "{number}");
    }
    assert_eq!(ring.see(&block(10, 2)), Step::Anew(Why::Deep));
    assert_eq!(ring.head().map(|head| head.hash), Some(hash(15, 2)));
}

#[test]
fn what_replaces_the_few_blocks_seen_since_a_start_is_lost_and_not_deep() {
    let mut ring = ring(10, 11);
    for number in (11..=12).rev() {
        assert!(matches!(ring.see(&block(number, 2)), Step::NeedsParent { .. }), "{number}");
    }
    assert_eq!(ring.see(&block(10, 2)), Step::Anew(Why::Lost));
}

#[test]
fn a_machine_that_lags_behind_the_same_address_changes_nothing() {
    let mut ring = ring(10, 20);
    assert_eq!(ring.see(&block(15, 1)), Step::Known);
    assert_eq!(ring.see(&block(3, 1)), Step::Known);
    assert_eq!(ring.head().map(|head| head.number), Some(20));
}

#[test]
fn a_node_that_moves_on_while_parents_are_asked_for_starts_over_from_its_new_head() {
    let mut ring = ring(10, 20);
    assert!(matches!(ring.see(&block(22, 2)), Step::NeedsParent { .. }));
    // Instead of the parent comes another head.
    assert_eq!(ring.see(&block(21, 1)), Step::Grown);
    assert_eq!(ring.head().map(|head| head.hash), Some(hash(21, 1)));
}

proptest! {
    /// Whatever a node shows, the ring stays one chain: each block is the parent of the next.
    #[test]
    fn the_ring_is_always_one_chain(heads in proptest::collection::vec((1_u64..60, 1_u8..4), 1..60)) {
        let mut ring = Ring::new(16);
        for (number, fork) in heads {
            // Forks 2 and 3 leave the first one at block 20.
            let of = |number: u64| {
                if number < 20 { block(number, 1) } else if number == 20 { on(20, fork, 1) } else { block(number, fork) }
            };
            let mut next = of(number);
            for _ in 0..100 {
                match ring.see(&next) {
                    Step::NeedsParent { hash: wanted } => {
                        next = of(next.number - 1);
                        prop_assert_eq!(next.hash, wanted);
                    }
                    Step::Known | Step::Grown | Step::Lost { .. } | Step::Anew(_) => break,
                }
            }
            let blocks: Vec<_> = (0..70).filter_map(|number| ring.at(number)).collect();
            prop_assert!(blocks.len() <= 16);
            for pair in blocks.windows(2) {
                prop_assert_eq!(pair[0].hash, pair[1].parent);
            }
        }
    }
}
