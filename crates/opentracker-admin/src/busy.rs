//! The networks that announce most, and those that announce too often: `mode=s24s` and
//! `mode=woodpeckers`.

use std::io::{self, Write};
use std::net::IpAddr;

use opentracker_core::BusyNetworks;

/// Networks in each list.
const MAX_NETWORKS: usize = 128;

type List<'a> = (&'a [(IpAddr, u64)], (u8, u8));

/// Appends the networks that announce most: as logs show addresses, and before that, if `is_fine`,
/// in networks of a few customers each.
pub(crate) fn put_busiest(busy: &BusyNetworks, is_fine: bool, out: &mut Vec<u8>) {
    let lists: [List<'_>; 2] = [
        (&busy.fine, BusyNetworks::FINE),
        (&busy.coarse, BusyNetworks::COARSE),
    ];
    put(if is_fine { &lists } else { &lists[1..] }, out);
}

/// Appends the networks that announce too often.
pub(crate) fn put_early(busy: &BusyNetworks, out: &mut Vec<u8>) {
    put(&[(&busy.early, BusyNetworks::FINE)], out);
}

/// Appends the IPv4 part of each list, and then the IPv6 part, if there is one.
fn put(lists: &[List<'_>], out: &mut Vec<u8>) {
    let mut put = || {
        for &(networks, (length, _)) in lists {
            put_list(networks.iter().filter(|(ip, _)| ip.is_ipv4()), length, out)?;
        }
        for &(networks, (_, length)) in lists {
            let mut networks = networks.iter().filter(|(ip, _)| ip.is_ipv6()).peekable();
            if networks.peek().is_some() {
                put_list(networks, length, out)?;
            }
        }
        Ok::<_, io::Error>(())
    };
    put().expect("a Vec takes everything");
}

fn put_list<'a>(
    networks: impl Iterator<Item = &'a (IpAddr, u64)>,
    length: u8,
    out: &mut Vec<u8>,
) -> io::Result<()> {
    writeln!(out, "Networks, limit /{length}:")?;
    for (network, announces) in networks.take(MAX_NETWORKS) {
        writeln!(out, "{announces:08}: {network}")?;
    }
    writeln!(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn busy() -> BusyNetworks {
        let list = |networks: &[(&str, u64)]| {
            let networks = networks.iter();
            networks
                .map(|&(ip, count)| (ip.parse().unwrap(), count))
                .collect()
        };
        let mut busy = BusyNetworks::default();
        busy.coarse = list(&[("192.0.2.0", 123), ("2001:db8::", 9)]);
        busy.fine = list(&[
            ("192.0.2.16", 100),
            ("192.0.2.0", 23),
            ("2001:db8:0:1::", 9),
        ]);
        busy.early = list(&[("192.0.2.16", 7)]);
        busy
    }

    fn text(put: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        put(&mut out);
        String::from_utf8(out).unwrap()
    }

    /// The form of a list is that of the C program, which has IPv4 or IPv6 alone.
    #[test]
    fn lists_of_networks() {
        let coarse = "Networks, limit /24:\n00000123: 192.0.2.0\n\n";
        let coarse_v6 = "Networks, limit /48:\n00000009: 2001:db8::\n\n";
        let fine = "Networks, limit /28:\n00000100: 192.0.2.16\n00000023: 192.0.2.0\n\n";
        let fine_v6 = "Networks, limit /64:\n00000009: 2001:db8:0:1::\n\n";
        let busy = busy();
        assert_eq!(
            text(|out| put_busiest(&busy, false, out)),
            [coarse, coarse_v6].concat()
        );
        assert_eq!(
            text(|out| put_busiest(&busy, true, out)),
            [fine, coarse, fine_v6, coarse_v6].concat()
        );
        assert_eq!(
            text(|out| put_early(&busy, out)),
            "Networks, limit /28:\n00000007: 192.0.2.16\n\n"
        );
        let nobody = BusyNetworks::default();
        assert_eq!(
            text(|out| put_early(&nobody, out)),
            "Networks, limit /28:\n\n"
        );
    }

    #[test]
    fn a_list_is_bounded() {
        let mut busy = BusyNetworks::default();
        let networks = 0..1000_u32;
        busy.coarse = networks
            .map(|number| ((number << 8).to_be_bytes().into(), 1))
            .collect();
        let text = text(|out| put_busiest(&busy, false, out));
        assert_eq!(text.lines().count(), 1 + MAX_NETWORKS + 1);
    }
}
