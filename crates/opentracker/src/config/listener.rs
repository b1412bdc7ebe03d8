//! An entry of `udp.listen` and `http.listen`: an address, or a table that says more.

use std::net::{AddrParseError, SocketAddr};
use std::str::FromStr;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::findings::{enumerate, nearest};
use super::value::{Input, Reason, Value, Wrong};

/// An address to serve, and how: `"[::]:443"` or `{ address = "[::]:443", v6_only = true }`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Listener {
    /// The address; port 0 lets the system choose one.
    pub address: SocketAddr,
    /// Whether an IPv6 wildcard address leaves IPv4 to others. `None`: it serves IPv4 too, unless
    /// an IPv4 listener has the same port.
    pub v6_only: Option<bool>,
    /// Nobody wrote it. It may be left out, with a warning, where the kernel lacks its address
    /// family; a listener that somebody wrote must work.
    pub by_default: bool,
}

/// The keys of a listener's table.
const KEYS: [&str; 2] = ["address", "v6_only"];

impl From<SocketAddr> for Listener {
    fn from(address: SocketAddr) -> Self {
        Self {
            address,
            v6_only: None,
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
        SocketAddr::read(input).map(Self::from)
    }

    fn to_toml(&self) -> toml::Value {
        let Some(v6_only) = self.v6_only else {
            return self.address.to_toml();
        };
        let mut table = toml::Table::new();
        table.insert("address".to_owned(), self.address.to_toml());
        table.insert("v6_only".to_owned(), v6_only.into());
        table.into()
    }
}

fn read_table(input: Input<'_>, table: &DeTable<'_>) -> Result<Listener, Vec<Wrong>> {
    let other = |value: &Spanned<_>, message| Wrong {
        offset: Some(value.span().start),
        reason: Reason::Other(message),
    };
    let mut wrongs = Vec::new();
    let mut address = None;
    let mut v6_only = None;
    for (key, value) in table {
        match key.get_ref().as_ref() {
            "address" => match SocketAddr::read(Input::Toml(value)) {
                Ok(read) => address = Some(read),
                Err(more) => wrongs.extend(more),
            },
            "v6_only" => match value.get_ref().as_bool() {
                Some(read) => v6_only = Some((read, value)),
                None => wrongs.push(other(value, "v6_only: write `true` or `false`".to_owned())),
            },
            name => {
                let message = match nearest(name, KEYS) {
                    Some(near) => format!("a listener has no `{name}`: did you mean `{near}`?"),
                    None => format!(
                        "a listener has no `{name}`, it has {}",
                        enumerate(KEYS, "and")
                    ),
                };
                // The name has a span, too, of another type.
                wrongs.push(Wrong {
                    offset: Some(key.span().start),
                    reason: Reason::Other(message),
                });
            }
        }
    }
    if let (Some(SocketAddr::V4(address)), Some((_, value))) = (address, v6_only) {
        let message = format!("v6_only: {address} is an IPv4 address, so leave it out");
        wrongs.push(other(value, message));
    }
    match address {
        Some(address) if wrongs.is_empty() => Ok(Listener {
            v6_only: v6_only.map(|(value, _)| value),
            ..address.into()
        }),
        None if wrongs.is_empty() => {
            let message = "the listener has no address: write `address = \"[::]:6969\"`";
            Err(input.wrong(Reason::Other(message.to_owned())))
        }
        _ => Err(wrongs),
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
    fn everything_that_is_wrong_with_a_table_is_said() {
        for (text, said) in [
            (
                r#"{ adress = "[::]:1" }"#,
                &["a listener has no `adress`: did you mean `address`?"][..],
            ),
            (
                r#"{ address = "[::]:1", colour = 1 }"#,
                &["a listener has no `colour`, it has `address` and `v6_only`"],
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
