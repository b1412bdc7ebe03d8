//! How durations, networks and addresses are written.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::Duration;

use ipnet::IpNet;
use serde::{Deserialize, Deserializer, Serializer, de, ser::SerializeSeq};

/// Reads a network as every key that takes one does: an IPv4 or IPv6 address and a prefix length,
/// like `192.0.2.0/24`, or an address alone, which is the network of that one address. Space
/// around it does not count; bits of the address beyond the prefix are kept.
///
/// # Errors
///
/// Fails on anything else, and on a prefix longer than an address.
pub fn parse_network(text: &str) -> Result<IpNet, NetworkError> {
    let text = text.trim();
    text.parse()
        .or_else(|_| text.parse::<IpAddr>().map(IpNet::from))
        .map_err(|_| NetworkError(text.to_owned()))
}

/// A text that is not a network, and what would be one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "{0:?} is not a network: write an address and a prefix length, like \"192.0.2.0/24\" or \
     \"2001:db8::/32\""
)]
pub struct NetworkError(String);

const UNITS: [(&str, u64); 4] = [("d", 86400), ("h", 3600), ("m", 60), ("s", 1)];

pub(super) mod duration {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        duration: &Duration,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&format_duration(*duration))
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Duration, D::Error> {
        struct Text;
        impl de::Visitor<'_> for Text {
            type Value = Duration;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a duration like \"30m\"")
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Duration, E> {
                parse_duration(text).ok_or_else(|| {
                    E::custom(format_args!(
                        "{text:?} is not a duration: write a number and a unit, `s`, `m`, `h` \
                         or `d`, like \"30m\""
                    ))
                })
            }
        }
        deserializer.deserialize_str(Text)
    }
}

pub(super) mod networks {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        networks: &[IpNet],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serialize_all(networks, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<IpNet>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts
            .iter()
            .map(|text| parse_network(text).map_err(de::Error::custom))
            .collect()
    }
}

pub(super) mod addresses {
    use super::*;

    pub(crate) fn serialize<S: Serializer>(
        addresses: &[SocketAddr],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serialize_all(addresses, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<SocketAddr>, D::Error> {
        let texts = Vec::<String>::deserialize(deserializer)?;
        texts
            .iter()
            .map(|text| parse_address(text).map_err(de::Error::custom))
            .collect()
    }
}

pub(super) mod optional_address {
    use super::*;

    #[expect(
        clippy::ref_option,
        reason = "serde hands over a reference to the field"
    )]
    pub(crate) fn serialize<S: Serializer>(
        address: &Option<SocketAddrV4>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let text = address.map_or_else(String::new, |address| address.to_string());
        serializer.serialize_str(&text)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<SocketAddrV4>, D::Error> {
        let text = String::deserialize(deserializer)?;
        if text.is_empty() {
            return Ok(None);
        }
        text.trim().parse().map(Some).map_err(|_| {
            de::Error::custom(format_args!(
                "{text:?} is not the address of an interface: write its IPv4 address and the \
                 port of the cluster, like \"192.168.0.1:9696\", or nothing to switch it off"
            ))
        })
    }
}

/// Reads a whole number from `LEAST` to `MOST`.
pub(super) fn number<'de, D, T, const LEAST: i64, const MOST: i64>(
    deserializer: D,
) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: TryFrom<i64>,
{
    struct Number<const LEAST: i64, const MOST: i64>;
    impl<const LEAST: i64, const MOST: i64> de::Visitor<'_> for Number<LEAST, MOST> {
        type Value = i64;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "a whole number from {LEAST} to {MOST}")
        }
        fn visit_i64<E: de::Error>(self, number: i64) -> Result<i64, E> {
            Ok(number)
        }
    }
    let number = deserializer.deserialize_i64(Number::<LEAST, MOST>)?;
    within(number, LEAST, MOST).map_err(de::Error::custom)
}

/// Reads the address of a multicast group.
pub(super) fn group<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Ipv4Addr, D::Error> {
    let text = String::deserialize(deserializer)?;
    let group = text.trim().parse().ok().filter(Ipv4Addr::is_multicast);
    group.ok_or_else(|| {
        de::Error::custom(format_args!(
            "{text:?} is not a multicast group: write an address from \"224.0.0.0\" to \
             \"239.255.255.255\""
        ))
    })
}

/// Converts a number that is within bounds, which must be those of its type or narrower.
pub(super) fn within<T: TryFrom<i64>>(number: i64, least: i64, most: i64) -> Result<T, String> {
    let converted = number.try_into().ok();
    converted
        .filter(|_| (least..=most).contains(&number))
        .ok_or_else(|| format!("{number} is out of bounds: write a number from {least} to {most}"))
}

/// Writes a duration in the largest unit that divides it more than once: "90m" and "24h" read
/// better than "1h30m" and "1d".
pub(super) fn format_duration(duration: Duration) -> String {
    let total = duration.as_secs();
    let divides = |seconds| total.is_multiple_of(seconds) && total / seconds > 1;
    let unit = UNITS.into_iter().find(|&(_, seconds)| divides(seconds));
    let (name, seconds) = unit.unwrap_or(("s", 1));
    format!("{}{name}", total / seconds)
}

pub(super) fn parse_duration(text: &str) -> Option<Duration> {
    let mut rest = text.trim();
    let mut total = 0_u64;
    while !rest.is_empty() {
        let digits = rest.find(|character: char| !character.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        let (_, seconds) = UNITS
            .into_iter()
            .find(|(unit, _)| rest[digits..].starts_with(unit))?;
        total = total.checked_add(number.checked_mul(seconds)?)?;
        rest = &rest[digits + 1..];
    }
    (!text.trim().is_empty()).then_some(Duration::from_secs(total))
}

pub(super) fn parse_address(text: &str) -> Result<SocketAddr, String> {
    text.trim().parse().map_err(|_| {
        format!(
            "{text:?} is not an address to listen on: write an IP address and a port, like \
             \"0.0.0.0:6969\" or \"[::]:6969\""
        )
    })
}

fn serialize_all<T: ToString, S: Serializer>(
    values: &[T],
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut sequence = serializer.serialize_seq(Some(values.len()))?;
    for value in values {
        sequence.serialize_element(&value.to_string())?;
    }
    sequence.end()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn durations() {
        for (text, seconds) in [
            ("0s", 0),
            ("30s", 30),
            ("45m", 2700),
            ("24h", 86400),
            ("1h30m", 5400),
            (" 2d ", 172_800),
        ] {
            assert_eq!(
                parse_duration(text),
                Some(Duration::from_secs(seconds)),
                "{text}"
            );
        }
        for text in [
            "",
            " ",
            "30",
            "m",
            "30x",
            "-1s",
            "1.5h",
            "30 m",
            "99999999999999999999s",
        ] {
            assert_eq!(parse_duration(text), None, "{text}");
        }
        assert_eq!(format_duration(Duration::from_secs(86400)), "24h");
        assert_eq!(format_duration(Duration::from_secs(5400)), "90m");
    }

    #[test]
    fn networks_may_be_single_addresses() {
        assert_eq!(parse_network("::1").unwrap(), "::1/128".parse().unwrap());
        assert_eq!(
            parse_network("192.0.2.9").unwrap(),
            "192.0.2.9/32".parse().unwrap()
        );
        assert_eq!(
            parse_network(" 192.0.2.9/24 ").unwrap().to_string(),
            "192.0.2.9/24"
        );
        for text in ["192.0.2.0/33", "localhost", "", "192.0.2.1:80"] {
            let error = parse_network(text).unwrap_err().to_string();
            let start = format!("{text:?} is not a network: write ");
            assert!(error.starts_with(&start), "{error}");
        }
    }

    proptest! {
        #[test]
        fn durations_go_both_ways(seconds in 0..10_000_000_u64) {
            let duration = Duration::from_secs(seconds);
            prop_assert_eq!(parse_duration(&format_duration(duration)), Some(duration));
        }
    }
}
