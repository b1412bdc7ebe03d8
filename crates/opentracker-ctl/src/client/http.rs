//! The HTTP protocol (BEP 3, 48) from the side of a client.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use hyper::StatusCode;
use hyper::body::Bytes;
use opentracker_http_wire::{
    AnnounceQuery, AnnounceReply, Answer, Failure, RetryIn, ScrapeQuery, ScrapeReply,
};
use opentracker_types::{AnnounceRequest, InfoHash};

use super::{Announced, Said, Scraped};
use crate::http::{self, Ask};
use crate::url::Url;

/// How long a tracker may take.
const PATIENCE: Duration = Duration::from_secs(15);

/// A tracker, each request to which has a connection of its own.
#[derive(Debug)]
pub(super) struct Session {
    url: Url,
    /// The one of its addresses that is asked.
    at: Url,
}

impl Session {
    pub(super) fn new(url: &Url, address: SocketAddr) -> Self {
        let at = Url {
            host: address.ip().to_string(),
            port: address.port(),
            ..url.clone()
        };
        let url = url.clone();
        Self { url, at }
    }

    pub(super) async fn announce(&self, announce: AnnounceRequest) -> Result<Said<Announced>> {
        let mut query = Vec::new();
        AnnounceQuery::new(announce).encode(&mut query);
        let path = match &*self.url.path {
            "" | "/" => "/announce",
            path => path,
        };
        let (status, body) = self.get(path, &query).await?;
        match AnnounceReply::decode(&body) {
            Ok(Answer::Reply(reply)) => Ok(Said::Reply(announced(&reply))),
            Ok(Answer::Failure(failure)) => Ok(refused(failure)),
            Err(error) => Err(error).with_context(|| unread(status)),
        }
    }

    pub(super) async fn scrape(&self, info_hashes: &[InfoHash]) -> Result<Said<Scraped>> {
        let path = scrape_path(&self.url.path)?;
        let mut scraped = Vec::new();
        for some in info_hashes.chunks(ScrapeQuery::MAX_INFO_HASHES) {
            let mut query = Vec::new();
            ScrapeQuery::new(some.iter().copied()).encode(&mut query);
            let (status, body) = self.get(&path, &query).await?;
            let reply = match ScrapeReply::decode(&body) {
                Ok(Answer::Reply(reply)) => reply,
                Ok(Answer::Failure(failure)) => return Ok(refused(failure)),
                Err(error) => return Err(error).with_context(|| unread(status)),
            };
            let counts = |info_hash| {
                let mut entries = reply.entries();
                entries.find_map(|(of, counts)| (of == info_hash).then_some(counts))
            };
            scraped.extend(
                some.iter()
                    .map(|info_hash| (*info_hash, counts(*info_hash))),
            );
        }
        Ok(Said::Reply(scraped))
    }

    async fn get(&self, path: &str, query: &[u8]) -> Result<(StatusCode, Bytes)> {
        let query = str::from_utf8(query).context("a query is percent-encoded")?;
        let mark = if path.contains('?') { '&' } else { '?' };
        let target = format!("{path}{mark}{query}");
        let host = self.url.authority();
        let connection = http::connect_tcp(&self.at, &self.url.host).await?;
        let response = http::send(connection, Ask::get(&host, &target), PATIENCE).await?;
        let status = response.status();
        Ok((status, http::read(response.into_body(), PATIENCE).await?))
    }
}

/// Where scrapes go: the last segment that begins with `announce` begins with `scrape` (BEP 48).
fn scrape_path(path: &str) -> Result<String> {
    let (path, query) = match path.find('?') {
        Some(mark) => path.split_at(mark),
        None => (path, ""),
    };
    let (folder, last) = path.rsplit_once('/').unwrap_or_default();
    let last = match (last, last.strip_prefix("announce")) {
        ("", _) => "scrape".to_owned(),
        (_, Some(rest)) => format!("scrape{rest}"),
        (last, None) if last.starts_with("scrape") => last.to_owned(),
        _ => bail!("`{path}` does not end with `announce`, so nobody knows where to scrape"),
    };
    Ok(format!("{folder}/{last}{query}"))
}

fn announced(reply: &AnnounceReply<'_>) -> Announced {
    let text = |octets| String::from_utf8_lossy(octets).into_owned();
    Announced {
        interval_secs: reply.interval_secs,
        min_interval_secs: reply.min_interval_secs,
        seeders: reply.counts.seeders,
        leechers: reply.counts.leechers,
        downloads: Some(reply.counts.downloads),
        external_ip: reply.external_ip,
        warning: reply.warning.map(text),
        peers: reply.peers.iter().collect(),
    }
}

fn refused<T>(failure: Failure<'_>) -> Said<T> {
    let retry_in = failure.retry_in.map(|retry| match retry {
        RetryIn::Minutes(minutes) => format!("{minutes} min"),
        RetryIn::Never => "never".to_owned(),
    });
    let reason = String::from_utf8_lossy(failure.reason).into_owned();
    Said::Failure { reason, retry_in }
}

fn unread(status: StatusCode) -> String {
    format!("the answer, with status {status}, is not that of a tracker")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scrapes_go_where_announces_do() {
        for (path, expected) in [
            ("", "/scrape"),
            ("/", "/scrape"),
            ("/announce", "/scrape"),
            ("/a/announce.php?key=1", "/a/scrape.php?key=1"),
            ("/scrape", "/scrape"),
        ] {
            assert_eq!(scrape_path(path).unwrap(), expected);
        }
        assert!(scrape_path("/a").is_err());
    }
}
