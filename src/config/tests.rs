//! The configuration from the outside: text in, value or problems out. The process's environment is never touched.

mod bad;
mod example;
mod overlay;
mod references;
mod tls;

use std::path::PathBuf;

use super::{Config, Environment, Loaded, Problems, load};

/// A small sound configuration; `@` stands for what a test puts at its end.
const SOUND: &str = r#"
[[sources]]
name = "stripe-eu"
provider = "stripe"
path = "/s"
secrets = ["env:S"]

[chains.base]
rpc = [
    { name = "a", owner = "x", url = "https://a.example/v2/${env:KEY}" },
    { name = "b", owner = "y", url = "https://b.example" },
]

[forward]
url = "https://core.example.com/in?token=hidden-in-query"
secrets = ["env:F"]
"#;

/// Base64 of 32 bytes, written by hand: 32 times the letter A is 24 bytes, this is 43 letters and padding.
const KEY: &str = "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

fn environment(more: &[(&str, &str)]) -> Environment {
    let base = [("S", "stripe-secret-text"), ("KEY", "node-key-text"), ("F", KEY)];
    base.iter().chain(more).map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

/// A folder with files, and their paths in the given order.
fn folder(files: &[(&str, &str)]) -> (tempfile::TempDir, Vec<PathBuf>) {
    let folder = tempfile::tempdir().unwrap();
    let paths = files.iter().map(|(name, text)| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).unwrap();
        path
    });
    let paths = paths.collect();
    (folder, paths)
}

fn load_text(text: &str, more: &[(&str, &str)]) -> Result<Loaded, Problems> {
    let (_folder, paths) = folder(&[("gate.toml", text)]);
    load(&paths, &environment(more))
}

fn sound(text: &str, more: &[(&str, &str)]) -> Loaded {
    load_text(text, more).unwrap_or_else(|problems| panic!("{problems}"))
}

fn problems(text: &str, more: &[(&str, &str)]) -> Problems {
    load_text(text, more).err().unwrap_or_else(|| panic!("no problem found in:\n{text}"))
}

fn printed(loaded: &Loaded) -> String {
    super::effective(&loaded.effective)
}

fn defaults() -> Config {
    sound(SOUND, &[]).config
}

#[test]
fn the_defaults_are_those_of_the_contract() {
    use std::time::Duration;
    let config = defaults();
    assert_eq!(config.data_dir, PathBuf::from("data"));
    assert_eq!(config.evidence.path, PathBuf::from("data/evidence"));
    assert_eq!(config.backup.path, PathBuf::from("data/backups"));
    assert_eq!(config.backup.settings.len(), 1, "the file goes with a backup");
    assert_eq!(config.ledger.path, PathBuf::from("data/ledger.db"));
    assert_eq!(config.ingress.listen, "0.0.0.0:8080".parse().unwrap());
    assert_eq!((config.ingress.max_body, config.ingress.max_headers), (1_048_576, 32_768));
    assert_eq!((config.ingress.max_connections, config.ingress.min_body_rate), (1024, 1024));
    assert_eq!(config.ingress.first_byte_timeout, Duration::from_secs(10));
    assert_eq!(config.ingress.header_timeout, Duration::from_secs(10));
    assert_eq!(config.ingress.body_timeout, Duration::from_secs(20));
    assert_eq!(config.ingress.health_path, None);
    assert_eq!(config.admin.listen, "127.0.0.1:9600".parse().unwrap());
    assert_eq!((config.shutdown.delay, config.shutdown.grace), (Duration::from_secs(5), Duration::from_secs(20)));
    assert_eq!((config.evidence.reserve, config.evidence.rejected_max), (1 << 30, 64 << 20));
    assert_eq!(config.evidence.repeats_max, 64);
    assert_eq!(config.evidence.watermarks, super::Watermarks { warn: 4 << 30, shed: 2 << 30 });
    assert!(config.verification.require_expectation);
    assert_eq!(config.verification.give_up, Duration::from_secs(86_400));
    assert_eq!(config.verification.twin_grace, Duration::from_secs(600));
    assert_eq!((config.verification.tolerance_abs.as_str(), config.verification.tolerance_bps), ("0", 0));
    assert!(config.verification.screening.files.is_empty());
    assert_eq!(config.verification.screening.max_age, Duration::from_secs(48 * 3600));
    let source = &config.sources[0];
    assert_eq!((source.tolerance, source.livemode), (Duration::from_secs(300), true));
    assert_eq!((source.realm.as_str(), source.min_assurance), ("stripe", crate::model::Assurance::A2));
    assert_eq!((source.shed, source.forward_to.as_slice()), (super::Shed::First, ["default".to_owned()].as_slice()));
    let to = &config.destinations["default"];
    assert_eq!((to.timeout, to.concurrency, to.rate), (Duration::from_secs(15), 64, None));
    assert_eq!((to.backoff_first, to.backoff_max), (Duration::from_secs(1), Duration::from_secs(300)));
    assert_eq!((to.breaker.failures, to.breaker.first.as_secs(), to.breaker.max.as_secs()), (5, 1, 30));
    assert_eq!((to.max_age, to.allow_private), (Duration::from_secs(7 * 86_400), false));
    assert!(config.include_claimed);
    let base = &config.chains["base"];
    assert_eq!((base.agree, base.owners, base.nodes.len(), base.chain.chain_id), (2, 2, 2, 8453));
    assert_eq!(base.poll, Duration::from_millis(base.chain.head_poll_ms));
}

#[test]
fn print_shows_origins_and_no_secret_text() {
    let loaded = sound(SOUND, &[("TOLLGATE_INGRESS__MAX_BODY", "2 MiB")]);
    let text = printed(&loaded);
    for hidden in ["stripe-secret-text", "node-key-text", KEY, "hidden-in-query", "/in"] {
        assert!(!text.contains(hidden), "{hidden} in:\n{text}");
    }
    assert!(text.contains("ingress.max_body = \"2 MiB\"  # env TOLLGATE_INGRESS__MAX_BODY\n"), "{text}");
    assert!(text.contains("ingress.max_headers = \"32 KiB\"  # default\n"), "{text}");
    assert!(text.contains("sources.stripe-eu.secrets[0] = (secret from env:S)  # file "), "{text}");
    assert!(text.contains("gate.toml, line 6\n"), "{text}");
    assert!(text.contains("chains.base.rpc.a.url = \"https://a.example/…\""), "{text}");
    assert!(text.contains("chains.base.poll = \"4s\"  # default\n"), "{text}");
    assert!(text.contains("forward.url = \"https://core.example.com/…\""), "{text}");
}

#[test]
fn further_destinations_take_over_what_they_do_not_say() {
    let text = SOUND.to_owned()
        + r#"
timeout = "3s"
backoff = { first = "2s" }
[forward.to.books]
types = ["payment.verified"]
backoff = { max = "1h" }
[forward.to.lab]
url = "http://127.0.0.1:9000/x"
"#;
    let loaded = sound(&text, &[]);
    let books = &loaded.config.destinations["books"];
    assert_eq!(books.url, loaded.config.destinations["default"].url);
    assert_eq!(books.timeout, std::time::Duration::from_secs(3));
    assert_eq!((books.backoff_first.as_secs(), books.backoff_max.as_secs()), (2, 3600));
    assert_eq!(books.types, ["payment.verified"]);
    assert!(loaded.config.destinations["default"].types.is_empty());
    assert!(loaded.config.destinations["lab"].allow_private, "a loopback address that is written out is consent");
    assert!(!books.allow_private);
    assert!(printed(&loaded).contains("forward.to.books.timeout = \"3s\"  # file "));
}

#[test]
fn a_chain_takes_overrides_and_a_new_one_needs_only_its_data() {
    let text = SOUND.to_owned()
        + r#"
[chains.devnet]
chain_id = 31337
testnet = true
finality = [{ confirmations = 1 }]
tokens = [{ symbol = "TST", address = "0x5FbDB2315678afecb367f032d93F642f64180aa3", decimals = 6, usd = "1" }]
contracts = { erc20_fee_proxy = ["0xe7f1725E7734CE288F8367e1Bb143E90bb3F0512"] }
names = { request_network = ["${env:LAB}"] }
rpc = [{ name = "local", owner = "me", url = "http://127.0.0.1:8545", ws = "ws://127.0.0.1:8546/KEY", rate = 500, tag = "light-client" }]
allow_single_node = true
poll = "250ms"
"#;
    let config = sound(&text, &[("LAB", "lab-net")]).config;
    let devnet = &config.chains["devnet"];
    assert_eq!((devnet.chain.chain_id, devnet.chain.testnet), (31337, true));
    assert_eq!((devnet.agree, devnet.owners, devnet.poll.as_millis()), (1, 1, 250));
    assert_eq!(devnet.nodes[0].ws.as_ref().map(|ws| ws.expose()), Some("ws://127.0.0.1:8546/KEY"));
    assert_eq!((devnet.nodes[0].rate, devnet.nodes[0].tag.as_deref()), (Some(500), Some("light-client")));
    assert_eq!((config.chains["base"].nodes[0].rate, &config.chains["base"].nodes[0].tag), (None, &None));
    assert_eq!(devnet.chain.names.request_network, ["lab-net"]);
    assert_eq!(devnet.chain.tokens[0].symbol, "TST");
    assert_eq!(devnet.chain.finality.tier(None).confirmations, 1);
}

#[test]
fn secrets_keep_their_order_and_get_names_and_ends() {
    let text = SOUND.replace(
        "secrets = [\"env:S\"]",
        "secrets = [{ ref = \"env:S2\", name = \"autumn\", not_after = 2030-01-31T01:00:00+01:00 }, \"env:S\", \"file:s\"]",
    );
    let (_folder, paths) = folder(&[("gate.toml", &text), ("s", "third\n")]);
    let loaded = load(&paths[..1], &environment(&[("S2", "newest")])).unwrap_or_else(|problems| panic!("{problems}"));
    let secrets = &loaded.config.sources[0].secrets;
    let names: Vec<&str> = secrets.iter().map(|secret| secret.name.as_str()).collect();
    assert_eq!(names, ["autumn", "s", "s-2"]);
    assert_eq!(secrets[0].secret.expose(), "newest");
    assert_eq!(secrets[0].not_after, Some("2030-01-31T00:00:00Z".parse().unwrap()));
    assert_eq!(secrets[2].secret.expose(), "third");
}

#[test]
fn derived_watermarks_follow_the_reserve_and_never_ask_for_another_disk() {
    let marks = |text: &str| sound(&format!("{SOUND}{text}"), &[]).config.evidence.watermarks;
    let gib = |n: u64| n << 30;
    let expected = |warn, shed| super::Watermarks { warn, shed };
    assert_eq!(marks("[evidence]\nreserve = \"16 MiB\"\n"), expected(64 << 20, 32 << 20));
    assert_eq!(marks("[evidence]\nreserve = \"500 GiB\"\n"), expected(gib(512), gib(504)));
    assert_eq!(marks("[evidence.watermarks]\nshed = \"9 GiB\"\n"), expected(gib(9), gib(9)));
    assert_eq!(marks("[evidence.watermarks]\nwarn = \"2 GiB\"\n"), expected(gib(2), gib(2)));
    let text = printed(&sound(SOUND, &[]));
    assert!(text.contains("evidence.watermarks.shed = \"2 GiB\"  # default\n"), "{text}");
    assert!(text.contains("sources.stripe-eu.shed = \"first\"  # default\n"), "{text}");
}

#[test]
fn an_archive_is_a_directory_or_a_bucket_and_shows_no_key() {
    let archive = |lines: &str| sound(&format!("{SOUND}[evidence.archive]\n{lines}"), &[]);
    let url = |lines: &str| archive(lines).config.evidence.archive.unwrap().url;
    assert!(defaults().evidence.archive.is_none());
    assert_eq!(url("url = \"/var/lib/archive\""), super::ArchiveUrl::Directory("/var/lib/archive".into()));
    let bucket = |prefix: &str| super::ArchiveUrl::Bucket { bucket: "b-1".to_owned(), prefix: prefix.to_owned() };
    assert_eq!(url("url = \"s3://b-1\""), bucket(""));
    assert_eq!(url("url = \"s3://b-1/a/b/\""), bucket("a/b"));
    let loaded = archive(
        "url = \"s3://b-1\"\nendpoint = \"http://127.0.0.1:9000/\"\naccess_key = \"env:S\"\nsecret_key = \"env:KEY\"\n",
    );
    let text = printed(&loaded);
    assert!(!text.contains("stripe-secret-text") && !text.contains("node-key-text"), "{text}");
    let access = loaded.config.evidence.archive.unwrap().bucket;
    assert_eq!(access.endpoint.as_deref(), Some("http://127.0.0.1:9000"));
    assert_eq!(access.keys.unwrap().1.expose(), "node-key-text");
    assert_eq!(super::ArchiveUrl::parse("file:///var/lib"), super::ArchiveUrl::parse("/var/lib"));
}
