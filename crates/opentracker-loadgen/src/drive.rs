//! A run: threads that make load, what they counted, and what it cost.

use std::io::{IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use crate::args::{LoadArgs, RunArgs, TimeArgs};
use crate::pace::{Clock, Pace, nanos};
use crate::process::{Process, Usage};
use crate::sys;
use crate::tally::{Gauge, Reading, Tally};

/// What one thread of a run does.
pub(crate) trait Engine: Send {
    /// Makes load until the schedule is over (or there is nothing left to do), shows what it
    /// counts, and returns what it has counted since the warm-up.
    ///
    /// # Errors
    ///
    /// The system refuses what the run cannot do without.
    fn run(self, schedule: &Schedule, gauge: &Gauge) -> Result<Tally>;
}

/// When a run does what, in nanoseconds of its clock.
#[derive(Debug)]
pub(crate) struct Schedule {
    pub(crate) clock: Clock,
    /// When the first requests are due.
    pub(crate) start: u64,
    /// When the warm-up is over.
    pub(crate) measure_from: u64,
    end: u64,
    stop: &'static AtomicBool,
    failed: AtomicBool,
}

impl Schedule {
    /// Tells whether it is time to end: the time is over, SIGINT came, or another thread failed.
    pub(crate) fn is_over(&self, now: u64) -> bool {
        now >= self.end || self.stop.load(Ordering::Relaxed) || self.failed.load(Ordering::Relaxed)
    }
}

/// Where a thread is in its run, turn by turn of its loop.
#[derive(Debug)]
pub(crate) struct Turns<'a> {
    schedule: &'a Schedule,
    measured_from: Option<u64>,
    idle_since: Option<u64>,
}

impl<'a> Turns<'a> {
    /// Before the first turn.
    pub(crate) const fn new(schedule: &'a Schedule) -> Self {
        Self {
            schedule,
            measured_from: None,
            idle_since: None,
        }
    }

    /// Begins a turn: counts the time since the thread went idle, and at the end of the warm-up
    /// begins the tally anew.
    pub(crate) fn begin(&mut self, now: u64, tally: &mut Tally) {
        if self.measured_from.is_none() && now >= self.schedule.measure_from {
            self.measured_from = Some(now);
            *tally = Tally::new();
            self.idle_since = None;
        }
        if let Some(since) = self.idle_since.take() {
            tally.idle += now - since;
        }
    }

    /// Notes that there is nothing to do before the next turn.
    pub(crate) const fn idle(&mut self, now: u64) {
        self.idle_since = Some(now);
    }

    /// After the last turn: tells the tally for how long it has counted.
    pub(crate) fn end(self, now: u64, tally: &mut Tally) {
        tally.elapsed = self.measured_from.map_or(0, |from| now - from);
    }
}

/// The times that a thread keeps to which waits for answers.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Timing {
    /// Nanoseconds after which a request is lost.
    pub(crate) timeout: u64,
    /// The number of this thread.
    pub(crate) thread: u64,
    threads: u64,
    /// How long to sleep when there is nothing to do; zero: not at all.
    pause: Duration,
    /// Requests a second of all threads; without it, answers set the pace.
    rate: Option<u64>,
}

impl Timing {
    /// Those of one of so many threads.
    pub(crate) fn new(load: &LoadArgs, thread: u64, threads: u64) -> Self {
        Self {
            timeout: nanos(load.timeout),
            thread,
            threads,
            pause: load.pause,
            rate: load.rate,
        }
    }

    /// The thread's part of the pace, from `start` on.
    pub(crate) fn pace(&self, start: u64) -> Pace {
        Pace::new(self.rate, start, self.thread, self.threads)
    }

    /// Lets answers gather, or waits until a request is due.
    ///
    /// Sleeping by the clock and not on the sockets, it lets the tracker send without the cost of
    /// waking this thread, and finds more than one answer when it wakes.
    pub(crate) fn rest(&self, pace: &Pace, now: u64) {
        // With nothing due before the answers are in, or without a rate, it is a pause's time.
        let due = pace.wait(now);
        let rest = if due.is_zero() {
            self.pause
        } else {
            self.pause.min(due)
        };
        if rest.is_zero() {
            std::hint::spin_loop();
        } else {
            thread::sleep(rest);
        }
    }
}

/// What a run found.
#[derive(Debug)]
pub(crate) struct Measurement {
    pub(crate) tally: Tally,
    pub(crate) threads: usize,
    /// What this program used after the warm-up.
    pub(crate) own: Cost,
    /// What the process used that the run was asked to watch.
    pub(crate) server: Option<Cost>,
}

/// What a process used.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    /// Processor time after the warm-up.
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

/// Lets the engines make load, each on a thread of its own.
///
/// # Errors
///
/// One of them fails, a processor does not exist, or the process to watch is not there.
pub(crate) fn drive<E: Engine>(
    engines: Vec<E>,
    clock: Clock,
    time: TimeArgs,
    args: &RunArgs,
) -> Result<Measurement> {
    let start = clock.now();
    let measure_from = start + nanos(time.warmup);
    let schedule = Schedule {
        clock,
        start,
        measure_from,
        end: measure_from.saturating_add(nanos(time.duration)),
        stop: sys::catch_interrupt(),
        failed: AtomicBool::new(false),
    };
    let threads = engines.len();
    let gauges: Vec<Gauge> = engines.iter().map(|_| Gauge::default()).collect();
    let own = Meter::start(Process::Own)?;
    let server = args
        .pid
        .map(|id| Meter::start(Process::Id(id)))
        .transpose()?;
    let mut meters: Vec<Meter> = std::iter::once(own).chain(server).collect();

    let tallies: Vec<Result<Tally>> = thread::scope(|scope| {
        let schedule = &schedule;
        let running: Vec<_> = engines
            .into_iter()
            .zip(&gauges)
            .enumerate()
            .map(|(number, (engine, gauge))| {
                let core = args.core.get(number % args.core.len().max(1)).copied();
                let main = thread::current();
                scope.spawn(move || {
                    sys::sleep_exactly();
                    let result = pin(core).and_then(|()| engine.run(schedule, gauge));
                    if result.is_err() {
                        schedule.failed.store(true, Ordering::Relaxed);
                    }
                    main.unpark();
                    result
                })
            })
            .collect();
        let is_running = || running.iter().any(|thread| !thread.is_finished());
        watch(schedule, &gauges, &mut meters, args, is_running);
        running
            .into_iter()
            .map(|thread| {
                thread
                    .join()
                    .unwrap_or_else(|_| Err(anyhow!("a thread has panicked")))
            })
            .collect()
    });
    let mut sum = Tally::new();
    for tally in tallies {
        sum.merge(&tally?);
    }
    let mut costs = meters.into_iter().map(|meter| meter.finish(clock));
    let own = costs.next().transpose()?.unwrap_or_default();
    Ok(Measurement {
        tally: sum,
        threads,
        own,
        server: costs.next().transpose()?,
    })
}

/// Keeps the calling thread on a processor, if one is given.
///
/// # Errors
///
/// There is no such processor.
pub(crate) fn pin(core: Option<usize>) -> Result<()> {
    core.map_or(Ok(()), |core| {
        sys::pin_to(core).with_context(|| format!("cannot run on processor {core}"))
    })
}

/// Shows progress and takes the readings at the end of the warm-up, as long as threads run.
fn watch(
    schedule: &Schedule,
    gauges: &[Gauge],
    meters: &mut [Meter],
    args: &RunArgs,
    is_running: impl Fn() -> bool,
) {
    let mut line = ProgressLine::new(args);
    let mut next_line = schedule.start + SECOND;
    let mut measuring = false;
    while is_running() {
        let now = schedule.clock.now();
        let mut wake = next_line;
        if !measuring {
            if now >= schedule.measure_from {
                measuring = true;
                line.last = Reading::default();
                for meter in meters.iter_mut() {
                    meter.mark(now);
                }
            } else {
                wake = wake.min(schedule.measure_from);
            }
        }
        if now >= next_line {
            line.show(now - schedule.start, measuring, Gauge::read_all(gauges));
            next_line += SECOND;
            continue;
        }
        thread::park_timeout(Duration::from_nanos(wake.saturating_sub(now)));
    }
    line.clear();
}

const SECOND: u64 = 1_000_000_000;

/// Reads what a process uses.
struct Meter {
    process: Process,
    before: Usage,
    marked: Option<(u64, Usage)>,
}

impl Meter {
    fn start(process: Process) -> Result<Self> {
        Ok(Self {
            process,
            before: process.usage()?,
            marked: None,
        })
    }

    fn mark(&mut self, now: u64) {
        // A process that is gone is an error at the end of the run, not in the midst of it.
        self.marked = self.process.usage().ok().map(|usage| (now, usage));
    }

    fn finish(self, clock: Clock) -> Result<Cost> {
        let end = self.process.usage()?;
        let now = clock.now();
        let (since, from) = self.marked.unwrap_or((now, end));
        Ok(Cost {
            cpu: end.cpu.saturating_sub(from.cpu),
            wall: Duration::from_nanos(now.saturating_sub(since)),
            resident_before: self.before.resident,
            resident: end.resident,
            peak: end.peak,
        })
    }
}

/// One line on the terminal, rewritten every second; elsewhere a line a second.
struct ProgressLine {
    last: Reading,
    mode: Mode,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Mode {
    Silent,
    Rewritten,
    Lines,
}

impl ProgressLine {
    fn new(args: &RunArgs) -> Self {
        let mode = match (args.quiet, std::io::stderr().is_terminal(), args.progress) {
            (true, ..) | (false, false, false) => Mode::Silent,
            (false, true, _) => Mode::Rewritten,
            (false, false, true) => Mode::Lines,
        };
        Self {
            last: Reading::default(),
            mode,
        }
    }

    fn show(&mut self, at: u64, measuring: bool, reading: Reading) {
        let text = describe(at, measuring, self.last, reading);
        self.last = reading;
        // Nothing depends on whether anybody reads this.
        let _ = match self.mode {
            Mode::Silent => Ok(()),
            Mode::Rewritten => write!(std::io::stderr(), "\r\x1b[K{text}"),
            Mode::Lines => writeln!(std::io::stderr(), "{text}"),
        };
    }

    fn clear(&self) {
        if self.mode == Mode::Rewritten {
            let _ = write!(std::io::stderr(), "\r\x1b[K");
        }
    }
}

fn describe(at: u64, measuring: bool, last: Reading, now: Reading) -> String {
    let answered = now.answered.saturating_sub(last.answered);
    let latency = now.latency_sum.saturating_sub(last.latency_sum);
    let mean = latency.checked_div(answered).unwrap_or(0);
    format!(
        "{:>4} s{}  {:>9} answers/s  mean {:>8.1} µs  lost {}  failed {}",
        at / SECOND,
        if measuring { "" } else { " (warm-up)" },
        crate::report::grouped(answered),
        Duration::from_nanos(mean).as_secs_f64() * 1e6,
        crate::report::grouped(now.lost),
        crate::report::grouped(now.failed),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_progress_line_shows_the_last_second() {
        let last = Reading {
            answered: 1_000,
            latency_sum: 5_000_000,
            ..Reading::default()
        };
        let now = Reading {
            sent: 250_000,
            answered: 201_000,
            failed: 3,
            lost: 12_345,
            latency_sum: 5_000_000 + 200_000 * 250_500,
        };
        assert_eq!(
            describe(3 * SECOND + 5, true, last, now),
            "   3 s    200 000 answers/s  mean    250.5 µs  lost 12 345  failed 3"
        );
        assert!(describe(SECOND, false, last, last).contains("(warm-up)          0 answers/s"));
    }

    #[test]
    fn what_is_before_the_end_of_the_warm_up_does_not_count() {
        let schedule = Schedule {
            clock: Clock::start(),
            start: 0,
            measure_from: 100,
            end: 1_000,
            stop: sys::catch_interrupt(),
            failed: AtomicBool::new(false),
        };
        let mut tally = Tally::new();
        let mut turns = Turns::new(&schedule);
        turns.begin(10, &mut tally);
        turns.idle(10);
        turns.begin(90, &mut tally);
        assert_eq!(tally.idle, 80);
        turns.idle(90);
        turns.begin(120, &mut tally);
        assert_eq!(tally.idle, 0);
        turns.begin(200, &mut tally);
        turns.idle(200);
        turns.begin(230, &mut tally);
        assert_eq!(tally.idle, 30);
        turns.end(1_020, &mut tally);
        assert_eq!(tally.elapsed, 900);
    }

    struct Counting {
        result: Result<u64>,
    }

    impl Engine for Counting {
        fn run(self, schedule: &Schedule, gauge: &Gauge) -> Result<Tally> {
            let mut tally = Tally::new();
            tally.lost = self.result?;
            gauge.publish(&tally);
            while !schedule.is_over(schedule.clock.now()) {
                thread::yield_now();
            }
            Ok(tally)
        }
    }

    fn time(duration: Duration) -> TimeArgs {
        TimeArgs {
            duration,
            warmup: Duration::ZERO,
        }
    }

    #[test]
    fn the_threads_of_a_run_are_added_up() {
        let engines = [3, 4].map(|lost| Counting { result: Ok(lost) }).into();
        let time = time(Duration::from_millis(5));
        let measurement = drive(engines, Clock::start(), time, &RunArgs::for_tests()).unwrap();
        assert_eq!(measurement.tally.lost, 7);
        assert_eq!(measurement.threads, 2);
        assert!(measurement.own.resident > 0);
        assert!(measurement.server.is_none());
    }

    #[test]
    fn a_thread_that_fails_ends_the_run() {
        let engines = [Ok(1), Err(anyhow!("broken"))]
            .map(|result| Counting { result })
            .into();
        // The other thread would go on for an hour.
        let time = time(Duration::from_secs(3_600));
        let error = drive(engines, Clock::start(), time, &RunArgs::for_tests()).unwrap_err();
        assert_eq!(error.to_string(), "broken");
    }

    #[test]
    fn a_process_to_watch_must_be_there() {
        let args = RunArgs {
            pid: Some(u32::MAX),
            ..RunArgs::for_tests()
        };
        let time = time(Duration::ZERO);
        assert!(drive(Vec::<Counting>::new(), Clock::start(), time, &args).is_err());
    }
}
