//! What a tracker is doing, live on a terminal.

mod model;
mod screen;

use std::io::{self, IsTerminal, Write};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use clap::Args;
use opentracker_api::{Activity, Cluster, Top as Largest};
use ratatui::DefaultTerminal;
use ratatui::crossterm::event::{self, Event};
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::time::sleep;

use self::model::{Flow, Model};
use crate::livesync::parse_duration;
use crate::nodes::{Node, Nodes};

/// Torrents and nodes are asked for once in so many looks: they take longer to change.
const SELDOM: u64 = 5;

/// Updates and keys that may wait to be shown.
const QUEUE: usize = 16;

/// Shows what a tracker does.
#[derive(Debug, Args)]
pub(crate) struct Top {
    /// Time between two looks, like `2s`.
    #[arg(long, default_value = "1s", value_parser = parse_duration)]
    interval: Duration,
    /// With `--json`: end after so many lines.
    #[arg(long, value_name = "NUMBER")]
    count: Option<u64>,
    #[command(flatten)]
    nodes: Nodes,
}

/// What a look has brought.
#[derive(Debug)]
enum Update {
    Activity(Box<Activity>),
    Largest(Largest),
    Cluster(Cluster),
    Fault(String),
}

pub(crate) async fn run(top: &Top, json: bool) -> Result<()> {
    ensure!(!top.interval.is_zero(), "--interval: write at least `1s`");
    let node = top.nodes.one()?;
    if json {
        return print(&node, top).await;
    }
    ensure!(
        io::stdout().is_terminal() && io::stdin().is_terminal(),
        "`top` needs a terminal; `status` and `top --json` do not"
    );
    // What is wrong is easier to read before the screen is taken.
    let first: Activity = node.read("activity").await?;
    let mut model = Model::new(node.to_string());
    model.take_activity(first);
    let mut terminal = ratatui::try_init().context("cannot take the terminal")?;
    let shown = show(&mut terminal, &mut model, node, top.interval).await;
    ratatui::try_restore().context("cannot give the terminal back")?;
    shown
}

/// Prints the activity as it comes, a line at a time.
async fn print(node: &Node, top: &Top) -> Result<()> {
    let mut left = top.count;
    while left != Some(0) {
        let line = node.get("activity").await?.line();
        io::stdout().lock().write_all(line.as_bytes())?;
        left = left.map(|left| left - 1);
        if left != Some(0) {
            sleep(top.interval).await;
        }
    }
    Ok(())
}

/// Draws after everything that happens, until somebody has seen enough.
async fn show(
    terminal: &mut DefaultTerminal,
    model: &mut Model,
    node: Node,
    interval: Duration,
) -> Result<()> {
    let (keys, mut pressed) = channel(QUEUE);
    // It waits for the terminal, and so ends with the process.
    thread::Builder::new()
        .name("keys".to_owned())
        .spawn(
            move || while event::read().is_ok_and(|event| keys.blocking_send(event).is_ok()) {},
        )?;
    let (updates, mut looked) = channel(QUEUE);
    tokio::spawn(look(node, interval, updates));
    let mut terminated = signal(SignalKind::terminate())?;
    let mut hung_up = signal(SignalKind::hangup())?;
    loop {
        terminal.draw(|frame| screen::draw(frame, model))?;
        tokio::select! {
            _ = terminated.recv() => return Ok(()),
            _ = hung_up.recv() => return Ok(()),
            flow = next(&mut pressed, &mut looked, model) => match flow? {
                Flow::Goes => {}
                Flow::Ends => return Ok(()),
            },
        }
    }
}

/// Waits for the next key or update, and takes it in.
async fn next(
    pressed: &mut Receiver<Event>,
    looked: &mut Receiver<Update>,
    model: &mut Model,
) -> Result<Flow> {
    tokio::select! {
        // Another size is drawn anew, as everything is.
        event = pressed.recv() => if let Event::Key(key) = event.context("the terminal has gone")? {
            return Ok(model.press(key));
        },
        update = looked.recv() => match update.context("nobody looks any more")? {
            Update::Activity(activity) => model.take_activity(*activity),
            Update::Largest(largest) => model.take_largest(largest),
            Update::Cluster(cluster) => model.take_cluster(cluster),
            Update::Fault(fault) => model.take_fault(fault),
        },
    }
    Ok(Flow::Goes)
}

/// Looks again and again, until nobody wants to know.
async fn look(node: Node, interval: Duration, updates: Sender<Update>) {
    for number in 0_u64.. {
        let activity = node.read("activity").await;
        let update = match activity {
            Ok(activity) => Update::Activity(Box::new(activity)),
            Err(error) => Update::Fault(format!("{error:#}")),
        };
        let mut is_wanted = updates.send(update).await.is_ok();
        if number % SELDOM == 0 {
            if let Ok(largest) = node.read("top").await {
                is_wanted &= updates.send(Update::Largest(largest)).await.is_ok();
            }
            // Not everybody who may see the rest may see the cluster.
            if let Ok(cluster) = node.read("cluster").await {
                is_wanted &= updates.send(Update::Cluster(cluster)).await.is_ok();
            }
        }
        if !is_wanted {
            return;
        }
        sleep(interval).await;
    }
}
