//! The key's file: made once, whole, and closed to others.

use std::os::unix::fs::PermissionsExt;

use super::*;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("is there").permissions().mode() & 0o7777
}

fn public(key: &SealKey) -> [u8; 32] {
    *key.verifier("a").expect("a name").public()
}

#[test]
fn a_key_is_made_once_and_read_after() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("keys/seal.key");
    assert!(matches!(SealKey::read(&path), Err(KeyError::Missing { .. })));
    let made = SealKey::read_or_make(&path).expect("makes it");
    assert_eq!((mode(&path), fs::metadata(&path).expect("is there").len()), (0o600, 32));
    assert_eq!(public(&SealKey::read_or_make(&path).expect("reads it")), public(&made));
    assert_eq!(fs::read_dir(folder.path().join("keys")).expect("reads").count(), 1, "nothing else is left");

    let other = SealKey::read_or_make(&folder.path().join("other.key")).expect("makes it");
    assert_ne!(public(&other), public(&made));
}

#[test]
fn a_key_that_others_can_read_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("seal.key");
    SealKey::read_or_make(&path).expect("makes it");
    let seed = fs::read(&path).expect("reads");
    for open in [0o640, 0o604, 0o660, 0o610, 0o777, 0o601] {
        fs::set_permissions(&path, fs::Permissions::from_mode(open)).expect("sets");
        for read in [SealKey::read(&path), SealKey::read_or_make(&path)] {
            let error = read.expect_err("refused");
            assert!(matches!(&error, KeyError::Open { mode, .. } if *mode == open));
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }
    assert_eq!(fs::read(&path).expect("reads"), seed);
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).expect("sets");
    SealKey::read(&path).expect("its owner may read it");
}

#[test]
fn what_is_no_key_is_refused_and_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("seal.key");
    for length in [0, 31, 33, 64] {
        write_as_key(&path, &vec![7; length]);
        assert!(matches!(SealKey::read_or_make(&path), Err(KeyError::NoKey { .. })), "{length} bytes");
        assert_eq!(fs::read(&path).expect("reads").len(), length);
    }
    assert!(matches!(SealKey::read(folder.path()), Err(KeyError::NoKey { .. })), "a folder");
}

#[test]
fn what_a_crash_left_is_no_key_and_in_nobodys_way() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("seal.key");
    write_as_key(&folder.path().join("seal.key.new"), b"half");
    SealKey::read_or_make(&path).expect("makes it");
    assert!(!folder.path().join("seal.key.new").exists());
    // One that is there is never replaced, whoever made it.
    let before = fs::read(&path).expect("reads");
    assert!(matches!(make(&path), Err(KeyError::Io { .. })));
    assert_eq!(fs::read(&path).expect("reads"), before);
}

#[test]
fn a_key_does_not_show_itself() {
    let key = SealKey::from_seed(&[7; 32]).expect("a key");
    assert_eq!(format!("{key:?}"), "SealKey");
}

fn write_as_key(path: &Path, bytes: &[u8]) {
    drop(fs::remove_file(path));
    write(path, bytes).expect("writes");
}
