//! Keeps posts away from addresses that no one meant: a name that resolves to the gateway's own network must not turn
//! a webhook into a request from inside (SSRF).
//!
//! Two places, because neither sees everything: [`Resolver`] filters what a name resolves to at the moment of the
//! connect (so a second lookup cannot differ), and [`check_literal`] judges hosts that are addresses already and never
//! reach a resolver. IPv6 forms that carry an IPv4 address are judged by that address.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// Addresses of one name that are considered; the rest of a longer answer is ignored.
const ADDRESSES_MAX: usize = 16;

/// How far a destination may reach.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// Global unicast addresses only.
    Public,
    /// Also loopback, private, shared and unique local addresses: the operator configured it so. Link-local stays
    /// closed, because cloud machines serve credentials there.
    Private,
}

impl Reach {
    /// As configured.
    #[must_use]
    pub const fn of(destination: &crate::config::Destination) -> Self {
        if destination.allow_private { Self::Private } else { Self::Public }
    }
}

/// Where an address lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Zone {
    /// Global unicast.
    Public,
    /// Loopback, RFC 1918, RFC 6598 shared space, RFC 4193 unique local.
    Private,
    /// Nothing a backend could have: link-local, multicast, unspecified, reserved, documentation, benchmarking,
    /// tunnels that hide an address.
    Never,
}

/// An address or name that must not be posted to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "the destination's address is not allowed ({host}): use a public address, or set allow_private for this destination if it is meant"
)]
pub struct Refused {
    /// The host as configured.
    pub host: String,
}

/// Whether an address may be posted to.
#[must_use]
pub fn allows(reach: Reach, address: IpAddr) -> bool {
    match zone(address) {
        Zone::Public => true,
        Zone::Private => reach == Reach::Private,
        Zone::Never => false,
    }
}

/// Where an address lies, by the special-purpose registries of IANA (RFC 6890 and its updates).
#[must_use]
pub fn zone(address: IpAddr) -> Zone {
    match address {
        IpAddr::V4(address) => zone_v4(address),
        IpAddr::V6(address) => zone_v6(address),
    }
}

fn zone_v4(address: Ipv4Addr) -> Zone {
    match address.octets() {
        // Loopback; RFC 1918; RFC 6598.
        [127 | 10, ..] | [172, 16..=31, ..] | [192, 168, ..] | [100, 64..=127, ..] => Zone::Private,
        // This network; link-local; multicast, reserved and broadcast.
        [0 | 224..=255, ..] | [169, 254, ..] => Zone::Never,
        // Protocol assignments, documentation, the old 6to4 relay, benchmarking.
        [192, 0, 0 | 2, _] | [198, 51, 100, _] | [203, 0, 113, _] | [192, 88, 99, _] | [198, 18 | 19, ..] => {
            Zone::Never
        }
        _ => Zone::Public,
    }
}

fn zone_v6(address: Ipv6Addr) -> Zone {
    let embedded = |high: u16, low: u16| zone_v4(Ipv4Addr::from_bits((u32::from(high) << 16) | u32::from(low)));
    match address.segments() {
        [0, 0, 0, 0, 0, 0, 0, 1] => Zone::Private,
        // IPv4-mapped; NAT64 (RFC 6052); 6to4 (RFC 3056).
        [0, 0, 0, 0, 0, 0xffff, high, low] | [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => {
            embedded(high, low)
        }
        // Unique local.
        [0xfc00..=0xfdff, ..] => Zone::Private,
        // Protocol assignments with Teredo and benchmarking; documentation.
        [0x2001, 0..=0x01ff, ..] | [0x2001, 0xdb8, ..] | [0x3fff, 0..=0x0fff, ..] => Zone::Never,
        [0x2000..=0x3fff, ..] => Zone::Public,
        // Unspecified, IPv4-compatible, local NAT64, discard, segment routing, link-local, site-local, multicast and
        // everything not assigned.
        _ => Zone::Never,
    }
}

/// Judges a URL whose host is an address. A name passes here and is judged by the resolver.
///
/// # Errors
/// [`Refused`] when the address is not within reach, or when there is no host.
pub fn check_literal(reach: Reach, url: &Url) -> Result<(), Refused> {
    // The URL parser has normalised odd spellings of IPv4 (`0x7f.1`, `2130706433`) to dotted decimal already.
    let host = url.host_str().unwrap_or_default();
    let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    match bare.parse() {
        Ok(address) if !allows(reach, address) => Err(Refused { host: host.to_owned() }),
        Err(_) if host.is_empty() => Err(Refused { host: host.to_owned() }),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// The system's resolver behind the guard.
#[derive(Debug, Clone, Copy)]
pub struct Resolver {
    reach: Reach,
}

impl Resolver {
    /// A resolver that only answers addresses within reach.
    #[must_use]
    pub const fn new(reach: Reach) -> Self {
        Self { reach }
    }
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.reach;
        Box::pin(async move {
            // Port 0: the connector sets the URL's own.
            let found = tokio::net::lookup_host((name.as_str(), 0)).await?;
            let allowed = filter(reach, found);
            if allowed.is_empty() {
                return Err(Refused { host: name.as_str().to_owned() }.into());
            }
            let addresses: Addrs = Box::new(allowed.into_iter());
            Ok(addresses)
        })
    }
}

/// The addresses of an answer that may be posted to, in the answer's order.
#[must_use]
pub fn filter(reach: Reach, found: impl Iterator<Item = SocketAddr>) -> Vec<SocketAddr> {
    found.filter(|address| allows(reach, address.ip())).take(ADDRESSES_MAX).collect()
}
