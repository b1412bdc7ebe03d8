//! The C program beside ours: both hear the same, and what both say is compared.
//!
//! It is run by `cargo xtask test`, as root, and calls the C program in Debian's build. That is of the
//! first generation, serves IPv4 alone and has an allow list; it has no `numwants`, and nothing to
//! say in `woodpeckers`.
//!
//! | sentence | tests |
//! |---|---|
//! | `GET /stats?mode=…`: the C program's modes with the same bodies | `the_statistics_are_the_same` |
//! | an unknown mode is an error | `unknown_modes_and_formats_are_refused_by_both` |
//! | the busiest networks | `the_busiest_networks_are_the_same` |
//! | `tpbs` with `format=txt\|txtp\|bin\|ben\|url`, the full scrape | `lists_of_all_torrents_are_the_same` |
//! | `-l` and `statedump` read and write the C program's dump | `each_loads_the_other_s_dump` |
//! | The C flags keep their meaning | `the_same_command_line_starts_both` |
#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

#[path = "../it/backend.rs"]
mod backend;
#[path = "../it/bencode.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod bencode;
#[path = "../it/datagram.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod datagram;
#[path = "../it/program.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod program;
#[path = "../it/request.rs"]
#[expect(dead_code, reason = "a part of it is enough here")]
mod request;

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, Permissions};
use std::io::Read;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;

use datagram::{Announce, COMPLETED, Client, NO_EVENT, STARTED, STOPPED};
use flate2::read::GzDecoder;
use program::{Setup, Tracker, eventually, list};
use request::{Response, announce, get, scrape};

const C_PROGRAM: &str = "/usr/bin/opentracker";

/// Every octet is in one of them, for what has to be escaped somewhere.
fn torrents() -> Vec<[u8; 20]> {
    let octets: Vec<u8> = (0..=u8::MAX).cycle().take(13 * 20).collect();
    octets
        .chunks_exact(20)
        .map(|hash| hash.try_into().unwrap())
        .collect()
}

/// A folder that everybody can read, with the allow list, and an address of loopback that nobody
/// else has.
struct Place {
    folder: PathBuf,
    address: SocketAddr,
}

impl Place {
    fn new() -> Self {
        static NUMBER: AtomicU8 = AtomicU8::new(1);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let [_, _, high, low] = std::process::id().to_be_bytes();
        let name = format!("opentracker-c-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).unwrap();
        fs::set_permissions(&folder, Permissions::from_mode(0o755)).unwrap();
        fs::write(folder.join("allow"), list(&torrents())).unwrap();
        let ip = Ipv4Addr::new(127, 200 + number, high, low.max(1));
        Self {
            folder,
            address: (ip, 6968).into(),
        }
    }

    /// The command line that starts either program here, with a dump to load.
    fn arguments(&self, dump: Option<&[u8]>) -> Vec<String> {
        let (ip, port) = (self.address.ip(), self.address.port());
        let folder = self.folder.display();
        let mut line =
            format!("-i {ip} -p {port} -P {port} -d {folder} -u nobody -w allow -A 127.0.0.1");
        if let Some(dump) = dump {
            fs::write(self.folder.join("dump"), dump).unwrap();
            line += " -l dump";
        }
        line.split_whitespace().map(str::to_owned).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// A running tracker of either kind.
struct Site {
    place: Place,
    program: Program,
}

enum Program {
    Ours(Box<Tracker>),
    C(CProgram),
}

struct CProgram(Child);

impl Drop for CProgram {
    fn drop(&mut self) {
        // It has nothing to save.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Site {
    fn ours(dump: Option<&[u8]>) -> Self {
        let place = Place::new();
        let mut setup = Setup::within(&std::env::temp_dir());
        setup.text("admin.listen = []\n").listeners(2);
        for argument in place.arguments(dump) {
            setup.argument(argument);
        }
        let tracker = setup.start();
        Self {
            place,
            program: Program::Ours(Box::new(tracker)),
        }
    }

    fn c(dump: Option<&[u8]>) -> Self {
        let place = Place::new();
        let mut command = Command::new(C_PROGRAM);
        command
            .args(place.arguments(dump))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let process = command.spawn().unwrap_or_else(|error| {
            panic!("{C_PROGRAM}: {error}: it is of Debian's package opentracker")
        });
        let program = CProgram(process);
        eventually("the C program to listen", || {
            TcpStream::connect(place.address).is_ok()
        });
        // It reads its allow list while it serves already.
        let last = *torrents().last().unwrap();
        let announced = |event| get(place.address, &announce(&last, 9, event)).body;
        eventually("the C program's allow list", || {
            announced("event=started").starts_with(b"d8:complete")
        });
        announced("event=stopped");
        Self {
            place,
            program: Program::C(program),
        }
    }

    fn get(&self, target: &str) -> Response {
        get(self.place.address, target)
    }

    fn process(&self) -> u32 {
        match &self.program {
            Program::Ours(tracker) => tracker.process(),
            Program::C(program) => program.0.id(),
        }
    }

    /// A list of all torrents, which the C program compresses unasked.
    fn torrents(&self, mode: &str) -> Vec<u8> {
        let response = self.get(&format!("/stats?mode={mode}"));
        assert_eq!(response.status, 200, "{mode}: {response:?}");
        let mut body = Vec::new();
        match response.field("content-encoding") {
            Some("gzip") => GzDecoder::new(&*response.body)
                .read_to_end(&mut body)
                .map(drop),
            _ => {
                body = response.body;
                Ok(())
            }
        }
        .unwrap();
        body
    }

    fn stats(&self, mode: &str) -> String {
        let response = self.get(&format!("/stats?mode={mode}"));
        assert_eq!(response.status, 200, "{mode}: {response:?}");
        String::from_utf8(response.body).unwrap()
    }

    /// Lets clients announce and scrape over both protocols.
    ///
    /// There is a millisecond between any two announces, so that ours looks at each of them.
    ///
    fn feed(&self) {
        let torrents = torrents();
        for (number, torrent) in (1..).zip(&torrents) {
            for peer in 1..=number {
                let ip = format!("127.1.{}.{peer}", number / 4);
                let client = Client::at(&ip, self.place.address);
                let announce = Announce::new(*torrent, 6881).event(STARTED);
                let announce = if peer % 3 == 0 {
                    announce.seeding()
                } else {
                    announce
                };
                client.announce(&announce);
                pause();
                if peer % 5 == 0 {
                    client.announce(&announce.event(NO_EVENT));
                    pause();
                }
            }
        }
        let client = Client::at("127.1.0.1", self.place.address);
        for (torrent, event) in [(0, COMPLETED), (1, COMPLETED), (2, STOPPED)] {
            client.announce(
                &Announce::new(torrents[torrent], 6881)
                    .seeding()
                    .event(event),
            );
            pause();
            pause();
        }
        client.scrape(&torrents[..3]);
        for (target, status) in [
            (announce(&torrents[3], 1, "left=0"), 200),
            (announce(&torrents[3], 2, "left=7&numwant=3"), 200),
            (announce(&torrents[3], 2, "left=0&event=completed"), 200),
            (scrape(&torrents[2..4]), 200),
            ("/announce?info_hash=short&port=1".to_owned(), 400),
            ("/nowhere".to_owned(), 404),
        ] {
            let response = self.get(&target);
            assert_eq!(response.status, status, "{target}: {response:?}");
            pause();
        }
    }
}

/// Lets a millisecond pass; ours looks at one announce in each.
fn pause() {
    std::thread::sleep(Duration::from_millis(2));
}

/// Both programs after the same requests.
fn both() -> [Site; 2] {
    let sites = [Site::ours(None), Site::c(None)];
    sites.iter().for_each(Site::feed);
    sites
}

/// A body without what depends on the time: the line with the uptime, and the rates after it.
fn figures(body: &str) -> String {
    let lines: Vec<_> = body.split('\n').collect();
    match lines[..] {
        [first, second, uptime, rates] if uptime.ends_with(" hours)") => [
            first,
            second,
            &without_numbers(uptime),
            &without_numbers(rates),
        ]
        .join("\n"),
        _ => body.to_owned(),
    }
}

fn without_numbers(text: &str) -> String {
    text.replace(|c: char| c.is_ascii_digit(), "")
}

/// The lines in an order of ours.
fn sorted(body: &str) -> Vec<&str> {
    let mut lines: Vec<_> = body.lines().collect();
    lines.sort_unstable();
    lines
}

#[test]
fn the_statistics_are_the_same() {
    let [ours, c] = both();
    for mode in [
        "peer",
        "torr",
        "completed",
        "scrp",
        "udp4",
        "syncs",
        "renew",
        "top10",
        "top100",
    ] {
        let [ours, c] = [&ours, &c].map(|site| figures(&site.stats(mode)));
        assert_eq!(ours, c, "{mode}");
    }
    // Waiting for the C program, we announced to it over HTTP. It counts no full scrapes, and the last
    // lines of its `herr` have the numbers of other errors than they say.
    for mode in ["conn", "tcp4", "fscr", "herr"] {
        let [ours, c] = [&ours, &c].map(|site| without_numbers(&site.stats(mode)));
        assert_eq!(ours, c, "{mode}");
    }
    let [ours, c] = [&ours, &c].map(|site| {
        let everything = without_numbers(&site.stats("everything"));
        let (before, rest) = everything.split_once("  <version>\n").unwrap();
        let (_, after) = rest.split_once("  </version>\n").unwrap();
        format!("{before}{after}")
    });
    assert_eq!(ours, c);
}

#[test]
fn unknown_modes_and_formats_are_refused_by_both() {
    let [ours, c] = [Site::ours(None), Site::c(None)];
    for query in ["mode=nope", "mode=", "mode=tpbs&format=nope"] {
        for site in [&ours, &c] {
            assert_eq!(site.get(&format!("/stats?{query}")).status, 400, "{query}");
        }
    }
    // It knows these and has nothing to say.
    for mode in ["busy", "fulllog"] {
        assert_eq!(c.get(&format!("/stats?mode={mode}")).status, 500);
        assert_eq!(ours.get(&format!("/stats?mode={mode}")).status, 400);
    }
}

#[test]
fn the_busiest_networks_are_the_same() {
    let [ours, c] = [Site::ours(None), Site::c(None)];
    let torrents = torrents();
    for site in [&ours, &c] {
        for (network, peers) in [(1, 3), (2, 9), (3, 5), (4, 1)] {
            for peer in 1..=peers {
                // Each is in a network /28 of its own.
                let ip = format!("127.1.{network}.{}", peer * 16);
                let client = Client::at(&ip, site.place.address);
                client.announce(&Announce::new(torrents[0], 6881).event(STARTED));
                pause();
            }
        }
    }
    // Those with the same number come in another order there.
    let lists = |site: &Site| {
        let text = site.stats("s24s");
        let lists = text.split("\n\n").map(|list| sorted(list).join("\n"));
        lists.collect::<Vec<_>>()
    };
    assert_eq!(lists(&ours), lists(&c));
    let busiest: Vec<_> = lists(&ours)[1]
        .lines()
        .rev()
        .take(3)
        .map(str::to_owned)
        .collect();
    assert_eq!(
        busiest,
        [
            "Networks, limit /24:",
            "00000009: 127.1.2.0",
            "00000005: 127.1.3.0"
        ]
    );
}

#[test]
fn lists_of_all_torrents_are_the_same() {
    let [ours, c] = both();
    for format in ["txt", "txtp", "url"] {
        let [ours, c] = [&ours, &c].map(|site| site.torrents(&format!("tpbs&format={format}")));
        let [ours, c] = [ours, c].map(|body| String::from_utf8(body).unwrap());
        assert_eq!(sorted(&ours), sorted(&c), "{format}");
        assert_eq!(ours.lines().count(), torrents().len(), "{format}");
    }
    let [ours_binary, c_binary] = [&ours, &c].map(|site| {
        let octets = site.torrents("tpbs&format=bin");
        let (entries, rest) = octets.as_chunks::<28>();
        assert!(rest.is_empty());
        entries.iter().copied().collect::<BTreeSet<_>>()
    });
    assert_eq!(ours_binary, c_binary);
    // Sorted, so octet for octet.
    let bencode = c.torrents("tpbs&format=ben");
    assert_eq!(ours.torrents("tpbs&format=ben"), bencode);
    assert_eq!(c.get("/scrape").body, bencode);
    let scrape = ours.get("/scrape").body;
    let files = bencode.strip_suffix(b"e").unwrap();
    let flags = scrape.strip_prefix(files).expect("the same files");
    assert_eq!(flags, b"5:flagsd20:min_request_intervali900eee");
}

#[test]
fn each_loads_the_other_s_dump() {
    let [ours, c] = both();
    let [our_dump, c_dump] = [&ours, &c].map(|site| site.torrents("statedump"));
    let fields = |dump: &[u8]| {
        let text = str::from_utf8(dump).unwrap();
        let lines = text.lines().map(|line| {
            let [hash, minute, downloads] = line.split(':').collect::<Vec<_>>()[..] else {
                panic!("{line}");
            };
            let minute: u64 = minute.parse().unwrap();
            (hash.to_owned(), minute, downloads.parse::<u64>().unwrap())
        });
        lines.collect::<Vec<_>>()
    };
    let counts = |dump: &[u8]| {
        let entries = fields(dump).into_iter();
        entries
            .map(|(hash, _, downloads)| (hash, downloads))
            .collect::<BTreeMap<_, _>>()
    };
    let expected = counts(&c_dump);
    assert_eq!(expected.len(), torrents().len());
    assert!(expected.values().any(|&downloads| downloads > 0));
    assert_eq!(counts(&our_dump), expected);
    // Both began within the same minutes.
    let minutes = |dump: &[u8]| fields(dump).into_iter().map(|(_, minute, _)| minute);
    let [least, most] = [
        minutes(&c_dump).min().unwrap(),
        minutes(&c_dump).max().unwrap(),
    ];
    assert!(minutes(&our_dump).all(|minute| (least - 1..=most + 1).contains(&minute)));

    let successors = [Site::ours(Some(&c_dump)), loaded_by_c(&our_dump)];
    for site in &successors {
        assert_eq!(counts(&site.torrents("statedump")), expected);
        let scraped = site.get(&scrape(&torrents()[..1])).bencode();
        let files = scraped.get("files").unwrap();
        let downloaded = files.get(torrents()[0]).unwrap().get("downloaded").unwrap();
        assert_eq!(downloaded.integer(), 1);
    }
}

/// Starts the C program with a dump. It may read that before its allow list, and then takes nothing
/// of it; much that it skips before the first torrent gives it time, and another start another
/// chance.
fn loaded_by_c(dump: &[u8]) -> Site {
    let dump = [&b"\n".repeat(100_000), dump].concat();
    let sites = (0..20).map(|_| Site::c(Some(&dump)));
    let has_loaded = |site: &Site| {
        let dump = site.torrents("statedump");
        dump.iter().filter(|&&octet| octet == b'\n').count() > 1
    };
    let mut loaded = sites.filter(has_loaded);
    loaded.next().expect("a start with a dump")
}

#[test]
fn the_same_command_line_starts_both() {
    let [ours, c] = [Site::ours(None), Site::c(None)];
    for site in [&ours, &c] {
        let client = Client::of(site.place.address);
        client.announce(&Announce::new(torrents()[0], 1).event(STARTED));
        let stranger = announce(&[0xee; 20], 1, "");
        let reason = site.get(&stranger).failure_reason();
        assert!(!reason.is_empty());
        // Both are nobody, in the folder as their root.
        let process = site.process();
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        assert!(status.contains("\nUid:\t65534\t65534\t"), "{status}");
        let root = fs::read_link(format!("/proc/{process}/root")).unwrap();
        assert_eq!(root, site.place.folder);
    }
}
