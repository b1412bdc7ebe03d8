//! An entry of `udp.listen` and `http.listen`: an address, or a table that says more.

use std::fmt;
use std::net::{AddrParseError, SocketAddr};
use std::path::PathBuf;
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::findings::{enumerate, nearest};
use super::value::{Input, Reason, Value, Wrong};

/// An address to serve, and how: `"[::]:443"` or `{ address = "[::]:443", v6_only = true }`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listener {
    /// The address.
    pub address: ListenAddress,
    /// Whether an IPv6 wildcard address leaves IPv4 to others. `None`: it serves IPv4 too, unless
    /// an IPv4 listener has the same port.
    pub v6_only: Option<bool>,
    /// Whether a PROXY header comes before what clients send: before each connection, or before each
    /// datagram.
    pub proxy_protocol: bool,
    /// Whether clients speak TLS, with the certificates of `tls.certificate`.
    pub tls: bool,
    /// Nobody wrote it. It may be left out, with a warning, where the kernel lacks its address
    /// family; a listener that somebody wrote must work.
    pub by_default: bool,
}

/// Where a listener is reached. It is written, and shown, as `[::]:6969` or `unix:/run/http.sock`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAddress {
    /// At an address; port 0 lets the system choose one.
    Internet(SocketAddr),
    /// At the absolute path of a Unix socket.
    Unix(PathBuf),
}

/// The keys of a listener's table.
const KEYS: [&str; 4] = ["address", "proxy_protocol", "tls", "v6_only"];

/// What the path of a Unix socket stands behind.
const UNIX: &str = "unix:";

/// Octets that the path of a Unix socket has at most (unix(7)).
const MAX_PATH_OCTETS: usize = 107;

impl ListenAddress {
    /// Returns the address, if it has one.
    pub fn internet(&self) -> Option<SocketAddr> {
        match self {
            Self::Internet(address) => Some(*address),
            Self::Unix(_) => None,
        }
    }
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Internet(address) => address.fmt(f),
            Self::Unix(path) => write!(f, "{UNIX}{}", path.display()),
        }
    }
}

impl From<SocketAddr> for Listener {
    fn from(address: SocketAddr) -> Self {
        ListenAddress::Internet(address).into()
    }
}

impl From<ListenAddress> for Listener {
    fn from(address: ListenAddress) -> Self {
        Self {
            address,
            v6_only: None,
            proxy_protocol: false,
            tls: false,
            by_default: false,
        }
    }
}

impl FromStr for Listener {
    type Err = AddrParseError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<SocketAddr>().map(Self::from)
    }
}

impl Value for Listener {
    const WANTED: &'static str = SocketAddr::WANTED;

    fn hint() -> String {
        SocketAddr::hint()
    }

    fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>> {
        if let Input::Toml(value) = input
            && let DeValue::Table(table) = value.get_ref()
        {
            return read_table(input, table);
        }
        read_address(input).map(Self::from)
    }

    fn to_toml(&self) -> toml::Value {
        let address = self.address.to_string().into();
        if self.v6_only.is_none() && !self.proxy_protocol && !self.tls {
            return address;
        }
        let mut table = toml::Table::new();
        table.insert("address".to_owned(), address);
        if self.proxy_protocol {
            table.insert("proxy_protocol".to_owned(), true.into());
        }
        if self.tls {
            table.insert("tls".to_owned(), true.into());
        }
        if let Some(v6_only) = self.v6_only {
            table.insert("v6_only".to_owned(), v6_only.into());
        }
        table.into()
    }
}

fn read_address(input: Input<'_>) -> Result<ListenAddress, Vec<Wrong>> {
    let text = input.text()?.trim();
    let wrong = |message| Err(input.wrong(Reason::Other(message)));
    let Some(path) = text.strip_prefix(UNIX) else {
        if text.starts_with('/') {
            let message = format!("a Unix socket is written \"{UNIX}{text}\"");
            return wrong(message);
        }
        return SocketAddr::read(input).map(ListenAddress::Internet);
    };
    if !path.starts_with('/') || path.ends_with('/') || path.contains('\0') {
        let message = format!(
            "{text:?} is no Unix socket: write an absolute path, like \
             \"{UNIX}/run/opentracker/http.sock\""
        );
        return wrong(message);
    }
    if path.len() > MAX_PATH_OCTETS {
        let octets = path.len();
        let message = format!(
            "the path of a Unix socket has {MAX_PATH_OCTETS} octets at most, and this one has {octets}"
        );
        return wrong(message);
    }
    Ok(ListenAddress::Unix(path.into()))
}

fn read_table(input: Input<'_>, table: &DeTable<'_>) -> Result<Listener, Vec<Wrong>> {
    let mut wrongs = Vec::new();
    let mut address = None;
    let mut v6_only = None;
    let mut proxy_protocol = false;
    let mut tls = None;
    for (key, value) in table {
        let read = match key.get_ref().as_ref() {
            "address" => read_address(Input::Toml(value)).map(|read| address = Some(read)),
            "v6_only" => read_flag("v6_only", value).map(|read| v6_only = Some((read, value))),
            "proxy_protocol" => {
                read_flag("proxy_protocol", value).map(|read| proxy_protocol = read)
            }
            "tls" => read_flag("tls", value).map(|read| tls = Some((read, value))),
            // The name has a span, too, of another type.
            name => Err(vec![wrong(key.span().start, unknown(name))]),
        };
        wrongs.extend(read.err().into_iter().flatten());
    }
    if let (Some(address), Some((_, value))) = (&address, v6_only) {
        let what = match address {
            ListenAddress::Internet(SocketAddr::V6(_)) => None,
            ListenAddress::Internet(SocketAddr::V4(_)) => Some("an IPv4 address"),
            ListenAddress::Unix(_) => Some("a Unix socket"),
        };
        let wrong = what.map(|what| {
            let message = format!("v6_only: {address} is {what}, so leave it out");
            wrong(value.span().start, message)
        });
        wrongs.extend(wrong);
    }
    if let (Some(ListenAddress::Unix(path)), Some((true, value))) = (&address, tls) {
        let path = path.display();
        let message = format!("tls: {UNIX}{path} is for programs of this host, so leave it out");
        wrongs.push(wrong(value.span().start, message));
    }
    match address {
        Some(address) if wrongs.is_empty() => Ok(Listener {
            v6_only: v6_only.map(|(value, _)| value),
            proxy_protocol,
            tls: tls.is_some_and(|(value, _)| value),
            ..address.into()
        }),
        None if wrongs.is_empty() => {
            let message = "the listener has no address: write `address = \"[::]:6969\"`";
            Err(input.wrong(Reason::Other(message.to_owned())))
        }
        _ => Err(wrongs),
    }
}

fn read_flag(name: &str, value: &Spanned<DeValue<'_>>) -> Result<bool, Vec<Wrong>> {
    let message = || format!("{name}: write `true` or `false`");
    let flag = value.get_ref().as_bool();
    flag.ok_or_else(|| vec![wrong(value.span().start, message())])
}

fn unknown(name: &str) -> String {
    match nearest(name, KEYS) {
        Some(near) => format!("a listener has no `{name}`: did you mean `{near}`?"),
        None => format!(
            "a listener has no `{name}`, it has {}",
            enumerate(KEYS, "and")
        ),
    }
}

fn wrong(offset: usize, message: String) -> Wrong {
    Wrong {
        offset: Some(offset),
        reason: Reason::Other(message),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Listener>, Vec<String>> {
        let value = DeValue::parse(text).unwrap();
        Vec::read(Input::Toml(&value)).map_err(|wrongs| {
            let reasons = wrongs.into_iter().map(|wrong| match wrong.reason {
                Reason::Unreadable(shown) | Reason::OutOfBounds(shown) => shown,
                Reason::Other(message) => message,
            });
            reasons.collect()
        })
    }

    #[test]
    fn addresses_and_tables_are_listeners() {
        let plain = Listener::from_str("[::]:443").unwrap();
        let v6_only = Listener {
            v6_only: Some(true),
            ..plain.clone()
        };
        let table = r#"{ address = "[::]:443", v6_only = true }"#;
        for (text, listener) in [
            (r#""[::]:443""#, &plain),
            (r#"{ address = "[::]:443" }"#, &plain),
            (table, &v6_only),
        ] {
            assert_eq!(&read(text).unwrap()[..], std::slice::from_ref(listener));
        }
        let in_text = Vec::<Listener>::read(Input::Text(table)).unwrap();
        assert_eq!(in_text[..], [v6_only.clone()][..]);
        let both = read(&format!(r#"["[::]:443", {table}]"#)).unwrap();
        assert_eq!(both, [plain, v6_only]);
        let written = both.to_toml().to_string();
        assert_eq!(written, format!(r#"["[::]:443", {table}]"#));
    }

    #[test]
    fn proxies_and_unix_sockets() {
        let unix: Listener = ListenAddress::Unix("/run/http.sock".into()).into();
        let proxied = |listener: &Listener| Listener {
            proxy_protocol: true,
            ..listener.clone()
        };
        let internet = Listener::from_str("192.0.2.1:443").unwrap();
        for (text, listener) in [
            (r#""unix:/run/http.sock""#, unix.clone()),
            (
                r#"{ address = "unix:/run/http.sock", proxy_protocol = true }"#,
                proxied(&unix),
            ),
            (
                r#"{ address = "192.0.2.1:443", proxy_protocol = true }"#,
                proxied(&internet),
            ),
        ] {
            assert_eq!(read(text).unwrap(), std::slice::from_ref(&listener));
            assert_eq!(listener.to_toml().to_string(), text);
        }
        let in_text = Vec::<Listener>::read(Input::Text("unix:/run/http.sock,192.0.2.1:443"));
        assert_eq!(in_text.unwrap(), [unix, internet]);
        let long = format!("\"unix:/{}\"", "x".repeat(107));
        for (text, said) in [
            (
                r#""/run/http.sock""#,
                "a Unix socket is written \"unix:/run/http.sock\"",
            ),
            (
                r#""unix:http.sock""#,
                "\"unix:http.sock\" is no Unix socket: write an absolute path, like \
                 \"unix:/run/opentracker/http.sock\"",
            ),
            (
                &long,
                "the path of a Unix socket has 107 octets at most, and this one has 108",
            ),
            (
                r#"{ address = "unix:/x", v6_only = true }"#,
                "v6_only: unix:/x is a Unix socket, so leave it out",
            ),
            (
                r#"{ address = "[::]:1", proxy_protocol = "yes" }"#,
                "proxy_protocol: write `true` or `false`",
            ),
            (
                r#"{ address = "unix:/x", tls = true }"#,
                "tls: unix:/x is for programs of this host, so leave it out",
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), [said], "{text}");
        }
    }

    #[test]
    fn everything_that_is_wrong_with_a_table_is_said() {
        for (text, said) in [
            (
                r#"{ adress = "[::]:1" }"#,
                &["a listener has no `adress`: did you mean `address`?"][..],
            ),
            (
                r#"{ address = "[::]:1", colour = 1 }"#,
                &[
                    "a listener has no `colour`, it has `address`, `proxy_protocol`, `tls` and `v6_only`",
                ],
            ),
            (
                r#"{ v6_only = false }"#,
                &["the listener has no address: write `address = \"[::]:6969\"`"],
            ),
            (
                r#"{ address = "0.0.0.0:1", v6_only = true }"#,
                &["v6_only: 0.0.0.0:1 is an IPv4 address, so leave it out"],
            ),
            (
                r#"[{ address = "x", v6_only = 1 }, "y"]"#,
                &["\"x\"", "v6_only: write `true` or `false`", "\"y\""],
            ),
        ] {
            assert_eq!(read(text).unwrap_err(), said, "{text}");
        }
    }
}
