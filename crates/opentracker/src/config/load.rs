//! From text and environment to a configuration, or to where exactly it is wrong.

use std::ffi::OsString;
use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Config, Invalid, c_style};

/// What is wrong with a configuration, and where: `FILE:LINE: KEY: MESSAGE`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ConfigError {
    /// The file, or the variable of the environment.
    pub origin: PathBuf,
    /// Number of the line, from 1, where there is one.
    pub line: Option<usize>,
    /// Section and key, where there is one: `announce.interval`.
    pub key: Option<String>,
    /// What is wrong, and what would be right.
    pub message: String,
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.origin.display())?;
        if let Some(line) = self.line {
            write!(f, "{line}:")?;
        }
        if let Some(key) = &self.key {
            write!(f, " {key}:")?;
        }
        write!(f, " {}", self.message)
    }
}

/// What every variable of the environment begins with.
const ENVIRONMENT_PREFIX: &str = "OPENTRACKER_";

impl Config {
    /// Reads a configuration: TOML, or the format of the C program's `opentracker.conf`.
    /// `origin` is what errors call it.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its line and key.
    pub fn from_text(text: &str, origin: &Path) -> Result<Self, ConfigError> {
        if c_style::is_c_style(text) {
            let config = c_style::parse(text).map_err(|(line, key, message)| ConfigError {
                origin: origin.to_owned(),
                line: Some(line),
                key: Some(key),
                message,
            })?;
            return config.checked(|_, _| ConfigError {
                origin: origin.to_owned(),
                line: None,
                key: None,
                message: String::new(),
            });
        }
        Self::from_toml(text, origin)
    }

    /// Reads a configuration in TOML; `origin` is what errors call it.
    ///
    /// # Errors
    ///
    /// The first thing that is wrong, with its line and key.
    pub fn from_toml(text: &str, origin: &Path) -> Result<Self, ConfigError> {
        let document = DeTable::parse(text).map_err(|error| syntax_error(&error, text, origin))?;
        let config = Self::deserialize(toml::Deserializer::from(document.clone()))
            .map_err(|error| value_error(&error, document.get_ref(), text, origin))?;
        config.checked(|section, key| {
            let position = find(document.get_ref(), section, key);
            ConfigError {
                origin: origin.to_owned(),
                line: position.map(|span| line_of(text, span.start)),
                key: None,
                message: String::new(),
            }
        })
    }

    /// Writes the configuration as TOML, without the keys that are as by default.
    pub fn to_toml(&self) -> String {
        let table =
            |config: &Self| toml::Table::try_from(config).expect("a configuration is a table");
        let default = table(&Self::default());
        let mut sections = table(self);
        for (section, keys) in &mut sections {
            if let Some(keys) = keys.as_table_mut() {
                keys.retain(|key, value| default[section].get(key) != Some(value));
            }
        }
        sections.retain(|_, keys| keys.as_table().is_none_or(|keys| !keys.is_empty()));
        sections.to_string()
    }

    /// Overrides keys with the variables of an environment that begin with `OPENTRACKER_` and
    /// have two underscores between section and key; others are not looked at.
    ///
    /// # Errors
    ///
    /// The first variable that names no key or has a bad value.
    pub fn with_environment<Name: Into<OsString>, Value: Into<OsString>>(
        mut self,
        variables: impl IntoIterator<Item = (Name, Value)>,
    ) -> Result<Self, ConfigError> {
        for (name, value) in variables {
            // The name of a key is text.
            let Ok(name) = name.into().into_string() else {
                continue;
            };
            let Some(path) = name.strip_prefix(ENVIRONMENT_PREFIX) else {
                continue;
            };
            let Some((section, key)) = path.split_once("__") else {
                continue;
            };
            let (section, key) = (section.to_lowercase(), key.to_lowercase());
            let value = value.into().into_string();
            self = value
                .map_err(|value| format!("{value:?} is not UTF-8"))
                .and_then(|value| self.with_override(&section, &key, &value))
                .map_err(|message| ConfigError {
                    origin: PathBuf::from(&name),
                    line: None,
                    key: None,
                    message,
                })?;
        }
        Ok(self)
    }

    fn with_override(self, section: &str, key: &str, value: &str) -> Result<Self, String> {
        let unknown = || format!("there is no key {section}.{key}");
        let mut all = toml::Table::try_from(&self).expect("a configuration is a table");
        let known = all
            .get_mut(section)
            .and_then(|keys| keys.get_mut(key))
            .ok_or_else(unknown)?;
        *known = typed(value, known)?;
        let changed: Self = Self::deserialize(all).map_err(|error| error.message().to_owned())?;
        match changed.validate() {
            // What another variable or the file got wrong is not this one's fault.
            Err(invalid) if (invalid.section, invalid.key) == (section, key) => {
                Err(invalid.message)
            }
            _ => Ok(changed),
        }
    }

    /// Validates; `locate` makes the error that says where a section's key stands.
    fn checked(self, locate: impl FnOnce(&str, &str) -> ConfigError) -> Result<Self, ConfigError> {
        match self.validate() {
            Ok(()) => Ok(self),
            Err(Invalid {
                section,
                key,
                message,
            }) => Err(ConfigError {
                key: Some(format!("{section}.{key}")),
                message,
                ..locate(section, key)
            }),
        }
    }
}

/// Reads a variable as a value of the same type as the one that it replaces.
fn typed(text: &str, like: &toml::Value) -> Result<toml::Value, String> {
    match like {
        toml::Value::Integer(_) => text
            .trim()
            .parse()
            .map(toml::Value::Integer)
            .map_err(|_| format!("{text:?} is not a whole number")),
        toml::Value::Boolean(_) => text
            .trim()
            .parse()
            .map(toml::Value::Boolean)
            .map_err(|_| format!("{text:?} is neither `true` nor `false`")),
        toml::Value::Float(_) => text
            .trim()
            .parse()
            .map(toml::Value::Float)
            .map_err(|_| format!("{text:?} is not a number")),
        toml::Value::Array(_) if text.trim_start().starts_with('[') => {
            // An address like `[::]:6969` begins with a bracket, too.
            match toml::from_str::<toml::Table>(&format!("list = {text}")) {
                Ok(mut table) => Ok(table.remove("list").expect("it was just put in")),
                Err(_) => Ok(separated(text)),
            }
        }
        toml::Value::Array(_) => Ok(separated(text)),
        _ => Ok(toml::Value::String(text.to_owned())),
    }
}

/// A list written with commas.
fn separated(text: &str) -> toml::Value {
    let parts = text.split(',').map(str::trim);
    let parts = parts.filter(|part| !part.is_empty());
    toml::Value::Array(parts.map(|part| part.to_owned().into()).collect())
}

fn syntax_error(error: &toml::de::Error, text: &str, origin: &Path) -> ConfigError {
    ConfigError {
        origin: origin.to_owned(),
        line: error.span().map(|span| line_of(text, span.start)),
        key: None,
        message: error.message().replace('\n', "; "),
    }
}

fn value_error(
    error: &toml::de::Error,
    document: &DeTable<'_>,
    text: &str,
    origin: &Path,
) -> ConfigError {
    ConfigError {
        key: error
            .span()
            .and_then(|span| key_at(document, span.start, "")),
        ..syntax_error(error, text, origin)
    }
}

/// The path of the innermost key whose own text or whose value has an offset.
fn key_at(table: &DeTable<'_>, offset: usize, path: &str) -> Option<String> {
    table.iter().find_map(|(key, value)| {
        let name = key.get_ref();
        let path = if path.is_empty() {
            name.to_string()
        } else {
            format!("{path}.{name}")
        };
        if let DeValue::Table(inner) = value.get_ref()
            && let Some(found) = key_at(inner, offset, &path)
        {
            return Some(found);
        }
        let is_here = key.span().contains(&offset) || value.span().contains(&offset);
        is_here.then_some(path)
    })
}

/// Where a section's key stands, or else its section.
fn find(document: &DeTable<'_>, section: &str, key: &str) -> Option<Range<usize>> {
    let (section, keys) = entry(document, section)?;
    let position = match keys.get_ref() {
        DeValue::Table(keys) => entry(keys, key).map(|(key, _)| key.span()),
        _ => None,
    };
    position.or(Some(section.span()))
}

fn entry<'a, 'i>(
    table: &'a DeTable<'i>,
    name: &str,
) -> Option<(
    &'a Spanned<std::borrow::Cow<'i, str>>,
    &'a Spanned<DeValue<'i>>,
)> {
    table.iter().find(|(key, _)| key.get_ref() == name)
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes()
        .take(offset)
        .filter(|&octet| octet == b'\n')
        .count()
        + 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn error(text: &str) -> String {
        Config::from_text(text, Path::new("a.toml"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn errors_name_file_line_key_and_what_would_be_right() {
        for (text, expected) in [
            (
                "[udp]\nworkers = 1\nworker = 2\n",
                "a.toml:3: udp.worker: unknown field `worker`, expected one of `listen`, \
                 `workers`, `max_payload`, `connection_id_lifetime`",
            ),
            (
                "\n[upd]\n",
                "a.toml:2: upd: unknown field `upd`, expected one of `udp`, `http`, `announce`, \
                 `access`, `livesync`, `process`, `log`",
            ),
            (
                "[announce]\n\ninterval = \"30x\"\n",
                "a.toml:3: announce.interval: \"30x\" is not a duration: write a number and a \
                 unit, `s`, `m`, `h` or `d`, like \"30m\"",
            ),
            (
                "[announce]\ninterval = 30\n",
                "a.toml:2: announce.interval: invalid type: integer `30`, expected \
                 a duration like \"30m\"",
            ),
            (
                "[access]\nadmin = [\n  \"127.0.0.1\",\n  \"10.0.0.0/40\",\n]\n",
                "a.toml:2: access.admin: \"10.0.0.0/40\" is not a network: write an address and \
                 a prefix length, like \"192.0.2.0/24\" or \"2001:db8::/32\"",
            ),
            (
                "[udp]\nlisten = [\"6969\"]\n",
                "a.toml:2: udp.listen: \"6969\" is not an address to listen on: write an IP \
                 address and a port, like \"0.0.0.0:6969\" or \"[::]:6969\"",
            ),
            (
                "[udp]\nworkers = 2000\n",
                "a.toml:2: udp.workers: 2000 is out of bounds: write a number from 0 to 1024",
            ),
            (
                "[udp]\nworkers = 100000\n",
                "a.toml:2: udp.workers: 100000 is out of bounds: write a number from 0 to 1024",
            ),
            (
                "[announce]\nnumwant_max = \"all\"\n",
                "a.toml:2: announce.numwant_max: invalid type: string \"all\", expected a whole \
                 number from 1 to 1000",
            ),
            (
                "[livesync]\ngroup = \"10.0.0.1\"\n",
                "a.toml:2: livesync.group: \"10.0.0.1\" is not a multicast group: write an \
                 address from \"224.0.0.0\" to \"239.255.255.255\"",
            ),
            (
                "[announce]\npeer_timeout = \"5h\"\n",
                "a.toml:2: announce.peer_timeout: \"5h\" is out of bounds: write a duration from \
                 \"60s\" to \"4h\"",
            ),
            (
                "[log]\nlevel = \"loud\"\n",
                "a.toml:2: log.level: unknown variant `loud`, expected one of `error`, `warn`, \
                 `info`, `debug`, `trace`",
            ),
        ] {
            assert_eq!(error(text), expected);
        }
        assert!(
            error("[udp\n").starts_with("a.toml:1: "),
            "{}",
            error("[udp\n")
        );
    }

    #[test]
    fn what_is_written_reads_the_same() {
        assert_eq!(Config::default().to_toml(), "");
        let mut config = Config::default();
        config.announce.interval = Duration::from_secs(600);
        config.udp.workers = 2;
        let written = config.to_toml();
        assert_eq!(written.lines().filter(|line| line.contains('=')).count(), 2);
        let read = Config::from_toml(&written, Path::new("a.toml")).unwrap();
        assert_eq!(read, config);
    }

    #[test]
    fn the_environment_overrides_every_kind_of_value() {
        let variables = [
            ("OPENTRACKER_ANNOUNCE__INTERVAL", "10m"),
            ("OPENTRACKER_UDP__WORKERS", "3"),
            ("OPENTRACKER_UDP__LISTEN", "[::]:1,127.0.0.1:2"),
            ("OPENTRACKER_HTTP__LISTEN", "[]"),
            ("OPENTRACKER_ACCESS__ADMIN", r#"["10.0.0.0/8"]"#),
            ("OPENTRACKER_PROCESS__USER", "1000"),
            ("OPENTRACKER_BIN", "not a key"),
            ("PATH", "/bin"),
        ]
        .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let config = Config::default().with_environment(variables).unwrap();
        assert_eq!(config.announce.interval, Duration::from_secs(600));
        assert_eq!(config.udp.workers, 3);
        assert_eq!(config.udp.listen.len(), 2);
        assert!(config.http.listen.is_empty());
        assert_eq!(config.access.admin.len(), 1);
        assert_eq!(config.process.user, "1000");
    }

    #[test]
    fn errors_in_the_environment_name_the_variable() {
        for (name, value, expected) in [
            ("OPENTRACKER_UDP__WORKER", "1", "there is no key udp.worker"),
            (
                "OPENTRACKER_UDP__WORKERS",
                "x",
                "\"x\" is not a whole number",
            ),
            (
                "OPENTRACKER_UDP__MAX_PAYLOAD",
                "1",
                "1 is out of bounds: write a number from 512 to 65507",
            ),
        ] {
            let variables = [(name.to_owned(), value.to_owned())];
            let error = Config::default().with_environment(variables).unwrap_err();
            assert_eq!(error.to_string(), format!("{name}: {expected}"));
        }
    }
}
