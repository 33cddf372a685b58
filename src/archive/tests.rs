use bytes::Bytes;
use proptest::prelude::*;
use uuid::Uuid;

use super::error::Flaw;
use super::line::{Line, RecordKind};
use super::manifest::Manifest;
use super::pack::{Packed, Packer, unpack};
use crate::digest::sha256;

const LOG: Uuid = Uuid::from_u128(7);

fn size(len: usize) -> u64 {
    u64::try_from(len).unwrap()
}

fn line(seq: u64, record: RecordKind, meta: Vec<u8>, body: Vec<u8>) -> Line {
    let previous_link = sha256(&seq.to_be_bytes());
    let mut line = Line { seq, link: [0; 32], previous_link, record, meta: Bytes::from(meta), body: Bytes::from(body) };
    line.link = line.computed_link();
    line
}

fn delivery(seq: u64, body: &[u8]) -> Line {
    let record = RecordKind::Delivery {
        id: Uuid::from_u128(u128::from(seq)),
        source: "shop".to_owned(),
        received_us: 1_700_000_000_000_000,
        event_id: None,
    };
    line(seq, record, vec![1, 2, 3], body.to_vec())
}

fn any_line() -> impl Strategy<Value = Line> {
    let delivery = (any::<u128>(), "[a-z0-9-]{1,20}", any::<i64>(), prop::option::of(any::<u128>())).prop_map(
        |(id, source, received_us, event)| RecordKind::Delivery {
            id: Uuid::from_u128(id),
            source,
            received_us,
            event_id: event.map(Uuid::from_u128),
        },
    );
    let decision = (any::<u128>(), any::<u32>(), any::<u8>(), any::<u64>(), any::<i64>(), ".{0,20}").prop_map(
        |(ledger, epoch, table, number, at_us, kind)| RecordKind::Decision {
            ledger_id: Uuid::from_u128(ledger),
            epoch,
            table,
            number,
            at_us,
            event_id: None,
            kind,
        },
    );
    let bytes = || prop::collection::vec(any::<u8>(), 0..200);
    (any::<u64>(), prop_oneof![delivery, decision], bytes(), bytes())
        .prop_map(|(seq, record, meta, body)| line(seq, record, meta, body))
}

/// The lines in files that are full at `full_at` bytes.
fn pack(lines: &[Line], full_at: u64) -> Vec<Packed> {
    let mut packer = Packer::with_full_at(full_at);
    let mut files: Vec<Packed> = lines.iter().filter_map(|line| packer.push(line).unwrap()).collect();
    files.extend(packer.close().unwrap());
    assert!(packer.close().unwrap().is_none(), "nothing is written twice");
    files
}

fn manifest(files: &[Packed]) -> Manifest {
    Manifest::new(LOG, 5, Some("a checkpoint".to_owned()), files.iter().map(|file| file.entry.clone()).collect())
}

proptest! {
    #[test]
    fn what_is_packed_comes_back_byte_for_byte(
        lines in prop::collection::vec(any_line(), 1..40),
        full_at in 1_u64..20_000,
    ) {
        let files = pack(&lines, full_at);
        let back: Vec<Line> = files.iter().flat_map(|file| unpack(&file.entry, &file.bytes).unwrap()).collect();
        prop_assert_eq!(&back, &lines);
        let manifest = manifest(&files);
        prop_assert_eq!(&Manifest::decode(&manifest.encode().unwrap()).unwrap(), &manifest);
        prop_assert_eq!(manifest.deliveries + manifest.decisions, size(lines.len()));
        prop_assert_eq!(manifest.first_seq, lines.iter().map(|line| line.seq).min().unwrap());
        prop_assert_eq!(manifest.last_seq, lines.iter().map(|line| line.seq).max().unwrap());
    }

    #[test]
    fn a_file_that_differs_in_one_bit_is_refused(lines in prop::collection::vec(any_line(), 1..10), bit in any::<usize>()) {
        let file = pack(&lines, 1 << 20).remove(0);
        let mut bytes = file.bytes.to_vec();
        let bit = bit % (bytes.len() * 8);
        bytes[bit / 8] ^= 1 << (bit % 8);
        let flipped = matches!(unpack(&file.entry, &bytes), Err(Flaw::Digest { .. }));
        prop_assert!(flipped);
        let shorter = &file.bytes[..file.bytes.len() - 1];
        let cut = matches!(unpack(&file.entry, shorter), Err(Flaw::Size { .. }));
        prop_assert!(cut);
    }

    #[test]
    fn a_record_that_was_changed_does_not_hash_to_its_link(line in any_line(), at in any::<usize>(), body in any::<bool>()) {
        let mut changed = line.clone();
        let part = if body { &mut changed.body } else { &mut changed.meta };
        let mut bytes = part.to_vec();
        if bytes.is_empty() { bytes.push(0) } else { let at = at % bytes.len(); bytes[at] ^= 1 }
        *part = Bytes::from(bytes);
        let text = changed.encode().unwrap();
        prop_assert_eq!(Line::decode(&text, 3), Err(Flaw::Link { line: 3, seq: line.seq }));
    }

    #[test]
    fn no_bytes_make_decoding_fail_otherwise_than_by_a_flaw(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        prop_assert!(Line::decode(&bytes, 1).is_err());
        prop_assert!(Manifest::decode(&bytes).is_err());
        let mut entry = pack(&[delivery(1, b"x")], 1 << 20).remove(0).entry;
        entry.bytes = size(bytes.len());
        entry.sha256 = sha256(&bytes);
        prop_assert!(unpack(&entry, &bytes).is_err());
    }
}

/// A file that a careful forger packed again, with the digests that belong to it.
fn forged(lines: &[Line], change: impl Fn(&mut super::FileEntry)) -> Result<Vec<Line>, Flaw> {
    let mut file = pack(lines, 1 << 20).remove(0);
    change(&mut file.entry);
    unpack(&file.entry, &file.bytes)
}

#[test]
fn sums_that_do_not_fit_are_refused() {
    let lines = [delivery(3, b"a"), delivery(9, b"b")];
    assert_eq!(forged(&lines, |_| {}).unwrap(), lines);
    let refused = |change: fn(&mut super::FileEntry)| forged(&lines, change).unwrap_err().to_string();
    assert!(refused(|file| file.deliveries = 1).contains("2 deliveries where the manifest says 1"));
    assert!(refused(|file| file.decisions = 1).contains("0 decisions where"));
    assert!(refused(|file| file.first_seq = 1).contains("3 as first number"));
    assert!(refused(|file| file.last_seq = 10).contains("9 as last number"));
    assert!(refused(|file| file.unpacked_bytes += 1).contains("unpacked bytes"));
}

#[test]
fn a_file_that_unpacks_to_more_than_announced_is_not_unpacked_further() {
    // 64 MiB of nothing in a few kilobytes: a line without an end.
    let bytes = zstd::encode_all(&vec![b' '; 64 << 20][..], 3).unwrap();
    let mut entry = pack(&[delivery(1, b"x")], 1 << 20).remove(0).entry;
    entry.bytes = size(bytes.len());
    entry.sha256 = sha256(&bytes);
    assert!(matches!(unpack(&entry, &bytes), Err(Flaw::Line { line: 1, .. })), "as far as announced");
    entry.unpacked_bytes = 1 << 40;
    assert!(matches!(unpack(&entry, &bytes), Err(Flaw::Packing(_))), "what no archive can announce");
}

#[test]
fn a_full_file_ends_with_the_record_that_filled_it() {
    let lines: Vec<Line> = (1..=5).map(|seq| delivery(seq, &[b'x'; 300])).collect();
    let one = size(lines[0].encode().unwrap().len()) + 1;
    let files = pack(&lines, 2 * one - 1);
    let of: Vec<(String, u64, u64)> =
        files.iter().map(|file| (file.entry.name.clone(), file.entry.first_seq, file.entry.last_seq)).collect();
    let name = |n| format!("records-00000{n}.ndjson.zst");
    assert_eq!(of, [(name(1), 1, 2), (name(2), 3, 4), (name(3), 5, 5)]);
}

#[test]
fn a_manifest_is_refused_for_what_it_must_never_say() {
    let sound = manifest(&pack(&[delivery(1, b"x"), delivery(2, b"y")], 1));
    let refused = |change: fn(&mut Manifest)| {
        let mut changed = sound.clone();
        change(&mut changed);
        Manifest::decode(&changed.encode().unwrap()).unwrap_err()
    };
    assert_eq!(refused(|m| m.version = 2), Flaw::Newer(2));
    assert!(matches!(refused(|m| m.format = "tar".to_owned()), Flaw::Manifest(_)));
    assert!(matches!(refused(|m| m.deliveries = 3), Flaw::Manifest(_)));
    assert!(matches!(refused(|m| m.last_seq = 3), Flaw::Manifest(_)));
    assert!(matches!(refused(|m| m.files.clear()), Flaw::Manifest(_)));
    assert!(matches!(refused(|m| m.files[1].name = "../../etc/passwd".to_owned()), Flaw::Manifest(_)));
    assert!(matches!(refused(|m| m.files.swap(0, 1)), Flaw::Manifest(_)));
    let text = String::from_utf8(sound.encode().unwrap()).unwrap();
    let unknown = text.replacen('{', "{\"more\":1,", 1);
    assert!(matches!(Manifest::decode(unknown.as_bytes()), Err(Flaw::Manifest(_))));
}

/// What an archive of version 1 looks like, so that no later change of the code changes it unseen.
#[test]
fn a_line_of_version_1_reads_as_it_was_written() {
    let text = r#"{"seq":3,"link":"LINK","previous_link":"0000000000000000000000000000000000000000000000000000000000000000","record":{"delivery":{"id":"00000000-0000-0000-0000-000000000003","source":"shop","received_us":1700000000000000,"event_id":null}},"meta":"AQID","body":"eyJhIjoxfQ=="}"#;
    // SHA-256 of 32 zero bytes, the SHA-256 of 01 02 03 and that of {"a":1}, computed with another program.
    let text = text.replace("LINK", "700e4a9926787b42b18a1f15290d6ef0579c08ea572c4ec57c08673e1f91ace1");
    let line = Line::decode(text.as_bytes(), 1).unwrap();
    assert_eq!((line.seq, &line.body[..], &line.meta[..]), (3, &br#"{"a":1}"#[..], &[1, 2, 3][..]));
    assert_eq!(String::from_utf8(line.encode().unwrap()).unwrap(), text);
}

#[test]
fn the_same_deliveries_have_the_same_name_and_others_another() {
    let of = |ids: &[u64]| {
        let pairs: Vec<_> = ids.iter().map(|id| (*id, Uuid::from_u128(u128::from(*id)))).collect();
        super::name(LOG, &pairs)
    };
    assert_eq!(of(&[]), None);
    assert_eq!(of(&[1, 5]), of(&[1, 5]));
    assert_ne!(of(&[1, 2, 5]), of(&[1, 3, 5]), "the ends are equal, what is between them is not");
    let name = of(&[1, 5]).unwrap();
    assert!(name.starts_with(&format!("{LOG}-0000000000000001-0000000000000005-")), "{name}");
}
