//! What limits a tracker on this host, and how to change it.

mod clock;
mod judge;
mod reach;
mod readings;

use std::io::{self, Write};
use std::net::IpAddr;
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use opentracker_api::Status;
use serde::Serialize;
use serde_json::{Value, json};

use crate::AlreadySaid;
use crate::nodes::{Node, Nodes, Place};

/// Looks for what limits a tracker.
#[derive(Debug, Args)]
pub(crate) struct Doctor {
    #[command(flatten)]
    nodes: Nodes,
}

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
enum Level {
    Ok,
    Note,
    Problem,
}

/// What was found about a thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Finding {
    level: Level,
    /// What was looked at.
    about: String,
    /// What was found, in a sentence.
    message: String,
    /// The command or the setting that mends it.
    #[serde(skip_serializing_if = "Option::is_none")]
    remedy: Option<String>,
}

/// What a tracker says of itself.
#[derive(Debug, Clone)]
struct Told {
    status: Status,
    /// The file of the snapshot, if one is configured and the tracker says so.
    snapshot: Option<String>,
    /// Certificates and their keys, likewise.
    tls: Tls,
}

/// Files or a folder of certificates.
#[derive(Debug, Clone, Default)]
struct Tls {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

impl Finding {
    fn new(level: Level, about: &str, message: impl Into<String>) -> Self {
        Self {
            level,
            about: about.to_owned(),
            message: message.into(),
            remedy: None,
        }
    }

    fn ok(about: &str, message: impl Into<String>) -> Self {
        Self::new(Level::Ok, about, message)
    }

    fn note(about: &str, message: impl Into<String>) -> Self {
        Self::new(Level::Note, about, message)
    }

    fn problem(about: &str, message: impl Into<String>) -> Self {
        Self::new(Level::Problem, about, message)
    }

    fn mended_by(mut self, remedy: impl Into<String>) -> Self {
        self.remedy = Some(remedy.into());
        self
    }

    fn text(&self) -> String {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Note => "note",
            Level::Problem => "problem",
        };
        let mut text = format!("{level:7}  {}: {}\n", self.about, self.message);
        if let Some(remedy) = &self.remedy {
            text += &format!("         → {remedy}\n");
        }
        text
    }
}

pub(crate) async fn run(doctor: &Doctor, json: bool) -> Result<()> {
    let node = doctor.nodes.one()?;
    let mut findings = Vec::new();
    let told = match ask(&node).await {
        Ok(told) => {
            findings.push(judge::tracker(&told.status));
            Some(told)
        }
        Err(error) => {
            let finding = Finding::problem("tracker", format!("{error:#}"));
            findings.push(finding.mended_by("start it, or say with --socket or --url where it is"));
            None
        }
    };
    if let Some(told) = &told {
        findings.extend(reach::listeners(&node, &told.status).await);
        findings.extend(judge::certificates(&told.status));
        findings.extend(judge::xdp(&told.status));
    }
    if is_here(node.place()) {
        let readings = readings::Readings::take(told.as_ref());
        findings.extend(judge::host(&readings, told.as_ref()));
    } else {
        let message = "it is another one, whose limits can only be read there";
        findings
            .push(Finding::note("host", message).mended_by("run `opentracker-ctl doctor` there"));
    }
    let text = match json {
        true => json!({ "findings": findings }).to_string() + "\n",
        false => findings.iter().map(Finding::text).collect(),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    if findings
        .iter()
        .any(|finding| finding.level == Level::Problem)
    {
        bail!(AlreadySaid { code: 1 });
    }
    Ok(())
}

async fn ask(node: &Node) -> Result<Told> {
    let status: Status = node.read("status").await?;
    // It is not told everybody who may read the status.
    let config: Option<Value> = node.read("config").await.ok();
    let path = |pointer| {
        let path = config.as_ref()?.pointer(pointer)?.as_str();
        path.filter(|path| !path.is_empty())
    };
    Ok(Told {
        snapshot: path("/snapshot/path").map(str::to_owned),
        tls: Tls {
            certificate: path("/tls/certificate").map(PathBuf::from),
            key: path("/tls/key").map(PathBuf::from),
        },
        status,
    })
}

/// Whether what is read of this host is about the tracker.
fn is_here(place: &Place) -> bool {
    match place {
        Place::Unix(_) => true,
        Place::Tcp(url) => {
            let ip = url.host.parse::<IpAddr>();
            url.host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
        }
    }
}
