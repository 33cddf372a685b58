//! What a run is about, and the note it leaves; the runs themselves are tested over the real program
//! (`tests/it/lifetime.rs`).

use std::time::Duration;

use super::Ask;
use super::pending::{self, Pending};
use super::plan::{Bound, Rule, rules};
use crate::config::{Config, load};
use crate::ledger::PruneLimit;

const DAY: Duration = Duration::from_secs(86_400);
const DAY_US: i64 = 86_400_000_000;

fn config(all: &str, one: &str) -> Config {
    let text = format!(
        "[evidence]\nretention = {{ {all} }}\n\
         [[sources]]\nname = \"a\"\nprovider = \"stripe\"\npath = \"/a\"\nsecrets = [\"env:S\"]\n\
         [[sources]]\nname = \"b\"\nprovider = \"stripe\"\npath = \"/b\"\nsecrets = [\"env:T\"]\nretention = {{ {one} }}\n\
         [chains.base]\nrpc = [{{ name = \"a\", owner = \"x\", url = \"https://a.example\" }},\n\
         {{ name = \"b\", owner = \"y\", url = \"https://b.example\" }}]\n"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("gate.toml");
    std::fs::write(&path, text).unwrap();
    let environment = [("S", "secret-a"), ("T", "secret-b")].map(|(name, text)| (name.to_owned(), text.to_owned()));
    load(&[path], &environment.into()).unwrap_or_else(|problems| panic!("{problems}")).config
}

fn rule(source: &str, bound: Bound, from_us: Option<i64>) -> Rule {
    Rule { source: source.to_owned(), bound, from_us }
}

#[test]
fn nothing_configured_keeps_everything() {
    assert_eq!(rules(&config("", ""), &Ask::default(), 0), []);
}

#[test]
fn a_source_keeps_what_it_says_and_else_what_all_keep() {
    let config = config("age = \"2d\", bytes = \"1 MiB\"", "age = \"1d\"");
    let now = 10 * DAY_US;
    let expected = [
        rule("a", Bound::Age(8 * DAY_US, 2 * DAY), None),
        rule("a", Bound::Bytes(1 << 20), Some(8 * DAY_US)),
        rule("b", Bound::Age(9 * DAY_US, DAY), None),
        rule("b", Bound::Bytes(1 << 20), Some(9 * DAY_US)),
    ];
    assert_eq!(rules(&config, &Ask::default(), now), expected);
    assert_eq!(expected[0].reason(), "older than 2d");
    assert_eq!(expected[1].reason(), "beyond the 1048576 bytes that a keeps");
    assert_eq!(expected[0].limit(), PruneLimit::ReceivedBefore(8 * DAY_US));
    assert_eq!(expected[1].limit(), PruneLimit::AnyAge);
    let only_b = Ask { source: Some("b".to_owned()), ..Ask::default() };
    assert_eq!(rules(&config, &only_b, now), expected[2..]);
}

#[test]
fn an_age_that_is_asked_for_takes_the_place_of_what_is_configured() {
    let config = config("bytes = \"1 MiB\"", "");
    let asked =
        |source: Option<&str>| Ask { source: source.map(str::to_owned), older_than: Some(3 * DAY), ..Ask::default() };
    let of = |name: &str| rule(name, Bound::Age(-3 * DAY_US, 3 * DAY), None);
    assert_eq!(rules(&config, &asked(None), 0), [of("a"), of("b")]);
    assert_eq!(rules(&config, &asked(Some("gone")), 0), [of("gone")], "a source that is not configured any more");
    assert_eq!(rules(&config, &Ask { source: Some("gone".to_owned()), ..Ask::default() }, 0), []);
}

#[test]
fn the_note_survives_and_a_torn_one_is_none() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(pending::read(folder.path()), None);
    let note = Pending { source: "a".to_owned(), name: "log-1-2".to_owned() };
    pending::write(folder.path(), &note).unwrap();
    assert_eq!(pending::read(folder.path()), Some(note));
    std::fs::write(folder.path().join("retention.pending"), b"{\"source\":\"a").unwrap();
    assert_eq!(pending::read(folder.path()), None);
    pending::clear(folder.path()).unwrap();
    pending::clear(folder.path()).unwrap();
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}
