//! The network of a client: an approximation of one customer of an Internet provider.

use std::{
    fmt,
    net::{IpAddr, Ipv6Addr},
};

/// The bits of an IPv6 address that identify its network. A provider assigns a customer at least a /64 (RFC 6177), and
/// so 2^64 addresses to choose from.
const NETWORK_BITS: u128 = !0 << 64;

/// A client's network: an IPv4 address, or the first 64 bits of an IPv6 address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClientNetwork(IpAddr);

impl ClientNetwork {
    /// The one network shared by all clients with an unknown address.
    pub const UNKNOWN: Self = Self(IpAddr::V6(Ipv6Addr::UNSPECIFIED));
}

impl From<IpAddr> for ClientNetwork {
    /// The network of an address. An IPv4-mapped IPv6 address (`::ffff:192.0.2.1`, as reported by a dual-stack socket)
    /// counts as its IPv4 address.
    fn from(address: IpAddr) -> Self {
        match address.to_canonical() {
            IpAddr::V6(v6) => Self(Ipv6Addr::from_bits(v6.to_bits() & NETWORK_BITS).into()),
            v4 @ IpAddr::V4(_) => Self(v4),
        }
    }
}

impl fmt::Display for ClientNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(v4) => v4.fmt(f),
            IpAddr::V6(v6) => write!(f, "{v6}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn network(address: &str) -> ClientNetwork {
        address.parse::<IpAddr>().unwrap().into()
    }

    #[test]
    fn ipv6_addresses_in_one_64_share_a_network() {
        assert_eq!(network("2001:db8:1:2::1"), network("2001:db8:1:2:ffff:ffff:ffff:ffff"));
        assert_ne!(network("2001:db8:1:2::1"), network("2001:db8:1:3::1"));
        assert_eq!(network("2001:db8:1:2::1").to_string(), "2001:db8:1:2::/64");
    }

    #[test]
    fn an_ipv4_mapped_address_counts_as_ipv4() {
        assert_eq!(network("::ffff:192.0.2.1"), network("192.0.2.1"));
        assert_ne!(network("::ffff:192.0.2.1"), network("::ffff:192.0.2.2"));
        assert_eq!(network("::ffff:192.0.2.1").to_string(), "192.0.2.1");
    }

    proptest! {
        #[test]
        fn every_ipv4_address_is_a_separate_network(a: u32, b: u32) {
            let of = |bits: u32| ClientNetwork::from(IpAddr::V4(bits.into()));
            prop_assert_eq!(of(a) == of(b), a == b);
        }

        #[test]
        fn the_last_64_bits_of_ipv6_are_ignored(a: u128, last: u64) {
            let a = a | 1 << 127; // Not IPv4-mapped.
            let other = (a & NETWORK_BITS) | u128::from(last);
            let of = |bits: u128| ClientNetwork::from(IpAddr::V6(Ipv6Addr::from_bits(bits)));
            prop_assert_eq!(of(a), of(other));
        }
    }
}
