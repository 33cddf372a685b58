//! The published vectors, and agreement with the recursive definition of RFC 6962.

use std::convert::Infallible;

use proptest::prelude::*;

use super::*;
use crate::testing::unhex;

/// Leaves and roots of the reference implementation of Certificate Transparency.
const LEAVES: [&[u8]; 8] = [
    b"",
    b"\x00",
    b"\x10",
    b"\x20\x21",
    b"\x30\x31",
    b"\x40\x41\x42\x43",
    b"\x50\x51\x52\x53\x54\x55\x56\x57",
    b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
];
const ROOTS: [&str; 9] = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
];

/// MTH of RFC 6962, section 2.1, word for word, over hashes of leaves.
fn naive_root(leaves: &[Hash]) -> Hash {
    match leaves {
        [] => Sha256::digest([]).into(),
        [leaf] => *leaf,
        _ => {
            let k = leaves.len().next_power_of_two() / 2;
            node(&naive_root(&leaves[..k]), &naive_root(&leaves[k..]))
        }
    }
}

/// PATH of section 2.1.1.
fn naive_path(m: usize, leaves: &[Hash]) -> Vec<Hash> {
    if leaves.len() == 1 {
        return Vec::new();
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut path, other) = if m < k {
        (naive_path(m, &leaves[..k]), naive_root(&leaves[k..]))
    } else {
        (naive_path(m - k, &leaves[k..]), naive_root(&leaves[..k]))
    };
    path.push(other);
    path
}

/// SUBPROOF of section 2.1.2.
fn naive_subproof(m: usize, leaves: &[Hash], whole: bool) -> Vec<Hash> {
    if m == leaves.len() {
        return if whole { Vec::new() } else { vec![naive_root(leaves)] };
    }
    let k = leaves.len().next_power_of_two() / 2;
    let (mut path, other) = if m <= k {
        (naive_subproof(m, &leaves[..k], whole), naive_root(&leaves[k..]))
    } else {
        (naive_subproof(m - k, &leaves[k..], false), naive_root(&leaves[..k]))
    };
    path.push(other);
    path
}

fn leaves(count: usize) -> Vec<Hash> {
    (0..count).map(|n| leaf(&n.to_be_bytes())).collect()
}

/// Complete subtrees of a list of leaves.
fn subtrees(leaves: &[Hash]) -> impl FnMut(u32, u64) -> Result<Hash, Infallible> {
    |level, index| {
        let from = usize::try_from(index << level).expect("small");
        Ok(naive_root(&leaves[from..from + (1 << level)]))
    }
}

fn included(index: usize, leaves: &[Hash]) -> Option<Vec<Hash>> {
    inclusion(number(index), number(leaves.len()), &mut subtrees(leaves)).expect("cannot fail")
}

fn consistent(old: usize, leaves: &[Hash]) -> Option<Vec<Hash>> {
    consistency(number(old), number(leaves.len()), &mut subtrees(leaves)).expect("cannot fail")
}

fn number(n: usize) -> u64 {
    n.try_into().expect("fits")
}

#[test]
fn roots_are_those_published() {
    let mut range = Range::default();
    assert_eq!(range.root(), unhex(ROOTS[0]));
    for (data, root) in LEAVES.iter().zip(&ROOTS[1..]) {
        range.push(leaf(data)).expect("fits");
        assert_eq!(range.root(), unhex(root));
    }
    assert_eq!(range.size(), 8);
}

#[test]
fn proofs_are_those_published() {
    let leaves: Vec<Hash> = LEAVES.iter().map(|data| leaf(data)).collect();
    let path = [
        unhex("bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b"),
        unhex("ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0"),
        unhex(ROOTS[4]),
    ];
    assert_eq!(included(5, &leaves), Some(path.to_vec()));
    assert!(verify_inclusion(&leaves[5], 5, 8, &path, &unhex(ROOTS[8])));
    assert_eq!(included(2, &leaves[..3]), Some(vec![unhex(ROOTS[2])]));
    assert!(verify_inclusion(&leaves[2], 2, 3, &[unhex(ROOTS[2])], &unhex(ROOTS[3])));

    let proof = [unhex("0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a"), path[1], path[2]];
    assert_eq!(consistent(6, &leaves), Some(proof.to_vec()));
    assert!(verify_consistency(6, 8, &proof, &unhex(ROOTS[6]), &unhex(ROOTS[8])));
    let proof = [unhex("5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e"), path[0]];
    assert_eq!(consistent(2, &leaves[..5]), Some(proof.to_vec()));
    assert!(verify_consistency(2, 5, &proof, &unhex(ROOTS[2]), &unhex(ROOTS[5])));
}

#[test]
fn every_small_tree_agrees_with_the_definition_and_no_proof_fits_elsewhere() {
    let all = leaves(40);
    let mut range = Range::default();
    for size in 1..=all.len() {
        let leaves = &all[..size];
        range.push(leaves[size - 1]).expect("fits");
        let root = naive_root(leaves);
        assert_eq!(range.root(), root, "{size}");
        for index in 0..size {
            let path = included(index, leaves).expect("is there");
            assert_eq!(path, naive_path(index, leaves), "{index} of {size}");
            // One path is right at one place only, and for one leaf.
            for other in 0..size + 2 {
                let right = verify_inclusion(&leaves[index], number(other), number(size), &path, &root);
                assert_eq!(right, other == index, "{index} of {size} at {other}");
            }
        }
        for old in 1..=size {
            let path = consistent(old, leaves).expect("is there");
            assert_eq!(path, naive_subproof(old, leaves, true), "{old} of {size}");
            let old_root = naive_root(&leaves[..old]);
            assert!(verify_consistency(number(old), number(size), &path, &old_root, &root), "{old} of {size}");
            for other in (1..size).filter(|other| *other != old) {
                let other_root = naive_root(&leaves[..other]);
                assert!(!verify_consistency(number(other), number(size), &path, &other_root, &root));
                assert!(!verify_consistency(number(old), number(size), &path, &other_root, &root));
            }
        }
    }
}

#[test]
fn what_is_not_there_has_no_proof() {
    let leaves = leaves(5);
    let empty = Range::default().root();
    assert_eq!(included(5, &leaves), None);
    assert_eq!(inclusion(0, 0, &mut subtrees(&leaves)), Ok(None));
    assert_eq!(consistent(0, &leaves), None);
    assert_eq!(consistency(6, 5, &mut subtrees(&leaves)), Ok(None));
    assert!(!verify_inclusion(&leaves[0], 0, 0, &[], &leaves[0]));
    assert!(!verify_inclusion(&leaves[0], u64::MAX, u64::MAX, &[], &leaves[0]));
    assert!(!verify_consistency(6, 5, &[], &leaves[0], &leaves[0]));
    assert!(!verify_consistency(3, 5, &[], &naive_root(&leaves[..3]), &naive_root(&leaves)));
    assert!(!verify_consistency(0, 5, &[], &leaves[0], &naive_root(&leaves)), "the empty tree has one root");
    assert!(verify_consistency(0, 5, &[], &empty, &naive_root(&leaves)));
    assert!(verify_consistency(5, 5, &[], &naive_root(&leaves), &naive_root(&leaves)));
    assert!(!verify_consistency(5, 5, &[], &naive_root(&leaves[..4]), &naive_root(&leaves)));
}

#[test]
fn subtrees_only_go_where_they_fit() {
    let leaves = leaves(9);
    let mut range = Range::default();
    range.push_subtree(3, naive_root(&leaves[..8])).expect("fits");
    range.push(leaves[8]).expect("fits");
    assert_eq!((range.size(), range.root()), (9, naive_root(&leaves)));
    let before = range.clone();
    assert_eq!(range.push_subtree(1, leaves[0]), Err(Misplaced { size: 9, level: 1 }));
    assert_eq!(range.push_subtree(64, leaves[0]), Err(Misplaced { size: 9, level: 64 }));
    assert_eq!(range, before);
}

#[test]
fn a_huge_tree_takes_a_short_path() {
    // Every leaf is the same, so a complete subtree depends on its level alone.
    let mut same = vec![leaf(b"same")];
    for level in 0..63 {
        same.push(node(&same[level], &same[level]));
    }
    let mut subtree = |level: u32, _: u64| Ok::<Hash, Infallible>(same[usize::try_from(level).expect("small")]);
    let (size, index) = ((1_u64 << 63) + 12_345, (1_u64 << 63) + 1_000);
    let root = span(0, size, &mut subtree).expect("cannot fail");
    let path = inclusion(index, size, &mut subtree).expect("cannot fail").expect("is there");
    assert!(path.len() <= PROOF_HASHES_MAX);
    assert!(verify_inclusion(&same[0], index, size, &path, &root));
    let path = consistency(index, size, &mut subtree).expect("cannot fail").expect("is there");
    let old_root = span(0, index, &mut subtree).expect("cannot fail");
    assert!(path.len() <= PROOF_HASHES_MAX);
    assert!(verify_consistency(index, size, &path, &old_root, &root));
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn larger_trees_agree_too(size in 1_usize..700, at in any::<prop::sample::Index>()) {
        let leaves = leaves(size);
        let index = at.index(size);
        let (root, path) = (naive_root(&leaves), included(index, &leaves).expect("is there"));
        prop_assert_eq!(&path, &naive_path(index, &leaves));
        prop_assert!(verify_inclusion(&leaves[index], number(index), number(size), &path, &root));
        let (old, proof) = (index + 1, consistent(index + 1, &leaves).expect("is there"));
        prop_assert_eq!(&proof, &naive_subproof(old, &leaves, true));
        let old_root = naive_root(&leaves[..old]);
        prop_assert!(verify_consistency(number(old), number(size), &proof, &old_root, &root));
    }

    #[test]
    fn no_changed_proof_is_believed(
        size in 2_usize..300,
        at in any::<prop::sample::Index>(),
        hash in any::<prop::sample::Index>(),
        bit in 0_usize..256,
        change in 0_u8..4,
    ) {
        let leaves = leaves(size);
        let index = at.index(size);
        let mut old = index + 1;
        if old == size {
            old -= 1;
        }
        let (root, old_root) = (naive_root(&leaves), naive_root(&leaves[..old]));
        let spoil = |path: &[Hash]| {
            let mut path = path.to_vec();
            let at = hash.index(path.len());
            match change {
                0 => path[at][bit / 8] ^= 1 << (bit % 8),
                1 => drop(path.remove(at)),
                2 => path.insert(hash.index(path.len() + 1), leaves[0]),
                _ => path.push(root),
            }
            path
        };
        let path = spoil(&included(index, &leaves).expect("is there"));
        prop_assert!(!verify_inclusion(&leaves[index], number(index), number(size), &path, &root));
        let path = spoil(&consistent(old, &leaves).expect("is there"));
        prop_assert!(!verify_consistency(number(old), number(size), &path, &old_root, &root));
    }

    #[test]
    fn no_other_leaf_or_root_is_believed(size in 1_usize..300, at in any::<prop::sample::Index>(), bit in 0_usize..256) {
        let leaves = leaves(size);
        let index = at.index(size);
        let (root, path) = (naive_root(&leaves), included(index, &leaves).expect("is there"));
        let changed = |hash: &Hash| {
            let mut hash = *hash;
            hash[bit / 8] ^= 1 << (bit % 8);
            hash
        };
        let (index_number, size) = (number(index), number(size));
        prop_assert!(!verify_inclusion(&changed(&leaves[index]), index_number, size, &path, &root));
        prop_assert!(!verify_inclusion(&leaves[index], index_number, size, &path, &changed(&root)));
    }
}
