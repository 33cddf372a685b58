//! What leaves take; what they refuse is in the tests of the whole configuration.

use std::time::Duration;

use super::{Block, EvmAddress, HttpUrl, Pattern, Pointer, Size, Span, UrlPath, WsUrl, shown};
use crate::config::read::Text;

#[test]
fn durations_take_every_unit_and_both_ends_of_their_range() {
    let parse = |text: &str| Span::<250, 604_800_000>::parse(text).map(|span| span.0);
    for (text, ms) in
        [("250ms", 250), ("5s", 5000), ("5 s", 5000), ("10m", 600_000), ("2h", 7_200_000), ("7d", 604_800_000)]
    {
        assert_eq!(parse(text), Ok(Duration::from_millis(ms)), "{text}");
    }
    for text in ["249ms", "8d", "5", "", "s", "5  s", "5S", "-5s", "+5s", "5s ", "1h30m", "0x5s"] {
        assert!(parse(text).is_err(), "{text:?}");
    }
    assert_eq!(shown(Duration::from_secs(90)), "90s");
    assert_eq!(shown(Duration::from_secs(7200)), "2h");
    assert_eq!(shown(Duration::ZERO), "0ms");
}

#[test]
fn sizes_tell_1000_from_1024() {
    let parse = |text: &str| Size::<1, { 1 << 50 }>::parse(text).map(|size| size.0);
    for (text, bytes) in [
        ("1 B", 1),
        ("64KB", 64_000),
        ("512KiB", 524_288),
        ("1 MiB", 1_048_576),
        ("1 MB", 1_000_000),
        ("2GiB", 2_147_483_648),
        ("1 TiB", 1_099_511_627_776),
    ] {
        assert_eq!(parse(text), Ok(bytes), "{text}");
    }
    for text in ["1", "1 K", "1 kb", "1.5 MiB", "0 B", "99999999 TiB"] {
        assert!(parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn blocks_reach_from_one_address_to_all() {
    let parse = |text: &str| Block::parse(text).map(|block| block.0);
    assert!(parse("0.0.0.0/0").unwrap().contains("203.0.113.9".parse().unwrap()));
    assert!(parse("::/0").unwrap().contains("2001:db8::1".parse().unwrap()));
    assert_eq!(parse("192.0.2.7").unwrap().prefix, 32);
    assert!(!parse("192.0.2.7").unwrap().contains("192.0.2.8".parse().unwrap()));
    assert!(parse("2001:db8::/32").unwrap().contains("2001:db8:ffff::".parse().unwrap()));
    for text in ["10.0.0.0/", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0/8", "2001:db8::1/32", "", "/8"] {
        assert!(parse(text).is_err(), "{text:?}");
    }
}

#[test]
fn urls_know_this_machine() {
    let url = |text: &str| HttpUrl::parse(text).unwrap_or_else(|why| panic!("{text}: {why}"));
    for text in
        ["http://127.0.0.1:1/x", "http://127.9.9.9", "http://[::1]:80/", "http://localhost", "http://a.localhost"]
    {
        assert!(url(text).is_loopback(), "{text}");
    }
    for text in ["http://localhost.example", "http://10.0.0.1", "http://0.0.0.0", "https://127.0.0.1.example"] {
        assert!(!url(text).is_loopback(), "{text}");
    }
    assert_eq!(url("https://user:pass@host.example:8443/key?k=v").show(""), "\"https://host.example:8443/…\"");
    assert_eq!(url("https://host.example").show(""), "\"https://host.example\"");
}

#[test]
fn a_socket_has_a_scheme_of_its_own_and_its_key_is_not_shown() {
    let url = |text: &str| WsUrl::parse(text).map(|url| url.show(""));
    assert_eq!(url("wss://host.example/v2/KEY"), Ok("\"wss://host.example/…\"".to_owned()));
    assert_eq!(url("ws://127.0.0.1:8546"), Ok("\"ws://127.0.0.1:8546\"".to_owned()));
    assert_eq!(url("https://host.example"), Err("its scheme is neither ws nor wss".to_owned()));
    assert!(HttpUrl::parse("wss://host.example").is_err() && url("wss://").is_err());
}

#[test]
fn addresses_keep_to_eip_55() {
    // From EIP-55 itself, "Test Cases".
    let sound = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed";
    assert!(EvmAddress::parse(sound).is_ok());
    assert!(EvmAddress::parse(&sound.to_lowercase()).is_ok());
    for text in ["5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0x5a", ""] {
        assert!(EvmAddress::parse(text).is_err(), "{text}");
    }
}

#[test]
fn paths_pointers_and_patterns_have_a_grammar() {
    for text in ["/", "/webhooks/stripe-eu", "/a/b_c.d~e", "/a/"] {
        assert!(UrlPath::parse(text).is_ok(), "{text}");
    }
    for text in ["", "a", "/a//b", "/./a", "/a b", "/a?x", "/a#x", "/ä", "/%41"] {
        assert!(UrlPath::parse(text).is_err(), "{text:?}");
    }
    assert!(Pointer::parse("/a~1b/~0").is_ok() && Pointer::parse("/a~2").is_err() && Pointer::parse("a").is_err());
    assert!(Pattern::parse("a.*").is_ok() && Pattern::parse("*").is_ok() && Pattern::parse("a*b").is_err());
}
