//! Rules for the documentation.

use cargo_metadata::Target;
use clap::Parser;

use super::{Finding, Repository, line_of};
use crate::markdown::{Block, Document};
use crate::workspace::PROGRAMS;
use crate::{Task, plot};

/// The command that the README tells a newcomer to run, and that CI therefore runs.
const TEST_COMMAND: [&str; 3] = ["cargo", "xtask", "test"];

/// The options after which a program says something and ends.
const HARMLESS: [&str; 4] = ["--check", "--help", "--print-config", "--version"];

/// The member that `cargo run` runs.
const DEFAULT_PACKAGE: &str = "opentracker-daemon";

/// What may stand after an opening fence. A block of `sh` is tried in CI; what follows the prompt of
/// a `console` is for the reader's host.
const LANGUAGES: [&str; 11] = [
    "console",
    "haproxy",
    "json",
    "nginx",
    "python",
    "rust",
    "rust,no_run",
    "sh",
    "text",
    "toml",
    "yaml",
];

/// The test that runs the blocks of `sh` of the pages that it includes.
const RUNNER: &str = "crates/opentracker-lab/tests/it/documentation.rs";

/// The source of the book, and its table of contents.
const BOOK: &str = "docs/";
const SUMMARY: &str = "docs/SUMMARY.md";

/// The page that says which test shows what.
const THREAT_MODEL: &str = "docs/threat-model.md";

/// A command in a fenced block.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Command {
    pub(crate) file: String,
    pub(crate) line: usize,
    /// What the shell would set for it alone.
    pub(crate) environment: Vec<(String, String)>,
    pub(crate) words: Vec<String>,
    /// Whether it follows the prompt of a console.
    is_of_a_console: bool,
}

impl Command {
    /// Parses the commands of a block.
    fn of_block(file: &str, block: &Block) -> Vec<Self> {
        let is_of_a_console = block.language == "console";
        let mut commands = Vec::new();
        let mut lines = (block.line..).zip(block.text.lines());
        while let Some((line, text)) = lines.next() {
            let mut text = text.to_owned();
            while text.ends_with('\\')
                && let Some((_, rest)) = lines.next()
            {
                text.pop();
                text += rest;
            }
            let text = match text.get(..2) {
                _ if !is_of_a_console => &text,
                Some("$ " | "# ") => &text[2..],
                _ => continue,
            };
            commands.extend(Self::parse(file, line, text, is_of_a_console));
        }
        commands
    }

    /// Parses a line of shell: the commands that it calls, one after the other or at once.
    fn parse(file: &str, line: usize, text: &str, is_of_a_console: bool) -> Vec<Self> {
        let words = shlex::split(text).unwrap_or_default();
        let is_end = |word: &String| ["|", "||", "&", "&&", ";"].contains(&word.as_str());
        let commands = words.split(is_end).filter_map(|words| {
            let is_redirected = |word: &&String| !word.starts_with(['<', '>']);
            let mut words = words.iter().take_while(is_redirected).cloned().peekable();
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
                is_of_a_console,
            })
        });
        commands.collect()
    }

    /// The program that it runs, of those that the workspace delivers, and its arguments.
    pub(crate) fn program(&self) -> Option<(&'static str, &[String])> {
        let (name, arguments) = self.words.split_first()?;
        if name != "cargo" {
            let (_, program) = PROGRAMS.iter().find(|(_, program)| program == name)?;
            return Some((program, arguments));
        }
        let options = arguments.strip_prefix(&["run".to_owned()])?;
        let mut parts = options.splitn(2, |word| word == "--");
        let options = parts.next()?;
        if options.iter().any(|word| word == "--example") {
            return None;
        }
        let is_package = |word: &String| word == "-p" || word == "--package";
        let package = options.iter().skip_while(|word| !is_package(word)).nth(1);
        let package = package.map_or(DEFAULT_PACKAGE, String::as_str);
        let (_, program) = PROGRAMS.iter().find(|(member, _)| *member == package)?;
        Some((program, parts.next().unwrap_or_default()))
    }

    /// Says whether it ends by itself and touches nothing, with files of the repository alone.
    pub(crate) fn is_harmless(&self) -> bool {
        let is_one = |word: &String| HARMLESS.contains(&word.as_str());
        self.words.iter().any(is_one) && !self.words.iter().any(|word| word.starts_with('/'))
    }

    /// What is wrong with it, if anything that can be seen without running it.
    fn fault(&self, repository: &Repository) -> Option<String> {
        if self.words[0] == "cargo" {
            return self.fault_of_cargo(repository);
        }
        let is_tried = self.is_of_a_console
            || self.program().is_some()
            || repository
                .text(RUNNER)
                .contains(&format!("/{}\"", self.file));
        (!is_tried).then(|| {
            let name = &self.words[0];
            format!("nothing tries `{name}`: make it a `console` with a prompt, or let {RUNNER} run the page")
        })
    }

    /// What is wrong with a command of cargo, if anything.
    fn fault_of_cargo(&self, repository: &Repository) -> Option<String> {
        let words = self.words.iter().map(String::as_str);
        match self.words.get(1).map(String::as_str).unwrap_or_default() {
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
        "--bin" | "--example" | "--bench" | "--test" => {
            let is_it = |target: &Target| {
                let mut kinds = target.kind.iter().map(ToString::to_string);
                target.name == value && kinds.any(|kind| option.ends_with(&kind))
            };
            members
                .iter()
                .any(|member| member.targets.iter().any(is_it))
        }
        _ => true,
    };
    (!is_there).then(|| format!("there is no `{option} {value}`"))
}

/// The documents, whose blocks are commands and configurations of this version.
pub(crate) fn documents(repository: &Repository) -> impl Iterator<Item = (&str, Document)> {
    let documents = repository.ending(".md");
    documents.map(|(file, text)| (file, Document::parse(text)))
}

/// The commands of the documentation.
pub(crate) fn documented_commands(repository: &Repository) -> Vec<Command> {
    let mut commands = Vec::new();
    for (file, document) in documents(repository) {
        let is_shell = |block: &&Block| matches!(&*block.language, "sh" | "console");
        for block in document.blocks.iter().filter(is_shell) {
            commands.extend(Command::of_block(file, block));
        }
    }
    commands
}

/// Every command of the documentation is tried, or says by its prompt that it is the reader's; every
/// command of cargo, in `.ci/run` too, exists; and CI tests as we say.
///
/// The commands of our programs are tried by `cargo xtask ci`, which has built them.
pub(super) fn commands(repository: &Repository) -> Vec<Finding> {
    let mut commands = documented_commands(repository);
    let ci = (1..).zip(repository.text(".ci/run").lines());
    let ci = ci.flat_map(|(line, text)| Command::parse(".ci/run", line, text, false));
    commands.extend(ci.filter(|command| command.words[0] == "cargo"));
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

/// A block of code says what it is in, and a console has a prompt.
pub(super) fn blocks(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, document) in documents(repository) {
        for block in &document.blocks {
            let language = block.language.as_str();
            let message = if !LANGUAGES.contains(&language) {
                format!(
                    "`{language}` is none of the languages {}",
                    LANGUAGES.join(", ")
                )
            } else if language == "console" && Command::of_block(file, block).is_empty() {
                "a console without a command after a prompt, `$` or `#`".to_owned()
            } else {
                continue;
            };
            findings.push(Finding::new(file, block.line, message));
        }
    }
    findings
}

/// Every page of the book is in its table of contents, once.
pub(super) fn contents(repository: &Repository) -> Vec<Finding> {
    let listed = Document::parse(repository.text(SUMMARY)).links;
    let pages = repository
        .ending(".md")
        .filter_map(|(file, _)| file.strip_prefix(BOOK))
        .filter(|page| !SUMMARY.ends_with(page));
    pages
        .filter_map(|page| {
            let count = listed.iter().filter(|(_, target)| target == page).count();
            let message = format!("{count} times in {SUMMARY}");
            (count != 1).then(|| Finding::new(&format!("{BOOK}{page}"), 1, message))
        })
        .collect()
}

/// What stands in the text as the path of a file or folder of the repository is there.
pub(super) fn paths(repository: &Repository) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (file, document) in documents(repository) {
        for (line, code) in document.code {
            let is_path = ["crates/", "deploy/", "docs/", "fuzz/", "xtask/"]
                .iter()
                .any(|folder| code.starts_with(folder))
                && !code.contains([' ', '*', '…', '<']);
            if is_path && !is_there(repository, code.trim_end_matches('/')) {
                findings.push(Finding::new(file, line, format!("there is no `{code}`")));
            }
        }
    }
    findings
}

/// The tests that the threat model names are there.
pub(super) fn named_tests(repository: &Repository) -> Vec<Finding> {
    let code = Document::parse(repository.text(THREAT_MODEL)).code;
    let is_name = |text: &str| {
        text.matches('_').count() > 2
            && text
                .chars()
                .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
    };
    let is_there = |name: &str| {
        let function = format!("fn {name}(");
        repository
            .ending(".rs")
            .any(|(_, text)| text.contains(&function))
    };
    code.into_iter()
        .filter(|(_, text)| is_name(text) && !is_there(text))
        .map(|(line, name)| Finding::new(THREAT_MODEL, line, format!("there is no test `{name}`")))
        .collect()
}

/// Says whether the repository has a file or a folder.
fn is_there(repository: &Repository, path: &str) -> bool {
    let folder = format!("{path}/");
    let mut files = repository.files.keys();
    repository.files.contains_key(path) || files.any(|file| file.starts_with(&folder))
}

/// Relative links lead to a file of the repository, and to a heading that is there. Those of the book
/// stay in it, because nothing else is there when it is read as a book.
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
    if file.starts_with(BOOK) && !path.starts_with(BOOK) {
        return Some(format!(
            "the link leaves the book: write the path `{path}` as code"
        ));
    }
    match repository.files.get(&path) {
        None if is_there(repository, &path) => None,
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
                     opentracker --no-such-option && opentracker-ctl status\n\
                     ```\n```console\n\
                     $ curl --no-such-option\nwhat it says\n";
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
            "cargo run -p a --example it",
            "cargo install --path crates/b",
            "curl http://127.0.0.1/",
            "opentracker | grep x",
            "```\n```console\n$ cargo fly",
        ] {
            let found = commands(&with_readme(&format!("{line}\n")));
            let line_of_it = 2 + line.lines().count();
            assert_eq!(places(&found), [("README.md", line_of_it)], "{line}");
        }
    }

    #[test]
    fn a_page_that_a_test_runs_may_call_anything() {
        let page = ("docs/a.md", "```sh\ncurl http://127.0.0.1/\n```\n");
        let runner = (RUNNER, "include_str!(\"../docs/a.md\")");
        let readme = ("README.md", "```sh\ncargo xtask test\n```\n");
        let ci = (".ci/run", "cargo xtask test\n");
        let found = commands(&Repository::of(&[page, readme, ci]));
        assert_eq!(places(&found), [("docs/a.md", 2)]);
        assert_eq!(commands(&Repository::of(&[page, readme, ci, runner])), []);
    }

    #[test]
    fn blocks_without_a_language_and_consoles_without_a_prompt_are_found() {
        let text = "```\na\n```\n```console\nls\n```\n```bash\nls\n```\n\
                    ```console\n# a \\\n  b\n```\n```toml\n```\n";
        let found = blocks(&Repository::of(&[("docs/a.md", text)]));
        assert_eq!(places(&found), [2, 5, 8].map(|line| ("docs/a.md", line)));
    }

    #[test]
    fn pages_that_are_not_in_the_contents_once_are_found() {
        let summary = "- [a](a.md)\n- [b](b.md)\n  - [b](b.md)\n";
        let files = [(SUMMARY, summary), ("docs/a.md", ""), ("docs/b.md", "")];
        let found = contents(&Repository::of(
            &[&files[..], &[("docs/c.md", "")]].concat(),
        ));
        assert_eq!(places(&found), [("docs/b.md", 1), ("docs/c.md", 1)]);
    }

    #[test]
    fn paths_that_are_not_there_are_found() {
        let text = "`deploy/a/b.toml` `deploy/a/` `deploy/b`\n`docs/a.md x` `crates/*`\n";
        let files = [("docs/a.md", text), ("deploy/a/b.toml", "")];
        let found = paths(&Repository::of(&files));
        assert_eq!(places(&found), [("docs/a.md", 1)]);
    }

    #[test]
    fn tests_that_are_not_there_are_found() {
        let text = "`it_works_as_said`\n`it_works_not_at_all` `limits.max_a_b_c` `a_b`\n";
        let files = [(THREAT_MODEL, text), ("a.rs", "fn it_works_as_said() {}\n")];
        let found = named_tests(&Repository::of(&files));
        assert_eq!(places(&found), [(THREAT_MODEL, 2)]);
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
                     cargo run -p opentracker-ctl -- status\n\
                     opentracker --check -f /etc/a.toml\n";
        let commands = &documented_commands(&with_readme(block))[1..];
        let programs: Vec<(&str, usize, bool)> = commands
            .iter()
            .filter_map(|command| {
                let (name, arguments) = command.program()?;
                Some((name, arguments.len(), command.is_harmless()))
            })
            .collect();
        let expected = [
            ("opentracker", 2, false),
            ("opentracker", 3, true),
            ("opentracker-ctl", 1, false),
            ("opentracker", 3, false),
        ];
        assert_eq!(programs, expected);
        let variable = ("OPENTRACKER_A__B".to_owned(), "10 m".to_owned());
        assert_eq!(commands[0].environment, [variable]);
        assert_eq!(commands[0].line, 3);
    }

    #[test]
    fn broken_links_are_found() {
        let top = "# Top\n[a](docs/a.md#part) [b](docs/) [c](#top) [d](https://d.example)\n";
        let part = "## Part\n[a](./a.md)\n[up](../README.md)\n[y](a.md#y) [z](z/)\n";
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
