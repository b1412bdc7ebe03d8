//! Load over WebSocket: the command `ws`.

mod engine;
mod frames;
mod messages;

use std::net::TcpStream;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::to_value;

use crate::args::{TrackerArgs, WsArgs};
use crate::drive::drive;
use crate::guard;
use crate::pace::{Clock, Pace, nanos};
use crate::population::Population;
use crate::report::Report;
use crate::sources::Sources;
use crate::tls::Tls;
use engine::{Engine, Plan};
use messages::Writer;

/// How long the first connection may take.
const FIRST_CONNECTION: Duration = Duration::from_secs(5);

/// Makes load as told, and reports what it found.
///
/// # Errors
///
/// The target is refused or does not answer, or the system lacks what the run needs.
pub(crate) fn run(args: &WsArgs) -> Result<Report> {
    let TrackerArgs {
        target: name,
        run,
        load,
        population,
        sources,
    } = &args.tracker;
    let target = guard::resolve(name, run.allow_public_target)?;
    let sources = Sources::new(sources, target.ip(), 1)?;
    let population = Population::new(population, sources.addresses(), sources.count())?;
    let plan = Plan {
        target,
        timeout: nanos(load.timeout),
        connections: args.connections,
        holds: args.hold,
        writer: Writer::new(args, name, population),
        sources,
        tls: match args.tls {
            true => Some(Tls::new(name, false)?),
            false => None,
        },
    };
    TcpStream::connect_timeout(&target, FIRST_CONNECTION)
        .with_context(|| format!("cannot connect to {target}"))?;
    let clock = Clock::start();
    let engine = |thread| {
        let pace = Pace::new(load, thread, run.threads);
        Engine::new(plan.clone(), thread, pace, clock)
    };
    let engines = (0..run.threads).map(engine).collect::<Result<Vec<_>>>()?;
    let measurement = drive(engines, clock, args.time, run)?;
    let target = target.to_string();
    Ok(Report::new("ws", target, to_value(args)?, &measurement))
}
