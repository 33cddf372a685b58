//! Notes of other implementations, and how strictly they are read.

use super::*;
use crate::key::SealKey;
use crate::testing::{seal_key, unhex};

/// Key, text and note of the Go module `golang.org/x/mod/sumdb/note`.
const GO_SEED: &str = "810a1402d5146c8d84f2443330f54080ebf98ee17d9c74f6252fc5d5c7283173";
const GO_KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
const GO_TEXT: &str =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n";
const GO_SIGNATURE: &str = "\n\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

fn go_note() -> String {
    format!("{GO_TEXT}{GO_SIGNATURE}")
}

fn go_key() -> VerifierKey {
    VerifierKey::parse(GO_KEY).expect("a key")
}

fn key(seed: &str) -> SealKey {
    SealKey::from_seed(&unhex(seed)).expect("a key")
}

#[test]
fn signatures_are_those_of_rfc_8032() {
    let vectors: [(&str, &str, &[u8], [&str; 2]); 3] = [
        (
            "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
            "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
            b"",
            [
                "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155",
                "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
            ],
        ),
        (
            "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
            b"\x72",
            [
                "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da",
                "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
            ],
        ),
        (
            "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
            "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
            b"\xaf\x82",
            [
                "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac",
                "18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
            ],
        ),
    ];
    for (seed, public, text, [first, second]) in vectors {
        let key = key(seed);
        assert_eq!(*key.verifier("a").expect("a name").public(), unhex(public));
        assert_eq!(key.sign(text), [unhex(first), unhex(second)].concat()[..]);
    }
}

#[test]
fn a_note_is_the_one_another_implementation_makes() {
    let key = key(GO_SEED);
    let verifier = key.verifier("PeterNeumann").expect("a name");
    assert_eq!(verifier.to_string(), GO_KEY);
    assert_eq!(verifier, go_key());
    let note = Note::sign(GO_TEXT, &verifier, |text| key.sign(text)).expect("signs");
    assert_eq!(note.to_string(), go_note());
    assert_eq!(Note::parse(go_note().as_bytes()).expect("a note").verify(&verifier), Ok(GO_TEXT));
}

#[test]
fn keys_of_other_implementations_are_read_and_written_back() {
    let keys = [
        GO_KEY,
        "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        // Its base64 holds a plus.
        "TEST+7997405c+AQcC+FTVKf0jlTdHDY3rbevmnKxxPjigCXlVtGe6RIr6",
    ];
    for text in keys {
        assert_eq!(VerifierKey::parse(text).expect("a key").to_string(), text);
    }
    // A witness's key signs something else.
    let cosignature = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2";
    assert_eq!(VerifierKey::parse(cosignature), Err(NoteError::Key("it is not an Ed25519 key")));
}

#[test]
fn a_mangled_key_is_no_key() {
    for at in 0..GO_KEY.len() {
        let mut bytes = GO_KEY.as_bytes().to_vec();
        bytes[at] += 1;
        assert!(VerifierKey::parse(&String::from_utf8(bytes).expect("ASCII")).is_err(), "byte {at}");
        assert!(VerifierKey::parse(GO_KEY.get(..at).expect("ASCII")).is_err(), "cut at {at}");
        assert!(VerifierKey::parse(GO_KEY.get(at + 1..).expect("ASCII")).is_err(), "from {at}");
    }
    for text in ["", "+", "++", "a+b+c", &format!("{GO_KEY}="), &format!("{GO_KEY}\n"), &GO_KEY.replace("c74f", "C74F")]
    {
        assert!(VerifierKey::parse(text).is_err(), "{text}");
    }
    for name in ["", "a b", "a+b", "a\u{3000}b", "a\nb", &"a".repeat(256)] {
        assert!(VerifierKey::new(name, [0; 32]).is_err(), "{name}");
    }
}

#[test]
fn any_changed_byte_of_a_note_is_noticed() {
    let note = go_note();
    for at in 0..note.len() {
        for mask in [1, 0x20, 0x80] {
            let mut bytes = note.as_bytes().to_vec();
            bytes[at] ^= mask;
            let text = Note::parse(&bytes).and_then(|note| note.verify(&go_key()).map(str::to_owned));
            assert!(text.is_err(), "byte {at} with {mask:02x}: {text:?}");
        }
        let mut bytes = note.as_bytes().to_vec();
        bytes.remove(at);
        assert!(
            Note::parse(&bytes).and_then(|note| note.verify(&go_key()).map(str::to_owned)).is_err(),
            "without {at}"
        );
    }
}

#[test]
fn only_one_way_to_write_a_note_is_read() {
    let note = go_note();
    let line = GO_SIGNATURE.trim();
    for (what, text) in [
        ("no signature", GO_TEXT.to_owned()),
        ("an empty list of them", format!("{GO_TEXT}\n")),
        ("no newline at the end", note.trim_end().to_owned()),
        ("a line more", format!("{note}\n")),
        ("a hyphen", note.replace('\u{2014}', "-")),
        ("carriage returns", note.replace('\n', "\r\n")),
        ("a tab", note.replace("If you", "If\tyou")),
        ("no padding", note.replace("nAM=", "nAM")),
        ("bits after the end", note.replace("nAM=", "nAN=")),
        ("no empty line", note.replace("\n\n", "\n")),
        (
            "no signature in the line",
            format!("{GO_TEXT}\n\u{2014} PeterNeumann x08goA==\n").replace("x08goA==", "x08g"),
        ),
        ("too many signatures", format!("{GO_TEXT}\n{}", format!("{line}\n").repeat(SIGNATURES_MAX + 1))),
        ("too many bytes", format!("{}{note}", "a\n".repeat(NOTE_BYTES_MAX / 2))),
    ] {
        assert!(matches!(Note::parse(text.as_bytes()), Err(NoteError::Malformed(_))), "{what}");
    }
    assert!(matches!(Note::parse(b"\xff\n\n\xff\n"), Err(NoteError::Malformed("it is not UTF-8"))));
}

#[test]
fn signatures_of_others_neither_help_nor_harm() {
    let other = seal_key(7);
    let others = other.verifier("witness.example/w1").expect("a name");
    let cosigned = Note::sign(GO_TEXT, &others, |text| other.sign(text)).expect("signs").to_string();
    let line = cosigned.lines().last().expect("a signature");
    let both = format!("{}{line}\n", go_note());
    let note = Note::parse(both.as_bytes()).expect("a note");
    assert_eq!((note.verify(&go_key()), note.verify(&others)), (Ok(GO_TEXT), Ok(GO_TEXT)));
    assert_eq!((note.signatures(), note.to_string()), (2, both));

    let unsigned = Note::parse(cosigned.as_bytes()).expect("a note").verify(&go_key()).map(str::to_owned);
    assert_eq!(unsigned, Err(NoteError::Unsigned(GO_KEY.to_owned())));
    // The same name with another key is somebody else.
    let namesake = other.verifier("PeterNeumann").expect("a name");
    assert!(matches!(
        Note::parse(go_note().as_bytes()).expect("a note").verify(&namesake),
        Err(NoteError::Unsigned(_))
    ));
    // One right signature does not excuse a wrong one by the same key.
    let wrong = go_note().replace("x08go/ZJ", "x08go/ZK");
    let twice = format!("{}{}\n", go_note(), wrong.lines().last().expect("a signature"));
    assert!(matches!(Note::parse(twice.as_bytes()).expect("a note").verify(&go_key()), Err(NoteError::Forged(_))));
}

#[test]
fn a_text_that_is_no_text_is_not_signed() {
    let verifier = go_key();
    for text in ["no newline", "a\ttab\n", "\u{1b}[31m\n", &"a\n".repeat(NOTE_BYTES_MAX)] {
        assert!(Note::sign(text, &verifier, |_| [1; 64]).is_err());
    }
    assert_eq!(Note::sign(GO_TEXT, &verifier, |_| [1; 64]), Err(NoteError::Forged("PeterNeumann".to_owned())));
}
