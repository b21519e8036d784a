//! Where a request comes from. What proxies say about it counts only from a proxy that is trusted.

use axum::extract::ConnectInfo;
use axum::http::HeaderMap;
use axum::http::request::Parts;
use ipnet::IpNet;
use std::net::{IpAddr, SocketAddr};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visitor {
    /// `None` only where a request did not come over a socket.
    pub address: Option<IpAddr>,
    /// The peer is one of our proxies, so its `X-Forwarded-*` headers are true.
    pub comes_by_proxy: bool,
}

impl Visitor {
    pub fn of(parts: &Parts, trusted: &[IpNet]) -> Self {
        let peer = parts.extensions.get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(peer)| peer.ip());
        Self::new(peer, &parts.headers, trusted)
    }

    fn new(peer: Option<IpAddr>, headers: &HeaderMap, trusted: &[IpNet]) -> Self {
        let Some(peer) = peer.map(|peer| peer.to_canonical()) else {
            return Self { address: None, comes_by_proxy: false };
        };
        let is_trusted = |address: &IpAddr| trusted.iter().any(|network| network.contains(address));
        if !is_trusted(&peer) {
            return Self { address: Some(peer), comes_by_proxy: false };
        }
        // Each proxy adds on the right whom it spoke with; further left is what a client may have made up.
        let hops = forwarded_for(headers);
        let first_stranger = hops.iter().rev().find(|address| !is_trusted(address));
        Self { address: Some(*first_stranger.or(hops.first()).unwrap_or(&peer)), comes_by_proxy: true }
    }
}

/// The addresses of `X-Forwarded-For` from left to right, from the last one on that can't be read.
fn forwarded_for(headers: &HeaderMap) -> Vec<IpAddr> {
    let values = headers.get_all("x-forwarded-for").iter();
    let hops = values.flat_map(|value| value.as_bytes().split(|byte| *byte == b','));
    let hops: Vec<_> = hops.map(|hop| std::str::from_utf8(hop).unwrap_or_default()).collect();
    let mut readable: Vec<_> = hops.iter().rev().map_while(|hop| read_address(hop.trim())).collect();
    readable.reverse();
    readable
}

fn read_address(text: &str) -> Option<IpAddr> {
    let with_port = || text.parse::<SocketAddr>().map(|address| address.ip());
    text.parse::<IpAddr>().or_else(|_| with_port()).ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::http::HeaderValue;

    fn address(peer: &str, forwarded: &str) -> String {
        let trusted = ["10.0.0.0/8".parse().unwrap()];
        let forwarded = HeaderValue::from_bytes(forwarded.as_bytes()).unwrap();
        let headers = HeaderMap::from_iter([("x-forwarded-for".parse().unwrap(), forwarded)]);
        Visitor::new(peer.parse().ok(), &headers, &trusted).address.unwrap().to_string()
    }

    #[test]
    fn only_a_trusted_proxy_is_believed() {
        assert_eq!(address("192.0.2.1", "198.51.100.7"), "192.0.2.1");
        assert_eq!(address("10.0.0.1", "198.51.100.7"), "198.51.100.7");
        assert_eq!(address("::ffff:10.0.0.1", "198.51.100.7"), "198.51.100.7");
    }

    #[test]
    fn the_last_stranger_is_the_visitor_whatever_was_made_up_before() {
        assert_eq!(address("10.0.0.1", "1.2.3.4, 198.51.100.7, 10.0.0.2"), "198.51.100.7");
        assert_eq!(address("10.0.0.1", "1.2.3.4, nonsense, 10.0.0.2"), "10.0.0.2");
        assert_eq!(address("10.0.0.1", "é, 198.51.100.7"), "198.51.100.7");
        assert_eq!(address("10.0.0.1", "198.51.100.7:4711"), "198.51.100.7");
        assert_eq!(address("10.0.0.1", ""), "10.0.0.1");
    }
}
