//! Arguments, in their order: `-i` applies to the `-p` and `-P` that follow it.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};
use opentracker::config::{Layers, keys};

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// Print the help and leave.
    Help,
    /// Print the version and leave.
    Version,
    /// Print every key with its default and leave.
    PrintConfig,
    /// Validate the configuration and leave.
    Check(Options),
    /// Run the tracker.
    Run(Options),
}

/// Where the configuration comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Options {
    /// The configuration files, in their order.
    pub(crate) configs: Vec<PathBuf>,
    /// The C program's dump to load.
    pub(crate) statedump: Option<PathBuf>,
    listen: Listen,
    livesync: Option<SocketAddrV4>,
    /// Flags that set a key, with their values, in their order.
    flags: Vec<(char, String)>,
}

/// Listeners of the command line; all or none are given there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Listen {
    ip: Option<IpAddr>,
    udp: Vec<SocketAddr>,
    http: Vec<SocketAddr>,
}

/// A flag that sets no key, or more than one.
pub(crate) struct Flag {
    pub(crate) short: Option<char>,
    pub(crate) long: Option<&'static str>,
    /// What its argument is called.
    pub(crate) argument: Option<&'static str>,
    pub(crate) help: &'static str,
}

/// The flags of this program.
pub(crate) const FLAGS: &[Flag] = &[
    Flag {
        short: Some('f'),
        long: Some("config"),
        argument: Some("FILE"),
        help: "read the configuration from FILE (TOML, or the C program's opentracker.conf); of \
               several files the later one wins",
    },
    Flag {
        short: None,
        long: Some("check"),
        argument: None,
        help: "check the configuration and print what would be in force: exit 0 if it is good, 2 if \
               not",
    },
    Flag {
        short: None,
        long: Some("print-config"),
        argument: None,
        help: "print every key with its default and a comment",
    },
    Flag {
        short: Some('v'),
        long: Some("version"),
        argument: None,
        help: "print the version",
    },
    Flag {
        short: Some('h'),
        long: Some("help"),
        argument: None,
        help: "print this",
    },
];

/// The flags of the C program, besides those that set a key each.
pub(crate) const C_FLAGS: &[Flag] = &[
    c_flag(
        'i',
        "IP",
        "address for the -p and -P that follow (all addresses)",
    ),
    c_flag('p', "PORT", "serve HTTP on this TCP port"),
    c_flag('P', "PORT", "serve UDP on this port"),
    c_flag(
        's',
        "PORT",
        "join the live-sync cluster on this port, on the interface of the -i before",
    ),
    c_flag('l', "FILE", "load the state dump in FILE"),
];

/// Columns of the help.
const WIDTH: usize = 100;

/// The column at which the meaning of a flag stands.
const INDENT: usize = 22;

const fn c_flag(short: char, argument: &'static str, help: &'static str) -> Flag {
    Flag {
        short: Some(short),
        long: None,
        argument: Some(argument),
        help,
    }
}

impl Flag {
    /// Writes it as it is typed, aligned with those that are longer.
    fn typed(&self) -> String {
        let mut typed = match (self.short, self.long) {
            (Some(short), Some(long)) => format!("-{short}, --{long}"),
            (Some(short), None) => format!("-{short}"),
            (None, long) => format!("    --{}", long.unwrap_or_default()),
        };
        if let Some(argument) = self.argument {
            typed = format!("{typed} {argument}");
        }
        typed
    }
}

/// Writes the help; the flags that set a key are said as their keys are.
pub(crate) fn help() -> String {
    let mut help = "opentracker, a BitTorrent tracker\n\n\
                    usage: opentracker [options]\n\n\
                    Without options it serves UDP and HTTP on port 6969 of all addresses.\n\n"
        .to_owned();
    for flag in FLAGS {
        put_flag(&mut help, &flag.typed(), flag.help);
    }
    help += "\nFlags of the C program, which win over the configuration:\n\n";
    for flag in C_FLAGS {
        put_flag(&mut help, &flag.typed(), flag.help);
    }
    for key in keys() {
        if let Some((flag, argument)) = key.flag() {
            put_flag(&mut help, &format!("-{flag} {argument}"), &key.summary());
        }
    }
    help +=
        "\nEvery key can be given in the environment, too: OPENTRACKER_ANNOUNCE__INTERVAL=10m\n";
    help
}

/// Writes a flag and what it does, in as many lines as that takes.
fn put_flag(help: &mut String, typed: &str, meaning: &str) {
    let mut line = format!("  {typed:<18}  ");
    for word in meaning.split(' ') {
        if line.chars().count() + word.chars().count() > WIDTH {
            *help += line.trim_end();
            help.push('\n');
            line = " ".repeat(INDENT);
        }
        line += word;
        line.push(' ');
    }
    *help += line.trim_end();
    help.push('\n');
}

const DEFAULT_PORT: u16 = 6969;

/// Parses the arguments after the program's name.
pub(crate) fn parse(
    arguments: impl IntoIterator<Item = OsString>,
) -> Result<Command, lexopt::Error> {
    let mut parser = Parser::from_args(arguments);
    let mut options = Options::default();
    let mut check = false;
    while let Some(argument) = parser.next()? {
        match argument {
            Arg::Short('h' | '?') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Short('v') | Arg::Long("version") => return Ok(Command::Version),
            Arg::Long("print-config") => return Ok(Command::PrintConfig),
            Arg::Long("check") => check = true,
            Arg::Short('f') | Arg::Long("config") => options.configs.push(parser.value()?.into()),
            Arg::Short('l') => options.statedump = Some(parser.value()?.into()),
            Arg::Short('i') => options.listen.ip = Some(parser.value()?.parse()?),
            Arg::Short('p') => {
                let port = parser.value()?.parse()?;
                options.listen.http.extend(options.listen.at(port));
            }
            Arg::Short('P') => {
                let port = parser.value()?.parse()?;
                options.listen.udp.extend(options.listen.at(port));
            }
            Arg::Short('s') => {
                let port = parser.value()?.parse()?;
                let Some(IpAddr::V4(ip)) = options.listen.ip else {
                    return Err("-s needs the IPv4 address of an interface before it: -i IP".into());
                };
                options.livesync = Some(SocketAddrV4::new(ip, port));
            }
            Arg::Short(flag) if keys().any(|key| key.flag().is_some_and(|(of, _)| of == flag)) => {
                options.flags.push((flag, parser.value()?.string()?));
            }
            Arg::Short(flag @ ('o' | 'c' | 'B')) => return Err(of_2007(flag).into()),
            other => return Err(other.unexpected()),
        }
    }
    Ok(if check {
        Command::Check(options)
    } else {
        Command::Run(options)
    })
}

/// What to say of a flag that the C program had until July 2007.
fn of_2007(flag: char) -> String {
    format!(
        "-{flag} is no more: -w names an allow list, -b a deny list, and without them the tracker is \
         open to every torrent"
    )
}

impl Options {
    /// Adds what the command line overrides.
    pub(crate) fn apply_to(&self, layers: &mut Layers) {
        let Listen { ip, udp, http } = &self.listen;
        if !udp.is_empty() || !http.is_empty() {
            layers.set("-P", "udp.listen", &joined(udp));
            layers.set("-p", "http.listen", &joined(http));
        } else if ip.is_some() {
            let addresses: Vec<_> = self.listen.at(DEFAULT_PORT).collect();
            for key in ["udp.listen", "http.listen"] {
                layers.set("-i", key, &joined(&addresses));
            }
        }
        if let Some(livesync) = self.livesync {
            layers.set("-s", "livesync.listen", &livesync.to_string());
        }
        for (flag, value) in &self.flags {
            let origin = format!("-{flag}");
            let of_flag = |(of, _)| of == *flag;
            for key in keys().filter(|key| key.flag().is_some_and(of_flag)) {
                // Only a list keeps what is in it.
                layers.add(&origin, key.path(), value);
            }
        }
    }
}

fn joined(addresses: &[SocketAddr]) -> String {
    let texts: Vec<_> = addresses.iter().map(ToString::to_string).collect();
    texts.join(",")
}

impl Listen {
    /// The addresses that a port means after the latest `-i`.
    fn at(&self, port: u16) -> impl Iterator<Item = SocketAddr> + use<> {
        let ips = match self.ip {
            Some(ip) => vec![ip],
            None => vec![Ipv4Addr::UNSPECIFIED.into(), Ipv6Addr::UNSPECIFIED.into()],
        };
        ips.into_iter().map(move |ip| SocketAddr::new(ip, port))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    use opentracker::Config;
    use opentracker::config::{ConfigErrors, Listener};

    fn parsed(line: &str) -> Result<Command, lexopt::Error> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn built(line: &str) -> Result<Config, ConfigErrors> {
        let Ok(Command::Run(options)) = parsed(line) else {
            panic!("not a command to run");
        };
        let mut layers = Layers::default();
        options.apply_to(&mut layers);
        layers.build().map(|(config, _)| config)
    }

    fn applied(line: &str) -> Config {
        built(line).unwrap()
    }

    fn addresses(texts: &[&str]) -> Vec<Listener> {
        texts.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn an_address_applies_to_the_ports_that_follow() {
        let config = applied("-p 80 -i 192.0.2.1 -p 81 -P 82 -i ::1 -P83");
        assert_eq!(
            config.http.listen,
            addresses(&["0.0.0.0:80", "[::]:80", "192.0.2.1:81"])
        );
        assert_eq!(config.udp.listen, addresses(&["192.0.2.1:82", "[::1]:83"]));
        let config = applied("-P 7");
        assert!(config.http.listen.is_empty(), "only what is asked for");
        let config = applied("-i 192.0.2.1");
        assert_eq!(config.http.listen, addresses(&["192.0.2.1:6969"]));
        assert_eq!(config.udp.listen, addresses(&["192.0.2.1:6969"]));
        assert_eq!(applied(""), Config::default());
    }

    #[test]
    fn flags_win_over_keys() {
        let config =
            applied("-d /srv -u nobody -r https://example.org -A 192.0.2.1 -A ::1 -w a -b b");
        let clustered = applied("-i 192.0.2.1 -s 9696");
        assert_eq!(
            clustered.livesync.listen,
            Some("192.0.2.1:9696".parse().unwrap())
        );
        assert_eq!(config.process.chroot.as_os_str(), "/srv");
        assert_eq!(config.process.user, "nobody");
        assert_eq!(config.http.redirect_url, "https://example.org");
        assert_eq!(config.access.admin.len(), 2);
        assert_eq!(config.access.allow.as_os_str(), "a");
        assert_eq!(config.access.deny.as_os_str(), "b");
    }

    #[test]
    fn commands() {
        assert_eq!(parsed("--help").unwrap(), Command::Help);
        assert_eq!(parsed("-h").unwrap(), Command::Help);
        assert_eq!(parsed("-?").unwrap(), Command::Help);
        assert_eq!(parsed("--version").unwrap(), Command::Version);
        assert_eq!(parsed("-v").unwrap(), Command::Version);
        assert_eq!(parsed("--print-config").unwrap(), Command::PrintConfig);
        assert!(matches!(parsed("-f x --check"), Ok(Command::Check(_))));
        for wrong in [
            "--chekc",
            "-p",
            "-p 70000",
            "-i localhost",
            "-s 1",
            "-r",
            "-l",
            "stray",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn files_add_up() {
        let Ok(Command::Run(options)) = parsed("-f a --config b -l dump") else {
            panic!("not a command to run");
        };
        assert_eq!(options.configs, [PathBuf::from("a"), PathBuf::from("b")]);
        assert_eq!(options.statedump, Some(PathBuf::from("dump")));
    }

    #[test]
    fn flags_are_checked_as_keys_are() {
        for (line, said) in [
            (
                "-i 192.0.2.1 -s 0",
                "-s: livesync.listen: the port cannot be 0",
            ),
            (
                "-A nowhere",
                "-A: access.admin: \"nowhere\" is not a network",
            ),
        ] {
            let error = built(line).unwrap_err().to_string();
            assert!(error.starts_with(said), "{error}");
        }
    }

    #[test]
    fn the_help_has_every_flag() {
        let help = help();
        for flag in "fvhipPsldurAwb".chars() {
            assert!(help.contains(&format!("\n  -{flag}")), "{flag}: {help}");
        }
        assert!(help.lines().all(|line| line.len() <= 100), "{help}");
    }

    /// The table of docs/migrating.md has each flag of one letter and no other, and says of those
    /// alone that they are refused which are.
    #[test]
    fn the_flags_of_the_c_program_are_documented() {
        const DOCUMENT: &str = include_str!("../../../docs/migrating.md");
        let (_, table) = DOCUMENT.split_once("<!-- flags -->").unwrap();
        let rows = table.trim_start().lines().skip(2);
        let documented: BTreeMap<_, _> = rows
            .take_while(|line| line.starts_with("| `-"))
            .map(|line| {
                let (_, rest) = line.split_once("`-").unwrap();
                (rest.chars().next().unwrap(), rest.contains("| refused"))
            })
            .collect();
        let known: BTreeMap<_, _> = ('!'..='~')
            .filter_map(|flag| {
                let flags = parse([format!("-{flag}"), "9".to_owned()].map(OsString::from));
                let said = flags
                    .err()
                    .map(|error| error.to_string())
                    .unwrap_or_default();
                let is_unknown = said.starts_with("invalid option");
                (!is_unknown && flag != '-').then(|| (flag, said.contains("is no more")))
            })
            .collect();
        assert_eq!(documented, known);
    }
}
