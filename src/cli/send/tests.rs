//! Where it posts, and that it stays on this machine.

use jiff::Timestamp;

use super::{Args, from_here, is_this_machine, newest, target};
use crate::cli::Exit;
use crate::config::{self, Environment};

fn url(text: &str) -> reqwest::Url {
    text.parse().unwrap()
}

#[test]
fn only_loopback_is_this_machine() {
    for here in ["http://127.0.0.1:1", "http://127.9.9.9", "http://[::1]:8080/x", "https://LOCALHOST:443"] {
        assert!(is_this_machine(&url(here)), "{here}");
    }
    let beyond = [
        "http://10.0.0.1",
        "https://gateway.example",
        "http://0.0.0.0:80",
        "http://localhost.example",
        "http://[fe80::1]",
    ];
    for beyond in
        beyond.into_iter().chain(["http://127.0.0.1.example", "http://user@192.0.2.1", "http://127.0.0.1@192.0.2.1"])
    {
        assert!(!is_this_machine(&url(beyond)), "{beyond}");
    }
}

#[test]
fn a_listener_on_every_address_is_reached_by_loopback() {
    let reached = |listen: &str| from_here(listen.parse().unwrap()).to_string();
    assert_eq!(reached("0.0.0.0:8080"), "127.0.0.1:8080");
    assert_eq!(reached("[::]:8080"), "[::1]:8080");
    assert_eq!(reached("192.0.2.7:80"), "192.0.2.7:80");
}

#[test]
fn the_path_goes_under_the_base() {
    let listen = "0.0.0.0:8080".parse().unwrap();
    let to = |base: Option<&str>| target(base, listen, "/webhooks/a").map(|url| url.to_string()).map_err(|f| f.exit);
    assert_eq!(to(None).unwrap(), "http://127.0.0.1:8080/webhooks/a");
    assert_eq!(to(Some("https://gate.example/base/")).unwrap(), "https://gate.example/base/webhooks/a");
    for wrong in ["", "127.0.0.1:8080", "ftp://127.0.0.1", "http://"] {
        assert_eq!(to(Some(wrong)).unwrap_err(), Exit::Usage, "{wrong:?}");
    }
}

const CONFIG: &str = r#"
data_dir = "data"
[ingress]
listen = "192.0.2.1:8080"
[[sources]]
name = "shop"
provider = "stripe"
path = "/webhooks/shop"
secrets = [{ ref = "env:OLD", name = "old", not_after = "2026-01-01T00:00:00Z" }, { ref = "env:NEW", name = "new" }]
[forward]
secrets = ["env:FORWARD"]
"#;

fn site() -> (tempfile::TempDir, Environment, Args) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tollgate.toml");
    std::fs::write(&file, CONFIG).unwrap();
    let environment = [
        ("OLD", "whsec_the-old-secret-000"),
        ("NEW", "whsec_the-new-secret-111"),
        ("FORWARD", "whsec_dG9sbGdhdGUtc2VuZC10ZXN0LXNlY3JldC0wMDE="),
    ];
    let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let args = Args {
        source: "shop".into(),
        file: None,
        example: Some("payment_intent.succeeded".into()),
        set: vec![],
        config: vec![file],
        url: None,
        live: false,
    };
    (folder, environment, args)
}

#[tokio::test]
async fn an_address_beyond_this_machine_needs_live() {
    let (_folder, environment, args) = site();
    let now = Timestamp::from_second(1_795_000_000).unwrap();
    let refused = super::send(&args, &environment, now).await.unwrap_err();
    assert_eq!(refused.exit, Exit::Usage);
    assert!(refused.message.contains("192.0.2.1 is not this machine") && refused.message.contains("--live"));

    let named = Args { url: Some("https://gate.example".into()), ..args };
    assert!(super::send(&named, &environment, now).await.unwrap_err().message.contains("gate.example"));
}

#[test]
fn the_newest_secret_that_still_counts_signs() {
    let (_folder, environment, args) = site();
    let config = config::load(&args.config, &environment).unwrap_or_else(|problems| panic!("{problems}")).config;
    let source = config.source("shop").unwrap();
    let signs = |time: &str| newest(source, time.parse().unwrap()).map(|secret| secret.expose().to_owned());
    assert_eq!(signs("2025-12-31T00:00:00Z").unwrap(), "whsec_the-old-secret-000");
    assert_eq!(signs("2026-11-20T00:00:00Z").unwrap(), "whsec_the-new-secret-111");
}
