use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use async_nats::ServerAddr;
use percent_encoding::percent_decode_str;

/// The URL of a NATS server: `nats://` or `tls://`, a host, a port (4222 if there is none), and
/// maybe a user with a password, or a token, before the host.
///
/// What it shows of itself has none of the last.
#[derive(Clone, PartialEq, Eq)]
pub struct Server(ServerAddr);

/// A text that is no URL of a NATS server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not a NATS server, as in nats://node.example:4222 or tls://node.example:4222")]
pub struct ServerError;

/// How a URL says who asks.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Login {
    User { name: String, password: String },
    Token(String),
}

impl FromStr for Server {
    type Err = ServerError;

    fn from_str(text: &str) -> Result<Self, ServerError> {
        let address: ServerAddr = text.parse().map_err(|_| ServerError)?;
        let is_known = text.contains("://") && ["nats", "tls"].contains(&address.scheme());
        let is_whole = !address.host().is_empty() && address.port() != 0;
        (is_known && is_whole)
            .then_some(Self(address))
            .ok_or(ServerError)
    }
}

impl Server {
    /// Tells whether a password or a token crosses the network for everybody to read, unless the
    /// server itself insists on TLS.
    pub fn shows_password(&self) -> bool {
        !self.0.tls_required() && self.login().is_some()
    }

    /// Returns the URL, with all that it has.
    pub fn url(&self) -> &str {
        self.0.as_url_str()
    }

    /// Returns the server without user, password and token.
    #[must_use]
    pub fn without_login(&self) -> Self {
        let shown = self.to_string().parse();
        shown.expect("what it shows of itself is a server")
    }

    /// Returns the name or the address of the host.
    pub fn host(&self) -> &str {
        self.0.host()
    }

    /// Returns the port.
    pub fn port(&self) -> u16 {
        self.0.port()
    }

    pub(crate) fn login(&self) -> Option<Login> {
        let decode = |text| percent_decode_str(text).decode_utf8_lossy().into_owned();
        let name = decode(self.0.username()?);
        Some(match self.0.password() {
            Some(password) => Login::User {
                name,
                password: decode(password),
            },
            None => Login::Token(name),
        })
    }

    pub(crate) fn address(&self) -> ServerAddr {
        self.0.clone()
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (scheme, host, port) = (self.0.scheme(), self.host(), self.port());
        match host.parse() {
            Ok(IpAddr::V6(_)) => write!(f, "{scheme}://[{host}]:{port}"),
            _ => write!(f, "{scheme}://{host}:{port}"),
        }
    }
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_a_url_with_a_host() {
        for (text, shown) in [
            ("nats://node.example", "nats://node.example:4222"),
            ("tls://192.0.2.1:4223", "tls://192.0.2.1:4223"),
            ("tls://[2001:db8::1]", "tls://[2001:db8::1]:4222"),
        ] {
            assert_eq!(text.parse::<Server>().unwrap().to_string(), shown);
        }
        for text in [
            "",
            "node.example:4222",
            "ws://a",
            "http://a",
            "nats://",
            "nats://a:0",
            "tls://a b",
        ] {
            assert_eq!(text.parse::<Server>(), Err(ServerError), "{text}");
        }
    }

    #[test]
    fn a_password_is_seen_and_never_shown() {
        for (text, is_clear) in [
            ("nats://node.example", false),
            ("nats://user:secret@node.example", true),
            ("nats://secret@node.example", true),
            ("tls://user:secret@node.example", false),
        ] {
            let server: Server = text.parse().unwrap();
            assert_eq!(server.shows_password(), is_clear, "{text}");
            assert!(!format!("{server} {server:?}").contains("secret"));
            assert!(!server.without_login().url().contains("secret"));
        }
    }

    #[test]
    fn what_a_url_had_to_encode_is_decoded() {
        let server: Server = "tls://us%65r:p%40ss@node.example".parse().unwrap();
        let (name, password) = ("user".to_owned(), "p@ss".to_owned());
        assert_eq!(server.login(), Some(Login::User { name, password }));
        let server: Server = "tls://t%2Fk@node.example".parse().unwrap();
        assert_eq!(server.login(), Some(Login::Token("t/k".to_owned())));
    }
}
