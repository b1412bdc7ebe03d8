//! The certificates of HTTPS: read before privileges are given up, and again when their files change.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io::{self, Read};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use nix::dir::Dir;
use nix::errno::Errno;
use nix::fcntl::{OFlag, openat};
use nix::sys::stat::{Mode, SFlag, fstat};
use opentracker_net::tls::{Certificate, Certificates, TicketError, Tls};

use crate::config::Tls as Keys;
use crate::folders::Folders;

/// Octets that a file has at the most.
const MAX_FILE: u64 = 1 << 20;

/// The most entries of a folder that are looked at.
const MAX_ENTRIES: usize = 10_000;

/// How long a change of the files may pass unseen.
const PERIOD: Duration = Duration::from_secs(2);

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// From so long before its end a certificate is warned of, once a day.
const WARNED_BEFORE: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Why a certificate cannot be had.
#[derive(Debug, thiserror::Error)]
#[error("tls.certificate: cannot use {}", path.display())]
pub struct CertificateFault {
    /// Its file.
    pub path: PathBuf,
    /// What is wrong.
    #[source]
    pub cause: io::Error,
}

/// Why HTTPS cannot be served.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum HttpsError {
    /// A certificate or its key cannot be used.
    #[error(transparent)]
    Certificate(#[from] CertificateFault),
    /// There is no randomness.
    #[error("tls.certificate")]
    Tickets(#[from] TicketError),
}

/// The files of a certificate and of its key, and what they say, or why they do not.
struct Found {
    path: PathBuf,
    key: PathBuf,
    pem: io::Result<Pem>,
}

/// What the files of a pair say.
#[derive(Hash)]
struct Pem {
    chain: Vec<u8>,
    key: Vec<u8>,
    /// Everybody may read the key.
    is_open: bool,
}

/// A certificate and its file, which it is known by.
type Known = (PathBuf, Certificate);

/// The certificates in force, and the files that they come from.
#[derive(Debug)]
pub(crate) struct Https {
    keys: Keys,
    folders: Arc<Folders>,
    tls: Tls,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What the files said when they were last read.
    seen: u64,
    known: Vec<Known>,
    /// Days that were left of each file's certificate when it was last warned of.
    warned: BTreeMap<PathBuf, u64>,
}

impl Https {
    /// Reads the certificates at a start, if there are any. One that has expired is warned of.
    pub(crate) fn open(keys: &Keys) -> Result<Option<Self>, HttpsError> {
        if keys.certificate.as_os_str().is_empty() {
            return Ok(None);
        }
        let folders = Arc::new(Folders::default());
        let found = find(keys, &folders);
        let seen = fingerprint(&found);
        let known = read(found?)?;
        let tls = Tls::new(certificates(&known))?;
        for (_, certificate) in &known {
            tracing::info!("tls.certificate: {}", described(certificate));
        }
        let state = Mutex::new(State {
            seen,
            known,
            warned: BTreeMap::new(),
        });
        let https = Self {
            keys: keys.clone(),
            folders,
            tls,
            state,
        };
        https.warn_of_ends();
        Ok(Some(https))
    }

    /// Says where the files are found once the process has another root folder.
    pub(crate) fn set_folders(&mut self, folders: &Arc<Folders>) {
        self.folders = Arc::clone(folders);
    }

    /// Returns what listeners serve with.
    pub(crate) fn tls(&self) -> &Tls {
        &self.tls
    }

    /// Reads the files at a reload. A certificate that cannot be used stays as it was; returns why.
    pub(crate) fn read_again(&self) -> Vec<CertificateFault> {
        let found = find(&self.keys, &self.folders);
        let seen = fingerprint(&found);
        self.take(seen, found)
    }

    /// Takes what files say that have not changed between two looks.
    fn read_changed(&self, seen: u64, found: Result<Vec<Found>, CertificateFault>) {
        let is_known = seen == self.state().seen;
        if !is_known {
            for fault in self.take(seen, found) {
                tracing::error!("{}", kept(&fault));
            }
        }
    }

    fn take(
        &self,
        seen: u64,
        found: Result<Vec<Found>, CertificateFault>,
    ) -> Vec<CertificateFault> {
        let mut state = self.state();
        state.seen = seen;
        let found = match found {
            Ok(found) => found,
            Err(fault) => return vec![fault],
        };
        let mut faults = Vec::new();
        let mut known = Vec::new();
        for found in found {
            let before = state.known.iter().find(|(path, _)| *path == found.path);
            let read = certificate(&found).and_then(|new| match before {
                Some((_, before)) if is_over(&new) && !is_over(before) => {
                    Err(io::Error::other("it has expired, unlike the one in force"))
                }
                _ => Ok(new),
            });
            match read {
                Ok(new) => {
                    if before.is_none_or(|(_, before)| !before.is_same(&new)) {
                        tracing::info!("tls.certificate: {}", described(&new));
                    }
                    known.push((found.path, new));
                }
                Err(cause) => {
                    known.extend(before.cloned());
                    let path = found.path;
                    faults.push(CertificateFault { path, cause });
                }
            }
        }
        // What is empty by mistake closes nothing.
        if known.is_empty() {
            return faults;
        }
        self.tls.replace(certificates(&known));
        state.known = known;
        faults
    }

    /// Warns of certificates that are about to expire, or have, once a day.
    fn warn_of_ends(&self) {
        let state = &mut *self.state();
        for (path, certificate) in &state.known {
            let left = left(certificate);
            if left > WARNED_BEFORE {
                state.warned.remove(path);
                continue;
            }
            let days = left.as_secs() / DAY.as_secs();
            if state.warned.insert(path.clone(), days) != Some(days) {
                tracing::warn!(
                    "tls.certificate: {}: {}",
                    path.display(),
                    described(certificate)
                );
            }
        }
    }

    /// Returns the first name of each certificate, with when the first one of that name expires.
    pub(crate) fn ends(&self) -> BTreeMap<String, SystemTime> {
        let mut ends = BTreeMap::new();
        for certificate in self.tls.certificates().iter() {
            let end = ends
                .entry(name(certificate).to_owned())
                .or_insert(certificate.not_after());
            *end = certificate.not_after().min(*end);
        }
        ends
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says that a certificate stays as it was.
pub(crate) fn kept(fault: &CertificateFault) -> String {
    format!("the certificate stays as it was: {fault}: {}", fault.cause)
}

/// Tries what a start would.
pub(crate) fn check(keys: &Keys) -> Result<(), HttpsError> {
    Https::open(keys).map(drop)
}

/// Returns the files of a folder, which may be links to elsewhere, for the sandbox.
pub(crate) fn files(keys: &Keys) -> Vec<PathBuf> {
    let found = find(keys, &Folders::default()).unwrap_or_default();
    let files = found.into_iter().flat_map(|found| [found.path, found.key]);
    files.collect()
}

fn certificates(known: &[Known]) -> Certificates {
    let all = known.iter().map(|(_, certificate)| certificate.clone());
    Certificates::new(all.collect()).expect("there is one at least")
}

fn read(found: Vec<Found>) -> Result<Vec<Known>, CertificateFault> {
    let read = |found: Found| match certificate(&found) {
        Ok(certificate) => Ok((found.path, certificate)),
        Err(cause) => Err(CertificateFault {
            path: found.path,
            cause,
        }),
    };
    found.into_iter().map(read).collect()
}

/// Makes a certificate of what was found. It is warned of a key that everybody may read.
fn certificate(found: &Found) -> io::Result<Certificate> {
    let pem = match &found.pem {
        Ok(pem) => pem,
        Err(error) => return Err(io::Error::new(error.kind(), error.to_string())),
    };
    let certificate = Certificate::from_pem(&pem.chain, &pem.key)
        .map_err(|bad| io::Error::new(io::ErrorKind::InvalidData, bad))?;
    if pem.is_open {
        tracing::warn!(
            "tls.certificate: everybody may read the key {}: it is for the tracker's user alone",
            found.key.display()
        );
    }
    Ok(certificate)
}

/// The time that is left of a certificate.
fn left(certificate: &Certificate) -> Duration {
    let left = certificate.not_after().duration_since(SystemTime::now());
    left.unwrap_or_default()
}

fn is_over(certificate: &Certificate) -> bool {
    left(certificate).is_zero()
}

fn name(certificate: &Certificate) -> &str {
    certificate.names().first().map_or("", String::as_str)
}

/// Says for whom a certificate is, and for how long.
fn described(certificate: &Certificate) -> String {
    let names = match certificate.names() {
        [] => "no host name".to_owned(),
        names => names.join(", "),
    };
    let days = left(certificate).as_secs() / DAY.as_secs();
    match days {
        _ if is_over(certificate) => format!("that for {names} has expired"),
        0 => format!("that for {names} expires within a day"),
        1 => format!("that for {names} expires in 1 day"),
        days => format!("that for {names} expires in {days} days"),
    }
}

/// Reads the files that the configuration names.
fn find(keys: &Keys, folders: &Folders) -> Result<Vec<Found>, CertificateFault> {
    let path = &keys.certificate;
    let fault = |cause: io::Error| CertificateFault {
        path: path.clone(),
        cause,
    };
    let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK;
    let opened = folders.open_for(path, flags);
    let folder = opened
        .as_ref()
        .ok()
        .filter(|file| fstat(file).is_ok_and(|stat| is_folder(stat.st_mode)));
    if let Some(folder) = folder {
        if !keys.key.as_os_str().is_empty() {
            let message =
                "it is a folder, in which keys are beside their certificates: leave out tls.key";
            return Err(fault(io::Error::other(message)));
        }
        let found = find_in(folder, path).map_err(fault)?;
        if found.is_empty() {
            let message = "there is no pair in it: neither NAME.crt with NAME.key nor \
                           NAME/fullchain.pem with NAME/privkey.pem";
            return Err(fault(io::Error::other(message)));
        }
        return Ok(found);
    }
    let read = || {
        let (chain, is_open) = contents(opened?)?;
        if keys.key.as_os_str().is_empty() {
            let key = chain.clone();
            return Ok(Pem {
                chain,
                key,
                is_open,
            });
        }
        let key = folders.open_for(&keys.key, flags).map_err(io::Error::from);
        let (key, is_open) = key.and_then(contents).map_err(|error| {
            let message = format!("its key {}: {error}", keys.key.display());
            io::Error::new(error.kind(), message)
        })?;
        Ok(Pem {
            chain,
            key,
            is_open,
        })
    };
    let pem = read();
    let key = match keys.key.as_os_str().is_empty() {
        true => path.clone(),
        false => keys.key.clone(),
    };
    let path = path.clone();
    Ok(vec![Found { path, key, pem }])
}

/// Reads the pairs of a folder, in the order of their names.
fn find_in(folder: &OwnedFd, path: &Path) -> io::Result<Vec<Found>> {
    let mut found = BTreeMap::new();
    for name in names(folder)? {
        let file = Path::new(&name);
        let ending = file.extension().and_then(|ending| ending.to_str());
        let (stem, chain, key) = match ending {
            Some("crt" | "pem") => {
                let stem = file.with_extension("");
                (stem, file.to_owned(), file.with_extension("key"))
            }
            _ => (
                file.to_owned(),
                file.join("fullchain.pem"),
                file.join("privkey.pem"),
            ),
        };
        let flags = OFlag::O_RDONLY | OFlag::O_NONBLOCK | OFlag::O_CLOEXEC;
        let open = |file: &Path| openat(folder, file, flags, Mode::empty());
        let opened = match open(&key) {
            // A certificate of those who have issued others has none, and other files are none.
            Err(Errno::ENOENT | Errno::ENOTDIR) => continue,
            opened => opened.map_err(io::Error::from).and_then(contents),
        };
        let pem = open(&chain).map_err(io::Error::from).and_then(contents);
        let pem = pem.and_then(|(chain, _)| {
            let (key, is_open) = opened?;
            Ok(Pem {
                chain,
                key,
                is_open,
            })
        });
        // `NAME.crt` comes before `NAME.pem`.
        let (path, key) = (path.join(&chain), path.join(&key));
        found.entry(stem).or_insert(Found { path, key, pem });
    }
    Ok(found.into_values().collect())
}

fn names(folder: &OwnedFd) -> io::Result<Vec<OsString>> {
    let flags = OFlag::O_RDONLY | OFlag::O_DIRECTORY | OFlag::O_CLOEXEC;
    let mut names = Vec::new();
    for entry in Dir::openat(folder.as_fd(), ".", flags, Mode::empty())?.iter() {
        let name = entry?.file_name().to_bytes().to_owned();
        if !name.starts_with(b".") {
            names.push(OsString::from_vec(name));
        }
        if names.len() > MAX_ENTRIES {
            let message = format!("it has more than {MAX_ENTRIES} entries");
            return Err(io::Error::other(message));
        }
    }
    names.sort();
    Ok(names)
}

fn is_folder(mode: libc::mode_t) -> bool {
    SFlag::from_bits_truncate(mode) & SFlag::S_IFMT == SFlag::S_IFDIR
}

/// The octets of a file, and whether everybody may read it.
fn contents(file: OwnedFd) -> io::Result<(Vec<u8>, bool)> {
    let mode = Mode::from_bits_truncate(fstat(&file)?.st_mode);
    let mut octets = Vec::new();
    File::from(file)
        .take(MAX_FILE + 1)
        .read_to_end(&mut octets)?;
    if octets.len() as u64 > MAX_FILE {
        let message = format!("it has more than {MAX_FILE} octets");
        return Err(io::Error::new(io::ErrorKind::InvalidData, message));
    }
    Ok((octets, mode.contains(Mode::S_IROTH)))
}

/// Hashes what the files say, so that a change shows.
fn fingerprint(found: &Result<Vec<Found>, CertificateFault>) -> u64 {
    let mut hasher = DefaultHasher::new();
    match found {
        Ok(found) => {
            for Found { path, pem, .. } in found {
                path.hash(&mut hasher);
                let pem = pem.as_ref().map_err(ToString::to_string);
                pem.hash(&mut hasher);
            }
        }
        Err(fault) => fault.cause.to_string().hash(&mut hasher),
    }
    hasher.finish()
}

/// The watch over the files. Dropping it ends its thread, but does not wait for it: a look at a dead
/// network mount may never end.
#[derive(Debug)]
pub(crate) struct Watch {
    _stop: Sender<()>,
}

impl Watch {
    pub(crate) fn start(https: &Arc<Https>) -> io::Result<Self> {
        let (stop, stopped) = channel();
        let https = Arc::clone(https);
        thread::Builder::new()
            .name("certificates".to_owned())
            .spawn(move || run(&https, &stopped))?;
        Ok(Self { _stop: stop })
    }
}

/// Looks again and again. A change is taken once two looks have found it the same, so that nothing
/// is read that is half written, and no certificate before its key.
fn run(https: &Https, stopped: &Receiver<()>) {
    let mut before = None;
    while stopped.recv_timeout(PERIOD) == Err(RecvTimeoutError::Timeout) {
        let found = find(&https.keys, &https.folders);
        let seen = fingerprint(&found);
        if before.replace(seen) == Some(seen) {
            https.read_changed(seen, found);
        }
        https.warn_of_ends();
    }
}
