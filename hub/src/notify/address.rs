//! Which addresses may be written to. A name that somebody else controls must not lead the hub to services of its own computer or network,
//! nor to the address at which clouds hand out credentials.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    str::FromStr,
};

/// Addresses at which clouds hand out credentials and which are not link-local.
const METADATA: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
];

/// An address or a range of addresses that the operator allows: `10.1.2.3` or `10.1.0.0/16`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Net {
    address: IpAddr,
    bits: u8,
}

impl FromStr for Net {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        const FORM: &str = "write an address such as 10.1.2.3, or a range such as 10.1.0.0/16";
        let (address, bits) = text.split_once('/').map_or((text, None), |(address, bits)| (address, Some(bits)));
        let address: IpAddr = address.parse().map_err(|_| FORM)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        let bits = bits.map_or(Ok(longest), |bits| bits.parse().map_err(|_| FORM))?;
        if bits <= longest { Ok(Self { address, bits }) } else { Err(FORM) }
    }
}

impl Net {
    fn contains(self, other: IpAddr) -> bool {
        let differing = match (self.address, other) {
            (IpAddr::V4(one), IpAddr::V4(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
            (IpAddr::V6(one), IpAddr::V6(other)) => (one.to_bits() ^ other.to_bits()).leading_zeros(),
            _ => return false,
        };
        differing >= self.bits.into()
    }
}

/// Whether a message may go to `address`, which `host` of the channel's address leads to; otherwise why not.
pub fn may_reach(host: &str, address: IpAddr, allowed: &[Net]) -> Result<(), &'static str> {
    let address = inner(address.to_canonical());
    if allowed.iter().any(|net| net.contains(address)) {
        return Ok(());
    }
    let (link_local, of_own_network) = match address {
        IpAddr::V4(v4) => {
            let shared = v4.octets()[0] == 100 && (64..128).contains(&v4.octets()[1]);
            (v4.is_link_local() || v4.is_broadcast() || v4.octets()[0] == 0, v4.is_private() || shared)
        }
        IpAddr::V6(v6) => (v6.is_unicast_link_local(), v6.is_unique_local()),
    };
    if link_local || address.is_unspecified() || address.is_multicast() || METADATA.contains(&address) {
        return Err("it leads to a link-local, metadata or group address, which is refused; `allow` may name it");
    }
    let host = host.trim_start_matches('[').trim_end_matches(']');
    let plain = host.parse::<IpAddr>().is_ok_and(|named| inner(named.to_canonical()) == address)
        || (address.is_loopback() && host.eq_ignore_ascii_case("localhost"));
    if (of_own_network || address.is_loopback()) && !plain {
        return Err(
            "its name leads to this computer or a private network: write the address itself, or name it in `allow`",
        );
    }
    Ok(())
}

/// The IPv4 address within one that is translated (NAT64).
fn inner(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V6(v6) if v6.segments()[..6] == [0x64, 0xff9b, 0, 0, 0, 0] => {
            let [.., a, b, c, d] = v6.octets();
            IpAddr::V4(Ipv4Addr::new(a, b, c, d))
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::a_public_one("hooks.example", "93.184.216.34", true)]
    #[case::loopback_by_name("hooks.example", "127.0.0.1", false)]
    #[case::loopback_named_plainly("127.0.0.1", "127.0.0.1", true)]
    #[case::localhost("localhost", "127.0.0.1", true)]
    #[case::localhost_6("localhost", "::1", true)]
    #[case::localhost_that_lies("localhost", "10.0.0.1", false)]
    #[case::another_loopback("127.0.0.1", "127.0.0.2", false)]
    #[case::loopback_in_v6_form("hooks.example", "::ffff:127.0.0.1", false)]
    #[case::private_by_name("hooks.example", "192.168.1.5", false)]
    #[case::private_named_plainly("192.168.1.5", "192.168.1.5", true)]
    #[case::allowed("hooks.example", "10.1.2.3", true)]
    #[case::just_not_allowed("hooks.example", "10.2.0.0", false)]
    #[case::metadata("169.254.169.254", "169.254.169.254", false)]
    #[case::metadata_translated("hooks.example", "64:ff9b::a9fe:a9fe", false)]
    #[case::metadata_elsewhere("100.100.100.200", "100.100.100.200", false)]
    #[case::link_local_6("[fe80::1]", "fe80::1", false)]
    #[case::unique_local_6("hooks.example", "fd12::1", false)]
    #[case::any("0.0.0.0", "0.0.0.0", false)]
    #[case::a_group("224.0.0.1", "224.0.0.1", false)]
    #[case::everybody("255.255.255.255", "255.255.255.255", false)]
    fn what_may_be_written_to(#[case] host: &str, #[case] address: &str, #[case] expected: bool) {
        let allowed = ["10.1.0.0/16".parse().unwrap()];
        assert_eq!(may_reach(host, address.parse().unwrap(), &allowed).is_ok(), expected);
    }

    #[test]
    fn even_metadata_may_be_allowed_and_what_is_no_range_is_refused() {
        let address = "169.254.169.254".parse().unwrap();
        assert!(may_reach("x", address, &["169.254.169.254".parse().unwrap()]).is_ok());
        for text in ["", "10.0.0.0/33", "::/129", "10.0.0/8", "example.com"] {
            assert!(text.parse::<Net>().is_err(), "{text}");
        }
    }
}
