//! Arguments, in their order: `-i` applies to the `-p` and `-P` that follow it.

use std::ffi::OsString;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;

use lexopt::{Arg, Parser, ValueExt};
use opentracker::Config;
use opentracker::config::parse_network;

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
    /// The configuration file.
    pub(crate) config: Option<PathBuf>,
    listen: Listen,
    chroot: Option<PathBuf>,
    user: Option<String>,
    redirect_url: Option<String>,
    admin: Vec<ipnet::IpNet>,
    livesync: Option<SocketAddrV4>,
    allow: Option<PathBuf>,
    deny: Option<PathBuf>,
}

/// Listeners of the command line; all or none are given there.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Listen {
    ip: Option<IpAddr>,
    udp: Vec<SocketAddr>,
    http: Vec<SocketAddr>,
}

pub(crate) const HELP: &str = "\
opentracker, a BitTorrent tracker

usage: opentracker [options]

Without options it serves UDP and HTTP on port 6969 of all addresses.

  -f, --config FILE   read the configuration from FILE (TOML, or the C program's opentracker.conf)
      --check         check the configuration: exit 0 if it is good, 2 if not
      --print-config  print every key with its default and a comment
      --version       print the version
  -h, --help          print this

Flags of the C program, which win over the configuration:

  -i IP               address for the -p and -P that follow (all addresses)
  -p PORT             serve HTTP on this TCP port
  -P PORT             serve UDP on this port
  -s PORT             join the live-sync cluster on this port, on the interface of the -i before
  -d DIR              make DIR the root folder as root, else enter it
  -u USER             become USER once the sockets are open
  -r URL              redirect GET / to URL
  -A NET              let this network read metrics and scrape everything
  -w FILE             serve only the info hashes in FILE
  -b FILE             never serve the info hashes in FILE

Every key can be given in the environment, too: OPENTRACKER_ANNOUNCE__INTERVAL=10m
";

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
            Arg::Short('h') | Arg::Long("help") => return Ok(Command::Help),
            Arg::Long("version") => return Ok(Command::Version),
            Arg::Long("print-config") => return Ok(Command::PrintConfig),
            Arg::Long("check") => check = true,
            Arg::Short('f') | Arg::Long("config") => {
                options.config = Some(parser.value()?.into());
            }
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
            Arg::Short('d') => options.chroot = Some(parser.value()?.into()),
            Arg::Short('u') => options.user = Some(parser.value()?.string()?),
            Arg::Short('r') => options.redirect_url = Some(parser.value()?.string()?),
            Arg::Short('A') => {
                // The error names the value itself.
                let network = parse_network(&parser.value()?.string()?);
                let network = network.map_err(|error| lexopt::Error::Custom(error.into()))?;
                options.admin.push(network);
            }
            Arg::Short('w') => options.allow = Some(parser.value()?.into()),
            Arg::Short('b') => options.deny = Some(parser.value()?.into()),
            other => return Err(other.unexpected()),
        }
    }
    Ok(if check {
        Command::Check(options)
    } else {
        Command::Run(options)
    })
}

impl Options {
    /// Applies what the command line overrides.
    pub(crate) fn apply_to(&self, config: &mut Config) {
        let Listen { ip, udp, http } = &self.listen;
        if !udp.is_empty() || !http.is_empty() {
            config.udp.listen.clone_from(udp);
            config.http.listen.clone_from(http);
        } else if ip.is_some() {
            let addresses: Vec<_> = self.listen.at(DEFAULT_PORT).collect();
            config.udp.listen.clone_from(&addresses);
            config.http.listen = addresses;
        }
        if let Some(chroot) = &self.chroot {
            config.process.chroot.clone_from(chroot);
        }
        if let Some(user) = &self.user {
            config.process.user.clone_from(user);
        }
        if let Some(url) = &self.redirect_url {
            config.http.redirect_url.clone_from(url);
        }
        if self.livesync.is_some() {
            config.livesync.listen = self.livesync;
        }
        config.access.admin.extend(&self.admin);
        if let Some(allow) = &self.allow {
            config.access.allow.clone_from(allow);
        }
        if let Some(deny) = &self.deny {
            config.access.deny.clone_from(deny);
        }
    }
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

    fn parsed(line: &str) -> Result<Command, lexopt::Error> {
        parse(line.split_whitespace().map(OsString::from))
    }

    fn applied(line: &str) -> Config {
        let Ok(Command::Run(options)) = parsed(line) else {
            panic!("not a command to run");
        };
        let mut config = Config::default();
        options.apply_to(&mut config);
        config
    }

    fn addresses(texts: &[&str]) -> Vec<SocketAddr> {
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
        let config = applied("-d /srv -u nobody -r https://example.org -A 192.0.2.1 -w a -b b");
        let clustered = applied("-i 192.0.2.1 -s 9696");
        assert_eq!(
            clustered.livesync.listen,
            Some("192.0.2.1:9696".parse().unwrap())
        );
        assert_eq!(config.process.chroot.as_os_str(), "/srv");
        assert_eq!(config.process.user, "nobody");
        assert_eq!(config.http.redirect_url, "https://example.org");
        assert_eq!(config.access.admin.len(), 3);
        assert_eq!(config.access.allow.as_os_str(), "a");
        assert_eq!(config.access.deny.as_os_str(), "b");
    }

    #[test]
    fn commands() {
        assert_eq!(parsed("--help").unwrap(), Command::Help);
        assert_eq!(parsed("-h").unwrap(), Command::Help);
        assert_eq!(parsed("--version").unwrap(), Command::Version);
        assert_eq!(parsed("--print-config").unwrap(), Command::PrintConfig);
        assert!(matches!(parsed("-f x --check"), Ok(Command::Check(_))));
        for wrong in [
            "--chekc",
            "-p",
            "-p 70000",
            "-i localhost",
            "-s 1",
            "-A nowhere",
            "stray",
        ] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
        let error = parsed("-A nowhere").unwrap_err().to_string();
        assert!(error.starts_with("\"nowhere\" is not a network"), "{error}");
    }
}
