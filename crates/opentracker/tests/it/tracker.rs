//! A tracker that runs, as a program that embeds it sees it.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::stat::Mode;
use nix::unistd::mkfifo;
use opentracker::config::Values;
use opentracker::core::{PeerBuffers, Requester, Worker};
use opentracker::types::{AnnounceRequest, Event, InfoHash};
use opentracker::{Config, FifoAction, StartError, Tracker};

const A: InfoHash = InfoHash::new([0xaa; 20]);
const B: InfoHash = InfoHash::new([0xbb; 20]);

/// How long anything may take that should happen at once. Only a test that fails waits so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A folder of a test, gone at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR"))
            .join(format!("tracker-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.0.join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn fifo(&self, name: &str) -> PathBuf {
        let path = self.0.join(name);
        mkfifo(&path, Mode::S_IRWXU).unwrap();
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).ok();
    }
}

fn values() -> Values {
    let mut values = Values::default();
    values.udp.listen = vec!["127.0.0.1:0".parse().unwrap()];
    values.udp.workers = 1;
    values.http.listen = vec![];
    values.admin.listen = vec![];
    values
}

fn config() -> Config {
    values().validate().unwrap()
}

fn serves(tracker: &Tracker, info_hash: InfoHash) -> bool {
    tracker.core().rules().lists.serves(&info_hash)
}

fn announce(tracker: &Tracker, info_hash: InfoHash) {
    let request = AnnounceRequest::new(info_hash, 6881)
        .with_left(0)
        .with_event(Event::Started);
    let source: IpAddr = [198, 51, 100, 1].into();
    let mut octets = [0; 60];
    let mut peers = PeerBuffers::v4(&mut octets);
    let mut worker = Worker::new(Arc::clone(tracker.core()), 1, None);
    worker
        .announce(
            &request,
            &Requester::new(source),
            Instant::now(),
            &mut peers,
        )
        .unwrap();
}

fn eventually(what: &str, condition: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "waited in vain for {what}");
        std::thread::yield_now();
    }
}

#[test]
fn a_start_that_fails_leaves_a_runtime_of_the_caller_alone() {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    runtime.unwrap().block_on(async {
        let mut values = values();
        values.livesync.listen = Some("127.0.0.1:9697".parse().unwrap());
        values.access.deny = "/missing/list".into();
        let config = values.clone().validate().unwrap();
        // The group is joined by then, on a runtime that has to go.
        let error = Tracker::start(config.clone()).unwrap_err();
        assert!(matches!(error, StartError::List(_)), "{error}");
        let faults = Tracker::check(&config, None, Vec::new());
        assert_eq!(faults.len(), 1, "{faults:?}");
        values.access.deny = PathBuf::new();
        assert_eq!(
            Tracker::check(&values.validate().unwrap(), None, Vec::new()),
            []
        );
    });
}

#[test]
fn the_limits_of_the_process_are_its_own_business() {
    let (_, most) = getrlimit(Resource::RLIMIT_NOFILE).unwrap();
    setrlimit(Resource::RLIMIT_NOFILE, 500, most).unwrap();
    Tracker::start(config()).unwrap().shutdown();
    assert_eq!(getrlimit(Resource::RLIMIT_NOFILE).unwrap(), (500, most));
}

#[test]
fn the_configuration_is_what_runs() {
    let tracker = Tracker::start(config()).unwrap();
    let mut wanted = values();
    wanted.udp.workers = 2;
    wanted.announce.numwant_max = 7;
    for _ in 0..2 {
        let reloaded = tracker.reload(Ok(wanted.clone().validate().unwrap()));
        assert_eq!(reloaded.need_restart, ["udp.workers"]);
        assert_eq!(tracker.config().udp.workers, 1);
        assert_eq!(tracker.config().announce.numwant_max, 7);
    }
    // Without a configuration the one before is still to come.
    assert_eq!(
        tracker.reload(Err(Vec::new())).need_restart,
        ["udp.workers"]
    );
    wanted.udp.workers = 1;
    assert_eq!(
        tracker.reload(Ok(wanted.validate().unwrap())).need_restart,
        [""; 0]
    );
    tracker.shutdown();
    tracker.shutdown();
}

#[test]
fn fifos_change_the_list_that_is_configured() {
    let folder = Folder::new("fifo");
    let [add, delete] = ["add", "delete"].map(|name| folder.fifo(name));
    let list = folder.write("list", &format!("{A}\n"));
    let write = |fifo: &Path, text: String| {
        // Each time by another writer, as with `echo … > fifo`.
        let mut fifo = OpenOptions::new().write(true).open(fifo).unwrap();
        fifo.write_all(text.as_bytes()).unwrap();
    };
    for is_allow in [true, false] {
        let mut values = values();
        if is_allow {
            values.access.allow.clone_from(&list);
        } else {
            values.access.deny.clone_from(&list);
        }
        let tracker = Tracker::start(values.validate().unwrap()).unwrap();
        tracker.read_fifo(&add, FifoAction::Add).unwrap();
        tracker.read_fifo(&delete, FifoAction::Delete).unwrap();
        let is_on_list = |info_hash| serves(&tracker, info_hash) == is_allow;
        assert!(is_on_list(A) && !is_on_list(B));
        for _ in 0..10 {
            write(&add, format!("nonsense\n{B} a note\n"));
            eventually("the addition", || is_on_list(A) && is_on_list(B));
            write(&delete, format!("{A}\n{B}"));
            eventually("the deletion", || !is_on_list(A) && !is_on_list(B));
            // Two halves of a line, by one writer.
            let mut halves = OpenOptions::new().write(true).open(&add).unwrap();
            let hash = A.to_string();
            halves.write_all(&hash.as_bytes()[..7]).unwrap();
            halves.write_all(&hash.as_bytes()[7..]).unwrap();
            drop(halves);
            eventually("both halves", || is_on_list(A) && !is_on_list(B));
        }
        // Until the list is read again.
        write(&add, format!("{B}\n"));
        eventually("the addition", || is_on_list(B));
        tracker.reload(Err(Vec::new()));
        assert!(is_on_list(A) && !is_on_list(B));
        tracker.shutdown();
    }
}

#[test]
fn fifos_without_a_list_make_a_deny_list_and_purge() {
    let folder = Folder::new("fifo-alone");
    let add = folder.fifo("add");
    let tracker = Tracker::start(config()).unwrap();
    announce(&tracker, A);
    announce(&tracker, B);
    tracker.read_fifo(&add, FifoAction::Add).unwrap();
    fs::write(&add, format!("{B}\n")).unwrap();
    eventually("the purge", || {
        tracker.core().totals(Instant::now()).torrents == 1
    });
    assert!(serves(&tracker, A) && !serves(&tracker, B));
    // No file stands for this list, so none replaces it.
    tracker.reload(Err(Vec::new()));
    assert!(!serves(&tracker, B));
    tracker.shutdown();
}

#[test]
fn a_fifo_must_be_one() {
    let folder = Folder::new("no-fifo");
    let tracker = Tracker::start(config()).unwrap();
    let file = folder.write("file", "");
    for path in [&file, &folder.0.join("missing")] {
        let error = tracker.read_fifo(path, FifoAction::Add).unwrap_err();
        assert_eq!(error.path, *path);
    }
    tracker.shutdown();
}

#[test]
fn a_state_dump_is_loaded() {
    let folder = Folder::new("statedump");
    let minutes = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let minutes = minutes.as_secs() / 60;
    let [denied, old] = [InfoHash::new([0xdd; 20]), InfoHash::new([0xee; 20])];
    let deny = folder.write("deny", &denied.to_string());
    let upper = A.to_string().to_uppercase();
    let text = format!(
        "{upper}:{minutes}:7\n{B}:{}:8589934597\nnonsense\n{denied}:{minutes}:1\n{old}:{}:1\n",
        minutes - 60,
        minutes - 60 * 24 * 3,
    );
    let mut values = values();
    values.access.deny = deny;
    let tracker = Tracker::start(values.validate().unwrap()).unwrap();
    let loaded = tracker
        .load_statedump(&folder.write("dump", &text))
        .unwrap();
    assert_eq!((loaded.torrents, loaded.expired, loaded.skipped), (2, 1, 1));
    let known = |info_hash| tracker.core().summary(info_hash, Instant::now());
    assert_eq!(known(&A).unwrap().counts.downloads, 7);
    assert!(known(&B).is_some());
    assert!(known(&denied).is_none());
    assert!(known(&old).is_none());
    let missing = folder.0.join("missing");
    assert_eq!(tracker.load_statedump(&missing).unwrap_err().path, missing);
    tracker.shutdown();
}
