//! A bundle stands by itself, and for nothing else.

use tempfile::TempDir;

use super::*;
use crate::store::{Sealed, Store};
use crate::testing::{decision, delivery, event, facts, open, seal_key, stub_event};

async fn filled() -> (TempDir, Store) {
    let folder = tempfile::tempdir().expect("a folder");
    let store = open(folder.path());
    for n in 1..=3 {
        store.append(delivery(n)).await.expect("stored");
    }
    let mut confirmed = decision(4);
    confirmed.body = Bytes::from_static(br#"{"from":"verifying","to":"confirmed","detail":{"tx":"0xabc","votes":3}}"#);
    store.append_decisions(vec![confirmed, decision(5)]).await.expect("stored");
    (folder, store)
}

fn key(store: &Store) -> VerifierKey {
    seal_key(1).verifier(&crate::origin(store.log_id())).expect("a name")
}

fn sealed(store: &Store) -> Signed {
    match store.seal(&seal_key(1), "2026-11-21T03:00:00Z").expect("seals") {
        Sealed::New(signed) => signed,
        other => panic!("{other:?}"),
    }
}

fn proven(store: &Store, signed: &Signed, seqs: &[u64]) -> Vec<Proven> {
    let paths = store.prove(seqs, signed.checkpoint.size).expect("proves");
    let raw = |seq: &u64| store.raw(*seq).expect("reads").expect("is there");
    seqs.iter().map(raw).zip(paths).map(|(record, path)| Proven { record, path }).collect()
}

fn made(store: &Store, about: &str, seqs: &[u64]) -> Vec<u8> {
    let signed = sealed(store);
    bundle(about, &key(store), &signed, &proven(store, &signed, seqs)).expect("makes it")
}

#[tokio::test]
async fn a_bundle_is_checked_with_the_public_key_alone() {
    let (folder, store) = filled().await;
    let about = delivery(2).id.to_string();
    let bytes = made(&store, &about, &[2, 4]);
    let key = VerifierKey::parse(&key(&store).to_string()).expect("a key");
    drop((store, folder));

    let verified = verify_bundle(&bytes, &key).expect("holds");
    assert_eq!((verified.about, verified.checkpoint.size), (about, 5));
    assert_eq!(verified.records[0].entry, Entry::Delivery(delivery(2)));
    assert_eq!(verified.records.iter().map(|record| record.seq).collect::<Vec<_>>(), [2, 4]);
    assert_eq!(verified.shown["records"][0]["says"]["headers"][0], json!(["Content-Type", "application/json"]));
    assert_eq!(verified.shown["records"][0]["body"], json!(STANDARD.encode(delivery(2).body)));
    assert_eq!(verified.shown["chain_evidence"][0]["seen"]["tx"], "0xabc");

    let other = seal_key(2).verifier(key.name()).expect("a name");
    assert!(matches!(verify_bundle(&bytes, &other), Err(BundleError::Note(NoteError::Unsigned(_)))));
}

#[tokio::test]
async fn any_changed_byte_of_a_bundle_is_noticed() {
    let (_folder, store) = filled().await;
    let bytes = made(&store, &event(1).to_string(), &[2, 4]);
    let key = key(&store);
    verify_bundle(&bytes, &key).expect("holds");
    for at in 0..bytes.len() {
        for mask in [0x01, 0x20] {
            let mut changed = bytes.clone();
            changed[at] ^= mask;
            assert!(verify_bundle(&changed, &key).is_err(), "byte {at}: {}", String::from_utf8_lossy(&changed));
        }
    }
    for at in (0..bytes.len()).step_by(29) {
        let without = [&bytes[..at], &bytes[at + 1..]].concat();
        let with = [&bytes[..at], b" ", &bytes[at..]].concat();
        assert!(verify_bundle(&without, &key).is_err() && verify_bundle(&with, &key).is_err(), "byte {at}");
        assert!(verify_bundle(&bytes[..at], &key).is_err(), "cut at {at}");
    }
}

#[tokio::test]
async fn what_was_erased_is_proven_with_who_did_it() {
    let (_folder, store) = filled().await;
    store.erase(delivery(2).id, facts("asked"), Some(stub_event(1))).expect("erases");
    let signed = sealed(&store);
    let about = delivery(2).id.to_string();
    let bytes = bundle(&about, &key(&store), &signed, &proven(&store, &signed, &[2, 6])).expect("makes it");
    let verified = verify_bundle(&bytes, &key(&store)).expect("holds");
    assert_eq!(verified.shown["records"][0]["says"]["removed"]["reason"], "asked");
    assert_eq!(verified.shown["records"][0]["says"]["headers"], Value::Null, "what is left is in the bytes");
    assert!(!String::from_utf8(bytes).expect("JSON").contains(&STANDARD.encode(delivery(2).body)));

    let alone = bundle(&about, &key(&store), &signed, &proven(&store, &signed, &[2]));
    assert!(matches!(alone, Err(BundleError::Record { seq: 2, .. })), "{alone:?}");
}

#[tokio::test]
async fn what_is_not_in_the_tree_is_not_bundled() {
    let (_folder, store) = filled().await;
    let signed = sealed(&store);
    let right = proven(&store, &signed, &[1, 2, 4]);
    let about = delivery(2).id.to_string();
    let make = |proven: &[Proven]| bundle(&about, &key(&store), &signed, proven);
    make(&right).expect("makes it");
    let changed = |change: &dyn Fn(&mut Vec<Proven>)| {
        let mut proven = right.clone();
        change(&mut proven);
        make(&proven).map(drop)
    };
    for (what, outcome) in [
        ("another order", changed(&|all| all.swap(0, 1))),
        ("twice", changed(&|all| all[1] = all[0].clone())),
        ("another number", changed(&|all| all[1].record.seq = 3)),
        ("another path", changed(&|all| all[1].path = all[0].path.clone())),
        ("another body", changed(&|all| all[1].record.body = Bytes::from_static(b"{}"))),
        ("another kind", changed(&|all| all[2].record.kind = 1)),
        ("another place in the chain", changed(&|all| all[1].record.previous = [7; 32])),
    ] {
        assert!(matches!(outcome, Err(BundleError::Record { .. })), "{what}: {outcome:?}");
    }
    assert!(matches!(bundle("nobody", &key(&store), &signed, &right), Err(BundleError::About(_))));
    assert!(make(&[]).is_err());
    for about in [event(1).to_string(), delivery(1).id.to_string(), "0xabc".to_owned()] {
        bundle(&about, &key(&store), &signed, &right).expect("it is about that");
    }
}

/// Whoever was handed a bundle keeps it for years, and a bundle is compared byte for byte with how it is written: what is
/// changed in the writing makes these worthless.
#[test]
fn a_bundle_of_the_first_release_holds() {
    let bytes = include_bytes!("../../tests/fixtures/bundle-1/bundle.json");
    let key = include_str!("../../tests/fixtures/bundle-1/key.txt");
    let verified = verify_bundle(bytes, &VerifierKey::parse(key.trim_end()).expect("a key")).expect("holds");
    assert_eq!((verified.about, verified.checkpoint.size), (delivery(3).id.to_string(), 7));
    assert_eq!(verified.records[2].entry, Entry::Delivery(delivery(3)));
    let kinds = verified.records.iter().map(|record| match record.entry {
        Entry::Stub(_) => 's',
        Entry::Delivery(_) => 'd',
        Entry::Decision(_) => 'n',
    });
    assert_eq!(kinds.collect::<String>(), "ssdnnnn");
    assert_eq!(verified.shown["records"][0]["says"]["removed"]["reason"], "older than a year");
    assert_eq!(verified.shown["records"][1]["says"]["removed"]["reason"], "asked");
    assert_eq!(verified.shown["chain_evidence"][0]["seen"]["votes"], 3);
}
