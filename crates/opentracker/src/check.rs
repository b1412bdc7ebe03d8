//! Tries everything that a start would, without starting.

use std::fmt;
use std::fs;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;

use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use opentracker_net::http::{UnixError, UnixListen};
use opentracker_net::{Listen, http, udp};

use crate::certificates;
use crate::config::{Access, Config, Process};
use crate::fifo;
use crate::folders::Folders;
use crate::listening;
use crate::lists::{self, ListKey, Occasion, ReadLists};
use crate::operator;
use crate::passed::{PassedSocket, PassedSockets};
use crate::privileges;
use crate::sandbox;
use crate::secret;
use crate::snapshot;
use crate::start;
use crate::statedump::StatedumpError;

/// What would keep a tracker from starting.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fault {
    /// What is wrong, beginning with its key.
    pub message: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

pub(crate) fn check(
    config: &Config,
    statedump: Option<&Path>,
    sockets: Vec<PassedSocket>,
) -> Vec<Fault> {
    let mut faults = Faults::default();
    match PassedSockets::sort(sockets, config) {
        Ok(passed) => check_listeners(config, passed, &mut faults),
        Err(error) => faults.add(&error),
    }
    if let Err(error) = start::join(config, start::draw_id()) {
        faults.add(&error);
    }
    let user = match config.process.user.as_str() {
        "" => None,
        user => match privileges::look_up(user) {
            Ok(user) => Some(user),
            Err(error) => {
                faults.add(&error);
                None
            }
        },
    };
    let folder = &config.process.chroot;
    if !folder.as_os_str().is_empty() {
        let folder_is = fs::metadata(folder).map(|folder| folder.is_dir());
        match folder_is {
            Ok(true) => {}
            Ok(false) => faults.say(format!("process.chroot: {} is no folder", folder.display())),
            Err(cause) => faults.say(format!(
                "process.chroot: cannot enter {}: {cause}",
                folder.display()
            )),
        }
    }
    let lists = read_lists(&config.access, &config.process, user);
    for error in lists.faults() {
        faults.add(error);
    }
    let place = snapshot::Place::open(&config.snapshot.path);
    let place = place.and_then(|place| match place {
        Some(place) => as_user(user, || snapshot::check(&place)),
        None => Ok(()),
    });
    if let Err(error) = place {
        faults.add(&error);
    }
    let token = as_user(user, || {
        let path = locate_list(&config.admin.token, &config.process);
        operator::read_token(&path, &Folders::default())
    });
    if let Err(error) = token {
        faults.add(&error);
    }
    let path = locate_list(&config.livesync.secret, &config.process);
    if !path.as_os_str().is_empty()
        && let Err(error) = as_user(user, || secret::read(&path, &Folders::default()))
    {
        faults.add(&error);
    }
    // As a start does, before it is another user.
    if let Err(error) = certificates::check(&config.tls) {
        faults.add(&error);
    }
    for path in [&config.access.fifo_add, &config.access.fifo_delete] {
        if !path.as_os_str().is_empty()
            && let Err(error) = fifo::find(&locate(path, &config.process))
        {
            faults.add(&error);
        }
    }
    if let Some(path) = statedump
        && let Err(cause) = fs::metadata(locate(path, &config.process))
    {
        let path = path.to_owned();
        faults.add(&StatedumpError { path, cause });
    }
    faults.0
}

#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn say(&mut self, message: String) {
        self.0.push(Fault { message });
    }

    /// Adds an error with its causes.
    fn add(&mut self, error: &dyn std::error::Error) {
        let mut message = error.to_string();
        let mut error = error;
        while let Some(cause) = error.source() {
            message = format!("{message}: {cause}");
            error = cause;
        }
        self.say(message);
    }
}

/// Tries what was passed, and the addresses that are to be bound.
fn check_listeners(config: &Config, passed: PassedSockets, faults: &mut Faults) {
    let is_passed = passed.purposes();
    let (udp_config, http_config) = listening::server_configs(config, is_passed);
    match listening::sockets(&udp_config, &http_config, &passed) {
        Some(sockets) => {
            if let Err(error) = sockets.connections_per_thread() {
                faults.add(&error);
            }
        }
        None => faults.add(&start::StartError::NoListener),
    }
    if is_passed.udp {
        if let Err(error) = udp::Sockets::adopt(&udp_config, passed.udp) {
            faults.add(&error);
        }
    } else {
        check_conflicts("udp.listen", &udp_config.listen, faults);
        for listen in udp_config.listen {
            let bound = udp::Sockets::bind(&udp::Config {
                listen: vec![listen],
                workers: 1,
                max_payload: udp_config.max_payload,
            });
            if let Err(error) = bound {
                let is_in_use = error.cause.kind() == io::ErrorKind::AddrInUse;
                add_unless_in_use(&error, is_in_use, faults);
            }
        }
    }
    for error in listening::xdp_config(config)
        .iter()
        .flat_map(udp::xdp::Config::check)
    {
        faults.add(&start::StartError::Xdp(error));
    }
    match operator::bind_control(
        config,
        operator::control_path(config, None).as_deref(),
        None,
    ) {
        Ok(_) => {}
        Err(error) => {
            let is_in_use = matches!(error, UnixError::InUse { .. });
            add_unless_in_use(&start::StartError::Control(error), is_in_use, faults);
        }
    }
    if !is_passed.admin {
        let public = if is_passed.http {
            &[]
        } else {
            &http_config.listen[..]
        };
        check_operator(config, public);
    }
    if is_passed.http {
        let adopted = http::Listeners::adopt(&http_config, &passed.http, &passed.unix);
        if let Err(error) = adopted {
            faults.add(&error);
        }
    } else {
        check_http(http_config, faults);
    }
}

fn check_http(config: http::Config, faults: &mut Faults) {
    let http::Config { listen, unix, .. } = config;
    for (place, UnixListen { path, .. }) in unix.iter().enumerate() {
        if unix[..place].iter().any(|before| before.path == *path) {
            faults.say(format!(
                "http.listen: unix:{} is there twice",
                path.display()
            ));
        }
    }
    check_conflicts("http.listen", &listen, faults);
    let addresses = listen.into_iter().map(|listen| http::Config {
        listen: vec![listen],
        ..http::Config::default()
    });
    let paths = unix.into_iter().map(|listen| http::Config {
        unix: vec![listen],
        ..http::Config::default()
    });
    for config in addresses.chain(paths) {
        if let Err(error) = http::Listeners::bind(&config) {
            add_unless_in_use(&error, error.is_in_use(), faults);
        }
    }
}

fn check_conflicts(key: &str, listen: &[Listen], faults: &mut Faults) {
    for (place, Listen { address, .. }) in listen.iter().enumerate() {
        let mut before = listen[..place].iter().map(|other| other.address);
        if let Some(other) = before.find(|&other| conflict(*address, other)) {
            faults.say(format!("{key}: {address} and {other} are the same"));
        }
    }
}

/// Warns of what would keep the operator's own listener away, without which a start goes on.
fn check_operator(config: &Config, http: &[Listen]) {
    for &address in &config.admin.listen {
        let mut public = http.iter().map(|listen| listen.address);
        if let Some(other) = public.find(|&other| conflict(address, other)) {
            tracing::warn!("admin.listen: {address} and {other} of http.listen are the same");
        } else {
            operator::bind(address, operator::InUse::Passes);
        }
    }
}

/// Tells whether two listeners of a protocol would get in each other's way.
fn conflict(a: SocketAddr, b: SocketAddr) -> bool {
    let is_wide = a.ip().is_unspecified() || b.ip().is_unspecified();
    a.port() != 0
        && a.port() == b.port()
        && a.is_ipv4() == b.is_ipv4()
        && (is_wide || a.ip() == b.ip())
}

/// Adds what is wrong with an address, unless it is only that somebody has it.
fn add_unless_in_use(error: &dyn std::error::Error, is_in_use: bool, faults: &mut Faults) {
    if is_in_use {
        tracing::info!("{error}: it is in use at present");
    } else {
        faults.add(error);
    }
}

/// Reads the lists where a start would find them and as the user who would read them.
fn read_lists(access: &Access, process: &Process, user: Option<(Uid, Gid)>) -> ReadLists {
    let locate = |key: ListKey| locate_list(key.file(access), process);
    let access = Access {
        allow: locate(ListKey::Allow),
        deny: locate(ListKey::Deny),
        deny_clients: locate(ListKey::DenyClients),
        deny_networks: locate(ListKey::DenyNetworks),
        ..access.clone()
    };
    // The threads that read have the rights of the one that starts them.
    as_user(user, || {
        lists::read(&access, &Arc::default(), Occasion::Reload)
    })
}

/// Does something with files as a user would who is not this process yet.
fn as_user<T: Send>(user: Option<(Uid, Gid)>, act: impl FnOnce() -> T + Send) -> T {
    thread::scope(|scope| {
        let acting = scope.spawn(|| {
            if let Some((uid, gid)) = user {
                setfsgid(gid);
                setfsuid(uid);
            }
            sandbox::read_without_capabilities();
            act()
        });
        acting
            .join()
            .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    })
}

/// Returns where a list is to be read: in the root folder that the process will have, or else
/// where it is now. A pipe is left out: what is read from it here would be missing at the start.
fn locate_list(list: &Path, process: &Process) -> PathBuf {
    if list.as_os_str().is_empty() {
        return PathBuf::new();
    }
    let inside = locate(list, process);
    let path = if inside.exists() || !list.exists() {
        inside
    } else {
        list.to_owned()
    };
    let is_pipe = fs::metadata(&path).is_ok_and(|file| file.file_type().is_fifo());
    if is_pipe { PathBuf::new() } else { path }
}

/// Returns where a file lies before the root folder is changed or another is entered.
fn locate(path: &Path, process: &Process) -> PathBuf {
    let folder = &process.chroot;
    let is_confined = Uid::effective().is_root() && !folder.as_os_str().is_empty();
    match path.strip_prefix("/") {
        Ok(inside) if is_confined => folder.join(inside),
        _ => folder.join(path),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_of_one_port_get_in_each_others_way() {
        for (a, b, expected) in [
            ("127.0.0.1:1", "127.0.0.1:1", true),
            ("0.0.0.0:1", "127.0.0.1:1", true),
            ("127.0.0.1:1", "0.0.0.0:1", true),
            ("127.0.0.1:1", "127.0.0.2:1", false),
            ("127.0.0.1:1", "127.0.0.1:2", false),
            ("127.0.0.1:0", "127.0.0.1:0", false),
            ("[::]:1", "0.0.0.0:1", false),
            ("[::]:1", "[::1]:1", true),
        ] {
            let (first, second) = (a.parse().unwrap(), b.parse().unwrap());
            assert_eq!(conflict(first, second), expected, "{a} {b}");
        }
    }
}
