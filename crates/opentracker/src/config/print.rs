//! What is written out: the configuration as TOML, and the tables of docs/configuration.md.

use std::fmt::Write;

use super::findings::enumerate;
use super::keys::{Applies, Key, SECTIONS, Section, Values, summary};

/// Column at which comments stand.
const COMMENT_COLUMN: usize = 41;

/// Writes every key with its default and a comment, as `--print-config` prints it.
pub fn default_toml() -> String {
    let about = "The configuration of opentracker: every key with its default.";
    let mut text = format!("# {about} See docs/configuration.md.\n");
    for section in SECTIONS {
        let title = format!("[{}]", section.name);
        text += &format!("\n{}\n", commented(&title, &summary(section.about)));
        for key in section.keys {
            let line = format!("{} = {}", key.name, (key.get)(&Values::default()));
            text += &commented(&line, &comment(key));
            text.push('\n');
        }
    }
    text
}

/// Renews the tables of keys in a Markdown text, each of which stands between
/// `<!-- keys of SECTION -->` and `<!-- end of keys -->`.
///
/// # Panics
///
/// Where the text has no place for a section.
pub fn document(text: &str) -> String {
    SECTIONS.iter().fold(text.to_owned(), |text, section| {
        let start = format!("<!-- keys of {} -->\n", section.name);
        let end = "<!-- end of keys -->";
        let (before, rest) = text
            .split_once(&start)
            .expect("every section has its place");
        let (_, after) = rest.split_once(end).expect("every table has an end");
        format!("{before}{start}\n{}\n{end}{after}", table(section))
    })
}

/// Writes the keys that a condition holds for, with their sections.
pub(super) fn toml(values: &Values, wanted: impl Fn(&Key) -> bool) -> String {
    let mut text = String::new();
    for section in SECTIONS {
        let keys: Vec<_> = section.keys.iter().filter(|key| wanted(key)).collect();
        if keys.is_empty() {
            continue;
        }
        let gap = if text.is_empty() { "" } else { "\n" };
        text += &format!("{gap}[{}]\n", section.name);
        for key in keys {
            text += &format!("{} = {}\n", key.name, (key.get)(values));
        }
    }
    text
}

fn commented(line: &str, comment: &str) -> String {
    format!("{line:<width$} # {comment}", width = COMMENT_COLUMN - 1)
}

/// What a key means and takes, in a line.
fn comment(key: &Key) -> String {
    let summary = key.summary();
    match range(key) {
        Some(range) => format!("{summary}, {range}"),
        None if key.choices.is_empty() => summary,
        None => format!("{summary}: {}", key.choices.join(", ")),
    }
}

fn range(key: &Key) -> Option<String> {
    let [least, most] = (key.bounds)()?;
    Some(match least.as_str() {
        "0" | "0s" => format!("up to {most}"),
        _ => format!("{least} to {most}"),
    })
}

/// Writes the table of a section's keys as docs/configuration.md has it.
fn table(section: &Section) -> String {
    let mut table = "| key | value | default | meaning | applies at | C program |\n\
                     |---|---|---|---|---|---|\n"
        .to_owned();
    for key in section.keys {
        let default = (key.get)(&Values::default());
        let meaning = key.help.iter().map(|line| line.trim());
        let meaning: Vec<_> = meaning.filter(|line| !line.is_empty()).collect();
        let applies = match key.applies {
            Applies::Reload => "reload",
            Applies::Restart => "restart",
        };
        let flag = key.flag.map(|(flag, _)| format!("`-{flag}`"));
        let c_name = key.c_name.map(|name| format!("`{name}`"));
        let c_program: Vec<_> = c_name.into_iter().chain(flag).collect();
        // Writing to a string cannot fail.
        writeln!(
            table,
            "| `{}` | {} | `{default}` | {} | {applies} | {} |",
            key.name,
            kind(key),
            meaning.join(" "),
            c_program.join(", ")
        )
        .ok();
    }
    table
}

/// What a key takes: `duration, 1m to 1d`.
pub(super) fn kind(key: &Key) -> String {
    if !key.choices.is_empty() {
        return enumerate(key.choices, "or");
    }
    let (_, noun) = key.wanted.split_once(' ').unwrap_or_default();
    let list = if key.is_list { "list: " } else { "" };
    match range(key) {
        Some(range) => format!("{list}{noun}, {range}"),
        None => format!("{list}{noun}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Layers;

    #[test]
    fn the_printed_defaults_are_the_defaults() {
        let mut layers = Layers::default();
        layers.file("default.toml".as_ref(), default_toml().as_bytes());
        let (config, warnings) = layers.build().unwrap();
        assert_eq!((config.to_toml(), warnings), (String::new(), vec![]));
        assert!(
            config
                .udp
                .listen
                .iter()
                .all(|listener| !listener.by_default)
        );
    }

    /// After a change of a key: `UPDATE_DOCS=1 cargo test -p opentracker the_documentation`.
    #[test]
    fn the_documentation_has_every_key_as_it_is_declared() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/configuration.md");
        let text = std::fs::read_to_string(path).unwrap();
        let current = document(&text);
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(path, current).unwrap();
        } else {
            assert!(
                text == current,
                "the tables of docs/configuration.md are old: run\n    \
                 UPDATE_DOCS=1 cargo test -p opentracker the_documentation"
            );
        }
    }
}
