//! URLs of trackers: `udp://host:port/announce`, `http://[2001:db8::1]:6970`, `https://host`.

use std::fmt;
use std::net::Ipv6Addr;
use std::str::FromStr;

/// What speaks behind a URL.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scheme {
    Udp,
    Http,
    Https,
}

/// Where a tracker is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Url {
    pub(crate) scheme: Scheme,
    /// A name or an address, without brackets.
    pub(crate) host: String,
    pub(crate) port: u16,
    /// What follows, with the query, beginning with a slash; empty if there is nothing.
    pub(crate) path: String,
}

impl Url {
    /// Host and port as URLs have them.
    pub(crate) fn authority(&self) -> String {
        match self.host.parse::<Ipv6Addr>() {
            Ok(ip) => format!("[{ip}]:{}", self.port),
            Err(_) => format!("{}:{}", self.host, self.port),
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Udp => "udp",
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}{}", self.authority(), self.path)
    }
}

impl FromStr for Url {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text
            .split_once("://")
            .ok_or("write a URL, like `http://192.0.2.1:6970`")?;
        let scheme = match scheme.to_ascii_lowercase().as_str() {
            "udp" => Scheme::Udp,
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            other => return Err(format!("`{other}` is neither `udp` nor `http` nor `https`")),
        };
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (host, port) = split_port(authority);
        let port = match (port, scheme) {
            (Some(port), _) => port
                .parse()
                .ok()
                .filter(|port| *port != 0)
                .ok_or_else(|| format!("`{port}` is no port"))?,
            (None, Scheme::Http) => 80,
            (None, Scheme::Https) => 443,
            (None, Scheme::Udp) => return Err("a `udp` URL needs a port".into()),
        };
        let host = host.trim_start_matches('[').trim_end_matches(']');
        if host.is_empty() || host.contains(['@', ' ']) {
            return Err("there is no host in it".into());
        }
        let is_word = |c: char| c.is_ascii_graphic();
        if !path.chars().all(is_word) || !host.chars().all(is_word) {
            return Err("it holds characters that a URL does not have: percent-encode them".into());
        }
        let slash = if path.starts_with('?') { "/" } else { "" };
        Ok(Self {
            scheme,
            host: host.to_owned(),
            port,
            path: format!("{slash}{path}"),
        })
    }
}

/// Parts host and port; colons within brackets belong to an address.
fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_read_and_written() {
        for (text, host, port, path) in [
            (
                "udp://tracker.example:6969/announce",
                "tracker.example",
                6969,
                "/announce",
            ),
            ("http://[2001:db8::1]:6970", "2001:db8::1", 6970, ""),
            ("http://192.0.2.1/a?b=c", "192.0.2.1", 80, "/a?b=c"),
            ("HTTP://[::1]/", "::1", 80, "/"),
            ("http://a?b", "a", 80, "/?b"),
            ("https://a/announce", "a", 443, "/announce"),
        ] {
            let url: Url = text.parse().unwrap();
            assert_eq!(
                (&*url.host, url.port, &*url.path),
                (host, port, path),
                "{text}"
            );
            assert_eq!(url.to_string().parse(), Ok(url));
        }
    }

    #[test]
    fn what_is_no_url_is_explained() {
        for (text, said) in [
            ("192.0.2.1:6970", "write a URL"),
            ("wss://a/", "neither"),
            ("udp://a/announce", "needs a port"),
            ("udp://a:0", "no port"),
            ("http://:80/", "no host"),
            ("http://a/\u{e4}", "percent-encode"),
        ] {
            let error = text.parse::<Url>().unwrap_err();
            assert!(error.contains(said), "{text}: {error}");
        }
    }
}
