//! Who sent a request, when proxies stand between.
//!
//! Only `X-Forwarded-For` is read, and only from peers inside `trusted_proxies`: whoever else sends it is believed
//! nothing. The rightmost address outside the trusted networks is the client: what stands left of it was written by
//! the client.

use std::net::{IpAddr, SocketAddr};

use hyper::HeaderMap;

use crate::config::Network;

const FORWARDED_FOR: &str = "x-forwarded-for";

/// The client's address; IPv4-mapped IPv6 addresses come as IPv4.
pub(super) fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[Network]) -> IpAddr {
    let peer = peer.to_canonical();
    let is_trusted = |ip: IpAddr| trusted.iter().any(|network| network.contains(ip));
    if !is_trusted(peer) {
        return peer;
    }
    let mut client = peer;
    for value in headers.get_all(FORWARDED_FOR).iter().rev() {
        let Ok(list) = value.to_str() else { return client };
        for entry in list.rsplit(',') {
            // An entry that is no address ends what the trusted hops can vouch for.
            let Some(ip) = parse(entry.trim()) else { return client };
            client = ip;
            if !is_trusted(ip) {
                return client;
            }
        }
    }
    client
}

/// `192.0.2.1`, `192.0.2.1:443`, `2001:db8::1`, `[2001:db8::1]` or `[2001:db8::1]:443`.
fn parse(entry: &str) -> Option<IpAddr> {
    let bare = || entry.strip_prefix('[')?.strip_suffix(']')?.parse().ok();
    entry
        .parse::<IpAddr>()
        .ok()
        .or_else(|| entry.parse::<SocketAddr>().ok().map(|address| address.ip()))
        .or_else(bare)
        .map(|ip| ip.to_canonical())
}

#[cfg(test)]
mod tests;
