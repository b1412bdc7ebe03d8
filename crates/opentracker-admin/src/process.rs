//! The process as the system sees it: what `process_*` metrics are made from (proc(5)).

use std::fs;
use std::time::Duration;

/// Ticks of a second in `/proc`, on every architecture that Linux still has for servers.
const TICKS_PER_SEC: u64 = 100;

/// Octets of memory that the process takes; `None` if the system does not say.
pub(crate) fn resident_octets() -> Option<u64> {
    resident(&fs::read_to_string("/proc/self/status").ok()?)
}

fn resident(status: &str) -> Option<u64> {
    Some(number_after(status, "VmRSS:")? * 1024)
}

/// What the system says of this process. What it does not say is `None`: `/proc` may not be there
/// in a changed root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Process {
    pub(crate) cpu: Option<Duration>,
    /// Since 1970.
    pub(crate) start: Option<Duration>,
    pub(crate) resident_octets: Option<u64>,
    pub(crate) virtual_octets: Option<u64>,
    pub(crate) open_fds: Option<u64>,
    pub(crate) max_fds: Option<u64>,
}

impl Process {
    /// Reads it.
    pub(crate) fn read() -> Self {
        let text = |path| fs::read_to_string(path).unwrap_or_default();
        let ticks = read_ticks(&text("/proc/self/stat"));
        let boot_secs = number_after(&text("/proc/stat"), "btime");
        let status = text("/proc/self/status");
        // The listing is a descriptor too.
        let listed = fs::read_dir("/proc/self/fd").map(|entries| entries.count().saturating_sub(1));
        Self {
            cpu: ticks.map(|(cpu, _)| of_ticks(cpu)),
            start: ticks
                .zip(boot_secs)
                .map(|((_, start), boot_secs)| Duration::from_secs(boot_secs) + of_ticks(start)),
            resident_octets: resident(&status),
            virtual_octets: number_after(&status, "VmSize:").map(|kibi| kibi * 1024),
            open_fds: listed.ok().and_then(|fds| u64::try_from(fds).ok()),
            max_fds: number_after(&text("/proc/self/limits"), "Max open files"),
        }
    }
}

fn of_ticks(ticks: u64) -> Duration {
    Duration::from_millis(ticks * 1000 / TICKS_PER_SEC)
}

/// Reads from `/proc/self/stat` the time of all threads, and when the process started after the
/// system.
fn read_ticks(stat: &str) -> Option<(u64, u64)> {
    // The name of the program may hold anything, and ends at the last parenthesis.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut fields = fields.split_ascii_whitespace().skip(11);
    let mut next = || fields.next()?.parse::<u64>().ok();
    let (user, system) = (next()?, next()?);
    let start = fields.nth(6)?.parse().ok()?;
    Some((user + system, start))
}

/// Reads the number behind a name at the start of a line.
fn number_after(text: &str, name: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(name))?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_any_name() {
        let stat = "7 (a) b) c) S 1 7 7 0 -1 4194560 1 2 3 4 250 50 9 9 20 0 3 0 12345 1 2 3";
        assert_eq!(read_ticks(stat), Some((300, 12345)));
        assert_eq!(read_ticks(""), None);
        assert_eq!(read_ticks("7 (a) S 1"), None);
        let limits = "Max processes 1 2 processes\nMax open files            1024   4096 files\n";
        assert_eq!(number_after(limits, "Max open files"), Some(1024));
        assert_eq!(
            number_after("Max open files unlimited", "Max open files"),
            None
        );
    }

    #[test]
    fn this_process_is_plausible() {
        let process = Process::read();
        assert!(process.resident_octets > Some(100_000), "{process:?}");
        assert!(resident_octets() > Some(100_000));
        assert!(process.virtual_octets >= process.resident_octets);
        assert!(process.open_fds >= Some(3) && process.open_fds <= process.max_fds);
        let start = process.start.unwrap();
        let present = std::time::UNIX_EPOCH.elapsed().unwrap();
        assert!(start < present + Duration::from_secs(2), "{start:?}");
        assert!(
            present - start < Duration::from_secs(24 * 3600),
            "{start:?}"
        );
        assert!(process.cpu.is_some());
    }
}
