use std::net::IpAddr;

use hyper::HeaderMap;
use hyper::header::HeaderValue;

use super::client;
use crate::config::Network;

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn proxies() -> Vec<Network> {
    vec![Network { address: ip("10.0.0.0"), prefix: 8 }, Network { address: ip("2001:db8:1::"), prefix: 48 }]
}

#[track_caller]
fn check(peer: &str, forwarded: &[&str], expected: &str) {
    let mut headers = HeaderMap::new();
    for line in forwarded {
        headers.append("x-forwarded-for", HeaderValue::from_str(line).unwrap());
    }
    assert_eq!(client(ip(peer), &headers, &proxies()), ip(expected));
}

#[test]
fn an_untrusted_peer_is_the_client_whatever_it_claims() {
    check("203.0.113.9", &["198.51.100.1"], "203.0.113.9");
    check("::ffff:203.0.113.9", &[], "203.0.113.9");
}

#[test]
fn behind_a_trusted_proxy_the_rightmost_address_outside_counts() {
    check("10.1.1.1", &["198.51.100.1"], "198.51.100.1");
    check("10.1.1.1", &["6.6.6.6, 198.51.100.1, 10.2.2.2"], "198.51.100.1");
    check("10.1.1.1", &["6.6.6.6", "198.51.100.1", "10.2.2.2,10.3.3.3"], "198.51.100.1");
    check("2001:db8:1::5", &["[2001:db8:9::1]:4711"], "2001:db8:9::1");
    check("::ffff:10.1.1.1", &["198.51.100.1:443"], "198.51.100.1");
    check("10.1.1.1", &["[2001:db8:9::2]"], "2001:db8:9::2");
}

#[test]
fn an_unreadable_entry_ends_the_trust() {
    check("10.1.1.1", &["198.51.100.1, unknown"], "10.1.1.1");
    check("10.1.1.1", &["198.51.100.1, _hidden, 10.4.4.4"], "10.4.4.4");
    check("10.1.1.1", &[""], "10.1.1.1");
    check("10.1.1.1", &[], "10.1.1.1");
}

#[test]
fn when_all_are_trusted_the_leftmost_counts() {
    check("10.1.1.1", &["10.5.5.5, 10.6.6.6"], "10.5.5.5");
}
