//! The configuration format of the C program: a key and a value on each line, `#` comments.

use std::net::{IpAddr, SocketAddr, SocketAddrV4};

use ipnet::IpNet;

use super::{Config, value};

/// Number of the line, the key, and what is wrong.
type LineError = (usize, String, String);

const DEFAULT_PORT: u16 = 6969;

const CLUSTER_PORT: u16 = 9696;

/// Tells the C program's format from TOML: its first line of substance is neither a table nor an
/// assignment.
pub(super) fn is_c_style(text: &str) -> bool {
    let mut lines = text.lines().map(substance);
    lines
        .find(|line| !line.is_empty())
        .is_some_and(|line| !line.starts_with('[') && !line.contains('='))
}

pub(super) fn parse(text: &str) -> Result<Config, LineError> {
    let mut config = Config::default();
    let mut listeners = Listeners::default();
    for (index, line) in text.lines().enumerate() {
        let line = substance(line);
        if line.is_empty() {
            continue;
        }
        let (key, argument) = line
            .split_once(char::is_whitespace)
            .map_or((line, ""), |(key, argument)| (key, argument.trim()));
        apply(&mut config, &mut listeners, key, argument)
            .map_err(|message| (index + 1, key.to_owned(), message))?;
    }
    listeners.apply_to(&mut config);
    Ok(config)
}

/// Listeners replace the defaults, of both protocols, as soon as there is one.
#[derive(Default)]
struct Listeners {
    udp: Vec<SocketAddr>,
    http: Vec<SocketAddr>,
    /// The first network of the statistics replaces the default, each further one is added.
    restricts_stats: bool,
}

impl Listeners {
    fn apply_to(self, config: &mut Config) {
        if !self.udp.is_empty() || !self.http.is_empty() {
            config.udp.listen = self.udp;
            config.http.listen = self.http;
        }
    }
}

fn apply(
    config: &mut Config,
    listeners: &mut Listeners,
    key: &str,
    argument: &str,
) -> Result<(), String> {
    if argument.is_empty() {
        return Err("a value is missing after the key".to_owned());
    }
    match key {
        "listen.tcp_udp" => {
            let address = listener(argument)?;
            listeners.udp.push(address);
            listeners.http.push(address);
        }
        "listen.tcp" => listeners.http.push(listener(argument)?),
        "listen.udp" => listeners.udp.push(listener(argument)?),
        "listen.udp.workers" => {
            let workers = argument.parse();
            let workers =
                workers.map_err(|_| format!("{argument:?} is not a number of threads"))?;
            config.udp.workers = value::within(workers, 0, 1024)?;
        }
        "access.whitelist" => config.access.allow = argument.into(),
        "access.blacklist" => config.access.deny = argument.into(),
        "access.stats" => {
            if !std::mem::replace(&mut listeners.restricts_stats, true) {
                config.access.stats.clear();
            }
            config.access.stats.push(network(argument)?);
        }
        "access.stats_path" => config.http.stats_path = argument.to_owned(),
        "access.proxy" => config.http.trusted_proxies.push(network(argument)?),
        "livesync.cluster.listen" => {
            config.livesync.listen = Some(cluster_listener(argument)?);
        }
        "livesync.cluster.node_ip" => config.livesync.nodes.push(network(argument)?),
        "tracker.rootdir" => config.process.chroot = argument.into(),
        "tracker.user" => config.process.user = argument.to_owned(),
        "tracker.redirect_url" => config.http.redirect_url = argument.to_owned(),
        _ => {
            return Err(
                "unknown key, expected one of `listen.tcp_udp`, `listen.tcp`, `listen.udp`, \
                 `listen.udp.workers`, `access.whitelist`, `access.blacklist`, `access.stats`, \
                 `access.stats_path`, `access.proxy`, `livesync.cluster.listen`, \
                 `livesync.cluster.node_ip`, `tracker.rootdir`, `tracker.user`, \
                 `tracker.redirect_url`"
                    .to_owned(),
            );
        }
    }
    Ok(())
}

/// An address with or without a port.
fn listener(text: &str) -> Result<SocketAddr, String> {
    let alone = text.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = alone.parse::<IpAddr>() {
        return Ok(SocketAddr::new(ip, DEFAULT_PORT));
    }
    value::parse_address(text)
}

/// The interface of the cluster, with or without a port.
fn cluster_listener(text: &str) -> Result<SocketAddrV4, String> {
    text.parse()
        .or_else(|_| text.parse().map(|ip| SocketAddrV4::new(ip, CLUSTER_PORT)))
        .map_err(|_| format!("{text:?} is not an IPv4 address with or without a port"))
}

fn network(argument: &str) -> Result<IpNet, String> {
    value::parse_network(argument).map_err(|error| error.to_string())
}

fn substance(line: &str) -> &str {
    line.split('#').next().unwrap_or_default().trim()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_file() {
        let text = "# a comment\n\n\
            listen.tcp_udp 192.0.2.1:80   # both\n\
            listen.udp\t2001:db8::1\n\
            listen.udp.workers 4\n\
            access.whitelist /etc/allow\n\
            access.stats 192.0.2.0/24\n\
            access.stats 198.51.100.7\n\
            access.stats_path numbers\n\
            access.proxy 10.0.0.1\n\
            livesync.cluster.listen 192.0.2.1\n\
            livesync.cluster.node_ip 192.0.2.2\n\
            tracker.rootdir /srv\n\
            tracker.user nobody\n\
            tracker.redirect_url https://example.org/\n";
        assert!(is_c_style(text));
        let config = parse(text).unwrap();
        assert_eq!(
            config.udp.listen,
            [
                "192.0.2.1:80".parse().unwrap(),
                "[2001:db8::1]:6969".parse().unwrap()
            ]
        );
        assert_eq!(config.http.listen, ["192.0.2.1:80".parse().unwrap()]);
        assert_eq!(config.udp.workers, 4);
        assert_eq!(config.access.allow.as_os_str(), "/etc/allow");
        assert_eq!(config.access.stats.len(), 2);
        assert_eq!(config.http.stats_path, "numbers");
        assert_eq!(config.http.trusted_proxies.len(), 1);
        assert_eq!(
            config.livesync.listen,
            Some("192.0.2.1:9696".parse().unwrap())
        );
        assert_eq!(config.livesync.nodes, ["192.0.2.2/32".parse().unwrap()]);
        assert_eq!(config.process.user, "nobody");
        assert_eq!(config.process.chroot.as_os_str(), "/srv");
        assert_eq!(config.http.redirect_url, "https://example.org/");
    }

    #[test]
    fn toml_is_not_taken_for_it() {
        assert!(!is_c_style(""));
        assert!(!is_c_style("# nothing\n"));
        assert!(!is_c_style("[udp]\n"));
        assert!(!is_c_style("udp.workers = 2\n"));
    }

    #[test]
    fn errors_name_line_and_key() {
        let (line, key, message) = parse("access.whitelist x\nlisten.udp nowhere\n").unwrap_err();
        assert_eq!((line, key.as_str()), (2, "listen.udp"));
        assert!(message.contains("is not an address"), "{message}");
        let (line, key, _) = parse("access.blacklist\n").unwrap_err();
        assert_eq!((line, key.as_str()), (1, "access.blacklist"));
        let (_, key, message) = parse("listen.sctp 1\n").unwrap_err();
        assert_eq!(key, "listen.sctp");
        assert!(message.starts_with("unknown key"), "{message}");
    }
}
