//! The network below its stack: one queue of an interface.

use std::net::SocketAddr;
use std::str::FromStr;

use anyhow::{Context, Result, ensure};
use opentracker_xdp::{Config, Interface, Network, Queue};
use serde::Serialize;

/// An address of the link layer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub(crate) struct MacAddress(pub(crate) [u8; 6]);

impl FromStr for MacAddress {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let octets = text.split(':').map(|octet| match octet.len() {
            2 => u8::from_str_radix(octet, 16).ok(),
            _ => None,
        });
        let octets: Option<Vec<u8>> = octets.collect();
        let octets = octets.and_then(|octets| octets.try_into().ok());
        octets
            .map(Self)
            .ok_or("six pairs of digits, like 02:00:00:00:00:01")
    }
}

/// Opens the one queue of an interface, for what is sent to these addresses; returns it with the link-layer
/// address of the interface. `reserve` frames are for requests.
///
/// # Errors
///
/// The interface cannot be used, has several queues, or there are too many addresses.
pub(crate) fn open(
    name: &str,
    reserve: usize,
    to: impl Iterator<Item = SocketAddr>,
) -> Result<(Interface, Queue, [u8; 6])> {
    let config = Config {
        interface: name.to_owned(),
        reserve,
        ..Config::default()
    };
    let (interface, mut queues) = Interface::open(&config)?;
    let count = queues.len();
    let queue = queues.pop().filter(|_| count == 1);
    let queue = queue.with_context(|| {
        format!("{name} has {count} queues, and this needs one: ethtool -L {name} combined 1")
    })?;
    let network = Network::look()?;
    let link = interface
        .find_in(&network)
        .context("the interface is gone")?;
    let left_out = interface.steer(link.address, to);
    ensure!(
        left_out == 0,
        "{left_out} addresses and ports are too many: fewer --sources"
    );
    Ok((interface, queue, link.address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn link_layer_addresses_have_six_octets() {
        let address: Result<MacAddress, _> = "02:00:00:00:00:ff".parse();
        assert_eq!(address, Ok(MacAddress([2, 0, 0, 0, 0, 255])));
        for wrong in [
            "",
            "02:00:00:00:00",
            "02:00:00:00:00:00:00",
            "2:0:0:0:0:0",
            "02:00:00:00:00:fg",
        ] {
            assert!(wrong.parse::<MacAddress>().is_err(), "{wrong}");
        }
    }
}
