//! Whom several trackers of a cluster hear: a member that some of them hear and others do not is one
//! that no single tracker can know of.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use anyhow::{Result, bail, ensure};
use clap::Args;
use opentracker_api::Cluster;
use serde_json::json;

use crate::livesync::parse_duration;
use crate::nodes::Nodes;
use crate::words::count;
use crate::{AlreadySaid, EXIT_FAILED};

/// Compares what trackers hear.
#[derive(Debug, Args)]
pub(crate) struct Compare {
    /// How long ago one may have been heard; one whom nobody has heard for half of it is gone.
    #[arg(long, default_value = "150s", value_parser = parse_duration)]
    within: Duration,
    #[command(flatten)]
    nodes: Nodes,
}

/// A member, by its id.
#[derive(Debug, Default, PartialEq)]
struct Member {
    address: Option<String>,
    /// Those of the trackers asked who hear it, and the others, but for itself.
    heard_by: Vec<String>,
    unheard_by: Vec<String>,
}

pub(crate) async fn run(compare: &Compare, json: bool) -> Result<()> {
    let nodes = compare.nodes.all()?;
    ensure!(
        nodes.len() > 1,
        "this compares trackers: give `--url` twice or more"
    );
    let mut views = Vec::new();
    for node in &nodes {
        match node.read::<Cluster>("cluster").await {
            Ok(cluster) => views.push((node.to_string(), cluster)),
            Err(error) => eprintln!("opentracker-ctl: {error:#}"),
        }
    }
    let members = members(&views, compare.within.as_secs_f64());
    let text = match json {
        true => lines(&members),
        false => text(&members),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    let is_whole = members.values().all(|member| member.unheard_by.is_empty());
    if !is_whole || views.len() < nodes.len() {
        bail!(AlreadySaid { code: EXIT_FAILED });
    }
    Ok(())
}

/// Returns all that were asked, and all that somebody has heard of late.
fn members(views: &[(String, Cluster)], within: f64) -> BTreeMap<String, Member> {
    let mut members: BTreeMap<String, Member> = views
        .iter()
        .map(|(_, cluster)| (cluster.tracker_id.clone(), Member::default()))
        .collect();
    let heard = |cluster: &Cluster, secs: f64| {
        let nodes = cluster.nodes.clone().into_iter();
        let seals = !cluster.keys.is_empty();
        nodes.filter_map(move |node| {
            let is_heard = node.heard_secs_ago? <= secs;
            // C nodes are heard on their own network alone.
            let is_member = !seals || node.key.is_some();
            (is_heard && is_member).then_some((node.tracker_id?, node.address))
        })
    };
    for (id, _) in views.iter().flat_map(|(_, c)| heard(c, within / 2.0)) {
        members.entry(id).or_default();
    }
    for (name, cluster) in views {
        let mut heard: BTreeMap<_, _> = heard(cluster, within).collect();
        let others = members
            .iter_mut()
            .filter(|(id, _)| **id != cluster.tracker_id);
        for (id, member) in others {
            if let Some(address) = heard.remove(id) {
                member.address = member.address.take().or(address);
                member.heard_by.push(name.clone());
            } else {
                member.unheard_by.push(name.clone());
            }
        }
    }
    members
}

fn text(members: &BTreeMap<String, Member>) -> String {
    let mut text = String::new();
    for (id, member) in members {
        let Member {
            address,
            heard_by,
            unheard_by,
        } = member;
        if unheard_by.is_empty() {
            continue;
        }
        let address = address
            .as_ref()
            .map_or_else(String::new, |a| format!(" ({a})"));
        let heard_by = match heard_by.is_empty() {
            true => "nobody".to_owned(),
            false => heard_by.join(", "),
        };
        text += &format!(
            "{id}{address}: heard by {heard_by}; not by {}\n",
            unheard_by.join(", ")
        );
    }
    match text.is_empty() {
        true => format!(
            "{}: each is heard by all others asked\n",
            count(members.len() as u64, "node")
        ),
        false => text,
    }
}

fn lines(members: &BTreeMap<String, Member>) -> String {
    let line = |(id, member): (&String, &Member)| {
        let Member {
            address,
            heard_by,
            unheard_by,
        } = member;
        let object = json!({
            "tracker_id": id, "address": address, "heard_by": heard_by, "unheard_by": unheard_by,
        });
        object.to_string() + "\n"
    };
    members.iter().map(line).collect()
}
