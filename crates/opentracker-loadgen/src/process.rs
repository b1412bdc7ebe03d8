//! Processor time and memory of a process, from `/proc`.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// What a process has used so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Usage {
    /// Processor time of all its threads, in the kernel and outside.
    pub(crate) cpu: Duration,
    /// Resident octets.
    pub(crate) resident: u64,
    /// The most octets that were ever resident.
    pub(crate) peak: u64,
}

impl Usage {
    /// Reads what the process with this id has used up to now.
    ///
    /// # Errors
    ///
    /// There is no such process (any more).
    pub(crate) fn of(process: u32) -> Result<Self> {
        let folder = format!("/proc/{process}");
        let read = |name: &str| {
            let path = format!("{folder}/{name}");
            fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
        };
        let usage = parse(&read("stat")?, &read("status")?);
        usage.with_context(|| format!("{folder} is not laid out as expected"))
    }
}

/// Units of the times in `stat`: `USER_HZ`, which is 100 in the kernel's interface whatever its own
/// clock is.
const TICK: Duration = Duration::from_millis(10);

fn parse(stat: &str, status: &str) -> Option<Usage> {
    // The name, in parentheses, may hold anything; fields are counted after it.
    let (_, fields) = stat.rsplit_once(')')?;
    let mut times = fields.split_ascii_whitespace().skip(11);
    let user: u32 = times.next()?.parse().ok()?;
    let system: u32 = times.next()?.parse().ok()?;
    let kibibytes = |key: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(key))?;
        let number = line.trim().strip_suffix("kB")?.trim_end();
        Some(number.parse::<u64>().ok()? * 1024)
    };
    Some(Usage {
        cpu: TICK * user + TICK * system,
        resident: kibibytes("VmRSS:")?,
        peak: kibibytes("VmHWM:")?,
    })
}

/// What a process used after the warm-up.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Processor time.
    pub(crate) cpu: Duration,
    /// The time in which it was used.
    pub(crate) wall: Duration,
    /// Resident octets before the run.
    pub(crate) resident_before: u64,
    /// Resident octets at its end.
    pub(crate) resident: u64,
    /// The most octets that were ever resident.
    pub(crate) peak: u64,
}

/// Reads what a process uses in a run.
#[derive(Debug)]
pub(crate) struct Meter {
    process: u32,
    before: Usage,
    /// At the end of the warm-up.
    mark: Option<(Instant, Usage)>,
}

impl Meter {
    /// Reads what it has used before the run.
    ///
    /// # Errors
    ///
    /// There is no such process.
    pub(crate) fn start(process: u32) -> Result<Self> {
        Ok(Self {
            process,
            before: Usage::of(process)?,
            mark: None,
        })
    }

    /// Reads what it has used up to the end of the warm-up.
    pub(crate) fn mark(&mut self) {
        // A process that is gone is an error at the end of the run, not in the midst of it.
        self.mark = Usage::of(self.process)
            .ok()
            .map(|usage| (Instant::now(), usage));
    }

    /// Returns what it has used since.
    ///
    /// # Errors
    ///
    /// The process is gone.
    pub(crate) fn finish(self) -> Result<Cost> {
        let end = Usage::of(self.process)?;
        let (since, from) = self.mark.unwrap_or((Instant::now(), end));
        Ok(Cost {
            cpu: end.cpu.saturating_sub(from.cpu),
            wall: since.elapsed(),
            resident_before: self.before.resident,
            resident: end.resident,
            peak: end.peak,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_behind_any_name() {
        let stat = "17 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0";
        let status = "Name:\ta\nVmHWM:\t    2048 kB\nVmRSS:\t    1024 kB\n";
        assert_eq!(
            parse(stat, status),
            Some(Usage {
                cpu: Duration::from_secs(3),
                resident: 1 << 20,
                peak: 2 << 20,
            })
        );
    }

    #[test]
    fn this_process_uses_memory_and_time() {
        let own = std::process::id();
        let mut spent = 0_u64;
        while Usage::of(own).unwrap().cpu == Duration::ZERO {
            spent = std::hint::black_box(spent + 1);
        }
        let usage = Usage::of(own).unwrap();
        assert!(usage.resident > 0 && usage.peak >= usage.resident);
    }

    #[test]
    fn a_process_that_is_not_there_is_an_error() {
        let error = Usage::of(u32::MAX).unwrap_err().to_string();
        assert!(error.contains("/proc/4294967295/stat"), "{error}");
    }
}
