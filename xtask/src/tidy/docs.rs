//! Rules for the documentation.

use super::{Finding, Repository, line_of};
use crate::programs::PROGRAMS;
use crate::{TASKS, Task, markdown, plot};

/// The command that a stranger is told to run, and that CI therefore runs.
const TEST_COMMAND: [&str; 3] = ["cargo", "xtask", "test"];

/// The options of the programs: name, and whether a value follows.
const OPTIONS: &[(&str, bool)] = &[
    ("--check", false),
    ("--config", true),
    ("--help", false),
    ("--print-config", false),
    ("--version", false),
    ("-A", true),
    ("-P", true),
    ("-b", true),
    ("-d", true),
    ("-f", true),
    ("-i", true),
    ("-p", true),
    ("-r", true),
    ("-u", true),
    ("-w", true),
];

/// The options after which a program says something and ends.
const HARMLESS: [&str; 4] = ["--check", "--help", "--print-config", "--version"];

/// The documents whose blocks are commands and configurations of this version.
const DOCUMENTS: [&str; 2] = ["README.md", "docs/"];

/// A command of ours in a fenced block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) file: String,
    pub(crate) line: usize,
    /// What the shell would set for it alone.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) words: Vec<String>,
}

impl Command {
    /// The arguments of the tracker, when the command runs it.
    pub(crate) fn tracker_arguments(&self) -> Option<&[String]> {
        match self.words.first()?.as_str() {
            "opentracker" => Some(&self.words[1..]),
            "cargo" if self.words.get(1)? == "run" => {
                let end = self.words.iter().position(|word| word == "--");
                Some(end.map_or(&[], |end| &self.words[end + 1..]))
            }
            _ => None,
        }
    }

    /// Says whether it ends by itself and touches nothing, with files of the repository alone.
    pub(crate) fn is_harmless(&self) -> bool {
        self.tracker_arguments().is_some_and(|arguments| {
            arguments
                .iter()
                .any(|word| HARMLESS.contains(&word.as_str()))
                && !arguments.iter().any(|word| word.starts_with('/'))
        })
    }
}

/// The commands of ours in the README and in docs/.
pub(crate) fn documented_commands(repository: &Repository) -> Vec<Command> {
    let mut commands = Vec::new();
    for (file, text) in documents(repository) {
        for block in markdown::blocks(text) {
            if block.language == "sh" {
                let lines = (block.line..).zip(block.text.lines());
                commands.extend(lines.filter_map(|(number, line)| command(file, number, line)));
            }
        }
    }
    commands
}

/// The README, and the documents of docs/.
pub(crate) fn documents(repository: &Repository) -> impl Iterator<Item = (&str, &str)> {
    let is_document = |file: &str| DOCUMENTS.iter().any(|start| file.starts_with(start));
    repository
        .ending(".md")
        .filter(move |(file, _)| is_document(file))
}

/// Every command of ours in the documentation and in `.ci/run` exists, and CI tests as we say.
pub(super) fn commands(repository: &Repository) -> Vec<Finding> {
    let mut commands = documented_commands(repository);
    let ci = (1..).zip(repository.text(".ci/run").lines());
    commands.extend(ci.filter_map(|(number, line)| command(".ci/run", number, line)));
    let mut findings = Vec::new();
    for command in &commands {
        if let Some(message) = fault(repository, command) {
            findings.push(Finding::new(&command.file, command.line, message));
        }
    }
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
        for link in markdown::links(text) {
            if let Some(message) = broken(repository, file, &link.target) {
                findings.push(Finding::new(file, link.line, message));
            }
        }
    }
    findings
}

/// What is not released yet stands on top of the changelog.
pub(super) fn changelog(repository: &Repository) -> Vec<Finding> {
    let file = "docs/changelog.md";
    let text = repository.text(file);
    let first = (1..)
        .zip(text.lines())
        .find(|(_, line)| line.starts_with("## "));
    match first {
        Some((_, "## Unreleased")) => Vec::new(),
        Some((line, _)) => vec![Finding::new(file, line, "`## Unreleased` is not on top")],
        None => vec![Finding::new(file, 1, "has no `## Unreleased`")],
    }
}

/// The picture of the benchmarks shows the figures of their tables.
pub(super) fn picture(repository: &Repository) -> Vec<Finding> {
    let document = repository.text(plot::DOCUMENT);
    match plot::check(document, repository.text(plot::PICTURE)) {
        Ok(()) => Vec::new(),
        Err(error) => {
            let line = line_of(document, plot::MARKER);
            vec![Finding::new(plot::DOCUMENT, line, format!("{error:#}"))]
        }
    }
}

/// Parses a line of shell; `None` when it is not a command of ours.
fn command(file: &str, line: usize, text: &str) -> Option<Command> {
    let mut words = words(text);
    let is_assignment = |word: &String| {
        let name = word.split_once('=').map_or("", |(name, _)| name);
        !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c == '_')
    };
    let mut environment = Vec::new();
    while words.first().is_some_and(is_assignment) {
        let (name, value) = words
            .remove(0)
            .split_once('=')
            .map(|(name, value)| (name.to_owned(), value.to_owned()))?;
        environment.push((name, value));
    }
    if words.first().is_some_and(|word| word == "sudo") {
        words.remove(0);
    }
    let program = words.first()?;
    let is_ours = program == "cargo" || PROGRAMS.iter().any(|program| program.binary == words[0]);
    is_ours.then(|| Command {
        file: file.to_owned(),
        line,
        environment,
        words,
    })
}

/// The words of the first command of a line, without its comment, redirections and what follows.
fn words(text: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    for c in text.chars() {
        match (quote, c) {
            (Some(open), _) if c == open => quote = None,
            (None, '\'' | '"') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None, '|' | '>' | '<' | '&' | ';') => break,
            (None, '#') if word.is_none() => break,
            (None, ' ') => words.extend(word.take()),
            _ => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    words
}

/// What is wrong with a command, if anything.
fn fault(repository: &Repository, command: &Command) -> Option<String> {
    let mut words = command.words.iter().map(String::as_str);
    if words.next() == Some("cargo") {
        let fault = match words.next() {
            Some("xtask") => return xtask_fault(words.next(), words),
            Some("run" | "build" | "test" | "doc") => cargo_fault(
                repository,
                &mut words.by_ref().take_while(|word| *word != "--"),
            ),
            Some("install") => cargo_fault(repository, &mut words),
            other => Some(format!(
                "no `cargo {}` in our documentation",
                other.unwrap_or_default()
            )),
        };
        if fault.is_some() {
            return fault;
        }
    }
    tracker_fault(command.tracker_arguments()?.iter().map(String::as_str))
}

fn xtask_fault<'a>(
    name: Option<&str>,
    mut arguments: impl Iterator<Item = &'a str>,
) -> Option<String> {
    let name = name.unwrap_or("help");
    let task: Option<&Task> = TASKS.iter().find(|task| task.name == name);
    let Some(task) = task else {
        return (name != "help").then(|| format!("no task `{name}`"));
    };
    let takes = |word: &&str| {
        task.usage
            .split(['[', ']', ' ', '|'])
            .any(|known| known == *word)
    };
    let unknown = arguments.find(|word| !takes(word))?;
    Some(format!("`cargo xtask {name}` takes no `{unknown}`"))
}

fn cargo_fault<'a>(
    repository: &Repository,
    words: &mut impl Iterator<Item = &'a str>,
) -> Option<String> {
    while let Some(word) = words.next() {
        match word {
            "--release" | "--locked" | "--quiet" | "--workspace" => {}
            "--package" | "-p" => {
                let name = words.next().unwrap_or_default();
                if !repository
                    .metadata
                    .members()
                    .any(|member| member.name == name)
                {
                    return Some(format!("no package `{name}`"));
                }
            }
            "--path" => {
                let manifest = format!("{}/Cargo.toml", words.next().unwrap_or_default());
                if !repository.files.contains_key(&manifest) {
                    return Some(format!("no `{manifest}`"));
                }
            }
            _ => return Some(format!("an option of cargo that we do not know: `{word}`")),
        }
    }
    None
}

fn tracker_fault<'a>(mut words: impl Iterator<Item = &'a str>) -> Option<String> {
    while let Some(word) = words.next() {
        match OPTIONS.iter().find(|(name, _)| *name == word) {
            None => return Some(format!("`opentracker` has no `{word}`")),
            Some((_, true)) if words.next().is_none() => {
                return Some(format!("`{word}` needs a value"));
            }
            Some(_) => {}
        }
    }
    None
}

/// What is wrong with the target of a link, if anything.
fn broken(repository: &Repository, file: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
    let path = if path.is_empty() {
        file.to_owned()
    } else {
        resolve(file, path)
    };
    let folder = format!("{path}/");
    let Some(text) = repository.files.get(&path) else {
        let is_folder = repository
            .files
            .keys()
            .any(|file| file.starts_with(&folder));
        return (!is_folder).then(|| format!("the link leads nowhere: {target}"));
    };
    let is_there = anchor.is_empty() || markdown::anchors(text).iter().any(|slug| slug == anchor);
    (!is_there).then(|| format!("no heading `#{anchor}` in {path}"))
}

/// Resolves a path that is relative to the folder of a file.
fn resolve(file: &str, path: &str) -> String {
    let mut parts: Vec<&str> = file.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()),
            _ => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::{Metadata, Package};
    use crate::tidy::places;

    fn with_readme(block: &str) -> Repository {
        let readme = format!("```sh\ncargo xtask test # all\n{block}```\n");
        let mut repository = Repository::of(&[
            ("README.md", &readme),
            (".ci/run", "cargo xtask ci --static\ncargo xtask test\n"),
            ("crates/a/Cargo.toml", ""),
        ]);
        repository.metadata = Metadata {
            packages: vec![Package {
                name: "a".to_owned(),
                ..Package::default()
            }],
            workspace_members: vec![String::new()],
            ..Metadata::default()
        };
        repository
    }

    #[test]
    fn commands_that_exist_are_in_order() {
        let block = "cargo run --release   # runs it\n\
                     cargo run --release -- --config 'a file.toml' --check\n\
                     cargo install --locked --path crates/a\n\
                     cargo build --package a\n\
                     cargo xtask ci --static\n\
                     OPENTRACKER_A__B=10m opentracker -i 192.0.2.1 -p 80 | head\n\
                     curl --no-such-option\n";
        assert_eq!(commands(&with_readme(block)), []);
    }

    #[test]
    fn commands_that_do_not_exist_are_found() {
        for line in [
            "cargo xtask deploy",
            "cargo xtask test --static",
            "cargo fly",
            "cargo run --fast",
            "cargo run -- --chek",
            "cargo build -p b",
            "cargo install --path crates/b",
            "opentracker --verbose",
            "sudo opentracker -p",
        ] {
            let found = commands(&with_readme(&format!("{line}\n")));
            assert_eq!(places(&found), [("README.md", 3)], "{line}");
        }
    }

    #[test]
    fn the_test_command_is_in_the_readme_and_in_ci() {
        let found = commands(&Repository::of(&[
            ("README.md", "```sh\ncargo xtask ci\n```\n"),
            (".ci/run", "cargo xtask testing\n"),
        ]));
        assert_eq!(
            places(&found),
            [(".ci/run", 1), ("README.md", 1), (".ci/run", 1)]
        );
    }

    #[test]
    fn harmless_commands_are_those_that_end_and_read_the_repository_alone() {
        let block = "opentracker\nopentracker --version\n\
                     cargo run -- --check -f deploy/config/a.toml\n\
                     opentracker --check -f /etc/a.toml\nA=1 opentracker --print-config\n";
        let commands = documented_commands(&with_readme(block));
        let lines: Vec<usize> = commands
            .iter()
            .filter(|command| command.is_harmless())
            .map(|c| c.line)
            .collect();
        assert_eq!(lines, [4, 5, 7]);
        assert_eq!(commands[5].environment, [("A".to_owned(), "1".to_owned())]);
    }

    #[test]
    fn broken_links_are_found() {
        let repository = Repository::of(&[
            (
                "README.md",
                "# Top\n[a](docs/a.md#part) [b](docs/) [c](#top) [d](https://d.example)\n",
            ),
            (
                "docs/a.md",
                "## Part\n[up](../README.md)\n[x](../x.md)\n[y](a.md#y) [z](z/)\n",
            ),
        ]);
        let found = links(&repository);
        assert_eq!(
            places(&found),
            [("docs/a.md", 3), ("docs/a.md", 4), ("docs/a.md", 4)]
        );
    }

    #[test]
    fn a_changelog_without_unreleased_on_top_is_found() {
        let found = |text: &str| {
            let repository = Repository::of(&[("docs/changelog.md", text)]);
            changelog(&repository).len()
        };
        assert_eq!(found("# Changelog\n\n## Unreleased\n\n## 0.1.0\n"), 0);
        assert_eq!(found("# Changelog\n\n## 0.1.0\n\n## Unreleased\n"), 1);
        assert_eq!(found("# Changelog\n"), 1);
    }

    #[test]
    fn a_picture_of_other_figures_is_found() {
        let document = "\
# Benchmarks
<!-- plot: announces -->
| | answers/s |
|---|--:|
| **a** | 1 000 |
<!-- plot: memory -->
| | many | few |
|---|--:|--:|
| **a** | 94 octets a torrent | 11.2 octets a peer |
";
        let drawn = plot::draw(document).unwrap();
        let found = |document: &str| {
            let files = [(plot::DOCUMENT, document), (plot::PICTURE, &drawn)];
            picture(&Repository::of(&files))
        };
        assert_eq!(found(document), []);
        let stale = found(&document.replace("1 000", "2 000"));
        assert_eq!(places(&stale), [(plot::DOCUMENT, 2)]);
        assert!(stale[0].message.contains("cargo xtask bench plot"));
        assert_eq!(places(&found("")), [(plot::DOCUMENT, 1)]);
    }
}
