//! What this host says of itself, in `/proc`, `/sys` and the file system.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::thread;

use nix::sys::statvfs::statvfs;

use super::clock::Clock;
use super::{Tls, Told};

/// The program, as `/proc/PID/comm` names it.
const PROGRAM: &str = "opentracker";

/// What was read. What could not be read is `None`.
#[derive(Debug, Clone, Default)]
pub(super) struct Readings {
    pub(super) cores: u64,
    /// Octets of the longest receive buffer that a program may ask for.
    pub(super) rmem_max: Option<u64>,
    pub(super) udp: Option<UdpCounts>,
    /// Packets that found no room on the way to a core, since the host's start.
    pub(super) backlog_drops: Option<u64>,
    /// Entries of connection tracking, and the most that there may be.
    pub(super) conntrack: Option<(u64, u64)>,
    pub(super) clock: Option<Clock>,
    /// The kernel has Landlock, and it is switched on.
    pub(super) has_landlock: Option<bool>,
    /// Octets of memory.
    pub(super) memory: Option<u64>,
    pub(super) process: Option<Process>,
    pub(super) disk: Option<Disk>,
    /// Keys of certificates that everybody may read.
    pub(super) open_keys: Vec<PathBuf>,
}

/// Datagrams of all sockets, since the host's start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct UdpCounts {
    pub(super) received: u64,
    /// Those that found a socket's buffer full.
    pub(super) buffer_errors: u64,
}

/// The process of the tracker.
#[derive(Debug, Clone, Default)]
pub(super) struct Process {
    pub(super) pid: u32,
    /// File descriptors that it may have.
    pub(super) descriptors: Option<u64>,
    /// Octets of it that lie in the swap.
    pub(super) swapped: Option<u64>,
    /// Octets that its control group may take; `None`: any number.
    pub(super) group_memory: Option<u64>,
    pub(super) uid: Option<u32>,
    pub(super) gids: Vec<u32>,
}

/// Where the snapshot is written.
#[derive(Debug, Clone)]
pub(super) struct Disk {
    pub(super) folder: PathBuf,
    /// Octets that there is room for.
    pub(super) free: u64,
    /// The tracker's user may write there; `None`: it is not known who that is.
    pub(super) is_writable: Option<bool>,
}

impl Readings {
    pub(super) fn take(told: Option<&Told>) -> Self {
        let number = |path: &str| read(path)?.trim().parse().ok();
        let conntrack =
            |name: &str| number(&format!("/proc/sys/net/netfilter/nf_conntrack_{name}"));
        let process = told.and_then(|told| Process::read(told.status.instance.pid));
        let disk = told
            .and_then(|told| told.snapshot.as_ref())
            .and_then(|path| Disk::of(Path::new(path), process.as_ref()));
        Self {
            cores: thread::available_parallelism().map_or(1, |cores| cores.get() as u64),
            rmem_max: number("/proc/sys/net/core/rmem_max"),
            udp: udp_counts(process.as_ref().map(|process| process.pid)),
            backlog_drops: read("/proc/net/softnet_stat").map(|text| backlog_drops(&text)),
            conntrack: conntrack("count").zip(conntrack("max")),
            clock: Clock::read(),
            has_landlock: read("/sys/kernel/security/lsm")
                .map(|modules| modules.trim().split(',').any(|module| module == "landlock")),
            memory: read("/proc/meminfo").and_then(|text| kibibytes(&text, "MemTotal:")),
            process,
            disk,
            open_keys: told.map_or_else(Vec::new, |told| open_keys(&told.tls)),
        }
    }
}

impl Process {
    /// Reads what is there of a process, if it is the tracker: the number may be that of another
    /// one, where the tracker has a name space of its own.
    fn read(pid: u32) -> Option<Self> {
        let of = |file: &str| read(&format!("/proc/{pid}/{file}"));
        if of("comm")?.trim() != PROGRAM {
            return None;
        }
        let status = of("status")?;
        let numbers = |name| line(&status, name).unwrap_or_default().split_whitespace();
        Some(Self {
            pid,
            descriptors: of("limits").and_then(|limits| descriptors(&limits)),
            swapped: kibibytes(&status, "VmSwap:"),
            group_memory: of("cgroup").and_then(|group| group_memory(&group)),
            // Real, effective, saved, of the file system.
            uid: numbers("Uid:").nth(3).and_then(|uid| uid.parse().ok()),
            gids: numbers("Gid:")
                .skip(3)
                .chain(numbers("Groups:"))
                .filter_map(|gid| gid.parse().ok())
                .collect(),
        })
    }
}

impl Disk {
    fn of(snapshot: &Path, process: Option<&Process>) -> Option<Self> {
        let folder = snapshot.parent()?;
        let room = statvfs(folder).ok()?;
        let is_writable = process.and_then(|process| {
            let folder = fs::metadata(folder).ok()?;
            Some(may_write(
                folder.mode(),
                folder.uid(),
                folder.gid(),
                process.uid?,
                &process.gids,
            ))
        });
        Some(Self {
            folder: folder.to_owned(),
            free: room.blocks_available().saturating_mul(room.fragment_size()),
            is_writable,
        })
    }
}

/// Lists the keys that everybody may read, of the file or the folder that there is.
fn open_keys(tls: &Tls) -> Vec<PathBuf> {
    let mut keys: Vec<_> = match (&tls.key, &tls.certificate) {
        (Some(key), _) => vec![key.clone()],
        (None, Some(certificate)) => match fs::read_dir(certificate) {
            Ok(entries) => entries
                .filter_map(|entry| Some(entry.ok()?.path()))
                .map(|path| match path.extension() {
                    Some(ending) if ending == "key" => path,
                    _ => path.join("privkey.pem"),
                })
                .collect(),
            Err(_no_folder) => vec![certificate.clone()],
        },
        (None, None) => Vec::new(),
    };
    keys.retain(|key| fs::metadata(key).is_ok_and(|file| file.mode() & 0o4 != 0));
    keys.sort();
    keys
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()
}

/// What follows a name at the beginning of a line.
fn line<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name))
}

fn kibibytes(text: &str, name: &str) -> Option<u64> {
    let number = line(text, name)?.trim().strip_suffix("kB")?;
    Some(number.trim().parse::<u64>().ok()? * 1024)
}

/// The soft limit; more than can be counted where there is none.
fn descriptors(limits: &str) -> Option<u64> {
    let soft = line(limits, "Max open files")?.split_whitespace().next()?;
    match soft {
        "unlimited" => Some(u64::MAX),
        number => number.parse().ok(),
    }
}

/// Reads the counts of both families, where the tracker's sockets are if that can be seen.
fn udp_counts(process: Option<u32>) -> Option<UdpCounts> {
    let of = |file: &str| {
        let there = process.and_then(|pid| read(&format!("/proc/{pid}/net/{file}")));
        there.or_else(|| read(&format!("/proc/net/{file}")))
    };
    let ipv4 = ipv4_counts(&of("snmp")?)?;
    // There is none without IPv6.
    let ipv6 = of("snmp6").map(|text| ipv6_counts(&text));
    let ipv6 = ipv6.unwrap_or_default();
    Some(UdpCounts {
        received: ipv4.received + ipv6.received,
        buffer_errors: ipv4.buffer_errors + ipv6.buffer_errors,
    })
}

/// Finds the columns by the names in the line before the numbers.
fn ipv4_counts(snmp: &str) -> Option<UdpCounts> {
    let mut lines = snmp.lines().filter_map(|line| line.strip_prefix("Udp:"));
    let (names, numbers) = (lines.next()?, lines.next()?);
    let value = |name: &str| {
        let place = names.split_whitespace().position(|of| of == name)?;
        numbers.split_whitespace().nth(place)?.parse().ok()
    };
    Some(UdpCounts {
        received: value("InDatagrams")?,
        buffer_errors: value("RcvbufErrors")?,
    })
}

/// A name and a number stand in each line.
fn ipv6_counts(snmp6: &str) -> UdpCounts {
    let value = |name: &str| line(snmp6, name)?.trim().parse().ok();
    UdpCounts {
        received: value("Udp6InDatagrams").unwrap_or_default(),
        buffer_errors: value("Udp6RcvbufErrors").unwrap_or_default(),
    }
}

/// Adds up the second column, a line for each core, in hexadecimal.
fn backlog_drops(softnet: &str) -> u64 {
    let drops = |line: &str| u64::from_str_radix(line.split_whitespace().nth(1)?, 16).ok();
    softnet.lines().filter_map(drops).sum()
}

/// The least limit of a control group and those above it (version 2).
fn group_memory(cgroup: &str) -> Option<u64> {
    let path = line(cgroup, "0::")?.trim();
    let mut folder = Path::new("/sys/fs/cgroup").join(path.trim_start_matches('/'));
    let mut least = None;
    while folder.starts_with("/sys/fs/cgroup") {
        let limit = fs::read_to_string(folder.join("memory.max")).ok();
        let limit = limit.and_then(|limit| limit.trim().parse::<u64>().ok());
        least = least.into_iter().chain(limit).min();
        folder.pop();
    }
    least
}

/// Whether the rights of a folder let a user write there: the first of owner, group and others
/// that fits decides.
fn may_write(mode: u32, owner: u32, group: u32, uid: u32, gids: &[u32]) -> bool {
    const WRITE_AND_SEARCH: u32 = 0o3;
    let shift = if uid == owner {
        6
    } else if gids.contains(&group) {
        3
    } else {
        0
    };
    mode >> shift & WRITE_AND_SEARCH == WRITE_AND_SEARCH
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn columns_and_lines_are_found_by_their_names() {
        let snmp = "Ip: Forwarding\nIp: 1\nUdp: InDatagrams NoPorts InErrors OutDatagrams \
                    RcvbufErrors SndbufErrors\nUdp: 100 1 2 3 4 5\n";
        let expected = UdpCounts {
            received: 100,
            buffer_errors: 4,
        };
        assert_eq!(ipv4_counts(snmp), Some(expected));
        let snmp6 = "Udp6InDatagrams                 \t100\nUdp6RcvbufErrors\t4\n";
        assert_eq!(ipv6_counts(snmp6), expected);
        assert_eq!(ipv4_counts("Udp: InDatagrams\n"), None);
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(descriptors(limits), Some(1024));
        let limits = limits.replace("1024  ", "unlimited");
        assert_eq!(descriptors(&limits), Some(u64::MAX));
        assert_eq!(backlog_drops("00000a 00000010 0\n0000 00000001 0\n"), 17);
        assert_eq!(kibibytes("VmSwap:\t     12 kB\n", "VmSwap:"), Some(12_288));
        assert_eq!(group_memory("1:cpu:/a\n"), None);
    }

    #[test]
    fn the_rights_of_a_folder_are_those_of_who_writes() {
        for (mode, uid, gid, may) in [
            (0o700, 7, 9, true),
            (0o070, 7, 8, false),
            (0o770, 1, 8, true),
            (0o750, 1, 8, false),
            (0o755, 1, 1, false),
            (0o777, 1, 1, true),
            (0o200, 7, 9, false),
        ] {
            assert_eq!(
                may_write(mode, 7, 8, uid, &[gid]),
                may,
                "{mode:o} {uid} {gid}"
            );
        }
    }

    #[test]
    fn keys_that_everybody_may_read_are_found() {
        let folder = std::env::temp_dir().join(format!("open-keys-{}", std::process::id()));
        let path = |name: &str| folder.join(name);
        fs::create_dir_all(path("b")).unwrap();
        for (name, mode) in [
            ("a.crt", 0o644),
            ("a.key", 0o644),
            ("b/privkey.pem", 0o644),
            ("c.key", 0o640),
        ] {
            fs::write(path(name), "").unwrap();
            fs::set_permissions(path(name), fs::Permissions::from_mode(mode)).unwrap();
        }
        let open = |certificate: &str, key: Option<&str>| {
            open_keys(&Tls {
                certificate: Some(path(certificate)),
                key: key.map(path),
            })
        };
        assert_eq!(open("", None), [path("a.key"), path("b/privkey.pem")]);
        assert_eq!(open("a.crt", Some("a.key")), [path("a.key")]);
        assert!(open("a.crt", Some("c.key")).is_empty());
        assert_eq!(open("a.crt", None), [path("a.crt")], "the key is in it");
        assert!(open_keys(&Tls::default()).is_empty());
        fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn this_host_can_be_read() {
        let readings = Readings::take(None);
        assert!(readings.cores > 0);
        assert!(
            readings.udp.is_some() && readings.memory.is_some(),
            "{readings:?}"
        );
        assert!(
            Process::read(std::process::id()).is_none(),
            "it is not the tracker"
        );
    }
}
