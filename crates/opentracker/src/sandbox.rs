//! What the process can still do once it serves: no capability is left to it, no program that it
//! might run has more rights than it has, and where the kernel has Landlock it reads files in the
//! folders of its configuration alone, writes where the configuration says that it writes, and
//! neither binds nor connects TCP sockets any more, but for connections to the ports of the NATS
//! servers of its configuration.
//!
//! All of this holds for a thread and for those that it starts from then on.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use caps::CapSet;
use landlock::{
    ABI, Access, AccessFs, AccessNet, BitFlags, NetPort, PathBeneath, PathFd, Ruleset, RulesetAttr,
    RulesetCreated, RulesetCreatedAttr, RulesetError, RulesetStatus, Scope, make_bitflags,
};
use nix::sys::prctl::set_no_new_privs;

use opentracker_nats::Server;
use opentracker_net::unicast::Peer;

use crate::certificates;
use crate::config::{Config, ListenAddress};

/// The Landlock that the rules were tried with. A kernel that has less of it holds what it can.
const TRIED: ABI = ABI::V7;

/// Keys whose files are written, too.
const WRITTEN: [&str; 2] = ["snapshot.path", "admin.socket"];

/// Where the system's libraries look when they resolve a name, and check a certificate.
const RESOLVED_BY: [&str; 8] = [
    "/etc",
    "/lib",
    "/lib64",
    "/run/systemd/resolve",
    "/usr/lib",
    "/usr/lib64",
    "/usr/local/share/ca-certificates",
    "/usr/share/ca-certificates",
];

/// The most symbolic links that are followed, as the kernel has it.
const MAX_LINKS: usize = 40;

/// Allowed that may be used, opened while they can be seen.
#[derive(Default)]
pub(crate) struct Allowed {
    open: Vec<(PathFd, BitFlags<AccessFs>)>,
    names: Vec<PathBuf>,
    /// Ports that TCP may connect to.
    ports: Vec<u16>,
}

/// What threads enter.
#[derive(Debug)]
pub(crate) struct Sandbox {
    ruleset: Option<RulesetCreated>,
    folders: Vec<PathBuf>,
    /// Whether the system has Landlock, and a thread has entered.
    is_closed: AtomicBool,
}

impl Allowed {
    /// Adds the folders of all files that the configuration names and of others that are only read,
    /// as the names are understood now: another root folder makes others of them.
    pub(crate) fn add(&mut self, config: &Config, others: &[PathBuf]) {
        let read = AccessFs::ReadFile | AccessFs::ReadDir;
        let write = written();
        for (key, path) in config.paths() {
            let is_written = WRITTEN.contains(&key);
            let access = if is_written { read | write } else { read };
            self.add_those_of(&path, access);
        }
        for listener in &config.http.listen {
            if let ListenAddress::Unix(path) = &listener.address {
                self.add_those_of(path, read | write);
            }
        }
        for path in certificates::files(&config.tls) {
            self.add_those_of(&path, read);
        }
        for path in others {
            self.add_those_of(path, read);
        }
        if !config.nats.servers.is_empty() || config.unicast.peers.iter().any(Peer::is_name) {
            for folder in RESOLVED_BY {
                self.add_folder(Path::new(folder), read);
            }
            // What is too long for a datagram is asked for again over TCP.
            self.ports.push(53);
        }
        self.ports
            .extend(config.nats.servers.iter().map(Server::port));
        // What metrics say of the process is read there.
        self.add_folder(Path::new("/proc"), read);
    }

    /// Adds the folder of a file that is written, if there is one.
    pub(crate) fn add_written(&mut self, path: Option<&Path>) {
        if let Some(path) = path {
            self.add_those_of(path, AccessFs::ReadFile | AccessFs::ReadDir | written());
        }
    }

    fn add_those_of(&mut self, path: &Path, access: BitFlags<AccessFs>) {
        let is_device = ["/dev", "/proc"].iter().any(|at| path.starts_with(at));
        // A pipe of the shell, say, which is read only once.
        if !is_device {
            for folder in folders_of(path) {
                self.add_folder(&folder, access);
            }
        }
    }

    fn add_folder(&mut self, folder: &Path, access: BitFlags<AccessFs>) {
        // One that is not there is not used either; what needs it says so.
        if let (Ok(open), Ok(name)) = (PathFd::new(folder), fs::canonicalize(folder)) {
            self.open.push((open, access));
            self.names.push(name);
        }
    }
}

/// What is done with files that are written.
fn written() -> BitFlags<AccessFs> {
    make_bitflags!(AccessFs::{
        WriteFile | Truncate | MakeReg | MakeSock | RemoveFile
    })
}

/// Returns the folders that a file is found through: the one that it lies in and, since a link may
/// be made to lead elsewhere at any time, those that the links on the way lie in. A link in the root
/// folder does not count, or everything would.
fn folders_of(path: &Path) -> Vec<PathBuf> {
    let names = |path: &Path| -> Vec<OsString> {
        let components = path.components().map(|name| name.as_os_str().to_owned());
        components.rev().collect()
    };
    let mut folders = Vec::new();
    let mut rest = names(path);
    let mut links = 0;
    let mut here = PathBuf::from(".");
    while let Some(name) = rest.pop() {
        // An absolute target begins with the root folder, which replaces what is there.
        let next = here.join(&name);
        match fs::read_link(&next) {
            Ok(target) if links < MAX_LINKS => {
                links += 1;
                if here.parent().is_some() {
                    folders.push(here.clone());
                }
                rest.extend(names(&target));
            }
            _ => here = next,
        }
    }
    folders.extend(here.parent().map(Path::to_owned));
    folders
}

impl Sandbox {
    /// Makes the sandbox for the folders.
    pub(crate) fn new(folders: Allowed) -> Self {
        let ruleset = ruleset(folders.open, &folders.ports).inspect_err(|error| {
            tracing::debug!(%error, "without Landlock");
        });
        Self {
            ruleset: ruleset.ok(),
            folders: folders.names,
            is_closed: AtomicBool::new(false),
        }
    }

    /// Puts this thread into it, and those that it starts from now on.
    ///
    /// What the system refuses is done without: the sandbox is there for the day on which something
    /// else has gone wrong. Core dumps and tracing stay as the system has them: it forbids both to a
    /// process that has changed its user.
    pub(crate) fn enter(&self) {
        give_up_capabilities();
        if let Err(error) = set_no_new_privs() {
            tracing::debug!(%error, "cannot give up new privileges");
        }
        let Some(ruleset) = &self.ruleset else { return };
        let entered = ruleset
            .try_clone()
            .map_err(|error| error.to_string())
            .and_then(|ruleset| ruleset.restrict_self().map_err(|error| error.to_string()));
        match entered {
            Ok(status) if status.ruleset != RulesetStatus::NotEnforced => {
                self.is_closed.store(true, Ordering::Relaxed);
            }
            Ok(_) => tracing::debug!("without Landlock, which this system lacks"),
            Err(error) => tracing::debug!(%error, "without Landlock"),
        }
    }

    /// Says of a file that cannot be read if the reason is that it is outside.
    pub(crate) fn explain(&self, path: &Path, cause: &mut io::Error) {
        let is_outside = || {
            let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
            !self.folders.iter().any(|folder| path.starts_with(folder))
        };
        let is_closed = self.is_closed.load(Ordering::Relaxed);
        if is_closed && cause.kind() == io::ErrorKind::PermissionDenied && is_outside() {
            let message = "it is in none of the folders that the configuration named at the start: \
                           it takes a restart";
            *cause = io::Error::new(cause.kind(), message);
        }
    }
}

fn ruleset(
    folders: Vec<(PathFd, BitFlags<AccessFs>)>,
    ports: &[u16],
) -> Result<RulesetCreated, RulesetError> {
    let rules = folders
        .into_iter()
        .map(|(folder, access)| Ok::<_, RulesetError>(PathBeneath::new(folder, access)));
    let connects = ports
        .iter()
        .map(|&port| Ok::<_, RulesetError>(NetPort::new(port, AccessNet::ConnectTcp)));
    Ruleset::default()
        .handle_access(AccessFs::from_all(TRIED))?
        // All sockets are open by then, but for connections to NATS.
        .handle_access(AccessNet::from_all(TRIED))?
        .scope(Scope::from_all(TRIED))?
        .create()?
        .add_rules(rules)?
        .add_rules(connects)
}

/// Bounds the capabilities that the process could ever have. To be called before the user changes,
/// because it takes a capability.
pub(crate) fn bound_capabilities() {
    // What cannot be bounded can still be given up.
    let _ = caps::clear(None, CapSet::Bounding);
}

/// Lets this thread read files as it would if it had entered the sandbox, but for Landlock.
pub(crate) fn read_without_capabilities() {
    // Nothing to give up is as good.
    let _ = caps::clear(None, CapSet::Effective);
}

fn give_up_capabilities() {
    bound_capabilities();
    for set in [
        CapSet::Ambient,
        CapSet::Inheritable,
        CapSet::Effective,
        CapSet::Permitted,
    ] {
        // It may be forbidden where there is none to give up.
        let _ = caps::clear(None, set);
    }
    let left = caps::read(None, CapSet::Permitted).unwrap_or_default();
    if !left.is_empty() {
        tracing::warn!("the system lets {} capabilities stay", left.len());
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::config::Values;

    /// A folder of its own, gone at its end.
    struct Scratch(PathBuf);

    impl Scratch {
        fn new(name: &str) -> Self {
            let name = format!("opentracker-{name}-{}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Self(path.canonicalize().unwrap())
        }
    }

    impl Drop for Scratch {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    #[test]
    fn a_file_is_found_through_the_folders_of_its_links() {
        let scratch = Scratch::new("links");
        let at = |name: &str| scratch.0.join(name);
        for folder in ["etc", "lists/v1", "lists/v2"] {
            fs::create_dir_all(at(folder)).unwrap();
        }
        fs::write(at("lists/v1/allow"), "").unwrap();
        symlink("v1", at("lists/current")).unwrap();
        symlink(at("lists/current/allow"), at("etc/allow")).unwrap();
        let found = folders_of(&at("etc/allow"));
        assert_eq!(found, [at("etc"), at("lists"), at("lists/v1")]);
        assert_eq!(folders_of(&at("lists/v2/new")), [at("lists/v2")]);
        assert_eq!(folders_of(Path::new("allow")), [PathBuf::from(".")]);
        assert_eq!(folders_of(Path::new("/allow")), [PathBuf::from("/")]);
        symlink("loop", at("loop")).unwrap();
        assert_eq!(folders_of(&at("loop")).last(), Some(&scratch.0));
    }

    #[test]
    fn the_folders_of_all_paths_of_the_configuration_are_in_it() {
        let scratch = Scratch::new("paths");
        let mut values = Values::default();
        let mut folders = Allowed::default();
        folders.add(&values.clone().validate().unwrap(), &[]);
        let before = folders.names.len();
        values.access.allow = scratch.0.join("allow");
        values.access.fifo_add = scratch.0.join("missing/add");
        folders.add(&values.validate().unwrap(), &["/dev/stdin".into()]);
        assert_eq!(folders.names[before..], [scratch.0.clone(), "/proc".into()]);
    }

    #[test]
    fn a_thread_that_enters_it_has_no_rights_and_reads_its_folders() {
        let scratch = Scratch::new("sandbox");
        let list = scratch.0.join("list");
        fs::write(&list, "read").unwrap();
        let mut values = Values::default();
        values.access.deny.clone_from(&list);
        let mut folders = Allowed::default();
        folders.add(&values.validate().unwrap(), &[]);
        let sandbox = Sandbox::new(folders);
        let enter = || {
            sandbox.enter();
            assert_eq!(fs::read(&list).unwrap(), b"read");
            let status = fs::read_to_string("/proc/thread-self/status").unwrap();
            for line in ["CapPrm:\t0000000000000000", "NoNewPrivs:\t1"] {
                assert!(status.contains(line), "{line}: {status}");
            }
        };
        std::thread::scope(|scope| scope.spawn(enter).join().unwrap());
    }
}
