//! The manual page of the configuration, from the keys.

use opentracker_lab::manual::{Manual, hold_current};

use super::keys::{Applies, Key, SECTIONS, Values};
use super::print::kind;

fn page() -> String {
    let mut page = Manual::new("opentracker.toml", "5", "the configuration of opentracker");
    page.section("DESCRIPTION").text(
        "The file that `opentracker --config` reads: TOML, with every key optional. `opentracker \
         --print-config` prints all keys with their defaults, and `opentracker --check --config` \
         <FILE> tries a file as a start would.",
    );
    page.paragraph(
        "Each key can be given in the environment as well, where a list is written with commas: \
         `announce.interval` is `OPENTRACKER_ANNOUNCE__INTERVAL`. Durations are a number and a unit, \
         like `30m`; `[]` and `\"\"` switch off what they name.",
    );
    page.paragraph(
        "A key applies at a reload (`SIGHUP`, or `opentracker-ctl reload`) or after a restart. The \
         documents docs/configuration.md and docs/cluster.md say more than fits here.",
    );
    for section in SECTIONS {
        page.section(&format!("[{}]", section.name));
        page.text(&words(section.about));
        for key in section.keys {
            let default = (key.get)(&Values::default());
            page.term(&format!("`{} = {default}`", key.name), &meaning(key));
        }
    }
    page.section("SEE ALSO")
        .text("`opentracker`(8), `opentracker-ctl`(8)");
    page.source()
}

/// What a key means, what it takes, and when it applies.
fn meaning(key: &Key) -> String {
    let applies = match key.applies {
        Applies::Reload => "at a reload",
        Applies::Restart => "after a restart",
    };
    let mut text = format!(
        "{} Takes: {}. Applies {applies}.",
        words(key.help),
        kind(key)
    );
    if let Some(name) = key.c_name {
        text += &format!(" In the C program: {name}.");
    }
    text
}

fn words(doc: &[&str]) -> String {
    let lines = doc.iter().map(|line| line.trim());
    lines
        .filter(|line| !line.is_empty())
        .collect::<Vec<_>>()
        .join(" ")
}

#[test]
fn the_documentation_has_the_manual_page() {
    hold_current("man/opentracker.toml.5", &page());
}
