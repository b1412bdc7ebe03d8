//! A configuration that is valid.

use std::ops::Deref;
use std::path::PathBuf;

use opentracker_nats::Server;

use super::choice::UdpBackend;
use super::findings::{ConfigErrors, Finding};
use super::keys::{Applies, Key, Values, keys};
use super::listener::Listener;
use super::print;
use super::value::Value;

/// Everything that can be configured, checked: what exists is valid.
///
/// Its values are read as fields, `config.announce.interval`. It is made by
/// [`Layers::build`](super::Layers::build) or [`Values::validate`], and the defaults are one.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Config(Values);

impl Values {
    /// Checks every value.
    ///
    /// # Errors
    ///
    /// Everything that is wrong.
    pub fn validate(self) -> Result<Config, ConfigErrors> {
        let faults = keys().filter_map(|key| {
            let message = key.check(&self).err()?;
            Some(Finding::default().about(key.path()).saying(message))
        });
        let mut faults: Vec<_> = faults.collect();
        faults.extend(self.without_secret());
        faults.extend(self.without_certificate());
        faults.extend(self.without_interface());
        ConfigErrors::check(faults)?;
        Ok(Config(self))
    }
}

impl Values {
    /// Returns what of live sync needs a secret, if there is none: where anybody can send a packet the
    /// seal alone says whose it is.
    fn without_secret(&self) -> impl Iterator<Item = Finding> {
        let has_none = self.livesync.secret.as_os_str().is_empty();
        let wanting = [
            ("livesync.unicast.listen", self.unicast.listen.is_some()),
            ("livesync.nats.servers", !self.nats.servers.is_empty()),
            ("livesync.relay", self.livesync.relay),
        ];
        let wanting = wanting
            .into_iter()
            .filter(move |(_, is_wanted)| has_none && *is_wanted);
        wanting.map(|(key, _)| {
            let message = "it needs livesync.secret: write the file that all nodes share";
            Finding::default().about(key).saying(message)
        })
    }
}

impl Values {
    /// Says which listener needs a certificate, if there is none.
    fn without_certificate(&self) -> Option<Finding> {
        let has_none = self.tls.certificate.as_os_str().is_empty();
        let listener = self.http.listen.iter().find(|listener| listener.tls)?;
        let message = format!(
            "{} needs tls.certificate: write the file of the certificate, or the folder of several",
            listener.address
        );
        has_none.then(|| Finding::default().about("http.listen").saying(message))
    }
}

impl Values {
    /// Says that XDP needs an interface, if there is none.
    fn without_interface(&self) -> Option<Finding> {
        let has_none = self.xdp.interfaces.is_empty();
        let message = "udp.backend = \"xdp\" needs the names of interfaces, like [\"eth0\"]";
        let is_wrong = has_none && self.udp.backend == UdpBackend::Xdp;
        is_wrong.then(|| {
            Finding::default()
                .about("udp.xdp.interfaces")
                .saying(message)
        })
    }
}

impl Deref for Config {
    type Target = Values;

    fn deref(&self) -> &Values {
        &self.0
    }
}

impl From<Config> for Values {
    fn from(config: Config) -> Self {
        config.0
    }
}

impl Config {
    /// Writes the configuration as TOML, without the keys that are as by default.
    pub fn to_toml(&self) -> String {
        let default = Values::default();
        print::toml(&self.0, |key| (key.get)(&self.0) != (key.get)(&default))
    }

    /// Writes every key with the value that is in force, as TOML. Passwords in URLs are left out.
    pub fn effective_toml(&self) -> String {
        let mut shown = self.0.clone();
        for server in &mut shown.nats.servers {
            *server = server.without_login();
        }
        print::toml(&shown, |_| true)
    }

    /// Returns the keys that differ from a configuration that is in force, and that a reload does
    /// not apply.
    pub fn changed_needing_restart(&self, old: &Self) -> Vec<&'static str> {
        let fixed = keys().filter(|key| key.applies() == Applies::Restart);
        let changed = fixed.filter(|key| (key.get)(self) != (key.get)(old));
        changed.map(Key::path).collect()
    }

    /// Returns the keys that differ from another configuration.
    pub fn changed(&self, old: &Self) -> Vec<&'static str> {
        let changed = keys().filter(|key| (key.get)(self) != (key.get)(old));
        changed.map(Key::path).collect()
    }

    /// Returns the files that the configuration names, each with its key. The root folder to be is
    /// none of them.
    pub(crate) fn paths(&self) -> impl Iterator<Item = (&'static str, PathBuf)> {
        let paths = keys().filter(|key| key.wanted == PathBuf::WANTED);
        let files = paths.filter(|key| key.path() != "process.chroot");
        files.filter_map(|key| match (key.get)(&self.0).as_str() {
            None | Some("") => None,
            Some(path) => Some((key.path(), path.into())),
        })
    }

    /// Takes one key over as it was.
    pub(crate) fn keep(&mut self, path: &str, old: &Self) {
        for key in keys().filter(|key| key.path() == path) {
            (key.copy)(old, &mut self.0);
        }
    }

    /// Takes over the keys that a reload applies; the others stay as they are in force.
    pub fn reload(&mut self, new: &Self) {
        for key in keys().filter(|key| key.applies() == Applies::Reload) {
            (key.copy)(new, &mut self.0);
        }
    }

    /// Returns what can be done but was hardly meant.
    pub fn warnings(&self) -> Vec<Finding> {
        let warning = |key: &str, message: &str| Finding::default().about(key).saying(message);
        let mut warnings = Vec::new();
        let announce = &self.announce;
        if announce.peer_timeout <= announce.interval + announce.jitter {
            warnings.push(warning(
                "announce.peer_timeout",
                "it is no longer than announce.interval and announce.jitter: peers that come back \
                 when they are asked to will have timed out",
            ));
        }
        if self
            .http
            .trusted_proxies
            .iter()
            .any(|network| network.prefix_len() == 0)
        {
            warnings.push(warning(
                "http.trusted_proxies",
                "it holds the whole Internet: whoever asks can say that he is somebody else",
            ));
        }
        let mut listeners = self.udp.listen.iter().chain(&self.http.listen);
        let is_deaf =
            |listener: &Listener| listener.proxy_protocol && listener.address.internet().is_some();
        if self.http.trusted_proxies.is_empty() && listeners.any(is_deaf) {
            warnings.push(warning(
                "http.trusted_proxies",
                "it is empty, so nobody can use the listeners with proxy_protocol: write the \
                 addresses of the proxies",
            ));
        }
        if !self.tls.certificate.as_os_str().is_empty()
            && !self.http.listen.iter().any(|listener| listener.tls)
        {
            warnings.push(warning(
                "tls.certificate",
                "no listener uses it: write { address = \"[::]:443\", tls = true } in http.listen",
            ));
        }
        if self.udp.backend == UdpBackend::Sockets && !self.xdp.interfaces.is_empty() {
            warnings.push(warning(
                "udp.xdp.interfaces",
                "they are served by the sockets alone while udp.backend is \"sockets\"",
            ));
        }
        if self.unicast.listen.is_none() && !self.unicast.peers.is_empty() {
            warnings.push(warning(
                "livesync.unicast.peers",
                "nothing is sent to them while livesync.unicast.listen is empty",
            ));
        }
        if self.nats.servers.iter().any(Server::shows_password) {
            warnings.push(warning(
                "livesync.nats.servers",
                "a password in a nats:// URL crosses the network for everybody to read: write tls://, \
                 or use livesync.nats.credentials",
            ));
        }
        if self.udp.listen.is_empty() && self.http.listen.is_empty() {
            warnings.push(warning(
                "udp.listen",
                "it is empty, as is http.listen: no client can reach the tracker",
            ));
        }
        warnings
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::str::FromStr;
    use std::time::Duration;

    #[test]
    fn the_defaults_are_a_configuration() {
        assert_eq!(Values::default().validate().unwrap(), Config::default());
        assert_eq!(Config::default().to_toml(), "");
        assert_eq!(Config::default().warnings(), []);
    }

    #[test]
    fn values_set_in_code_are_checked_as_others_are() {
        let mut values = Values::default();
        values.announce.interval = Duration::from_secs(1);
        values.http.redirect_url = "a b".to_owned();
        values.livesync.listen = Some("0.0.0.0:1".parse().unwrap());
        let errors = values.validate().unwrap_err();
        let said: Vec<_> = errors.faults().iter().map(ToString::to_string).collect();
        assert_eq!(said.len(), 3, "{said:?}");
        assert_eq!(
            said[0],
            "http.redirect_url: \"a b\" is not a URL: it has spaces"
        );
        assert_eq!(
            said[1],
            "announce.interval: \"1s\" is out of bounds: write a duration from 1m to 1d"
        );
    }

    #[test]
    fn a_reload_applies_what_it_can_and_says_the_rest_each_time() {
        let mut running = Config::default();
        let mut values = Values::default();
        values.udp.workers = 2;
        values.announce.interval = Duration::from_secs(600);
        let new = values.validate().unwrap();
        for _ in 0..2 {
            assert_eq!(new.changed_needing_restart(&running), ["udp.workers"]);
            running.reload(&new);
            assert_eq!(running.udp.workers, 0);
            assert_eq!(running.announce.interval, Duration::from_secs(600));
        }
    }

    #[test]
    fn a_listener_for_proxies_needs_trusted_ones() {
        let listener = |address: &str| Listener {
            proxy_protocol: true,
            ..address.parse().unwrap()
        };
        let mut values = Values::default();
        values.udp.listen = vec![listener("[::]:6969")];
        let warnings = values.clone().validate().unwrap().warnings();
        assert_eq!(warnings.len(), 1, "{warnings:?}");
        assert_eq!(warnings[0].key.as_deref(), Some("http.trusted_proxies"));
        values.http.trusted_proxies = vec!["192.0.2.1/32".parse().unwrap()];
        assert_eq!(values.validate().unwrap().warnings(), []);
    }

    #[test]
    fn what_was_hardly_meant_is_a_warning() {
        let mut values = Values::default();
        values.announce.peer_timeout = values.announce.interval;
        values.http.trusted_proxies = vec!["::/0".parse().unwrap()];
        values.udp.listen.clear();
        values.http.listen.clear();
        values.unicast.peers = vec!["node.example:9697".parse().unwrap()];
        values.nats.servers = vec!["nats://user:secret@nats.example".parse().unwrap()];
        values.livesync.secret = "/etc/keys".into();
        let warnings = values.validate().unwrap().warnings();
        let keys: Vec<_> = warnings
            .into_iter()
            .filter_map(|warning| warning.key)
            .collect();
        assert_eq!(
            keys,
            [
                "announce.peer_timeout",
                "http.trusted_proxies",
                "livesync.unicast.peers",
                "livesync.nats.servers",
                "udp.listen"
            ]
        );
    }

    #[test]
    fn where_anybody_can_send_there_has_to_be_a_secret() {
        type Set = fn(&mut Values);
        let wanting: [(&str, Set); 3] = [
            ("livesync.unicast.listen", |values| {
                values.unicast.listen = Some("192.0.2.1:9697".parse().unwrap());
            }),
            ("livesync.nats.servers", |values| {
                values.nats.servers = vec!["tls://nats.example".parse().unwrap()];
            }),
            ("livesync.relay", |values| values.livesync.relay = true),
        ];
        for (key, set) in wanting {
            let mut values = Values::default();
            set(&mut values);
            let faults = values.clone().validate().unwrap_err();
            assert!(faults.to_string().contains(key), "{faults}");
            values.livesync.secret = "/etc/keys".into();
            assert!(values.validate().is_ok(), "{key}");
        }
    }

    #[test]
    fn a_listener_of_tls_needs_a_certificate_and_a_certificate_a_listener() {
        let mut values = Values::default();
        values.http.listen = vec![Listener {
            tls: true,
            ..Listener::from_str("[::]:443").unwrap()
        }];
        let faults = values.clone().validate().unwrap_err().to_string();
        assert!(
            faults.contains("[::]:443 needs tls.certificate"),
            "{faults}"
        );
        values.tls.certificate = "/etc/tls".into();
        assert_eq!(values.clone().validate().unwrap().warnings(), []);
        values.http.listen[0].tls = false;
        let warnings = values.clone().validate().unwrap().warnings();
        assert_eq!(warnings[0].key.as_deref(), Some("tls.certificate"));
        values.udp.listen = vec![Listener {
            tls: true,
            ..Listener::from_str("[::]:443").unwrap()
        }];
        assert!(values.validate().is_err(), "UDP has no TLS");
    }

    #[test]
    fn xdp_needs_an_interface_and_an_interface_xdp() {
        let mut values = Values::default();
        values.udp.backend = UdpBackend::Xdp;
        let faults = values.clone().validate().unwrap_err().to_string();
        assert!(faults.contains("udp.xdp.interfaces"), "{faults}");
        values.xdp.interfaces = vec!["eth0".to_owned()];
        assert_eq!(values.clone().validate().unwrap().warnings(), []);
        values.udp.backend = UdpBackend::Sockets;
        let warnings = values.clone().validate().unwrap().warnings();
        assert_eq!(warnings[0].key.as_deref(), Some("udp.xdp.interfaces"));
        for wrong in ["", "a b", "../eth0", "a-name-of-16-char"] {
            values.xdp.interfaces = vec![wrong.to_owned()];
            assert!(values.clone().validate().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_password_is_not_shown_but_kept() {
        let mut values = Values::default();
        let url = "tls://user:secret@nats.example:4222";
        values.nats.servers = vec![url.parse().unwrap()];
        values.livesync.secret = "/etc/keys".into();
        let config = values.validate().unwrap();
        assert!(config.effective_toml().contains("tls://nats.example:4222"));
        assert!(!config.effective_toml().contains("user:secret"));
        assert!(config.to_toml().contains(url));
        assert_eq!(config.nats.servers[0].url(), url);
    }
}
