//! A run: threads that make load, what they counted, and what it cost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};

use crate::args::{RunArgs, TimeArgs};
use crate::host;
use crate::pace::{Clock, Pace, nanos};
use crate::process::{Cost, Meter};
use crate::progress::{Gauge, ProgressLine};
use crate::tally::Tally;

/// What one thread of a run does, turn by turn.
pub(crate) trait Engine: Send {
    /// Does what there is to do at this time.
    ///
    /// # Errors
    ///
    /// The system refuses what the run cannot do without.
    fn turn(&mut self, now: u64) -> Result<Turn>;

    /// When its requests are due.
    fn pace(&mut self) -> &mut Pace;

    /// What it has counted; it is emptied at the end of the warm-up.
    fn tally(&mut self) -> &mut Tally;
}

/// What became of a turn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// There may be more to do.
    Busy,
    /// There was nothing to do.
    Idle,
    /// There is nothing left to do.
    Done,
}

/// When a run does what, in nanoseconds of its clock.
#[derive(Debug)]
struct Schedule {
    clock: Clock,
    /// When the first requests are due.
    start: u64,
    /// When the warm-up is over.
    measure_from: u64,
    end: u64,
    stop: Arc<AtomicBool>,
    failed: AtomicBool,
}

impl Schedule {
    /// Tells whether it is time to end: the time is over, SIGINT came, or another thread failed.
    fn is_over(&self, now: u64) -> bool {
        now >= self.end || self.stop.load(Ordering::Relaxed) || self.failed.load(Ordering::Relaxed)
    }
}

/// How long a thread has measured, and how long it had nothing to do.
#[derive(Debug)]
struct Times {
    measure_from: u64,
    measured_from: Option<u64>,
    idle_since: Option<u64>,
}

impl Times {
    const fn new(measure_from: u64) -> Self {
        Self {
            measure_from,
            measured_from: None,
            idle_since: None,
        }
    }

    /// Before a turn: counts the time since the thread went idle, and at the end of the warm-up
    /// begins the tally anew.
    fn begin_turn(&mut self, now: u64, tally: &mut Tally) {
        if self.measured_from.is_none() && now >= self.measure_from {
            self.measured_from = Some(now);
            self.idle_since = None;
            *tally = Tally::default();
        }
        if let Some(since) = self.idle_since.take() {
            tally.idle += now - since;
        }
    }

    /// After the last turn: tells the tally for how long it has counted.
    fn end(self, now: u64, tally: &mut Tally) {
        tally.elapsed = self.measured_from.map_or(0, |from| now - from);
    }
}

/// Makes load until the schedule is over or there is nothing left to do.
fn run(mut engine: impl Engine, schedule: &Schedule, gauge: &Gauge) -> Result<Tally> {
    let mut times = Times::new(schedule.measure_from);
    engine.pace().start(schedule.start);
    loop {
        let now = schedule.clock.now();
        let is_over = schedule.is_over(now);
        if !is_over {
            times.begin_turn(now, engine.tally());
        }
        let turn = if is_over {
            Turn::Done
        } else {
            engine.turn(now)?
        };
        gauge.publish(engine.tally());
        match turn {
            Turn::Busy => {}
            Turn::Idle => {
                times.idle_since = Some(now);
                let rest = engine.pace().rest(now);
                if rest.is_zero() {
                    std::hint::spin_loop();
                } else {
                    thread::sleep(rest);
                }
            }
            Turn::Done => {
                times.end(now, engine.tally());
                return Ok(std::mem::take(engine.tally()));
            }
        }
    }
}

/// What a run found.
#[derive(Debug)]
pub(crate) struct Measurement {
    pub(crate) tally: Tally,
    pub(crate) threads: usize,
    /// What this program used.
    pub(crate) own: Cost,
    /// What the process used that the run was asked to watch.
    pub(crate) server: Option<Cost>,
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
        stop: host::catch_interrupt()?,
        failed: AtomicBool::new(false),
    };
    let threads = engines.len();
    let gauges: Vec<Gauge> = engines.iter().map(|_| Gauge::default()).collect();
    let mut own = Meter::start(std::process::id())?;
    let mut server = args.pid.map(Meter::start).transpose()?;

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
                    let result = host::pin(core)
                        .and_then(|()| host::sleep_exactly())
                        .and_then(|()| run(engine, schedule, gauge));
                    if result.is_err() {
                        schedule.failed.store(true, Ordering::Relaxed);
                    }
                    main.unpark();
                    result
                })
            })
            .collect();
        let is_running = || running.iter().any(|thread| !thread.is_finished());
        watch(schedule, &gauges, args, is_running, || {
            own.mark();
            server.as_mut().map(Meter::mark);
        });
        let join = |thread: thread::ScopedJoinHandle<'_, Result<Tally>>| {
            let panicked = |_| Err(anyhow!("a thread has panicked"));
            thread.join().unwrap_or_else(panicked)
        };
        running.into_iter().map(join).collect()
    });
    let mut tally = Tally::default();
    for one in tallies {
        tally.add(&one?);
    }
    Ok(Measurement {
        tally,
        threads,
        own: own.finish()?,
        server: server.map(Meter::finish).transpose()?,
    })
}

/// Shows progress as long as threads run, and calls `mark` at the end of the warm-up.
fn watch(
    schedule: &Schedule,
    gauges: &[Gauge],
    args: &RunArgs,
    is_running: impl Fn() -> bool,
    mut mark: impl FnMut(),
) {
    let second = nanos(Duration::from_secs(1));
    let mut line = ProgressLine::new(args);
    let mut next_line = schedule.start + second;
    let mut is_measuring = false;
    while is_running() {
        let now = schedule.clock.now();
        if !is_measuring && now >= schedule.measure_from {
            is_measuring = true;
            line.restart();
            mark();
        }
        if now >= next_line {
            line.show(now - schedule.start, is_measuring, gauges);
            next_line += second;
            continue;
        }
        let wake = if is_measuring {
            next_line
        } else {
            next_line.min(schedule.measure_from)
        };
        thread::park_timeout(Duration::from_nanos(wake.saturating_sub(now)));
    }
    line.clear();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_before_the_end_of_the_warm_up_does_not_count() {
        let mut tally = Tally::default();
        let mut times = Times::new(100);
        times.begin_turn(10, &mut tally);
        times.idle_since = Some(10);
        times.begin_turn(90, &mut tally);
        assert_eq!(tally.idle, 80);
        times.idle_since = Some(90);
        times.begin_turn(120, &mut tally);
        assert_eq!(tally.idle, 0);
        times.begin_turn(200, &mut tally);
        times.idle_since = Some(200);
        times.begin_turn(230, &mut tally);
        assert_eq!(tally.idle, 30);
        times.end(1_020, &mut tally);
        assert_eq!(tally.elapsed, 900);
    }

    /// Loses one request a turn, until it has lost so many or fails.
    struct Losing {
        turns: u64,
        fails: bool,
        pace: Pace,
        tally: Tally,
    }

    impl Losing {
        fn new(turns: u64, fails: bool) -> Self {
            Self {
                turns,
                fails,
                pace: Pace::in_lots(1, 1),
                tally: Tally::default(),
            }
        }
    }

    impl Engine for Losing {
        fn turn(&mut self, _now: u64) -> Result<Turn> {
            if self.tally.counts.lost == self.turns {
                return if self.fails {
                    Err(anyhow!("broken"))
                } else {
                    Ok(Turn::Done)
                };
            }
            self.tally.counts.lost += 1;
            Ok(Turn::Busy)
        }

        fn pace(&mut self) -> &mut Pace {
            &mut self.pace
        }

        fn tally(&mut self) -> &mut Tally {
            &mut self.tally
        }
    }

    /// An hour, of which no test sees the end.
    const HOUR: TimeArgs = TimeArgs {
        duration: Duration::from_secs(3_600),
        warmup: Duration::ZERO,
    };

    #[test]
    fn the_threads_of_a_run_are_added_up() {
        let engines = [3, 4].map(|turns| Losing::new(turns, false)).into();
        let measurement = drive(engines, Clock::start(), HOUR, &RunArgs::for_tests()).unwrap();
        assert_eq!(measurement.tally.counts.lost, 7);
        assert_eq!(measurement.threads, 2);
        assert!(measurement.own.resident > 0);
        assert!(measurement.server.is_none());
    }

    #[test]
    fn a_run_ends_with_its_time() {
        let time = TimeArgs {
            duration: Duration::from_millis(5),
            ..HOUR
        };
        // It would go on for ever; how much of the time it got is the machine's affair.
        let engines = vec![Losing::new(u64::MAX, false)];
        let measurement = drive(engines, Clock::start(), time, &RunArgs::for_tests()).unwrap();
        assert_eq!(measurement.threads, 1);
    }

    #[test]
    fn a_thread_that_fails_ends_the_run() {
        let engines = vec![Losing::new(u64::MAX, false), Losing::new(1, true)];
        let error = drive(engines, Clock::start(), HOUR, &RunArgs::for_tests()).unwrap_err();
        assert_eq!(error.to_string(), "broken");
    }

    #[test]
    fn a_process_to_watch_must_be_there() {
        let args = RunArgs {
            pid: Some(u32::MAX),
            ..RunArgs::for_tests()
        };
        assert!(drive(Vec::<Losing>::new(), Clock::start(), HOUR, &args).is_err());
    }
}
