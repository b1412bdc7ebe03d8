//! What the readings mean for a tracker. Nothing here looks at the host.

use std::path::Path;

use opentracker_api::{CertificateStatus, State, Status, XdpStatus};

use super::readings::{Disk, Process, Readings};
use super::{Finding, Told};
use crate::words::{count, octets, seconds};

/// Octets of the receive buffer that the socket of a cluster asks for; those of clients ask for half.
const WANTED_BUFFER: u64 = 4 << 20;

/// Connections of a busy tracker for each core.
const WANTED_CONNECTIONS: u64 = 16_384;

/// HTTP connections at a time that are few for a public tracker.
const FEW_CONNECTIONS: u64 = 256;

/// Lost datagrams that are worth a remark, one among so many.
const LOSS: u64 = 10_000;

/// Octets of free disk below which a snapshot of a small tracker may fail.
const LITTLE_DISK: u64 = 64 << 20;

/// A certificate that expires sooner should have been renewed.
const SOON: u64 = 14 * 24 * 60 * 60;

/// A clock that may be further off than this, in microseconds, is not held right.
const LARGE_CLOCK_ERROR: i64 = 10_000_000;

/// Judges how the tracker itself is.
pub(super) fn tracker(status: &Status) -> Finding {
    let up = seconds(status.uptime_secs);
    match status.state {
        State::Serving => Finding::ok("tracker", format!("it serves, up {up}")),
        State::Draining => Finding::note("tracker", "it is draining: /readyz sends clients away")
            .mended_by("opentracker-ctl undrain"),
    }
}

/// Judges the host, and the tracker's process on it.
pub(super) fn host(readings: &Readings, told: Option<&Told>) -> Vec<Finding> {
    let mut findings = Vec::new();
    match (&readings.process, told) {
        (Some(process), Some(told)) => {
            findings.extend(descriptors(process, readings.cores, &told.status));
            findings.extend(swap(process));
        }
        (None, Some(told)) => {
            let pid = told.status.instance.pid;
            let message = format!("process {pid} cannot be seen here: another container, or user");
            let remedy = "run this as root on the host, or in the tracker's container";
            findings.push(Finding::note("process", message).mended_by(remedy));
        }
        (_, None) => {}
    }
    findings.extend(buffers(readings));
    findings.extend(backlog(readings.backlog_drops));
    findings.push(conntrack(readings.conntrack));
    findings.extend(clock(readings));
    findings.extend(readings.open_keys.iter().map(|key| open_key(key)));
    if let Some(told) = told {
        findings.extend(memory(readings, told.status.memory.limit_octets));
        findings.push(snapshot(readings.disk.as_ref(), told));
    }
    findings.extend(landlock(readings.has_landlock));
    findings
}

/// Judges the certificates of HTTPS by how long they are still good.
pub(super) fn certificates(status: &Status) -> Vec<Finding> {
    let judge = |certificate: &CertificateStatus| {
        let about = format!("certificate of {}", certificate.name);
        let left = certificate.expires_in_secs;
        let remedy = "look why its renewal fails: docs/https.md";
        match left {
            0 => Finding::problem(&about, "it has expired").mended_by(remedy),
            left => {
                let message = format!("it expires in {}", seconds(left));
                match left < SOON {
                    true => Finding::problem(&about, message).mended_by(remedy),
                    false => Finding::ok(&about, message),
                }
            }
        }
    };
    status.certificates.iter().map(judge).collect()
}

/// Judges what XDP gains.
pub(super) fn xdp(status: &Status) -> Vec<Finding> {
    let judge = |served: &XdpStatus| {
        let about = format!("XDP of {}", served.interface);
        let queues = count(served.queues, "queue");
        match &*served.mode {
            "generic" => {
                let message =
                    "frames are taken above the driver, which is hardly faster than sockets";
                Finding::note(&about, message)
                    .mended_by("a driver with native XDP, or udp.backend = \"sockets\"")
            }
            mode => Finding::ok(&about, format!("{queues}, {mode}")),
        }
    };
    status.xdp.iter().map(judge).collect()
}

fn open_key(key: &Path) -> Finding {
    let key = key.display();
    let message = format!("everybody on this host may read {key}, and be the tracker with it");
    Finding::problem("key of HTTPS", message).mended_by(format!("chmod o= {key}"))
}

fn descriptors(process: &Process, cores: u64, status: &Status) -> Option<Finding> {
    const ABOUT: &str = "descriptors";
    let serves_http = status
        .listeners
        .iter()
        .any(|listener| ["http", "https"].contains(&&*listener.protocol));
    let limit = process.descriptors.filter(|_| serves_http)?;
    // The program leaves a quarter to lists and to the operator.
    let connections = limit / 4 * 3;
    let wanted = WANTED_CONNECTIONS * cores;
    let enough_for = format!("{limit} are enough for {connections} HTTP connections at a time");
    let remedy = format!(
        "LimitNOFILE={} in the unit, or `ulimit -n`",
        (wanted / 3 * 4).max(524_288)
    );
    Some(if connections < FEW_CONNECTIONS {
        Finding::problem(ABOUT, enough_for).mended_by(remedy)
    } else if connections < wanted {
        Finding::note(
            ABOUT,
            enough_for + &format!(", where a busy tracker has {wanted}"),
        )
        .mended_by(remedy)
    } else {
        Finding::ok(ABOUT, enough_for)
    })
}

fn swap(process: &Process) -> Option<Finding> {
    const ABOUT: &str = "swap";
    Some(match process.swapped? {
        0 => Finding::ok(ABOUT, "all of the tracker is in memory"),
        swapped => {
            let message = format!(
                "{} of the tracker are swapped out: announces wait for the disk",
                octets(swapped)
            );
            Finding::problem(ABOUT, message)
                .mended_by("more memory, or MemorySwapMax=0 in the unit")
        }
    })
}

/// Judges the buffers by what was lost, and before that by their size.
fn buffers(readings: &Readings) -> Option<Finding> {
    const ABOUT: &str = "receive buffers";
    let most = readings.rmem_max?;
    let udp = readings.udp.unwrap_or_default();
    let is_small = most < WANTED_BUFFER;
    let remedy = format!("sysctl -w net.core.rmem_max={WANTED_BUFFER}, and a restart");
    let lost = format!(
        "{} of {} found a full buffer since this host started",
        udp.buffer_errors,
        count(udp.received, "datagram")
    );
    Some(if udp.buffer_errors > udp.received / LOSS {
        let remedy = match is_small {
            true => remedy,
            false => "more cores or workers, or a longer announce.interval".to_owned(),
        };
        Finding::problem(ABOUT, lost).mended_by(remedy)
    } else if is_small {
        let message = format!(
            "without a right of its own a UDP socket gets {}, where up to {} are asked for",
            octets(most),
            octets(WANTED_BUFFER)
        );
        Finding::note(ABOUT, message).mended_by(remedy)
    } else {
        Finding::ok(ABOUT, lost)
    })
}

fn backlog(drops: Option<u64>) -> Option<Finding> {
    const ABOUT: &str = "backlog of packets";
    Some(match drops? {
        0 => Finding::ok(ABOUT, "no packet was dropped on its way to a core"),
        drops => {
            let message = format!("{} dropped on the way to a core", count(drops, "packet"));
            Finding::note(ABOUT, message).mended_by("sysctl -w net.core.netdev_max_backlog=10000")
        }
    })
}

fn conntrack(entries: Option<(u64, u64)>) -> Finding {
    const ABOUT: &str = "connection tracking";
    const REMEDY: &str = "leave its port out: docs/tuning.md, Connection tracking";
    match entries {
        None | Some((0, _)) => Finding::ok(ABOUT, "the kernel tracks no connections"),
        Some((entries, most)) => {
            let message = format!("{entries} of {most} entries are used");
            if entries.saturating_mul(5) > most.saturating_mul(4) {
                let message = message + ": new clients are dropped when it is full";
                Finding::problem(ABOUT, message).mended_by(REMEDY)
            } else {
                let message = message + ", and a tracker does better without";
                Finding::note(ABOUT, message).mended_by(REMEDY)
            }
        }
    }
}

fn clock(readings: &Readings) -> Option<Finding> {
    const ABOUT: &str = "clock";
    let clock = readings.clock?;
    Some(
        if clock.is_synchronised && clock.max_error_micros < LARGE_CLOCK_ERROR {
            Finding::ok(ABOUT, "it is held right")
        } else {
            let message = "nobody holds it right: times in logs and ages in snapshots may be wrong";
            Finding::note(ABOUT, message).mended_by("timedatectl set-ntp true")
        },
    )
}

/// Judges `limits.memory` by what the tracker may take before the kernel ends it.
fn memory(readings: &Readings, limit: Option<u64>) -> Option<Finding> {
    const ABOUT: &str = "memory";
    let group = readings
        .process
        .as_ref()
        .and_then(|process| process.group_memory);
    let there = match (group, readings.memory) {
        (Some(group), Some(memory)) => group.min(memory),
        (group, memory) => group.or(memory)?,
    };
    // What the program has besides, and what a reload or a snapshot takes.
    let most = there / 4 * 3;
    let remedy = format!("limits.memory = \"{}MiB\"", most >> 20);
    let shown = octets(there);
    Some(match limit {
        None => {
            let message =
                format!("limits.memory is off: a flood may take all {shown} that there are");
            Finding::note(ABOUT, message).mended_by(remedy)
        }
        Some(limit) if limit > most => {
            let message = format!(
                "limits.memory of {} leaves too little of the {shown} that there are",
                octets(limit)
            );
            Finding::problem(ABOUT, message).mended_by(remedy)
        }
        Some(limit) => {
            let message = format!(
                "limits.memory is {} of the {shown} that there are",
                octets(limit)
            );
            Finding::ok(ABOUT, message)
        }
    })
}

fn snapshot(disk: Option<&Disk>, told: &Told) -> Finding {
    const ABOUT: &str = "snapshot";
    let Some(snapshot) = &told.status.snapshot else {
        let message = "snapshot.path is not set: a restart forgets the swarms";
        return Finding::note(ABOUT, message).mended_by("set snapshot.path");
    };
    if snapshot.failures > 0 {
        let failures = count(snapshot.failures, "attempt");
        let message = format!("{failures} to write one failed since the start");
        return Finding::problem(ABOUT, message).mended_by("the log says why");
    }
    let Some(disk) = disk else {
        return Finding::note(ABOUT, "its folder cannot be looked at from here");
    };
    let folder = disk.folder.display();
    let free = octets(disk.free);
    // The old one stays until the new one is whole.
    let needed = snapshot
        .octets
        .unwrap_or(0)
        .saturating_mul(2)
        .max(LITTLE_DISK);
    if disk.is_writable == Some(false) {
        let message = format!("the tracker's user may not write to {folder}");
        Finding::problem(ABOUT, message).mended_by(format!("give it the folder: chown … {folder}"))
    } else if disk.free < needed {
        let message = format!(
            "{free} are free in {folder}, and {} are needed",
            octets(needed)
        );
        Finding::problem(ABOUT, message).mended_by("make room there, or move snapshot.path")
    } else {
        Finding::ok(ABOUT, format!("{free} are free in {folder}"))
    }
}

fn landlock(has: Option<bool>) -> Option<Finding> {
    const ABOUT: &str = "Landlock";
    Some(match has? {
        true => Finding::ok(ABOUT, "the kernel has it, so files out of reach stay so"),
        false => Finding::note(
            ABOUT,
            "it is off: more of the file system is in the tracker's reach",
        )
        .mended_by("a kernel of 5.13 or later with `lsm=landlock,…` on its command line"),
    })
}

#[cfg(test)]
mod tests {
    use opentracker_api::{
        Instance, ListenerStatus, Lists, Memory, PeerCounts, SnapshotStatus, Swarms,
    };

    use super::*;
    use crate::doctor::clock::Clock;
    use crate::doctor::readings::UdpCounts;
    use crate::doctor::{Level, Tls};

    fn told() -> Told {
        let none = || PeerCounts {
            ipv4: 0,
            ipv6: 0,
            webtorrent: 0,
        };
        let status = Status {
            instance: Instance {
                pid: 7,
                tracker_id: "00000102".to_owned(),
            },
            version: "0.1.0".to_owned(),
            time_ms: 0,
            uptime_secs: 60,
            state: State::Serving,
            listeners: vec![ListenerStatus {
                protocol: "http".to_owned(),
                address: "0.0.0.0:6969".to_owned(),
                proxy_protocol: false,
                is_passed: false,
            }],
            xdp: Vec::new(),
            certificates: Vec::new(),
            swarms: Swarms {
                torrents: 0,
                seeders: none(),
                leechers: none(),
            },
            memory: Memory {
                swarms_octets: 0,
                resident_octets: None,
                limit_octets: Some(1 << 30),
            },
            lists: Lists {
                allow: None,
                deny: None,
                deny_clients: None,
                deny_networks: None,
                blocked: 0,
            },
            snapshot: Some(SnapshotStatus {
                age_secs: None,
                octets: Some(1 << 30),
                failures: 0,
            }),
            reload: None,
        };
        Told {
            status,
            snapshot: Some("/var/lib/opentracker/snapshot".to_owned()),
            tls: Tls::default(),
        }
    }

    /// A host with nothing to complain about.
    fn good() -> Readings {
        Readings {
            cores: 2,
            rmem_max: Some(WANTED_BUFFER),
            udp: Some(UdpCounts {
                received: 1_000_000,
                buffer_errors: 99,
            }),
            backlog_drops: Some(0),
            conntrack: None,
            clock: Some(Clock {
                is_synchronised: true,
                max_error_micros: 1000,
            }),
            has_landlock: Some(true),
            memory: Some(8 << 30),
            process: Some(Process {
                descriptors: Some(524_288),
                swapped: Some(0),
                group_memory: Some(2 << 30),
                ..Process::default()
            }),
            disk: Some(Disk {
                folder: "/var/lib/opentracker".into(),
                free: 4 << 30,
                is_writable: Some(true),
            }),
            open_keys: Vec::new(),
        }
    }

    fn worst(readings: &Readings, told: &Told) -> Vec<String> {
        let findings = host(readings, Some(told)).into_iter();
        let bad = findings.filter(|finding| finding.level != Level::Ok);
        bad.map(|finding| finding.text()).collect()
    }

    #[test]
    fn a_good_host_has_no_remark() {
        assert_eq!(worst(&good(), &told()), [""; 0]);
        assert_eq!(host(&good(), Some(&told())).len(), 9);
        assert_eq!(tracker(&told().status).level, Level::Ok);
    }

    /// What makes a good host bad, what is said of it then, and what mends it.
    type Case = (fn(&mut Readings), &'static str, &'static str);

    const CASES: [Case; 14] = [
        (
            |r| r.process.as_mut().unwrap().descriptors = Some(300),
            "problem  descriptors: 300",
            "LimitNOFILE=524288",
        ),
        (
            |r| r.process.as_mut().unwrap().descriptors = Some(4096),
            "note     descriptors: 4096",
            "LimitNOFILE=",
        ),
        (
            |r| r.process.as_mut().unwrap().swapped = Some(4096),
            "problem  swap: 4.0 KiB",
            "MemorySwapMax=0",
        ),
        (
            |r| r.process.as_mut().unwrap().group_memory = Some(1 << 30),
            "problem  memory: limits.memory of 1.0 GiB",
            "\"768MiB\"",
        ),
        (
            |r| r.process = None,
            "note     process: process 7",
            "as root",
        ),
        (
            |r| r.rmem_max = Some(212_992),
            "note     receive buffers: without",
            "rmem_max=4194304",
        ),
        (
            |r| r.udp.as_mut().unwrap().buffer_errors = 101,
            "problem  receive buffers: 101 of",
            "more cores",
        ),
        (
            |r| r.backlog_drops = Some(1),
            "note     backlog of packets: 1 packet",
            "netdev_max_backlog",
        ),
        (
            |r| r.conntrack = Some((81, 100)),
            "problem  connection tracking: 81 of 100",
            "tuning.md",
        ),
        (
            |r| r.conntrack = Some((1, 100)),
            "note     connection tracking: 1 of 100",
            "tuning.md",
        ),
        (
            |r| r.clock.as_mut().unwrap().is_synchronised = false,
            "note     clock: nobody",
            "timedatectl",
        ),
        (
            |r| r.has_landlock = Some(false),
            "note     Landlock: it is off",
            "lsm=landlock",
        ),
        (
            |r| r.disk.as_mut().unwrap().free = 1 << 30,
            "problem  snapshot: 1.0 GiB are free",
            "make room",
        ),
        (
            |r| r.open_keys = vec!["/a/tls.key".into()],
            "problem  key of HTTPS: everybody",
            "chmod o= /a/tls.key",
        ),
    ];

    /// One reading after the other is bad, and each is said with what mends it.
    #[test]
    fn each_bad_reading_is_named_with_its_remedy() {
        for (spoil, message, remedy) in CASES {
            let mut readings = good();
            spoil(&mut readings);
            let said = worst(&readings, &told());
            assert_eq!(said.len(), 1, "{said:?}");
            assert!(said[0].starts_with(message), "{said:?}");
            assert!(said[0].contains(remedy), "{said:?}");
        }
    }

    /// What mends a bad reading by `sysctl -w` is what the file of settings has for a host to keep.
    #[test]
    fn the_settings_of_deploy_are_the_same() {
        let file = include_str!("../../../../deploy/sysctl/90-opentracker.conf");
        let mut settings = 0;
        for (spoil, ..) in CASES {
            let mut readings = good();
            spoil(&mut readings);
            let said = worst(&readings, &told()).join("\n");
            let Some((_, setting)) = said.split_once("sysctl -w ") else {
                continue;
            };
            let setting = setting.split([',', '\n']).next().unwrap();
            let line = setting.replace('=', " = ");
            assert!(file.lines().any(|other| other == line), "{line}");
            settings += 1;
        }
        assert_eq!(settings, 2);
    }

    #[test]
    fn what_the_tracker_says_counts_as_well() {
        let mut told = told();
        told.status.state = State::Draining;
        assert_eq!(tracker(&told.status).level, Level::Note);
        told.status.memory.limit_octets = None;
        told.status.snapshot = None;
        let said = worst(&good(), &told);
        assert!(said[0].contains("limits.memory is off"), "{said:?}");
        assert!(said[1].contains("a restart forgets"), "{said:?}");
        told.status.snapshot = Some(SnapshotStatus {
            age_secs: None,
            octets: None,
            failures: 2,
        });
        let said = worst(&good(), &told);
        assert!(said[1].contains("2 attempts"), "{said:?}");
        assert_eq!(
            host(&Readings::default(), None).len(),
            1,
            "what is not known is not judged"
        );
    }

    #[test]
    fn xdp_above_the_driver_is_worth_a_remark() {
        let mut status = told().status;
        let served = |mode: &str| XdpStatus {
            interface: "eth0".to_owned(),
            queues: 2,
            mode: mode.to_owned(),
        };
        status.xdp = vec![served("native"), served("generic")];
        let findings = xdp(&status);
        assert_eq!(findings[0], Finding::ok("XDP of eth0", "2 queues, native"));
        assert_eq!(findings[1].level, Level::Note);
    }

    #[test]
    fn a_certificate_that_is_not_renewed_is_a_problem() {
        let mut status = told().status;
        assert_eq!(certificates(&status), []);
        let left = [0, SOON - 1, SOON];
        status.certificates = left
            .map(|expires_in_secs| CertificateStatus {
                name: "tracker.example".to_owned(),
                expires_in_secs,
            })
            .into();
        let levels: Vec<_> = certificates(&status)
            .into_iter()
            .map(|finding| finding.level)
            .collect();
        assert_eq!(levels, [Level::Problem, Level::Problem, Level::Ok]);
    }
}
