//! The sources of a configuration, each over those before it, and what is wrong with them.

use std::ffi::OsString;
use std::io;
use std::path::Path;

use toml::de::{DeTable, DeValue};

use super::c_style::{self, Meaning};
use super::checked::Config;
use super::findings::{ConfigErrors, Finding, enumerate, nearest};
use super::keys::{Key, SECTIONS, Section, Values, keys};
use super::value::Input;

/// What every variable of the environment begins with.
const PREFIX: &str = "OPENTRACKER_";

/// What some editors put before a text.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Collects the sources of a configuration: files, then the environment, then flags.
///
/// Each source replaces what those before it say, lists as a whole. Everything that is wrong with
/// any of them is kept until [`Layers::build`].
///
/// ```
/// use opentracker::config::Layers;
///
/// let mut layers = Layers::default();
/// layers.file("a.toml".as_ref(), b"[udp]\nworkers = 2\n[announce]\nintervall = \"30m\"\n");
/// layers.environment([("OPENTRACKER_UDP__WORKERS", "many")]);
/// let errors = layers.build().unwrap_err();
/// assert_eq!(
///     errors.to_string(),
///     "a.toml:4: announce.intervall: unknown key: did you mean `interval`?\n\
///      OPENTRACKER_UDP__WORKERS: \"many\" is not a whole number: write one from 0 to 1024"
/// );
/// ```
#[derive(Debug, Default)]
pub struct Layers {
    values: Values,
    faults: Vec<Finding>,
    warnings: Vec<Finding>,
}

impl Layers {
    /// Adds a file: TOML, or the format of the C program's `opentracker.conf`.
    pub fn file(&mut self, path: &Path, octets: &[u8]) {
        self.read(path, octets, false);
    }

    /// Adds a file as [`Layers::file`] does, but leaves out what the C program may know and this
    /// one does not, with a warning.
    pub fn import(&mut self, path: &Path, octets: &[u8]) {
        self.read(path, octets, true);
    }

    /// Notes a file that cannot be read.
    pub fn unreadable(&mut self, path: &Path, error: &io::Error) {
        let origin = path.display().to_string();
        self.faults
            .push(Finding::new(origin, format!("cannot read it: {error}")));
    }

    /// Adds the variables of an environment that begin with `OPENTRACKER_` and have two underscores
    /// between section and key. Others are not looked at, except that one which nearly names a key
    /// is worth a warning.
    pub fn environment<Name: Into<OsString>, Text: Into<OsString>>(
        &mut self,
        variables: impl IntoIterator<Item = (Name, Text)>,
    ) {
        for (name, value) in variables {
            // The name of a key is text.
            let Ok(name) = name.into().into_string() else {
                continue;
            };
            let Some(rest) = name.strip_prefix(PREFIX) else {
                continue;
            };
            match keys().find(|key| key.variable().eq_ignore_ascii_case(&name)) {
                Some(key) => match value.into().into_string() {
                    Ok(value) => self.variable(key, &name, &value),
                    Err(value) => {
                        let message = format!("{value:?} is not UTF-8");
                        self.faults.push(Finding::new(name, message));
                    }
                },
                None => self.unknown_variable(&name, rest),
            }
        }
    }

    /// Sets a key, like `http.redirect_url`, to what a flag says; `origin` is the flag.
    pub fn set(&mut self, origin: &str, key: &str, value: &str) {
        self.flag(origin, key, value, false);
    }

    /// Adds to a list, like `access.admin`, what a flag says; `origin` is the flag.
    pub fn add(&mut self, origin: &str, key: &str, value: &str) {
        self.flag(origin, key, value, true);
    }

    /// Makes the configuration, with what is worth a warning.
    ///
    /// # Errors
    ///
    /// Everything that is wrong with any source.
    pub fn build(self) -> Result<(Config, Vec<Finding>), ConfigErrors> {
        ConfigErrors::check(self.faults)?;
        let config = self.values.validate()?;
        let mut warnings = self.warnings;
        warnings.extend(config.warnings());
        Ok((config, warnings))
    }

    fn flag(&mut self, origin: &str, path: &str, value: &str, add: bool) {
        let place = Finding::new(origin, "").about(path);
        match keys().find(|key| key.path() == path) {
            Some(key) => self.assign(key, Input::Text(value), add, |_| place.clone()),
            None => self.faults.push(place.saying("there is no such key")),
        }
    }

    /// Takes what somebody wrote for a key, or notes what is wrong with it; `place` says where that
    /// is, from its offset in a document.
    fn assign(
        &mut self,
        key: &Key,
        input: Input<'_>,
        add: bool,
        place: impl Fn(Option<usize>) -> Finding,
    ) {
        if let Err(wrongs) = key.set(&mut self.values, input, add) {
            let faults = wrongs.into_iter().map(|wrong| {
                let message = key.explain(&wrong.reason);
                place(wrong.offset).saying(message)
            });
            self.faults.extend(faults);
        }
    }

    fn read(&mut self, path: &Path, octets: &[u8], import: bool) {
        let origin = Finding::new(path.display().to_string(), "");
        let octets = octets.strip_prefix(BYTE_ORDER_MARK).unwrap_or(octets);
        if c_style::is_c_style(octets) {
            self.read_c_style(&origin, octets, import);
            return;
        }
        match std::str::from_utf8(octets) {
            Ok(text) => self.read_toml(&origin, text),
            Err(error) => {
                let line = line_of(octets, error.valid_up_to());
                let fault = origin.at(Some(line));
                self.faults.push(fault.saying("the text is not UTF-8"));
            }
        }
    }

    fn read_c_style(&mut self, origin: &Finding, octets: &[u8], import: bool) {
        for line in c_style::read(octets) {
            let place = origin.clone().at(Some(line.number)).about(line.word);
            match line.meaning {
                Meaning::Set { keys, value, add } => {
                    let faults = self.faults.len();
                    for key in keys {
                        // What is wrong for both of two listeners is said once.
                        if self.faults.len() == faults {
                            self.assign(key, Input::Text(&value), add, |_| place.clone());
                        }
                    }
                }
                Meaning::Unknown(reason) if !import => self.faults.push(place.saying(reason)),
                Meaning::LeftOut(reason) | Meaning::Unknown(reason) => {
                    let warning = place.saying(format!("left out: {reason}"));
                    self.warnings.push(warning);
                }
                Meaning::Wrong(reason) => self.faults.push(place.saying(reason)),
            }
        }
    }

    fn read_toml(&mut self, origin: &Finding, text: &str) {
        let at = |offset: usize| origin.clone().at(Some(line_of(text.as_bytes(), offset)));
        let (document, errors) = DeTable::parse_recoverable(text);
        let first = self.faults.len();
        self.faults.extend(errors.iter().map(|error| {
            let start = error.span().map(|span| span.start);
            let place = at(start.unwrap_or_else(|| start_of_placeless(text)));
            place.saying(error.message().replace('\n', "; "))
        }));
        if errors.is_empty() {
            self.read_document(document.get_ref(), at);
        }
        self.faults[first..].sort_by_key(|fault| fault.line);
    }

    fn read_document(&mut self, document: &DeTable<'_>, at: impl Fn(usize) -> Finding + Copy) {
        for (name, value) in document {
            let (name, start) = (name.get_ref().as_ref(), name.span().start);
            let message = match (section_of(name), value.get_ref()) {
                (Some(section), DeValue::Table(keys)) => {
                    self.read_section(section, keys, at);
                    continue;
                }
                (Some(_), _) => no_section(name),
                (None, value) => unknown_at_the_top(name, value),
            };
            self.faults.push(at(start).about(name).saying(message));
        }
    }

    fn read_section(
        &mut self,
        section: &Section,
        keys: &DeTable<'_>,
        at: impl Fn(usize) -> Finding + Copy,
    ) {
        for (name, value) in keys {
            let (name, start) = (name.get_ref().as_ref(), name.span().start);
            let path = format!("{}.{name}", section.name);
            let place = |offset| at(offset).about(path.as_str());
            if let Some(key) = section.keys.iter().find(|key| key.name == name) {
                self.assign(key, Input::Toml(value), false, |offset| {
                    place(offset.unwrap_or(start))
                });
                continue;
            }
            let message = match (section_of(&path), value.get_ref()) {
                (Some(inner), DeValue::Table(keys)) => {
                    self.read_section(inner, keys, at);
                    continue;
                }
                (Some(_), _) => no_section(&path),
                (None, _) => unknown_key(section, name),
            };
            self.faults.push(place(start).saying(message));
        }
    }

    fn variable(&mut self, key: &Key, name: &str, value: &str) {
        let before = (key.get)(&self.values);
        self.assign(key, Input::Text(value), false, |_| Finding::new(name, ""));
        let was_set = before != (key.get)(&Values::default());
        if was_set && value.trim().is_empty() && before != (key.get)(&self.values) {
            let path = key.path();
            let message =
                format!("it is empty and so switches {path} off, which would be {before}");
            self.warnings.push(Finding::new(name, message));
        }
    }

    fn unknown_variable(&mut self, name: &str, rest: &str) {
        let variables = keys().map(Key::variable);
        let names: Vec<_> = variables
            .map(|name| name[PREFIX.len()..].to_owned())
            .collect();
        let near = nearest(rest, &names);
        let hint = near.map(|near| format!("did you mean {PREFIX}{near}?"));
        if rest.contains("__") {
            let path = rest.to_lowercase().replace("__", ".");
            let hint = hint.map(|hint| format!(": {hint}")).unwrap_or_default();
            let message = format!("there is no key {path}{hint}");
            self.faults.push(Finding::new(name, message));
        } else if let Some(hint) = hint {
            let message = format!("it sets nothing: {hint}");
            self.warnings.push(Finding::new(name, message));
        }
    }
}

fn section_of(name: &str) -> Option<&'static Section> {
    SECTIONS.iter().find(|section| section.name == name)
}

fn no_section(name: &str) -> String {
    format!("it is a section: write its keys below a line [{name}]")
}

fn unknown_at_the_top(name: &str, value: &DeValue<'_>) -> String {
    let sections = || SECTIONS.iter().map(|section| section.name);
    let what = if value.is_table() { "section" } else { "key" };
    match nearest(name, sections())
        .map(str::to_owned)
        .or_else(|| elsewhere(name))
    {
        Some(near) => format!("unknown {what}: did you mean `{near}`?"),
        None => format!(
            "unknown {what}: the sections are {}",
            enumerate(sections(), "and")
        ),
    }
}

fn unknown_key(section: &Section, name: &str) -> String {
    let inner = SECTIONS.iter().filter_map(|other| {
        let path = other.name.strip_prefix(section.name)?;
        path.strip_prefix('.')
    });
    let names = || section.keys.iter().map(|key| key.name).chain(inner.clone());
    let of_c = |key: &&Key| {
        key.c_name
            .is_some_and(|c_name| c_name.ends_with(&format!(".{name}")))
    };
    let near = nearest(name, names()).or_else(|| keys().find(of_c).map(Key::path));
    if let Some(near) = near {
        return format!("unknown key: did you mean `{near}`?");
    }
    let other = elsewhere(name).map(|path| format!("; there is `{path}`"));
    let names = enumerate(names(), "and");
    format!(
        "unknown key: [{}] has {names}{}",
        section.name,
        other.unwrap_or_default()
    )
}

/// The path of a key that has this name in whatever section.
fn elsewhere(name: &str) -> Option<String> {
    let key = keys().find(|key| key.name == name)?;
    Some(key.path().to_owned())
}

/// Where a line begins whose fault does not say where it is, as that of a key of too many parts: the
/// first one with which it is there.
fn start_of_placeless(text: &str) -> usize {
    let is_placeless = |end: usize| {
        let (_, errors) = DeTable::parse_recoverable(&text[..end]);
        errors.iter().any(|error| error.span().is_none())
    };
    let starts = text.match_indices('\n').map(|(at, _)| at + 1);
    let starts: Vec<_> = std::iter::once(0).chain(starts).collect();
    let following = starts.partition_point(|start| !is_placeless(*start));
    starts[following.saturating_sub(1)]
}

fn line_of(octets: &[u8], offset: usize) -> usize {
    let before = octets.iter().take(offset);
    before.filter(|&&octet| octet == b'\n').count() + 1
}
