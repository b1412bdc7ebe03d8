//! Rules for the documentation.

use clap::Parser;

use super::{Finding, Repository, line_of};
use crate::markdown::Document;
use crate::{Task, plot};

/// The command that the README tells a newcomer to run, and that CI therefore runs.
const TEST_COMMAND: [&str; 3] = ["cargo", "xtask", "test"];

/// The options after which a program says something and ends.
const HARMLESS: [&str; 4] = ["--check", "--help", "--print-config", "--version"];

/// A command in a fenced block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) file: String,
    pub(crate) line: usize,
    /// What the shell would set for it alone.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) words: Vec<String>,
}

impl Command {
    /// Parses a line of shell; `None` when nothing is called.
    fn parse(file: &str, line: usize, text: &str) -> Option<Self> {
        let is_end = |word: &String| ["|", ">", "<", "&", "&&", ";"].contains(&word.as_str());
        let words = shlex::split(text)?.into_iter();
        let mut words = words.take_while(|word| !is_end(word)).peekable();
        let mut environment = Vec::new();
        while let Some((name, value)) = words.peek().and_then(|word| word.split_once('='))
            && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
        {
            environment.push((name.to_owned(), value.to_owned()));
            words.next();
        }
        let words: Vec<String> = words.skip_while(|word| word == "sudo").collect();
        (!words.is_empty()).then(|| Self {
            file: file.to_owned(),
            line,
            environment,
            words,
        })
    }

    /// The program that it runs, of those that the workspace delivers, and its arguments.
    pub(crate) fn program(&self) -> Option<(&str, &[String])> {
        match self.words.first()?.as_str() {
            "cargo" if self.words.get(1)? == "run" => {
                let mut parts = self.words[2..].splitn(2, |word| word == "--");
                let is_other =
                    |word: &String| ["-p", "--package", "--example"].contains(&word.as_str());
                let is_ours = !parts.next()?.iter().any(is_other);
                is_ours.then(|| ("opentracker", parts.next().unwrap_or_default()))
            }
            name => Some((name, &self.words[1..])),
        }
    }

    /// Says whether it ends by itself and touches nothing, with files of the repository alone.
    pub(crate) fn is_harmless(&self) -> bool {
        let is_one = |word: &String| HARMLESS.contains(&word.as_str());
        self.words.iter().any(is_one) && !self.words.iter().any(|word| word.starts_with('/'))
    }

    /// What is wrong with a command of cargo, if anything.
    fn fault(&self, repository: &Repository) -> Option<String> {
        let words = self.words.iter().map(String::as_str);
        match self.words.get(1).map(String::as_str).unwrap_or_default() {
            _ if self.words[0] != "cargo" => None,
            "xtask" => Task::try_parse_from(words.skip(1))
                .err()
                .filter(clap::Error::use_stderr)
                .map(|error| {
                    error
                        .to_string()
                        .lines()
                        .next()
                        .unwrap_or_default()
                        .to_owned()
                }),
            "run" | "build" | "test" | "bench" | "doc" | "install" | "clippy" | "fmt" => {
                let own: Vec<&str> = words.take_while(|word| *word != "--").collect();
                let mut pairs = own.windows(2).map(|pair| (pair[0], pair[1]));
                pairs.find_map(|(option, value)| unknown(repository, option, value))
            }
            other => Some(format!("no `cargo {other}` in our documentation")),
        }
    }
}

/// What an option of cargo names, if it is not there.
fn unknown(repository: &Repository, option: &str, value: &str) -> Option<String> {
    let members = repository.metadata.workspace_packages();
    let is_there = match option {
        "-p" | "--package" => members.iter().any(|member| member.name == value),
        "--path" => repository
            .files
            .contains_key(&format!("{value}/Cargo.toml")),
        "--bin" | "--example" | "--bench" | "--test" => members
            .iter()
            .any(|member| member.targets.iter().any(|target| target.name == value)),
        _ => true,
    };
    (!is_there).then(|| format!("there is no `{option} {value}`"))
}

/// The README and the documents of docs/, whose blocks are commands and configurations of this
/// version.
pub(crate) fn documents(repository: &Repository) -> impl Iterator<Item = (&str, Document)> {
    repository
        .ending(".md")
        .filter(|(file, _)| *file == "README.md" || file.starts_with("docs/"))
        .map(|(file, text)| (file, Document::parse(text)))
}

/// The commands of the blocks of shell in the documentation.
pub(crate) fn documented_commands(repository: &Repository) -> Vec<Command> {
    let mut commands = Vec::new();
    for (file, document) in documents(repository) {
        for block in document
            .blocks
            .iter()
            .filter(|block| block.language == "sh")
        {
            let lines = (block.line..).zip(block.text.lines());
            commands.extend(lines.filter_map(|(line, text)| Command::parse(file, line, text)));
        }
    }
    commands
}

/// Every command of cargo in the documentation and in `.ci/run` exists, and CI tests as we say.
///
/// The commands of our programs are tried by `cargo xtask ci`, which has built them.
pub(super) fn commands(repository: &Repository) -> Vec<Finding> {
    let mut commands = documented_commands(repository);
    let ci = (1..).zip(repository.text(".ci/run").lines());
    commands.extend(ci.filter_map(|(line, text)| Command::parse(".ci/run", line, text)));
    let mut findings: Vec<Finding> = commands
        .iter()
        .filter_map(|command| {
            let message = command.fault(repository)?;
            Some(Finding::new(&command.file, command.line, message))
        })
        .collect();
    for file in ["README.md", ".ci/run"] {
        let is_test = |command: &Command| command.file == file && command.words == TEST_COMMAND;
        if !commands.iter().any(is_test) {
            let message = format!("does not say `{}`", TEST_COMMAND.join(" "));
            findings.push(Finding::new(file, 1, message));
        }
    }
    findings
}

/// Relative links lead to a file of the repository, and to a heading that is there.
pub(crate) fn links(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, text) in repository.ending(".md") {
        for (line, target) in Document::parse(text).links {
            if let Some(message) = broken(repository, file, &target) {
                findings.push(Finding::new(file, line, message));
            }
        }
    }
    findings
}

/// What is wrong with the target of a link, if anything.
fn broken(repository: &Repository, file: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let mut parts: Vec<&str> = file.split('/').collect();
    if !path.is_empty() {
        parts.pop();
    }
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    let path = parts.join("/");
    let folder = format!("{path}/");
    let mut files = repository.files.keys();
    match repository.files.get(&path) {
        None if files.any(|file| file.starts_with(&folder)) => None,
        None => Some(format!("the link leads nowhere: {target}")),
        Some(_) if anchor.is_empty() => None,
        Some(text) => {
            let is_there = Document::parse(text)
                .anchors
                .iter()
                .any(|slug| slug == anchor);
            (!is_there).then(|| format!("no heading `#{anchor}` in {path}"))
        }
    }
}

/// What is not released yet stands on top of the changelog.
pub(super) fn changelog(repository: &Repository) -> Vec<Finding> {
    let file = "docs/changelog.md";
    let mut headings = repository
        .text(file)
        .lines()
        .filter(|line| line.starts_with("## "));
    if headings.next() == Some("## Unreleased") {
        return Vec::new();
    }
    vec![Finding::new(file, 1, "`## Unreleased` is not on top")]
}

/// The picture of the benchmarks shows the figures of their tables.
pub(super) fn picture(repository: &Repository) -> Vec<Finding> {
    let document = repository.text(plot::DOCUMENT);
    let message = match plot::draw(document) {
        Ok(drawn) if drawn == repository.text(plot::PICTURE) => return Vec::new(),
        Ok(_) => format!("{} shows others: `cargo xtask bench plot`", plot::PICTURE),
        Err(error) => format!("{error:#}"),
    };
    let line = line_of(document, "<!-- plot: ");
    vec![Finding::new(plot::DOCUMENT, line, message)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::faulty::{package, places};

    fn with_readme(block: &str) -> Repository {
        let readme = format!("```sh\ncargo xtask test # all\n{block}```\n");
        let files = [
            ("README.md", readme.as_str()),
            (".ci/run", "cargo xtask ci --static\ncargo xtask test\n"),
            ("crates/a/Cargo.toml", ""),
        ];
        Repository::with_packages(&files, &[package("a", &[], &[("it", true)])])
    }

    #[test]
    fn commands_that_exist_are_in_order() {
        let block = "cargo run --release   # runs it\n\
                     cargo install --locked --path crates/a\n\
                     cargo test --package a --test it -- --no-such\n\
                     cargo xtask bench udp --quick\n\
                     cargo xtask help\n\
                     curl --no-such-option\n";
        assert_eq!(commands(&with_readme(block)), []);
    }

    #[test]
    fn commands_that_do_not_exist_are_found() {
        for line in [
            "cargo xtask deploy",
            "cargo xtask test --static",
            "cargo xtask bench",
            "cargo fly",
            "cargo build -p b",
            "sudo cargo test -p a --test is",
            "cargo install --path crates/b",
        ] {
            let found = commands(&with_readme(&format!("{line}\n")));
            assert_eq!(places(&found), [("README.md", 3)], "{line}");
        }
    }

    #[test]
    fn the_test_command_is_in_the_readme_and_in_ci() {
        let files = [
            ("README.md", "```sh\ncargo xtask ci\n```\n"),
            (".ci/run", "cargo xtask tidy\n"),
        ];
        let found = commands(&Repository::of(&files));
        assert_eq!(places(&found), [("README.md", 1), (".ci/run", 1)]);
    }

    #[test]
    fn commands_are_parsed_as_a_shell_does() {
        let block = "OPENTRACKER_A__B='10 m' opentracker -i 192.0.2.1 | head # some\n\
                     cargo run --release -- --check -f deploy/config/a.toml\n\
                     cargo run -p a -- --check\n\
                     opentracker --check -f /etc/a.toml\n";
        let commands = &documented_commands(&with_readme(block))[1..];
        let programs: Vec<(&str, usize, bool)> = commands
            .iter()
            .filter_map(|command| {
                let (name, arguments) = command.program()?;
                Some((name, arguments.len(), command.is_harmless()))
            })
            .collect();
        let expected = [(2, false), (3, true), (3, false)];
        assert_eq!(
            programs,
            expected.map(|(count, is)| ("opentracker", count, is))
        );
        let variable = ("OPENTRACKER_A__B".to_owned(), "10 m".to_owned());
        assert_eq!(commands[0].environment, [variable]);
        assert_eq!(commands[0].line, 3);
    }

    #[test]
    fn broken_links_are_found() {
        let top = "# Top\n[a](docs/a.md#part) [b](docs/) [c](#top) [d](https://d.example)\n";
        let part = "## Part\n[up](../README.md)\n[x](../x.md)\n[y](a.md#y) [z](z/)\n";
        let found = links(&Repository::of(&[("README.md", top), ("docs/a.md", part)]));
        let lines = [3, 4, 4].map(|line| ("docs/a.md", line));
        assert_eq!(places(&found), lines);
    }

    #[test]
    fn a_changelog_without_unreleased_on_top_is_found() {
        for (text, count) in [
            ("# Changelog\n\n## Unreleased\n\n## 0.1.0\n", 0),
            ("# Changelog\n\n## 0.1.0\n\n## Unreleased\n", 1),
            ("# Changelog\n", 1),
        ] {
            let repository = Repository::of(&[("docs/changelog.md", text)]);
            assert_eq!(changelog(&repository).len(), count, "{text}");
        }
    }

    #[test]
    fn a_picture_of_other_figures_is_found() {
        let tables = "# Figures\n\n<!-- plot: announces -->\n| | answers/s |\n|---|---|\n| **a** | 1 |\n\n\
                      <!-- plot: memory -->\n| | octets a peer | octets a torrent |\n|---|---|---|\n\
                      | **a** | 2 | 3 |\n";
        let drawn = plot::draw(tables).unwrap();
        let found = |document: &str| {
            let files = [(plot::DOCUMENT, document), (plot::PICTURE, &drawn)];
            picture(&Repository::of(&files)).len()
        };
        assert_eq!(found(tables), 0);
        assert_eq!(found(&tables.replace("| 3 |", "| 4 |")), 1);
        assert_eq!(found("# Figures\n"), 1);
    }
}
