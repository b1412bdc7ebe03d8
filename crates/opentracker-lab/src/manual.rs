//! Manual pages, and other files that are made of what the programs declare.

use std::path::Path;

use roff::{Inline, Roff, bold, italic, roman};

/// The date of manual pages: of the release, or of the last change before it.
const DATE: &str = "2026-11-25";

/// Columns of a line of the source, before its escapes.
const SOURCE_WIDTH: usize = 64;

/// How files that are made are renewed.
const RENEW: &str = "UPDATE_DOCS=1 cargo test -p opentracker -p opentracker-daemon -p opentracker-ctl the_documentation";

/// A manual page. In its texts `` `words` `` are bold, as they are to be typed, and `<words>`
/// italic, as they stand for something.
#[derive(Debug)]
pub struct Manual {
    roff: Roff,
}

impl Manual {
    /// Begins the page of a name in a section of the manual.
    pub fn new(name: &str, section: &str, about: &str) -> Self {
        let mut roff = Roff::new();
        let title = name.to_uppercase();
        let version = concat!("opentracker ", env!("CARGO_PKG_VERSION"));
        roff.control("TH", [&title, section, DATE, version]);
        roff.control("SH", ["NAME"]);
        roff.text([roman(format!("{name} - {about}"))]);
        Self { roff }
    }

    /// Begins a section.
    pub fn section(&mut self, title: &str) -> &mut Self {
        self.roff.control("SH", [title]);
        self
    }

    /// Begins a part of a section.
    pub fn part(&mut self, title: &str) -> &mut Self {
        self.roff.control("SS", [title]);
        self
    }

    /// Writes the first lines of a section or part.
    pub fn text(&mut self, text: &str) -> &mut Self {
        // No line of the source is long, and none ends within what is bold.
        let mut line = String::new();
        for word in text.split(' ') {
            let is_whole = line.matches('`').count().is_multiple_of(2);
            if is_whole && !line.is_empty() && line.len() + word.len() > SOURCE_WIDTH {
                self.roff.text(inlines(&line));
                line.clear();
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line += word;
        }
        self.roff.text(inlines(&line));
        self
    }

    /// Writes a paragraph that follows another one.
    pub fn paragraph(&mut self, text: &str) -> &mut Self {
        self.roff.control("PP", []);
        self.text(text)
    }

    /// Writes a term with what it means.
    pub fn term(&mut self, term: &str, meaning: &str) -> &mut Self {
        self.roff.control("TP", []);
        self.text(term).text(meaning)
    }

    /// Writes a line of a form of commands.
    pub fn usage(&mut self, line: &str) -> &mut Self {
        self.text(line);
        self.roff.control("br", []);
        self
    }

    /// Writes a line of an example.
    pub fn example(&mut self, line: &str) -> &mut Self {
        self.roff.control("PP", []);
        self.roff.control("in", ["+4n"]);
        self.roff.control("nf", []);
        self.roff.text([roman(line)]);
        self.roff.control("fi", []);
        self.roff.control("in", []);
        self
    }

    /// Returns the source of the page.
    pub fn source(&self) -> String {
        self.roff.render()
    }
}

/// Parts a text into what is bold, italic, and neither.
fn inlines(text: &str) -> Vec<Inline> {
    let mut inlines = Vec::new();
    for (number, part) in text.split('`').enumerate() {
        if number % 2 == 1 {
            inlines.push(bold(part));
            continue;
        }
        let mut rest = part;
        while let Some((before, after)) = rest.split_once('<')
            && let Some((name, after)) = after.split_once('>')
        {
            inlines.extend([roman(before), italic(name)]);
            rest = after;
        }
        inlines.push(roman(rest));
    }
    inlines
}

/// Holds a file of `docs/` to what it is made of, or with `UPDATE_DOCS` in the environment writes
/// it anew. Lines end without spaces.
///
/// # Panics
///
/// If the file is another one.
pub fn hold_current(file: &str, text: &str) {
    let docs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs");
    let path = docs.join(file);
    let lines: Vec<_> = text.lines().map(str::trim_end).collect();
    let text = lines.join("\n").trim_end().to_owned() + "\n";
    if std::env::var_os("UPDATE_DOCS").is_some() {
        let folder = path.parent().expect("a file is in a folder");
        std::fs::create_dir_all(folder).expect("docs/ can be written to");
        std::fs::write(&path, text).expect("docs/ can be written to");
    } else {
        let is_current = std::fs::read_to_string(&path).is_ok_and(|found| found == text);
        assert!(is_current, "docs/{file} is old: run\n    {RENEW}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_set_as_they_are_marked() {
        let expected = [bold("-f"), roman(" "), italic("FILE"), roman(", or a < b")];
        let found = inlines("`-f` <FILE>, or a < b");
        let found: Vec<_> = found
            .into_iter()
            .filter(|part| *part != roman(""))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_page_has_its_head_and_its_terms() {
        let mut page = Manual::new("a", "8", "does something");
        page.section("OPTIONS").term("`-a`", "All.");
        let source = page.source();
        assert!(source.contains("\n.TH A 8 "), "{source}");
        assert!(
            source.ends_with(".SH OPTIONS\n.TP\n\\fB\\-a\\fR\nAll.\n"),
            "{source}"
        );
    }
}
