//! The manual page and the completions, from the arguments.

use clap::{Arg, Command, CommandFactory};
use clap_complete::Shell;
use opentracker_lab::manual::{Manual, hold_current};

use crate::arguments::Arguments;

/// The heading of the options that say which tracker; they are written once.
const REACH: &str = "Which tracker";

fn command() -> Command {
    let mut command = Arguments::command();
    command.build();
    command
}

fn page() -> String {
    let command = command();
    let mut page = Manual::new(
        "opentracker-ctl",
        "8",
        "tools for those who run opentracker",
    );
    page.section("SYNOPSIS")
        .text("`opentracker-ctl` [`--json`] <command> [<options>] [<arguments>]");
    page.section("DESCRIPTION").text(
        "Most commands ask a tracker that runs, over its control socket or its operator's \
         listener. `announce` and `scrape` ask any tracker, as a client does. `check`, `doctor`, \
         `config import`, `snapshot dump`, `snapshot verify` and `completions` work without one, and the \
         other commands of `livesync` join the multicast group of a cluster.",
    );
    page.section("OPTIONS");
    page.text("These are for every command:");
    for option in command.get_arguments() {
        put(&mut page, option);
    }
    page.paragraph("These say which tracker is asked, where a command asks one:");
    let status = command.find_subcommand("status");
    for option in status.iter().flat_map(|status| reach(status)) {
        put(&mut page, option);
    }
    page.section("COMMANDS");
    for command in command.get_subcommands() {
        put_command(&mut page, "", command);
    }
    page.section("EXIT STATUS")
        .term("0", "It worked; of `doctor`: nothing is a problem.")
        .term(
            "1",
            "It did not work, and the standard error output says why.",
        )
        .term(
            "2",
            "The arguments are wrong; of `check`: the configuration is.",
        );
    page.section("FILES").term(
        "/run/opentracker/control.sock",
        "The control socket. Root may use it, and the group that owns it.",
    );
    page.section("EXAMPLES")
        .text("Block what a list names, at two trackers:");
    page.example(
        "opentracker-ctl block - --url http://192.0.2.1:6970 --url http://192.0.2.2:6970 \
         --token token < list",
    );
    page.paragraph("See why a client is refused:");
    page.example("opentracker-ctl trace --prefix 198.51.100.7");
    page.section("SEE ALSO")
        .text("`opentracker`(8), `opentracker.toml`(5)");
    page.source()
}

fn reach(command: &Command) -> impl Iterator<Item = &Arg> {
    command
        .get_arguments()
        .filter(|option| option.get_help_heading() == Some(REACH))
}

/// Writes a command, or those that it is made of.
fn put_command(page: &mut Manual, before: &str, command: &Command) {
    if command.get_name() == "help" {
        return;
    }
    let name = format!("{before}{}", command.get_name());
    if command.has_subcommands() {
        for part in command.get_subcommands() {
            put_command(page, &format!("{name} "), part);
        }
    }
    if command.is_subcommand_required_set()
        && reach(command).next().is_none()
        && own(command).next().is_none()
    {
        return;
    }
    page.part(&name);
    let about = command.get_long_about().or_else(|| command.get_about());
    page.text(&one_line(
        &about.map(ToString::to_string).unwrap_or_default(),
    ));
    if reach(command).next().is_some() {
        page.paragraph("It asks a tracker.");
    }
    for option in own(command) {
        put(page, option);
    }
}

/// The options of a command that others have not.
fn own(command: &Command) -> impl Iterator<Item = &Arg> {
    let is_own = |option: &&Arg| {
        option.get_help_heading() != Some(REACH)
            && !matches!(option.get_id().as_str(), "json" | "help")
    };
    command.get_arguments().filter(is_own)
}

fn put(page: &mut Manual, option: &Arg) {
    let short = option.get_short().map(|short| format!("`-{short}`"));
    let long = option.get_long().map(|long| format!("`--{long}`"));
    let names: Vec<_> = short.into_iter().chain(long).collect();
    let takes = option.get_action().takes_values();
    let values = option.get_value_names().unwrap_or_default().iter();
    let values: Vec<_> = values
        .filter(|_| takes)
        .map(|value| format!("<{value}>"))
        .collect();
    let term = [names.join(", "), values.join(" ")].join(" ");
    let help = option.get_long_help().or_else(|| option.get_help());
    let mut help = one_line(&help.map(ToString::to_string).unwrap_or_default());
    let choices = option.get_possible_values();
    if takes && !choices.is_empty() {
        let names: Vec<_> = choices
            .iter()
            .map(|choice| format!("`{}`", choice.get_name()))
            .collect();
        help += &format!(" One of {}.", names.join(", "));
    }
    let default = option.get_default_values().first();
    if let Some(default) = default.and_then(|value| value.to_str()).filter(|_| takes) {
        help += &format!(" Default: {default}.");
    }
    page.term(term.trim(), &help);
}

fn one_line(text: &str) -> String {
    let mut text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    if !text.ends_with(['.', '?']) {
        text.push('.');
    }
    text
}

#[test]
fn the_documentation_has_the_manual_page() {
    hold_current("man/opentracker-ctl.8", &page());
}

#[test]
fn the_documentation_has_the_completions() {
    for (shell, file) in [
        (Shell::Bash, "opentracker-ctl.bash"),
        (Shell::Fish, "opentracker-ctl.fish"),
        (Shell::Zsh, "_opentracker-ctl"),
    ] {
        let mut text = Vec::new();
        clap_complete::generate(
            shell,
            &mut Arguments::command(),
            "opentracker-ctl",
            &mut text,
        );
        hold_current(
            &format!("completions/{file}"),
            &String::from_utf8(text).unwrap(),
        );
    }
}

#[test]
fn the_page_has_every_command_and_option() {
    let page = page();
    for name in [
        "status",
        "livesync inject live",
        "snapshot now",
        "config import",
    ] {
        assert!(
            page.contains(&format!("\n.SS \"{name}\"\n"))
                || page.contains(&format!("\n.SS {name}\n")),
            "{name}"
        );
    }
    assert_eq!(
        page.matches("\\-\\-token\\fR").count(),
        1,
        "it is written once"
    );
}

#[test]
fn the_arguments_are_consistent() {
    Arguments::command().debug_assert();
}
