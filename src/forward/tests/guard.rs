//! Every special range, both edges, and the disguises.

use std::net::SocketAddr;

use reqwest::Url;
use reqwest::dns::Resolve;

use crate::forward::guard::{Reach, Resolver, Zone, allows, check_literal, filter, zone};

#[test]
fn every_range_is_in_its_zone() {
    for (zone_of, addresses) in [
        (
            Zone::Public,
            "1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 \
             169.253.255.255 169.255.0.0 172.15.255.255 172.32.0.0 192.0.1.1 192.0.3.0 192.167.255.255 192.169.0.0 \
             198.17.255.255 198.20.0.0 198.51.99.1 198.51.101.1 203.0.112.1 203.0.114.1 223.255.255.255 \
             2001:200:: 2001:4860:4860::8888 2606:4700:4700::1111 2a00:1450:4001::1 3ffe:: 3fff:1000:: \
             ::ffff:8.8.8.8 64:ff9b::8.8.8.8 2002:808:808::1",
        ),
        (
            Zone::Private,
            "127.0.0.1 127.255.255.255 10.0.0.0 10.255.255.255 172.16.0.0 172.31.255.255 192.168.0.0 192.168.255.255 \
             100.64.0.0 100.127.255.255 ::1 fc00:: fdff:ffff:: \
             ::ffff:127.0.0.1 ::ffff:10.1.2.3 ::ffff:192.168.0.1 ::ffff:100.64.0.1 \
             64:ff9b::127.0.0.1 64:ff9b::10.0.0.1 2002:7f00:1:: 2002:a00:1::5 2002:c0a8:101::1",
        ),
        (
            Zone::Never,
            "0.0.0.0 0.1.2.3 169.254.0.0 169.254.169.254 169.254.255.255 192.0.0.1 192.0.2.1 192.88.99.1 198.18.0.1 \
             198.19.255.255 198.51.100.1 203.0.113.1 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255 \
             :: ::2 ::7f00:1 ::a9fe:a9fe ::ffff:0.0.0.0 ::ffff:169.254.169.254 ::ffff:224.0.0.1 \
             64:ff9b::169.254.169.254 64:ff9b:1::1 64:ff9b:0:1::1 100::1 2001:: 2001:0:4136:e378:8000:63bf:3fff:fdd2 \
             2001:2::1 2001:1ff:: 2001:db8::1 2002:a9fe:a9fe::1 2002:e000:1:: 3fff::1 3fff:fff:: 4000::1 5f00::1 \
             fe80::1 febf:ffff:: fec0::1 feff:: ff02::1 ffff:: 1fff::1",
        ),
    ] {
        for address in addresses.split_whitespace() {
            let address = address.parse().unwrap();
            assert_eq!(zone(address), zone_of, "{address}");
            assert_eq!(allows(Reach::Public, address), zone_of == Zone::Public, "{address}");
            assert_eq!(allows(Reach::Private, address), zone_of != Zone::Never, "{address}");
        }
    }
}

#[test]
fn a_literal_host_is_judged_in_every_spelling() {
    let ok = |reach, url: &str| check_literal(reach, &Url::parse(url).unwrap()).is_ok();
    for url in [
        "http://127.0.0.1/",
        "http://127.1/",
        "http://0x7f.1/",
        "http://2130706433/",
        "http://0177.0.0.1/",
        "http://[::1]:8080/",
        "http://[::ffff:127.0.0.1]/",
        "http://[::ffff:7f00:1]/",
        "http://user:pass@10.0.0.1/",
        "https://192.168.1.1:8443/x?y=z",
    ] {
        assert!(!ok(Reach::Public, url), "{url}");
        assert!(ok(Reach::Private, url), "{url}");
    }
    for url in ["http://169.254.169.254/latest/meta-data/", "http://[fe80::1]/", "http://0/", "http://[::]/"] {
        assert!(!ok(Reach::Private, url), "{url}");
    }
    for url in ["https://backend.example/hook", "https://1.1.1.1/", "https://[2606:4700:4700::1111]/"] {
        assert!(ok(Reach::Public, url), "{url}");
    }
}

#[test]
fn a_name_keeps_its_allowed_addresses_in_order() {
    let found = ["10.0.0.1:0", "1.1.1.1:0", "[::1]:0", "[2606:4700:4700::1111]:0", "169.254.169.254:0"];
    let found: Vec<SocketAddr> = found.iter().map(|text| text.parse().unwrap()).collect();
    let kept = |reach| filter(reach, found.iter().copied()).iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(kept(Reach::Public), ["1.1.1.1:0", "[2606:4700:4700::1111]:0"]);
    assert_eq!(kept(Reach::Private), ["10.0.0.1:0", "1.1.1.1:0", "[::1]:0", "[2606:4700:4700::1111]:0"]);
    let many = (0..100).map(|_| found[1]);
    assert_eq!(filter(Reach::Public, many).len(), 16);
}

#[tokio::test]
async fn a_name_with_nothing_but_closed_addresses_does_not_resolve() {
    let name = || "localhost".parse().unwrap();
    assert!(Resolver::new(Reach::Public).resolve(name()).await.is_err());
    let found: Vec<_> = Resolver::new(Reach::Private).resolve(name()).await.unwrap().collect();
    assert!(!found.is_empty() && found.iter().all(|address| address.ip().is_loopback()));
}
