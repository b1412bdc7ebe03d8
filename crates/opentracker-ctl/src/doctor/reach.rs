//! Whether each listener answers, asked as a client from here.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use opentracker_api::ListenerStatus;

use super::Finding;
use crate::client::{Family, Socket};
use crate::http::{self, Ask, Connection};
use crate::nodes::{Node, Place};
use crate::url::{Scheme, Url};
use crate::words::brief;

/// How long a listener may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Asks every listener that can be asked.
pub(super) async fn listeners(node: &Node, listeners: &[ListenerStatus]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for listener in listeners {
        // It has answered already.
        if listener.protocol == "control" {
            continue;
        }
        let about = format!("{} {}", listener.protocol, listener.address);
        let begin = Instant::now();
        let finding = if listener.proxy_protocol {
            Finding::note(&about, "it is for proxies, so only they can ask")
        } else {
            match ask(node, listener).await {
                Ok(()) => {
                    let took = brief(begin.elapsed().as_secs_f64());
                    Finding::ok(&about, format!("answers in {took}"))
                }
                Err(error) => Finding::problem(&about, format!("{error:#}"))
                    .mended_by("look at the rules of the firewall, and at the tracker's log"),
            }
        };
        findings.push(finding);
    }
    findings
}

async fn ask(node: &Node, listener: &ListenerStatus) -> Result<()> {
    if let Some(path) = listener.address.strip_prefix("unix:") {
        ensure!(
            matches!(node.place(), Place::Unix(_)),
            "a Unix socket can only be asked on its host"
        );
        return healthz(http::connect_unix(Path::new(path)).await?, "localhost").await;
    }
    let address = from_here(node.place(), listener.address.parse()?).await?;
    match &*listener.protocol {
        "udp" => Socket::connect(address).await.map(drop),
        protocol => {
            let url = Url {
                scheme: Scheme::Http,
                host: address.ip().to_string(),
                port: address.port(),
                path: String::new(),
            };
            let connection = http::connect_tcp(&url).await?;
            // Only the client of an announce URL knows the name that its certificate is for.
            if protocol == "https" {
                return Ok(());
            }
            healthz(connection, &url.authority()).await
        }
    }
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
