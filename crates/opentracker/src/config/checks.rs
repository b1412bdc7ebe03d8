//! What must hold of the value of one key beyond its type and its bounds.

use std::net::{SocketAddr, SocketAddrV4};

use super::listener::{ListenAddress, Listener};
use super::value::{Reason, Wrong};

/// Datagrams come to an address, without TLS.
pub(super) fn internet_listeners(listeners: &[Listener]) -> Result<(), Wrong> {
    if let Some(secure) = listeners.iter().find(|listener| listener.tls) {
        return check(false, || {
            format!("{}: `tls` is for http.listen: UDP has none", secure.address)
        });
    }
    let mut addresses = listeners.iter().map(|listener| &listener.address);
    match addresses.find(|address| matches!(address, ListenAddress::Unix(_))) {
        None => Ok(()),
        Some(unix) => check(false, || {
            format!("{unix} is for http.listen: UDP is served at an address and a port")
        }),
    }
}

/// The path of the statistics is one segment that means nothing else.
pub(super) fn stats_path(path: &str) -> Result<(), Wrong> {
    let is_segment = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.~".contains(&octet);
    let reserved = ["", "announce", "scrape", "metrics"];
    check(
        path.bytes().all(is_segment) && !reserved.contains(&path),
        || {
            format!(
                "{path:?} cannot be the path of the statistics: write letters, digits, `-`, `_`, \
                 `.` or `~`, and not `announce`, `scrape` or `metrics`"
            )
        },
    )
}

/// What goes into a header field must not end it.
pub(super) fn redirect_url(url: &str) -> Result<(), Wrong> {
    let breaks = |octet: u8| octet <= b' ' || octet == 0x7f;
    check(!url.bytes().any(breaks), || {
        format!("{url:?} is not a URL: it has spaces")
    })
}

/// A name as RFC 9110, 5.1, has it.
pub(super) fn field_name(name: &str) -> Result<(), Wrong> {
    let is_token = |octet: u8| octet.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&octet);
    check(!name.is_empty() && name.bytes().all(is_token), || {
        format!(
            "{name:?} is not the name of a header: write the one that the proxy sets, like \
             \"x-forwarded-for\" or \"forwarded\""
        )
    })
}

/// A name as the kernel has it, which is never longer.
pub(super) fn interfaces(names: &[String]) -> Result<(), Wrong> {
    let breaks = |octet: u8| octet <= b' ' || octet == b'/';
    let wrong = |name: &&String| name.is_empty() || name.len() > 15 || name.bytes().any(breaks);
    match names.iter().find(wrong) {
        None => Ok(()),
        Some(name) => check(false, || {
            format!("{name:?} is not the name of an interface: write one like \"eth0\"")
        }),
    }
}

/// What a browser sends as `Host`, without a port.
pub(super) fn host_names(names: &[String]) -> Result<(), Wrong> {
    let is_name = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.".contains(&octet);
    let wrong = |name: &&String| name.is_empty() || !name.bytes().all(is_name);
    match names.iter().find(wrong) {
        None => Ok(()),
        Some(name) => check(false, || {
            format!(
                "{name:?} is not the name of a host: write one without a port, like \"tracker.example\""
            )
        }),
    }
}

/// What a browser sends as `Origin` (RFC 6454), or `*`.
pub(super) fn origins(origins: &[String]) -> Result<(), Wrong> {
    let is_origin = |origin: &str| {
        let host = origin.strip_prefix("https://");
        let host = host.or_else(|| origin.strip_prefix("http://"));
        let is_of_host = |octet: u8| octet.is_ascii_alphanumeric() || b"-_.:[]".contains(&octet);
        host.is_some_and(|host| !host.is_empty() && host.bytes().all(is_of_host))
    };
    let wrong = |origin: &&String| *origin != "*" && !is_origin(origin);
    match origins.iter().find(wrong) {
        None => Ok(()),
        Some(origin) => check(false, || {
            format!(
                "{origin:?} is not an origin: write scheme, host and port without a path, like \
                 \"https://example.org\""
            )
        }),
    }
}

/// The C program joins on the default interface for 0.0.0.0. Which one that is changes with the
/// routes of a host, so it has to be said here.
pub(super) fn cluster_interface(listen: &Option<SocketAddrV4>) -> Result<(), Wrong> {
    let Some(listen) = listen else {
        return Ok(());
    };
    let ip = listen.ip();
    check(!ip.is_unspecified() && !ip.is_multicast(), || {
        format!(
            "{ip} is the address of no interface: write that of the interface that faces the \
             cluster, like \"192.168.0.1:9696\""
        )
    })?;
    check(listen.port() != 0, || {
        "the port cannot be 0: write that of the cluster, like 9696".to_owned()
    })
}

/// The others have to know the port.
pub(super) fn unicast_listen(listen: &Option<SocketAddr>) -> Result<(), Wrong> {
    let Some(listen) = listen else {
        return Ok(());
    };
    check(!listen.ip().is_multicast(), || {
        format!(
            "{} is a multicast group, which is for livesync.group",
            listen.ip()
        )
    })?;
    check(listen.port() != 0, || {
        "the port cannot be 0: write the one that the other nodes send to, like 9697".to_owned()
    })
}

fn check(holds: bool, message: impl FnOnce() -> String) -> Result<(), Wrong> {
    if holds {
        Ok(())
    } else {
        Err(Reason::Other(message()).into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_of_the_statistics() {
        for right in ["stats", "a-b_c.d~1"] {
            assert_eq!(stats_path(right), Ok(()), "{right}");
        }
        for wrong in ["", "a/b", "announce", "scrape", "metrics", "ä", "a b"] {
            assert!(stats_path(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn urls_headers_and_hosts() {
        assert_eq!(redirect_url("https://a.example/#/tracker?x"), Ok(()));
        assert_eq!(redirect_url(""), Ok(()));
        assert!(redirect_url("http://a b").is_err());
        assert!(redirect_url("http://a\r\nx: y").is_err());
        assert_eq!(field_name("X-Real-IP"), Ok(()));
        assert!(field_name("").is_err());
        assert!(field_name("x forwarded").is_err());
        assert_eq!(host_names(&["a.example".to_owned()]), Ok(()));
        assert!(host_names(&["a.example:80".to_owned()]).is_err());
        for right in ["https://a.example", "http://[::1]:8080", "*"] {
            assert_eq!(origins(&[right.to_owned()]), Ok(()), "{right}");
        }
        for wrong in ["a.example", "https://a.example/", "https://", "null", ""] {
            assert!(origins(&[wrong.to_owned()]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_node_of_a_list_needs_a_port() {
        let check = |text: &str| unicast_listen(&Some(text.parse().unwrap()));
        assert_eq!(unicast_listen(&None), Ok(()));
        for right in ["0.0.0.0:9697", "[::]:9697", "192.0.2.1:1"] {
            assert_eq!(check(right), Ok(()), "{right}");
        }
        for wrong in ["[::]:0", "224.0.23.5:9697", "[ff02::1]:9697"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cluster_needs_an_interface_and_a_port() {
        let check = |text: &str| cluster_interface(&Some(text.parse().unwrap()));
        assert_eq!(cluster_interface(&None), Ok(()));
        assert_eq!(check("192.168.0.1:9696"), Ok(()));
        for wrong in ["0.0.0.0:9696", "224.0.23.5:9696", "192.168.0.1:0"] {
            assert!(check(wrong).is_err(), "{wrong}");
        }
    }
}
