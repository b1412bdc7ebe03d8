//! Whether each listener answers, asked as a client from here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use opentracker_api::{ListenerStatus, Status};
use tokio::time::timeout;

use super::Finding;
use crate::client::{Family, Socket};
use crate::http::{self, Ask, Connection};
use crate::nodes::{Node, Place};
use crate::tls;
use crate::url::{Scheme, Url};
use crate::words::brief;

/// How long a listener may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Names of certificates that a listener is asked by.
const MAX_NAMES: usize = 16;

/// Asks every listener that can be asked.
pub(super) async fn listeners(node: &Node, status: &Status) -> Vec<Finding> {
    let mut findings = Vec::new();
    for listener in &status.listeners {
        // It has answered already.
        if listener.protocol == "control" {
            continue;
        }
        let about = format!("{} {}", listener.protocol, listener.address);
        let begin = Instant::now();
        let finding = if listener.proxy_protocol {
            Finding::note(&about, "it is for proxies, so only they can ask")
        } else {
            match ask(node, listener, status).await {
                Ok(doubt) => {
                    let took = brief(begin.elapsed().as_secs_f64());
                    answers(&about, &took, doubt)
                }
                Err(error) => Finding::problem(&about, format!("{error:#}"))
                    .mended_by("look at the rules of the firewall, and at the tracker's log"),
            }
        };
        findings.push(finding);
    }
    findings
}

fn answers(about: &str, took: &str, doubt: Option<String>) -> Finding {
    match doubt {
        None => Finding::ok(about, format!("answers in {took}")),
        Some(doubt) => {
            let message = format!(
                "answers in {took}, but not with a certificate that this host trusts, so many a client will turn away: {doubt}"
            );
            Finding::note(about, message).mended_by(
                "one that an authority has issued, with the chain behind it: docs/https.md",
            )
        }
    }
}

/// Asks a listener, and returns what is doubtful about its certificate.
async fn ask(node: &Node, listener: &ListenerStatus, status: &Status) -> Result<Option<String>> {
    if let Some(path) = listener.address.strip_prefix("unix:") {
        ensure!(
            matches!(node.place(), Place::Unix(_)),
            "a Unix socket can only be asked on its host"
        );
        healthz(http::connect_unix(Path::new(path)).await?, "localhost").await?;
        return Ok(None);
    }
    let address = from_here(node.place(), listener.address.parse()?).await?;
    match &*listener.protocol {
        "udp" => {
            Socket::connect(address).await?;
            Ok(None)
        }
        protocol => {
            let url = Url {
                scheme: Scheme::Http,
                host: address.ip().to_string(),
                port: address.port(),
                path: String::new(),
            };
            if protocol == "https" {
                return ask_each_name(&url, status).await;
            }
            let stream = http::open_tcp(&url).await?;
            healthz(Box::new(stream), &url.authority()).await?;
            Ok(None)
        }
    }
}

/// Asks by the names that certificates are for, which a client has from the announce URL.
async fn ask_each_name(url: &Url, status: &Status) -> Result<Option<String>> {
    let names = status.certificates.iter().map(|certificate| {
        // Any name will do for a wildcard, and the address without one.
        match &*certificate.name {
            "" => url.host.clone(),
            name => name.replace('*', "www"),
        }
    });
    let mut doubts = Vec::new();
    for name in names.take(MAX_NAMES) {
        let stream = http::open_tcp(url).await?;
        let shaking = timeout(PATIENCE, tls::shake_hands(stream, &name));
        let shaken = shaking.await.context("the TLS handshake takes too long")?;
        let (stream, doubt) = shaken.with_context(|| name.clone())?;
        healthz(Box::new(stream), &name).await?;
        doubts.extend(doubt.map(|doubt| format!("{name}: {doubt}")));
    }
    Ok((!doubts.is_empty()).then(|| doubts.join("; ")))
}

/// Asks whether the tracker behind a listener lives; any answer but success is a fault.
async fn healthz(connection: Box<dyn Connection>, host: &str) -> Result<()> {
    let response = http::send(connection, Ask::get(host, "/healthz"), PATIENCE).await?;
    let status = response.status();
    if !status.is_success() {
        bail!("/healthz says {status}");
    }
    Ok(())
}

/// The address at which a listener is asked: for one that takes all addresses, one of the host.
async fn from_here(place: &Place, address: SocketAddr) -> Result<SocketAddr> {
    if !address.ip().is_unspecified() {
        return Ok(address);
    }
    let ip = match (place, address) {
        (Place::Unix(_), SocketAddr::V4(_)) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        (Place::Unix(_), SocketAddr::V6(_)) => IpAddr::V6(Ipv6Addr::LOCALHOST),
        (Place::Tcp(url), _) => {
            let family = Family::of(address.is_ipv4());
            family.resolve(url).await?.ip()
        }
    };
    Ok(SocketAddr::new(ip, address.port()))
}
