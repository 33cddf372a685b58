//! Addresses of the network: listeners, blocks, URLs.

use std::net::{IpAddr, SocketAddr};

use reqwest::Url;

use crate::config::checked::Network;
use crate::config::print::{refused_url, short_url};
use crate::config::read::Text;

/// IP address and port to listen on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Listen(pub(in crate::config) SocketAddr);

impl Text for Listen {
    fn expected() -> String {
        "an IP address and a port".to_owned()
    }

    fn example() -> &'static str {
        "\"127.0.0.1:9600\" or \"[::]:8080\""
    }

    fn parse(text: &str) -> Result<Self, String> {
        text.parse().map(Self).map_err(|_| match text.strip_prefix("localhost:") {
            Some(_) => "names are not looked up: write 127.0.0.1".to_owned(),
            None => "it is not of the form IP:PORT".to_owned(),
        })
    }
}

/// An address or a block of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::config) struct Block(pub(in crate::config) Network);

impl Text for Block {
    fn expected() -> String {
        "an IP address or a block of them".to_owned()
    }

    fn example() -> &'static str {
        "\"10.0.0.0/8\""
    }

    fn parse(text: &str) -> Result<Self, String> {
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| "it is not an IP address".to_owned())?;
        let width: u8 = if address.is_ipv4() { 32 } else { 128 };
        let prefix = match prefix {
            None => width,
            Some(digits) => digits
                .parse()
                .ok()
                .filter(|prefix| *prefix <= width)
                .ok_or_else(|| format!("the part behind / is not a number from 0 to {width}"))?,
        };
        let network = Network { address, prefix };
        // A block written with host bits set is more often a slip than a wish.
        if first_of(network) != address {
            return Err(format!("bits behind the first {prefix} are set: write {}/{prefix}", first_of(network)));
        }
        Ok(Self(network))
    }
}

fn first_of(network: Network) -> IpAddr {
    match network.address {
        IpAddr::V4(v4) => {
            let host = 32_u32.saturating_sub(u32::from(network.prefix));
            IpAddr::V4((v4.to_bits().checked_shr(host).unwrap_or(0).checked_shl(host).unwrap_or(0)).into())
        }
        IpAddr::V6(v6) => {
            let host = 128_u32.saturating_sub(u32::from(network.prefix));
            IpAddr::V6((v6.to_bits().checked_shr(host).unwrap_or(0).checked_shl(host).unwrap_or(0)).into())
        }
    }
}

/// An absolute `http` or `https` URL. Path and query may hold an API key: it is never shown whole.
#[derive(Clone)]
pub(in crate::config) struct HttpUrl(pub(in crate::config) Url);

impl Text for HttpUrl {
    fn expected() -> String {
        "an http:// or https:// URL".to_owned()
    }

    fn example() -> &'static str {
        "\"https://core.example.com/payments\""
    }

    fn parse(text: &str) -> Result<Self, String> {
        absolute(text, ["http", "https"]).map(Self)
    }

    fn found(text: &str) -> String {
        refused_url(text)
    }

    fn show(&self, _: &str) -> String {
        format!("{:?}", short_url(&self.0))
    }
}

/// An absolute `ws` or `wss` URL. Path and query may hold an API key: it is never shown whole.
#[derive(Clone)]
pub(in crate::config) struct WsUrl(pub(in crate::config) Url);

impl Text for WsUrl {
    fn expected() -> String {
        "a ws:// or wss:// URL".to_owned()
    }

    fn example() -> &'static str {
        "\"wss://base.example.com/key\""
    }

    fn parse(text: &str) -> Result<Self, String> {
        absolute(text, ["ws", "wss"]).map(Self)
    }

    fn found(text: &str) -> String {
        refused_url(text)
    }

    fn show(&self, _: &str) -> String {
        format!("{:?}", short_url(&self.0))
    }
}

/// A URL of one of these schemes with a host.
fn absolute(text: &str, [plain, secure]: [&str; 2]) -> Result<Url, String> {
    let url = Url::parse(text).map_err(|error| format!("it cannot be read as a URL ({error})"))?;
    if ![plain, secure].contains(&url.scheme()) {
        return Err(format!("its scheme is neither {plain} nor {secure}"));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err("it has no host".to_owned());
    }
    if url.fragment().is_some() {
        return Err("the part behind # is never sent".to_owned());
    }
    Ok(url)
}

impl HttpUrl {
    /// Whether the host is this machine by its very text.
    pub(in crate::config) fn is_loopback(&self) -> bool {
        match self.ip() {
            Some(ip) => ip.to_canonical().is_loopback(),
            None => self.0.host_str().is_some_and(|host| host == "localhost" || host.ends_with(".localhost")),
        }
    }

    /// The host, where it is an IP address.
    pub(in crate::config) fn ip(&self) -> Option<IpAddr> {
        self.0.host_str()?.trim_matches(['[', ']']).parse().ok()
    }
}
