//! Whom a run may be aimed at.

use std::net::{IpAddr, SocketAddr, ToSocketAddrs};

use anyhow::{Context, Result, bail};
use opentracker_types::Scope;

/// The flag that lifts the restriction to this host and its site.
pub(crate) const PUBLIC_TARGET_FLAG: &str = "--allow-public-target";

/// Resolves a target to its first address, and refuses one beyond this site.
///
/// # Errors
///
/// The name does not resolve, no host can have the address, or it is a public one and the flag
/// was not given.
pub(crate) fn resolve(target: &str, allow_public: bool) -> Result<SocketAddr> {
    let mut addresses = target
        .to_socket_addrs()
        .with_context(|| format!("`{target}` is not an address and a port"))?;
    let address = addresses
        .next()
        .with_context(|| format!("`{target}` has no address"))?;
    if address.port() == 0 {
        bail!("{address}: port 0 is no target");
    }
    check(address.ip(), allow_public)?;
    Ok(address)
}

/// Refuses an address beyond this site.
///
/// # Errors
///
/// As for [`resolve`].
pub(crate) fn check(ip: IpAddr, allow_public: bool) -> Result<()> {
    match Scope::of(ip) {
        Some(Scope::Loopback | Scope::Private) => Ok(()),
        Some(Scope::Global) if allow_public => Ok(()),
        Some(Scope::Global) => bail!(
            "{ip} is a public address. This program makes as much load as it can; aim it at your \
             own trackers alone. If this is one of them, say {PUBLIC_TARGET_FLAG}"
        ),
        None => bail!("{ip} is not the address of a host"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_targets_are_accepted_and_public_ones_need_the_flag() {
        for target in [
            "127.0.0.1:6969",
            "[::1]:6969",
            "10.9.8.7:80",
            "192.168.0.1:80",
            "169.254.1.1:80",
            "[fd00::1]:80",
            "[fe80::1]:80",
        ] {
            assert_eq!(resolve(target, false).unwrap().to_string(), target);
        }
        for target in ["198.51.100.1:6969", "[2001:db8::1]:6969", "172.32.0.1:1"] {
            let error = resolve(target, false).unwrap_err().to_string();
            assert!(error.contains(PUBLIC_TARGET_FLAG), "{error}");
            assert_eq!(resolve(target, true).unwrap().to_string(), target);
        }
    }

    #[test]
    fn what_is_no_host_is_refused_even_with_the_flag() {
        for target in [
            "0.0.0.0:1",
            "224.0.23.5:9696",
            "255.255.255.255:1",
            "[ff02::1]:1",
            "127.0.0.1:0",
            "127.0.0.1",
        ] {
            assert!(resolve(target, true).is_err(), "{target}");
        }
    }
}
