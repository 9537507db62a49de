//! Where media may go: a relay multiplies packets, so nobody may point it at a stranger (docs/security.md).

use alloc::format;
use core::net::{IpAddr, SocketAddr};

use relay_core::roster::Leg;

use crate::{Cause, Refused};

/// Lowest port of a leg: below are the system's own services.
pub const PORT_MIN: u16 = 1024;

/// What the node allows.
#[derive(Clone, Debug)]
pub struct Rules<'a> {
    /// The node's media addresses: a leg there would make it send to itself.
    pub own: &'a [SocketAddr],
    /// Only loopback is allowed.
    pub loopback_only: bool,
}

/// Checks a UDP leg by itself; whether its address is free in the call is the call's matter.
pub fn check(leg: &Leg, rules: &Rules<'_>) -> Result<(), Refused> {
    check_address("leg.udp.rtp", leg.rtp, rules)?;
    if let Some(floor) = leg.floor {
        check_address("leg.udp.floor", floor, rules)?;
    }
    Ok(())
}

fn check_address(field: &str, address: SocketAddr, rules: &Rules<'_>) -> Result<(), Refused> {
    let refuse = |why: &str| Err(Refused::new(Cause::LegAddress, field, format!("{address} {why}")));
    if !rules.own.iter().any(|own| own.is_ipv4() == address.is_ipv4()) {
        let detail = format!("{address} is of a family that this node has no media address of");
        return Err(Refused::new(Cause::LegFamily, field, detail));
    }
    if !is_unicast(address.ip()) {
        return refuse("is not a unicast address");
    }
    if address.port() < PORT_MIN {
        return refuse("has a port below 1024");
    }
    if rules.loopback_only && !address.ip().is_loopback() {
        return refuse("is not loopback, and under --open nothing else is allowed");
    }
    if rules
        .own
        .iter()
        .any(|own| own.port() == address.port() && (own.ip() == address.ip() || own.ip().is_unspecified()))
    {
        return refuse("is a media address of this node");
    }
    Ok(())
}

fn is_unicast(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => !(ip.is_unspecified() || ip.is_multicast() || ip.is_broadcast() || ip.octets()[0] >= 240),
        IpAddr::V6(ip) => !(ip.is_unspecified() || ip.is_multicast() || ip.to_ipv4_mapped().is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(rtp: &str, floor: Option<&str>) -> Result<(), Cause> {
        let own = ["127.0.0.1:20000".parse().unwrap(), "127.0.0.1:20002".parse().unwrap()];
        let leg = Leg { rtp: rtp.parse().unwrap(), floor: floor.map(|floor| floor.parse().unwrap()) };
        check(&leg, &Rules { own: &own, loopback_only: true }).map_err(|refused| refused.cause)
    }

    #[test]
    fn a_leg_is_unicast_loopback_and_not_the_nodes_own() {
        assert_eq!(verdict("127.0.0.1:40000", Some("127.0.0.1:40002")), Ok(()));
        assert_eq!(verdict("127.0.0.1:40000", None), Ok(()));
        assert_eq!(verdict("127.9.9.9:1024", None), Ok(()));
        for bad in [
            "127.0.0.1:1023",
            "127.0.0.1:0",
            "127.0.0.1:20000",
            "10.0.0.1:4000",
            "224.0.0.1:4000",
            "0.0.0.0:4000",
            "255.255.255.255:4000",
        ] {
            assert_eq!(verdict(bad, None), Err(Cause::LegAddress), "{bad}");
            assert_eq!(verdict("127.0.0.1:40000", Some(bad)), Err(Cause::LegAddress), "{bad}");
        }
        // A client may take both on one port: the node's port tells them apart.
        assert_eq!(verdict("127.0.0.1:40000", Some("127.0.0.1:40000")), Ok(()));
        assert_eq!(verdict("[::1]:40000", None), Err(Cause::LegFamily));
    }
}
