//! The manual page and the completions, from the flags and the keys.

use clap::{Arg, ArgAction, Command, ValueHint};
use clap_complete::Shell;
use opentracker::config::keys;
use opentracker_lab::manual::{Manual, hold_current};

use crate::args::{C_FLAGS, FLAGS, Flag};

fn page() -> String {
    let mut page = Manual::new("opentracker", "8", "a BitTorrent tracker");
    page.section("SYNOPSIS").text("`opentracker` [<options>]");
    page.section("DESCRIPTION").text(
        "It tells BitTorrent clients of each other, over UDP and HTTP. Without options it serves \
         both on port 6969 of all addresses, open to every info hash.",
    );
    page.paragraph(
        "A value is its default, or what the configuration files say in their order, or the \
         environment, or a flag: the later replaces the earlier. Every key can be given in the \
         environment, as `OPENTRACKER_ANNOUNCE__INTERVAL=10m`.",
    );
    page.section("OPTIONS");
    for flag in FLAGS {
        page.term(&typed(flag), &sentence(flag.help));
    }
    page.part("Flags of the C program")
        .text("They win over the configuration.");
    for flag in C_FLAGS {
        page.term(&typed(flag), &sentence(flag.help));
    }
    for key in keys() {
        if let Some((flag, argument)) = key.flag() {
            let meaning = format!("{} Sets `{}`.", sentence(&key.summary()), key.path());
            page.term(&format!("`-{flag}` <{argument}>"), &meaning);
        }
    }
    page.section("SIGNALS")
        .term(
            "SIGTERM, SIGINT",
            "Stop: what is under way is answered and the snapshot is written. The same again leaves \
             at once.",
        )
        .term("SIGHUP", "Read the configuration, the lists and the secrets again.");
    page.section("EXIT STATUS")
        .term(
            "0",
            "A clean stop; of `--check`: the configuration is good.",
        )
        .term("1", "It could not start, and one line says why.")
        .term("2", "The configuration or the command line is wrong.");
    page.section("FILES").term(
        "/run/opentracker/control.sock",
        "The control socket, where a service manager gives the program a folder in /run.",
    );
    page.section("SEE ALSO")
        .text("`opentracker.toml`(5), `opentracker-ctl`(8)");
    page.source()
}

fn typed(flag: &Flag) -> String {
    let short = flag.short.map(|short| format!("`-{short}`"));
    let long = flag.long.map(|long| format!("`--{long}`"));
    let names: Vec<_> = short.into_iter().chain(long).collect();
    let argument = flag.argument.map(|argument| format!(" <{argument}>"));
    names.join(", ") + &argument.unwrap_or_default()
}

/// What a help says, as a sentence.
fn sentence(help: &str) -> String {
    let mut letters = help.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).collect::<String>() + "."
}

/// The flags as the generator of completions takes them. What parses them is [`crate::args`], for
/// which their order counts.
fn command() -> Command {
    let of_keys = keys().filter_map(|key| {
        let (flag, argument) = key.flag()?;
        Some(arg(Some(flag), None, Some(argument), &key.summary()))
    });
    let flags = FLAGS.iter().chain(C_FLAGS);
    let flags = flags.map(|flag| arg(flag.short, flag.long, flag.argument, flag.help));
    Command::new("opentracker")
        .disable_help_flag(true)
        .disable_version_flag(true)
        .args(flags.chain(of_keys))
}

fn arg(
    short: Option<char>,
    long: Option<&'static str>,
    argument: Option<&'static str>,
    help: &str,
) -> Arg {
    let id = long.map_or_else(|| short.unwrap_or_default().to_string(), str::to_owned);
    // It must live as long as the program, which is a test.
    let arg = Arg::new(&*id.leak())
        .short(short)
        .long(long)
        .help(help.to_owned());
    match argument {
        None => arg.action(ArgAction::SetTrue),
        Some(name) => arg
            .value_name(name)
            .action(ArgAction::Append)
            .value_hint(match name {
                "FILE" => ValueHint::FilePath,
                "DIR" => ValueHint::DirPath,
                "USER" => ValueHint::Username,
                "URL" => ValueHint::Url,
                _ => ValueHint::Other,
            }),
    }
}

#[test]
fn the_documentation_has_the_manual_page() {
    hold_current("man/opentracker.8", &page());
}

#[test]
fn the_documentation_has_the_completions() {
    for (shell, file) in [
        (Shell::Bash, "opentracker.bash"),
        (Shell::Fish, "opentracker.fish"),
        (Shell::Zsh, "_opentracker"),
    ] {
        let mut text = Vec::new();
        clap_complete::generate(shell, &mut command(), "opentracker", &mut text);
        hold_current(
            &format!("completions/{file}"),
            &String::from_utf8(text).unwrap(),
        );
    }
}
