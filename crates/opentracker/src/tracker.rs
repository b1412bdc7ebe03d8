use std::fmt;
use std::fs::File;
use std::io::{self, BufReader};
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use arc_swap::ArcSwap;
use opentracker_admin::{ControlError, PageRules};
use opentracker_core as core;
use opentracker_core::ToldDownloads;
use opentracker_net::udp::xdp::ServedInterface;

use crate::blocks::Blocks;
use crate::certificates::{self, Https};
use crate::check::{self, Fault};
use crate::config::Config;
use crate::fifo::{Fifo, FifoAction, FifoError};
use crate::listening::Listener;
use crate::lists::Lists;
use crate::livesync::View;
use crate::operator;
use crate::passed::PassedSocket;
use crate::pulse::Pulse;
use crate::reload::{ReloadStatus, Reloaded};
use crate::sandbox::Sandbox;
use crate::secret::{self, Secret};
use crate::settings::rules;
use crate::snapshot::{SnapshotNowError, SnapshotStatus, SnapshotWritten};
use crate::start::{self, Launch, StartError, Started, Threads};
use crate::statedump::{self, StatedumpError, StatedumpLoaded};

/// A tracker whose listeners are bound, and whose process has become what it shall be. Requests wait
/// in the sockets.
#[derive(Debug)]
pub struct Prepared(start::Prepared);

impl Prepared {
    /// Reads the access lists and the snapshot and starts to serve. Files are read, now and on every
    /// reload, as the user that the process has become.
    ///
    /// It returns when the lists are read, which takes as long as their files let it.
    ///
    /// # Errors
    ///
    /// Fails if a list or the snapshot cannot be read or the system gives no more threads; nothing
    /// runs then.
    pub fn start(self) -> Result<Arc<Tracker>, StartError> {
        let config = self.0.config.clone();
        let Started {
            lists,
            listeners,
            threads,
            snapshots,
            reloads,
            sandbox,
            secret,
            https,
            blocks,
            control,
        } = start::start(self.0)?;
        let access = &config.access;
        let fifos = [
            (access.fifo_add.clone(), FifoAction::Add),
            (access.fifo_delete.clone(), FifoAction::Delete),
        ];
        let tracker = Arc::new(Tracker {
            lists,
            listeners,
            sandbox,
            config: ArcSwap::from_pointee(config.clone()),
            wanted: Mutex::new(config),
            threads: Mutex::new(Some(threads)),
            snapshots,
            reloads,
            secret,
            https,
            blocks,
            reload: OnceLock::new(),
        });
        control.fill(&tracker);
        for (path, action) in fifos {
            if path.as_os_str().is_empty() {
                continue;
            }
            if let Err(error) = tracker.read_fifo(&path, action) {
                tracker.shutdown();
                return Err(error.into());
            }
        }
        Ok(tracker)
    }
}

/// A tracker that runs: its listeners, its threads, its swarms.
///
/// It serves until [`Tracker::shutdown`]. Any thread may reload it or shut it down.
#[derive(Debug)]
pub struct Tracker {
    lists: Arc<Lists>,
    listeners: Vec<Listener>,
    sandbox: Option<Arc<Sandbox>>,
    /// What is in force.
    config: ArcSwap<Config>,
    /// What was read last. One reload at a time has it.
    wanted: Mutex<Config>,
    /// `None` once it has been shut down.
    threads: Mutex<Option<Threads>>,
    snapshots: Arc<SnapshotStatus>,
    reloads: Arc<ReloadStatus>,
    secret: Option<Arc<Secret>>,
    https: Option<Arc<Https>>,
    blocks: Blocks,
    /// What the program does to reload.
    reload: OnceLock<ReloadHook>,
}

/// How the program reloads; `None`: it cannot at present.
struct ReloadHook(Box<dyn Fn() -> Option<Reloaded> + Send + Sync>);

impl fmt::Debug for ReloadHook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ReloadHook")
    }
}

impl Tracker {
    /// Prepares a tracker and starts it: see [`Self::prepare`] and [`Prepared::start`].
    ///
    /// # Errors
    ///
    /// Fails as they do.
    pub fn start(config: Config) -> Result<Arc<Self>, StartError> {
        Self::prepare(config, Launch::default())?.start()
    }

    /// Binds the listeners and gives up privileges. It reads no list and never takes long.
    ///
    /// A program that has a sandbox closed calls it before it has other threads, since those would
    /// stay outside.
    ///
    /// # Errors
    ///
    /// Fails if a socket that was passed cannot be used, an address cannot be bound, or the user or
    /// root folder cannot be changed.
    pub fn prepare(config: Config, launch: Launch) -> Result<Prepared, StartError> {
        start::prepare(config, launch).map(Prepared)
    }

    /// Tries everything that a start would and nothing of which remains: addresses, interface,
    /// user, folder, lists, FIFOs, file descriptors, the state dump that is to be loaded, and the
    /// sockets that were passed. What a start would only
    /// warn of is only warned of, like lines of a list that are no entries.
    ///
    /// An address that somebody serves at present is no fault, since that may be this tracker.
    pub fn check(
        config: &Config,
        statedump: Option<&Path>,
        sockets: Vec<PassedSocket>,
    ) -> Vec<Fault> {
        check::check(config, statedump, sockets)
    }

    /// Returns the addresses that are served.
    pub fn listeners(&self) -> &[Listener] {
        &self.listeners
    }

    /// Returns the interfaces that are served below the network stack.
    pub fn xdp(&self) -> Vec<ServedInterface> {
        let threads = self.threads();
        threads.as_ref().map_or_else(Vec::new, Threads::xdp)
    }

    /// Returns the configuration in force. What was read by a reload but needs a restart is not.
    pub fn config(&self) -> Arc<Config> {
        self.config.load_full()
    }

    /// Returns the rules and the swarms, to announce and look without a network.
    pub fn core(&self) -> &Arc<core::Tracker> {
        self.lists.core()
    }

    /// Returns the cluster as this instance sees it, at most a second old; `None` without live
    /// sync.
    pub fn cluster(&self) -> Option<Arc<View>> {
        let threads = self.threads();
        Some(threads.as_ref()?.cluster()?.load_full())
    }

    /// Says how the program reloads, for those who ask for it through the admin API. Without, the
    /// lists are read again and the configuration stays. Returns `None` where it cannot reload.
    pub fn on_reload(&self, reload: impl Fn() -> Option<Reloaded> + Send + Sync + 'static) {
        // Once said it stays.
        self.reload.set(ReloadHook(Box::new(reload))).ok();
    }

    /// Reloads as the program does.
    pub(crate) fn reload_all(&self) -> Result<Reloaded, ControlError> {
        match self.reload.get() {
            Some(ReloadHook(reload)) => reload().ok_or(ControlError::NotNow),
            None => Ok(self.reload(Err(Vec::new()))),
        }
    }

    /// Takes over what can change at run time of a configuration, or keeps the present one where
    /// there are lines that say why it cannot be had, and reads the access lists again. What cannot
    /// be read stays as it is, and so does its key; everything else comes into force. Swarms that are
    /// no longer served are forgotten.
    ///
    /// It takes as long as the files let it, but gives a list up that does not answer for 10 s.
    pub fn reload(&self, config: Result<Config, Vec<String>>) -> Reloaded {
        let mut wanted = self.wanted.lock().unwrap_or_else(PoisonError::into_inner);
        let mut all_faults = Vec::new();
        match config {
            Ok(config) => *wanted = config,
            Err(faults) => all_faults = faults,
        }
        let running = self.config();
        let mut config = Config::clone(&running);
        config.reload(&wanted);
        let need_restart = wanted.changed_needing_restart(&config);
        let read = self.lists.read_again(&wanted.access);
        for fault in read.faults() {
            config.keep(fault.key.path(), &running);
        }
        let token = match operator::read_token(&wanted.admin.token, self.lists.folders()) {
            Ok(token) => token,
            Err(mut fault) => {
                config.keep("admin.token", &running);
                self.explain(&fault.path, &mut fault.cause);
                all_faults.push(format!(
                    "the token stays as it was: {fault}: {}",
                    fault.cause
                ));
                let pages = self.core().rules();
                let pages = pages.extension::<PageRules>();
                pages.and_then(|pages| pages.token.clone())
            }
        };
        if let Some(secret) = &self.secret
            && let Err(mut fault) = secret.read_again()
        {
            self.explain(&fault.path, &mut fault.cause);
            all_faults.push(secret::kept(&fault));
        }
        for mut fault in self.https.iter().flat_map(|https| https.read_again()) {
            self.explain(&fault.path, &mut fault.cause);
            all_faults.push(certificates::kept(&fault));
        }
        let rules = |lists| rules(&config, lists, token);
        let (lists, faults) = self.lists.take(read, rules);
        for mut fault in faults {
            self.explain(&fault.path, &mut fault.cause);
            let cause = &fault.cause;
            all_faults.push(format!(
                "the {} stays as it was: {fault}: {cause}",
                fault.key
            ));
        }
        if let Some(threads) = &*self.threads() {
            threads.set_cluster_networks(&config.livesync);
            if let Some(snapshots) = threads.snapshots() {
                snapshots.set_interval(config.snapshot.interval);
            }
        }
        self.reloads.note(all_faults.is_empty());
        let changed = config.changed(&running);
        self.config.store(Arc::new(config));
        Reloaded {
            changed,
            need_restart,
            lists,
            faults: all_faults,
        }
    }

    fn explain(&self, path: &Path, cause: &mut io::Error) {
        if let Some(sandbox) = &self.sandbox {
            sandbox.explain(path, cause);
        }
    }

    pub(crate) fn https(&self) -> Option<&Https> {
        self.https.as_deref()
    }

    pub(crate) fn blocks(&self) -> &Blocks {
        &self.blocks
    }

    pub(crate) fn lists(&self) -> &Lists {
        &self.lists
    }

    /// Starts to read a FIFO of info hashes. What is written to it changes the allow list, if
    /// there is one, or else the deny list, until that list is read again.
    ///
    /// # Errors
    ///
    /// Fails if it cannot be opened or is no FIFO.
    pub fn read_fifo(&self, path: &Path, action: FifoAction) -> Result<(), FifoError> {
        if let Some(threads) = &mut *self.threads() {
            threads.add_fifo(Fifo::start(path, action, Arc::clone(&self.lists))?);
        }
        Ok(())
    }

    /// Loads the download counts of a state dump of the C program, `HASH:MINUTE:DOWNLOADS` a line.
    /// Of two counts of a torrent the larger one stays.
    ///
    /// # Errors
    ///
    /// Fails if the file cannot be read; what was read before stays loaded.
    pub fn load_statedump(&self, path: &Path) -> Result<StatedumpLoaded, StatedumpError> {
        let fault = |cause| StatedumpError {
            path: path.to_owned(),
            cause,
        };
        let text = BufReader::new(File::open(path).map_err(fault)?);
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let timeout = self.config().announce.torrent_timeout.as_secs() / 60;
        let now = Instant::now();
        let mut loaded = StatedumpLoaded::default();
        for entry in statedump::entries(text, since_1970.as_secs() / 60) {
            match entry.map_err(fault)? {
                None => loaded.skipped += 1,
                Some(entry) if u64::from(entry.age_minutes) > timeout => loaded.expired += 1,
                Some(entry) => {
                    let (age, downloads) = (entry.age_minutes, entry.downloads);
                    let record = ToldDownloads::new(entry.info_hash, age, downloads);
                    let records = std::iter::once(record);
                    let applied = self.core().apply_downloads(records, now, |_, _| ());
                    loaded.torrents += applied.applied;
                }
            }
        }
        Ok(loaded)
    }

    /// Begins to watch whether the threads that answer announces are stuck.
    pub fn pulse(&self) -> Pulse {
        let threads = self.threads();
        Pulse::new(threads.as_ref().map_or_else(Vec::new, Threads::heartbeats))
    }

    /// Writes a snapshot now, and returns when it is in place.
    ///
    /// # Errors
    ///
    /// Fails if snapshots are off, if the tracker stops meanwhile, or if the file cannot be written.
    pub fn snapshot_now(&self) -> Result<SnapshotWritten, SnapshotNowError> {
        let answered = match &*self.threads() {
            Some(threads) => threads.snapshots().ok_or(SnapshotNowError::Off)?.order(),
            None => return Err(SnapshotNowError::Stopping),
        };
        answered.recv().unwrap_or(Err(SnapshotNowError::Stopping))
    }

    /// Returns what is known of snapshots, during [`Self::shutdown`] too.
    pub fn snapshots(&self) -> &SnapshotStatus {
        &self.snapshots
    }

    /// Returns what came of reloads.
    pub fn reloads(&self) -> &ReloadStatus {
        &self.reloads
    }

    /// Stops accepting, finishes what is under way, writes the snapshot, and ends all threads.
    pub fn shutdown(&self) {
        let threads = self.threads().take();
        if let Some(threads) = threads {
            threads.shutdown();
        }
    }

    fn threads(&self) -> MutexGuard<'_, Option<Threads>> {
        self.threads.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
