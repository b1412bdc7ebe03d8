//! Asks a tracker as a BitTorrent client does: announces and scrapes, over UDP and HTTP.

mod http;
mod udp;

use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::{Args, ValueEnum};
use opentracker_types::{AnnounceRequest, Event, InfoHash, PeerAddr, PeerId, SwarmCounts};
use serde_json::{Value, json};
use tokio::net::lookup_host;

pub(crate) use udp::Socket;

use crate::AlreadySaid;
use crate::hashes;
use crate::url::{Scheme, Url};
use crate::words::{brief, count, seconds};

/// The beginning of the peer id of an announce, of which the rest is random.
const PEER_ID: &[u8; 8] = b"-OC0100-";

/// Announces to a tracker.
#[derive(Debug, Args)]
pub(crate) struct Announce {
    /// The announce URL: `udp://192.0.2.1:6969/announce`, `https://tracker.example/announce`.
    url: Url,
    /// The torrent.
    #[arg(value_name = "HASH", value_parser = hashes::parse)]
    info_hash: InfoHash,
    /// The port that others are told.
    #[arg(long, default_value_t = 6881)]
    port: u16,
    /// Octets that are left to download; 0 = a seeder.
    #[arg(long, default_value_t = 1)]
    left: u64,
    /// What happens.
    #[arg(long, value_enum)]
    event: Option<Happens>,
    /// Peers to ask for; not given: the tracker chooses.
    #[arg(long, value_name = "NUMBER")]
    numwant: Option<u32>,
    /// The peer id: 20 characters, or `%xx` for some of them.
    #[arg(long, value_name = "ID")]
    peer_id: Option<PeerId>,
    /// Stay in the swarm. Without it a second announce takes us out again.
    #[arg(long)]
    stay: bool,
    #[command(flatten)]
    family: Family,
}

/// Scrapes a tracker.
#[derive(Debug, Args)]
pub(crate) struct Scrape {
    /// The announce URL, or that of scrapes.
    url: Url,
    /// The torrents.
    #[arg(value_name = "HASH", value_parser = hashes::parse, required = true)]
    info_hashes: Vec<InfoHash>,
    #[command(flatten)]
    family: Family,
}

/// Which of a host's addresses to take.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct Family {
    /// Over IPv4.
    #[arg(short = '4', long)]
    ipv4: bool,
    /// Over IPv6.
    #[arg(short = '6', long, conflicts_with = "ipv4")]
    ipv6: bool,
}

/// An event of an announce.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Happens {
    /// The client has just started.
    Started,
    /// The client has just finished the download.
    Completed,
    /// The client goes away.
    Stopped,
    /// The client is a partial seed (BEP 21).
    Paused,
}

/// What a tracker says to a request.
#[derive(Debug, PartialEq, Eq)]
enum Said<T> {
    Reply(T),
    /// It refuses, and says when to ask again.
    Failure {
        reason: String,
        retry_in: Option<String>,
    },
}

/// A reply to an announce, whatever it came over.
#[derive(Debug, PartialEq, Eq)]
struct Announced {
    interval_secs: u32,
    min_interval_secs: Option<u32>,
    seeders: u32,
    leechers: u32,
    downloads: Option<u64>,
    external_ip: Option<IpAddr>,
    warning: Option<String>,
    peers: Vec<PeerAddr>,
}

/// A reply to a scrape: a torrent that the tracker does not know has no counts over HTTP, and
/// zeros over UDP.
type Scraped = Vec<(InfoHash, Option<SwarmCounts>)>;

/// A way to a tracker.
enum Session {
    Udp(Socket),
    Http(http::Session),
}

impl Family {
    pub(crate) const fn of(ipv4: bool) -> Self {
        Self { ipv4, ipv6: !ipv4 }
    }

    /// Resolves a host, and takes the first of its addresses that fits.
    pub(crate) async fn resolve(self, url: &Url) -> Result<SocketAddr> {
        let addresses = lookup_host((url.host.as_str(), url.port)).await;
        let mut addresses = addresses.with_context(|| format!("cannot resolve {}", url.host))?;
        let fits = |address: &SocketAddr| {
            (!self.ipv4 || address.is_ipv4()) && (!self.ipv6 || address.is_ipv6())
        };
        addresses.find(fits).with_context(|| {
            let family = if self.ipv4 { "IPv4" } else { "IPv6" };
            format!("{} has no {family} address", url.host)
        })
    }
}

impl Session {
    async fn open(url: &Url, address: SocketAddr) -> Result<Self> {
        Ok(match url.scheme {
            Scheme::Udp => Self::Udp(Socket::connect(address).await?),
            Scheme::Http | Scheme::Https => Self::Http(http::Session::new(url, address)),
        })
    }

    async fn announce(&self, announce: AnnounceRequest) -> Result<Said<Announced>> {
        match self {
            Self::Udp(socket) => socket.announce(announce).await,
            Self::Http(session) => session.announce(announce).await,
        }
    }

    async fn scrape(&self, info_hashes: &[InfoHash]) -> Result<Said<Scraped>> {
        match self {
            Self::Udp(socket) => socket.scrape(info_hashes).await,
            Self::Http(session) => session.scrape(info_hashes).await,
        }
    }
}

pub(crate) async fn announce(wanted: &Announce, json: bool) -> Result<()> {
    let request = wanted.request();
    let address = wanted.family.resolve(&wanted.url).await?;
    let begin = Instant::now();
    let session = Session::open(&wanted.url, address).await?;
    let said = session.announce(request).await?;
    let took = begin.elapsed();
    let is_refused = matches!(said, Said::Failure { .. });
    let text = match json {
        true => announced_json(address, took, &said).to_string() + "\n",
        false => announced_text(address, took, &said),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    if is_refused {
        bail!(AlreadySaid { code: 1 });
    }
    if !wanted.stay && request.event != Event::Stopped {
        let stopped = request.with_event(Event::Stopped).with_num_want(0);
        let said = session.announce(stopped).await;
        said.context("cannot leave the swarm again, so the tracker keeps us for a while")?;
    }
    Ok(())
}

pub(crate) async fn scrape(wanted: &Scrape, json: bool) -> Result<()> {
    let address = wanted.family.resolve(&wanted.url).await?;
    let begin = Instant::now();
    let session = Session::open(&wanted.url, address).await?;
    let said = session.scrape(&wanted.info_hashes).await?;
    let took = begin.elapsed();
    let is_refused = matches!(said, Said::Failure { .. });
    let text = match json {
        true => scraped_json(address, took, &said).to_string() + "\n",
        false => scraped_text(&said),
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    if is_refused {
        bail!(AlreadySaid { code: 1 });
    }
    Ok(())
}

impl Announce {
    fn request(&self) -> AnnounceRequest {
        let event = match self.event {
            None => Event::None,
            Some(Happens::Started) => Event::Started,
            Some(Happens::Completed) => Event::Completed,
            Some(Happens::Stopped) => Event::Stopped,
            Some(Happens::Paused) => Event::Paused,
        };
        let mut request = AnnounceRequest::new(self.info_hash, self.port)
            .with_peer_id(self.peer_id.unwrap_or_else(draw_peer_id))
            .with_left(self.left)
            .with_event(event);
        request.num_want = self.numwant;
        request
    }
}

fn draw_peer_id() -> PeerId {
    let mut octets = [0; PeerId::LEN];
    for octet in &mut octets {
        *octet = rand::random_range(b'a'..=b'z');
    }
    octets[..PEER_ID.len()].copy_from_slice(PEER_ID);
    PeerId::new(octets)
}

fn announced_text(address: SocketAddr, took: Duration, said: &Said<Announced>) -> String {
    let took = brief(took.as_secs_f64());
    let reply = match said {
        Said::Failure { .. } => return format!("{address}, {took}: {}\n", refused(said)),
        Said::Reply(reply) => reply,
    };
    let downloads = reply
        .downloads
        .map(|downloads| format!(", {}", count(downloads, "download")));
    let mut text = format!(
        "{address}, {took}: {}, {}{}, again in {}",
        count(reply.seeders, "seeder"),
        count(reply.leechers, "leecher"),
        downloads.unwrap_or_default(),
        seconds(reply.interval_secs.into())
    );
    if let Some(least) = reply.min_interval_secs {
        text += &format!(", not before {}", seconds(least.into()));
    }
    if let Some(ip) = reply.external_ip {
        text += &format!(", seen as {ip}");
    }
    if let Some(warning) = &reply.warning {
        text += &format!("\nwarning: {warning}");
    }
    text += &format!("\n{}\n", count(reply.peers.len() as u64, "peer"));
    for peer in &reply.peers {
        text += &format!("{peer}\n");
    }
    text
}

fn refused<T>(said: &Said<T>) -> String {
    match said {
        Said::Reply(_) => String::new(),
        Said::Failure {
            reason,
            retry_in: None,
        } => format!("refused: {reason}"),
        Said::Failure {
            reason,
            retry_in: Some(retry),
        } => {
            format!("refused: {reason} (retry in: {retry})")
        }
    }
}

fn announced_json(address: SocketAddr, took: Duration, said: &Said<Announced>) -> Value {
    let mut object = head_json(address, took, said);
    if let Said::Reply(reply) = said {
        object["interval_secs"] = reply.interval_secs.into();
        object["min_interval_secs"] = reply.min_interval_secs.into();
        object["seeders"] = reply.seeders.into();
        object["leechers"] = reply.leechers.into();
        object["downloads"] = reply.downloads.into();
        object["external_ip"] = reply.external_ip.map(|ip| ip.to_string()).into();
        object["warning"] = reply.warning.clone().into();
        let peers = reply.peers.iter().map(ToString::to_string);
        object["peers"] = peers.collect::<Vec<_>>().into();
    }
    object
}

fn scraped_text(said: &Said<Scraped>) -> String {
    let entries = match said {
        Said::Failure { .. } => return refused(said) + "\n",
        Said::Reply(entries) => entries,
    };
    let line = |(info_hash, counts): &(InfoHash, Option<SwarmCounts>)| match counts {
        None => format!("{info_hash}  not known\n"),
        Some(counts) => format!(
            "{info_hash}  {}, {}, {}\n",
            count(counts.seeders, "seeder"),
            count(counts.leechers, "leecher"),
            count(counts.downloads, "download")
        ),
    };
    entries.iter().map(line).collect()
}

fn scraped_json(address: SocketAddr, took: Duration, said: &Said<Scraped>) -> Value {
    let mut object = head_json(address, took, said);
    if let Said::Reply(entries) = said {
        let entry = |(info_hash, counts): &(InfoHash, Option<SwarmCounts>)| {
            json!({
                "info_hash": info_hash.to_string(),
                "seeders": counts.map(|counts| counts.seeders),
                "leechers": counts.map(|counts| counts.leechers),
                "downloads": counts.map(|counts| counts.downloads),
            })
        };
        object["torrents"] = entries.iter().map(entry).collect();
    }
    object
}

fn head_json<T>(address: SocketAddr, took: Duration, said: &Said<T>) -> Value {
    let mut object = json!({ "address": address.to_string(), "took_secs": took.as_secs_f64() });
    if let Said::Failure { reason, retry_in } = said {
        object["failure"] = reason.clone().into();
        object["retry_in"] = retry_in.clone().into();
    }
    object
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_peer_id_is_ours_and_of_letters() {
        let id = draw_peer_id();
        assert!(id.as_bytes().starts_with(PEER_ID));
        assert!(id.as_bytes()[8..].iter().all(u8::is_ascii_lowercase));
    }

    #[test]
    fn refusals_are_told_with_when_to_ask_again() {
        let address = "192.0.2.1:6969".parse().unwrap();
        let said = Said::Failure {
            reason: "this torrent is blocked here".to_owned(),
            retry_in: Some("never".to_owned()),
        };
        let text = announced_text(address, Duration::from_millis(2), &said);
        let expected =
            "192.0.2.1:6969, 2.0 ms: refused: this torrent is blocked here (retry in: never)\n";
        assert_eq!(text, expected);
        let object = announced_json(address, Duration::ZERO, &said);
        assert_eq!(object["retry_in"], "never");
        assert!(object.get("peers").is_none());
    }
}
