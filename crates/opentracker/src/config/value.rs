//! How the values of keys are written, read and shown.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::str::FromStr;

use ipnet::IpNet;
use opentracker_nats::{Server, Subject};
use opentracker_net::unicast::Peer;
use toml::Spanned;
use toml::de::DeValue;

/// What somebody wrote for a key.
#[derive(Debug, Clone, Copy)]
pub(super) enum Input<'a> {
    /// A value of a TOML document.
    Toml(&'a Spanned<DeValue<'a>>),
    /// A variable of the environment, a flag or a line of the C program's format.
    Text(&'a str),
}

/// What is wrong with a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    /// Its offset in the document.
    pub(super) offset: Option<usize>,
    pub(super) reason: Reason,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Reason {
    /// It does not read as what is wanted; it was written so.
    Unreadable(String),
    /// It lies outside of the bounds of its key; it was written so.
    OutOfBounds(String),
    /// Anything else, in a sentence.
    Other(String),
}

/// The type of a key.
pub(super) trait Value: Sized {
    /// What a value is, with its article: `a duration`.
    const WANTED: &'static str;
    /// Whether there may be several.
    const IS_LIST: bool = false;
    /// Whether it takes any text, spaces included.
    const IS_TEXT: bool = false;
    /// All values, where they are few.
    const CHOICES: &'static [&'static str] = &[];

    /// Says how to write one, after "write"; empty where the bounds of the key say it.
    fn hint() -> String;

    fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>>;

    fn to_toml(&self) -> toml::Value;

    /// Takes a further value of the same source: lists grow, anything else is replaced.
    fn add(&mut self, more: Self) {
        *self = more;
    }
}

/// The type of a key that has bounds.
pub(super) trait Bounded: Value + PartialOrd {
    /// Writes a bound for people: `512`, `4h`.
    fn bound(&self) -> String;
}

impl From<Reason> for Wrong {
    fn from(reason: Reason) -> Self {
        Self {
            offset: None,
            reason,
        }
    }
}

impl<'a> Input<'a> {
    pub(super) fn wrong(self, reason: Reason) -> Vec<Wrong> {
        let offset = match self {
            Self::Toml(value) => Some(value.span().start),
            Self::Text(_) => None,
        };
        vec![Wrong { offset, reason }]
    }

    pub(super) fn unreadable(self) -> Vec<Wrong> {
        self.wrong(Reason::Unreadable(self.shown()))
    }

    /// What was written, in quotes if it is text.
    fn shown(self) -> String {
        match self {
            Self::Text(text) => format!("{text:?}"),
            Self::Toml(value) => match value.get_ref() {
                DeValue::String(text) => format!("{text:?}"),
                DeValue::Integer(number) => number.to_string(),
                DeValue::Float(number) => number.to_string(),
                DeValue::Boolean(value) => value.to_string(),
                DeValue::Datetime(time) => time.to_string(),
                DeValue::Array(_) => "a list".to_owned(),
                DeValue::Table(_) => "a table".to_owned(),
            },
        }
    }

    pub(super) fn text(self) -> Result<&'a str, Vec<Wrong>> {
        match self {
            Self::Text(text) => Ok(text),
            Self::Toml(value) => value.get_ref().as_str().ok_or_else(|| self.unreadable()),
        }
    }

    /// Reads text with a parser that knows nothing of space around it.
    pub(super) fn parse<T>(self, parse: impl FnOnce(&str) -> Option<T>) -> Result<T, Vec<Wrong>> {
        parse(self.text()?.trim()).ok_or_else(|| self.unreadable())
    }
}

impl<T: Value> Value for Vec<T> {
    const WANTED: &'static str = T::WANTED;
    const IS_LIST: bool = true;

    fn hint() -> String {
        T::hint()
    }

    /// One value stands for a list of one. Text is separated by commas, or is the list in TOML.
    fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>> {
        match input {
            Input::Toml(value) => match value.get_ref() {
                DeValue::Array(values) => read_all(values.iter().map(Input::Toml)),
                _ => Ok(vec![T::read(input)?]),
            },
            Input::Text(text) => {
                // An address like `[::]:6969` begins with a bracket, too.
                let in_toml = text
                    .trim_start()
                    .starts_with(['[', '{'])
                    .then(|| DeValue::parse(text));
                match in_toml {
                    Some(Ok(list)) => Self::read(Input::Toml(&list)).map_err(|wrongs| {
                        let reasons = wrongs.into_iter().map(|wrong| wrong.reason);
                        reasons.map(Wrong::from).collect()
                    }),
                    _ => {
                        let parts = text.split(',').map(str::trim);
                        read_all(parts.filter(|part| !part.is_empty()).map(Input::Text))
                    }
                }
            }
        }
    }

    fn to_toml(&self) -> toml::Value {
        toml::Value::Array(self.iter().map(T::to_toml).collect())
    }

    fn add(&mut self, more: Self) {
        self.extend(more);
    }
}

/// Reads every value of a list, or says what is wrong with each that cannot be read.
fn read_all<'a, T: Value>(inputs: impl Iterator<Item = Input<'a>>) -> Result<Vec<T>, Vec<Wrong>> {
    let mut values = Vec::new();
    let mut wrongs = Vec::new();
    for input in inputs {
        match T::read(input) {
            Ok(value) => values.push(value),
            Err(more) => wrongs.extend(more),
        }
    }
    if wrongs.is_empty() {
        Ok(values)
    } else {
        Err(wrongs)
    }
}

macro_rules! whole_numbers {
    ($($Type:ty),*) => {$(
        impl Value for $Type {
            const WANTED: &'static str = "a whole number";

            fn hint() -> String {
                String::new()
            }

            fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>> {
                let number = match input {
                    Input::Toml(value) => value.get_ref().as_integer().and_then(|number| {
                        i128::from_str_radix(number.as_str(), number.radix()).ok()
                    }),
                    Input::Text(text) => text.trim().parse().ok(),
                };
                let number: i128 = number.ok_or_else(|| input.unreadable())?;
                number
                    .try_into()
                    .map_err(|_| input.wrong(Reason::OutOfBounds(number.to_string())))
            }

            fn to_toml(&self) -> toml::Value {
                toml::Value::Integer((*self).into())
            }
        }

        impl Bounded for $Type {
            fn bound(&self) -> String {
                self.to_string()
            }
        }
    )*};
}

whole_numbers!(u8, u16, u32);

impl Value for f64 {
    const WANTED: &'static str = "a number";

    fn hint() -> String {
        String::new()
    }

    fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>> {
        let number = match input {
            Input::Toml(value) => match value.get_ref() {
                DeValue::Float(number) => number.as_str().parse().ok(),
                DeValue::Integer(number) => number.as_str().parse().ok(),
                _ => None,
            },
            Input::Text(text) => text.trim().parse().ok(),
        };
        number.ok_or_else(|| input.unreadable())
    }

    fn to_toml(&self) -> toml::Value {
        (*self).into()
    }
}

impl Bounded for f64 {
    fn bound(&self) -> String {
        format!("{self:?}")
    }
}

impl Value for bool {
    const WANTED: &'static str = "true or false";

    fn hint() -> String {
        "true or false".to_owned()
    }

    fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>> {
        let value = match input {
            Input::Toml(value) => value.get_ref().as_bool(),
            Input::Text(text) => text.trim().parse().ok(),
        };
        value.ok_or_else(|| input.unreadable())
    }

    fn to_toml(&self) -> toml::Value {
        (*self).into()
    }
}

impl Value for String {
    const WANTED: &'static str = "a string";
    const IS_TEXT: bool = true;

    fn hint() -> String {
        "it in quotes".to_owned()
    }

    fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>> {
        input.text().map(Self::from)
    }

    fn to_toml(&self) -> toml::Value {
        self.clone().into()
    }
}

impl Value for PathBuf {
    const WANTED: &'static str = "a path";
    const IS_TEXT: bool = true;

    fn hint() -> String {
        "one in quotes, or \"\" for none".to_owned()
    }

    fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>> {
        input.text().map(Self::from)
    }

    fn to_toml(&self) -> toml::Value {
        self.to_string_lossy().into_owned().into()
    }
}

impl Value for IpNet {
    const WANTED: &'static str = "a network";

    fn hint() -> String {
        "an address and a prefix length, like \"192.0.2.0/24\" or \"2001:db8::/32\"".to_owned()
    }

    fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>> {
        input.parse(|text| {
            let network = text.parse().ok();
            network.or_else(|| text.parse::<IpAddr>().ok().map(Self::from))
        })
    }

    fn to_toml(&self) -> toml::Value {
        self.to_string().into()
    }
}

impl Value for Ipv4Addr {
    const WANTED: &'static str = "an IPv4 address";

    fn hint() -> String {
        String::new()
    }

    fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>> {
        input.parse(|text| text.parse().ok())
    }

    fn to_toml(&self) -> toml::Value {
        self.to_string().into()
    }
}

impl Bounded for Ipv4Addr {
    fn bound(&self) -> String {
        self.to_string()
    }
}

impl Value for SocketAddr {
    const WANTED: &'static str = "an address to listen on";

    fn hint() -> String {
        "an IP address and a port, like \"0.0.0.0:6969\" or \"[::]:6969\"".to_owned()
    }

    fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>> {
        input.parse(|text| text.parse().ok())
    }

    fn to_toml(&self) -> toml::Value {
        self.to_string().into()
    }
}

/// Types of other crates that are read from text and shown as it.
macro_rules! texts {
    ($($Type:ty: $wanted:literal, $hint:literal, $show:expr;)*) => {$(
        impl Value for $Type {
            const WANTED: &'static str = $wanted;

            fn hint() -> String {
                $hint.to_owned()
            }

            fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>> {
                input.parse(|text| text.parse().ok())
            }

            fn to_toml(&self) -> toml::Value {
                $show(self).into()
            }
        }
    )*};
}

texts! {
    Peer: "a host with a port",
        "a name or an address, like \"node.example:9697\" or \"[2001:db8::1]:9697\"",
        Peer::to_string;
    Server: "a NATS server",
        "its URL, like \"tls://nats.example:4222\" or \"nats://192.0.2.1:4222\"",
        Server::url;
    Subject: "a subject",
        "words with a dot between two, without `*` and `>`, like \"opentracker.livesync\"",
        Subject::as_str;
}

/// An empty text is none.
impl Value for Option<SocketAddr> {
    const WANTED: &'static str = "an address to listen on";

    fn hint() -> String {
        "an IP address and a port, like \"[::]:9697\", or nothing to switch it off".to_owned()
    }

    fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>> {
        read_or_none(input)
    }

    fn to_toml(&self) -> toml::Value {
        self.map_or_else(String::new, |address| address.to_string())
            .into()
    }
}

fn read_or_none<T: FromStr>(input: Input<'_>) -> Result<Option<T>, Vec<Wrong>> {
    input.parse(|text| match text {
        "" => Some(None),
        _ => text.parse().ok().map(Some),
    })
}

/// An empty text is none.
impl Value for Option<SocketAddrV4> {
    const WANTED: &'static str = "the address of an interface";

    fn hint() -> String {
        "its IPv4 address and the port of the cluster, like \"192.168.0.1:9696\", or nothing to \
         switch it off"
            .to_owned()
    }

    fn read(input: Input<'_>) -> Result<Self, Vec<Wrong>> {
        read_or_none(input)
    }

    fn to_toml(&self) -> toml::Value {
        self.map_or_else(String::new, |address| address.to_string())
            .into()
    }
}

/// Checks the bounds of a key.
pub(super) fn within<T: Bounded>(value: &T, bounds: &RangeInclusive<T>) -> Result<(), Wrong> {
    if bounds.contains(value) {
        return Ok(());
    }
    Err(Reason::OutOfBounds(value.to_toml().to_string()).into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read<T: Value>(text: &str) -> Option<T> {
        T::read(Input::Text(text)).ok()
    }

    #[test]
    fn networks_may_be_single_addresses() {
        assert_eq!(read("::1"), Some("::1/128".parse::<IpNet>().unwrap()));
        assert_eq!(
            read("192.0.2.9"),
            Some("192.0.2.9/32".parse::<IpNet>().unwrap())
        );
        let with_space = read::<IpNet>(" 192.0.2.9/24 ").unwrap();
        assert_eq!(with_space.to_string(), "192.0.2.9/24");
        for text in ["192.0.2.0/33", "localhost", "", "192.0.2.1:80"] {
            assert_eq!(read::<IpNet>(text), None, "{text}");
        }
    }

    #[test]
    fn lists_in_text_have_commas_or_are_toml() {
        let two = ["[::]:1".parse().unwrap(), "127.0.0.1:2".parse().unwrap()];
        for text in [
            "[::]:1,127.0.0.1:2",
            "[::]:1 , 127.0.0.1:2,",
            r#"["[::]:1", "127.0.0.1:2"]"#,
        ] {
            assert_eq!(read::<Vec<SocketAddr>>(text).unwrap(), two, "{text}");
        }
        for text in ["", "[]", " , "] {
            assert_eq!(read::<Vec<SocketAddr>>(text).unwrap(), [], "{text}");
        }
        let wrongs = Vec::<SocketAddr>::read(Input::Text("x,[::]:1,y")).unwrap_err();
        assert_eq!(wrongs.len(), 2, "each is said: {wrongs:?}");
    }
}
