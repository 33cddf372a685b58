//! What is signed, and what is refused.

use super::*;
use crate::testing::seal_key;

const LOG: Uuid = Uuid::from_u128(0x019a_9f1e_7c00_7000_8000_0000_0000_0001);

fn checkpoint() -> Checkpoint {
    Checkpoint {
        origin: origin(LOG),
        size: 20_852_163,
        root: [7; 32],
        time: Some("2026-11-21T03:00:00Z".to_owned()),
        link: Some([0xab; 32]),
    }
}

#[test]
fn the_text_is_as_documented() {
    let text = "tollgate/019a9f1e-7c00-7000-8000-000000000001\n20852163\n\
                BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc=\ntime 2026-11-21T03:00:00Z\n\
                link abababababababababababababababababababababababababababababababab\n";
    assert_eq!(checkpoint().to_string(), text);
    assert_eq!(Checkpoint::parse(text), Ok(checkpoint()));
}

/// The example of the specification.
#[test]
fn checkpoints_of_other_logs_are_read() {
    let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
    let read = Checkpoint::parse(text).expect("a checkpoint");
    assert_eq!((read.origin.as_str(), read.size), ("example.com/behind-the-sofa", 20_852_163));
    assert_eq!((read.time.as_deref(), read.link, read.to_string().as_str()), (None, None, text));
    assert!(Checkpoint::parse(&format!("{text}something else\n")).is_ok(), "extensions are opaque");
}

#[test]
fn what_was_signed_opens_with_the_public_key_alone() {
    let key = seal_key(1);
    let signed = checkpoint().sign(&key).expect("signs");
    assert_eq!(signed.checkpoint, checkpoint());
    let verifier = VerifierKey::parse(&key.verifier(&origin(LOG)).expect("a name").to_string()).expect("a key");
    assert_eq!(Checkpoint::open(signed.note.as_bytes(), &verifier), Ok(signed.clone()));

    let other = seal_key(2).verifier(&origin(LOG)).expect("a name");
    assert!(matches!(Checkpoint::open(signed.note.as_bytes(), &other), Err(NoteError::Unsigned(_))));
    for at in 0..signed.note.len() {
        let mut note = signed.note.clone().into_bytes();
        note[at] ^= 1;
        assert!(Checkpoint::open(&note, &verifier).is_err(), "byte {at}");
    }
}

#[test]
fn a_key_speaks_for_its_own_log_only() {
    let key = seal_key(1);
    let verifier = key.verifier("tollgate/other").expect("a name");
    let note = Note::sign(&checkpoint().to_string(), &verifier, |text| key.sign(text)).expect("signs");
    let opened = Checkpoint::open(note.to_string().as_bytes(), &verifier);
    assert_eq!(opened, Err(NoteError::Malformed("its origin is not the name of the key")));
}

#[test]
fn only_one_way_to_write_a_checkpoint_is_read() {
    let text = checkpoint().to_string();
    for (what, text) in [
        ("no newline", text.trim_end().to_owned()),
        ("no origin", text.replace("tollgate/019a9f1e-7c00-7000-8000-000000000001", "")),
        ("a leading zero", text.replace("20852163", "020852163")),
        ("a sign", text.replace("20852163", "+20852163")),
        ("no number", text.replace("20852163", "many")),
        ("a number that does not fit", text.replace("20852163", "18446744073709551616")),
        ("a short root", text.replace("BwcHBwcHBwc=", "BwcHBwcHBw==")),
        ("no padding", text.replace("wc=\n", "wc\n")),
        ("an empty line", text.replace("time", "\ntime")),
        ("an upper case link", text.replace("ab", "AB")),
        ("two links", format!("{text}link {}\n", "00".repeat(32))),
        ("two times", format!("{text}time now\n")),
        ("a long time", text.replace("time ", &format!("time {}", "0".repeat(40)))),
        ("two lines", "a\n1\n".to_owned()),
        ("too many lines", format!("{text}{}", "more\n".repeat(EXTENSIONS_MAX))),
    ] {
        assert!(matches!(Checkpoint::parse(&text), Err(NoteError::Malformed(_))), "{what}");
    }
    let nothing = Checkpoint { origin: "a b".to_owned(), ..checkpoint() };
    assert!(nothing.sign(&seal_key(1)).is_err());
    let injected = Checkpoint { time: Some("now\nlink 00".to_owned()), ..checkpoint() };
    assert!(injected.sign(&seal_key(1)).is_err());
}
