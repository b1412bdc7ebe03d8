//! Trackers that run, and their admin API.

use std::env;
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use http_body_util::BodyExt;
use hyper::body::{Bytes, Incoming};
use hyper::header::{self, HeaderValue};
use hyper::{Method, Response};
use opentracker_api::{INSTANCE_HEADER, PROBLEM_TYPE, Problem};
use serde::de::DeserializeOwned;
use tokio::time::timeout;

use crate::http::{self, Ask, Connection};
use crate::url::{Scheme, Url};

/// How long what only reads may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long a change may take: a snapshot of many torrents, a reload of long lists.
const CHANGE_PATIENCE: Duration = Duration::from_secs(15 * 60);

/// How long a stream may say nothing: its empty lines come every 15 s.
const STREAM_PATIENCE: Duration = Duration::from_secs(60);

/// Octets of a line of a stream.
const MAX_LINE: usize = 1 << 20;

/// Where the control socket is if nobody says otherwise.
const DEFAULT_FOLDER: &str = "/run/opentracker";

/// Which tracker to ask.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Which tracker")]
pub(crate) struct Nodes {
    /// The control socket of a tracker of this host. Without this and `--url` it is
    /// `control.sock` in $RUNTIME_DIRECTORY, or else in /run/opentracker.
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// The operator's listener of a tracker, like `http://192.0.2.1:6970`. A change may name
    /// several: each is told.
    #[arg(long, value_name = "URL", conflicts_with = "socket")]
    url: Vec<Url>,
    /// The file with the token of these trackers.
    #[arg(long, value_name = "FILE", requires = "url")]
    token: Option<PathBuf>,
}

/// A tracker.
#[derive(Debug, Clone)]
pub(crate) struct Node {
    place: Place,
    token: Option<HeaderValue>,
}

#[derive(Debug, Clone)]
pub(crate) enum Place {
    Unix(PathBuf),
    Tcp(Url),
}

/// A tracker does not do what it was asked for.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Refused(Problem);

/// What a tracker says.
#[derive(Debug)]
pub(crate) struct Answer {
    /// Which process it is, as the header field names it.
    pub(crate) instance: String,
    /// The JSON.
    pub(crate) body: Bytes,
}

impl Nodes {
    /// Returns all that are named.
    pub(crate) fn all(&self) -> Result<Vec<Node>> {
        if self.url.is_empty() {
            let place = Place::Unix(self.socket.clone().unwrap_or_else(default_socket));
            return Ok(vec![Node { place, token: None }]);
        }
        let token = match &self.token {
            Some(file) => Some(read_token(file)?),
            None => None,
        };
        let node = |url: &Url| {
            ensure!(
                url.scheme != Scheme::Udp && matches!(&*url.path, "" | "/"),
                "--url {url}: write it like `http://192.0.2.1:6970`, without a path"
            );
            Ok(Node {
                place: Place::Tcp(url.clone()),
                token: token.clone(),
            })
        };
        self.url.iter().map(node).collect()
    }

    /// Returns the one that is named.
    pub(crate) fn one(&self) -> Result<Node> {
        let mut nodes = self.all()?;
        ensure!(
            nodes.len() == 1,
            "this asks one tracker at a time: give `--url` once"
        );
        nodes.pop().context("one is there")
    }
}

fn default_socket() -> PathBuf {
    // systemd joins several folders with colons.
    let folders = env::var("RUNTIME_DIRECTORY").unwrap_or_default();
    let folder = folders
        .split(':')
        .next()
        .filter(|folder| !folder.is_empty());
    Path::new(folder.unwrap_or(DEFAULT_FOLDER)).join("control.sock")
}

fn read_token(file: &Path) -> Result<HeaderValue> {
    let shown = file.display();
    let token = fs::read_to_string(file).with_context(|| format!("cannot read {shown}"))?;
    let token = token.trim();
    ensure!(
        !token.is_empty(),
        "{shown} is empty: a token is expected there"
    );
    let mut value = HeaderValue::from_str(&format!("Bearer {token}"))
        .with_context(|| format!("{shown} holds no token"))?;
    value.set_sensitive(true);
    Ok(value)
}

impl Node {
    /// Returns where it is.
    pub(crate) const fn place(&self) -> &Place {
        &self.place
    }

    /// Reads something: `status`, `torrents?limit=10`.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer> {
        self.ask(Method::GET, path).await
    }

    /// Reads something as a value.
    pub(crate) async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T> {
        self.get(path).await?.value()
    }

    /// Sends a request and reads its answer.
    pub(crate) async fn ask(&self, method: Method, path: &str) -> Result<Answer> {
        let patience = match method {
            Method::GET => PATIENCE,
            _ => CHANGE_PATIENCE,
        };
        let response = self.send(method, path, patience).await?;
        let instance = field(&response, INSTANCE_HEADER).to_owned();
        let body = http::read(response.into_body(), patience).await;
        let body = body.with_context(|| self.to_string())?;
        Ok(Answer { instance, body })
    }

    /// Begins to read a stream of lines.
    pub(crate) async fn follow(&self, path: &str) -> Result<Lines> {
        let response = self.send(Method::GET, path, PATIENCE).await?;
        Ok(Lines {
            node: self.to_string(),
            body: response.into_body(),
            ahead: Vec::new(),
        })
    }

    /// Connects to it.
    pub(crate) async fn connect(&self) -> Result<Box<dyn Connection>> {
        match &self.place {
            Place::Unix(path) => http::connect_unix(path).await,
            Place::Tcp(url) => http::connect_tcp(url, &url.host).await,
        }
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        patience: Duration,
    ) -> Result<Response<Incoming>> {
        let connection = self.connect().await?;
        let host = match &self.place {
            Place::Unix(_) => "localhost".to_owned(),
            Place::Tcp(url) => url.authority(),
        };
        let target = format!("/api/v1/{path}");
        let token = self.token.iter().cloned();
        let ask = Ask {
            method,
            host: &host,
            target: &target,
            fields: token.map(|token| (header::AUTHORIZATION, token)).collect(),
        };
        let response = http::send(connection, ask, patience).await;
        let response = response.with_context(|| self.to_string())?;
        if response.status().is_success() {
            return Ok(response);
        }
        let status = response.status();
        let is_problem = field(&response, header::CONTENT_TYPE.as_str()).starts_with(PROBLEM_TYPE);
        let body = http::read(response.into_body(), PATIENCE).await?;
        match serde_json::from_slice::<Problem>(&body) {
            Ok(problem) if is_problem => bail!(Refused(problem)),
            _ => bail!("{self} says {status}; is that the operator's listener of a tracker?"),
        }
    }
}

fn field<'a>(response: &'a Response<Incoming>, name: &str) -> &'a str {
    let value = response.headers().get(name);
    value
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.place {
            Place::Unix(path) => path.display().fmt(f),
            Place::Tcp(url) => url.fmt(f),
        }
    }
}

impl Answer {
    /// Reads the JSON as a value.
    pub(crate) fn value<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).context("the answer is not what was expected")
    }

    /// The JSON as it came, as one line.
    pub(crate) fn line(&self) -> String {
        let text = String::from_utf8_lossy(&self.body);
        text.trim_end().to_owned() + "\n"
    }
}

/// The lines of a stream.
#[derive(Debug)]
pub(crate) struct Lines {
    node: String,
    body: Incoming,
    /// Octets that were read ahead.
    ahead: Vec<u8>,
}

impl Lines {
    /// Waits for the next line that has something in it; `None` at the end.
    pub(crate) async fn next(&mut self) -> Result<Option<String>> {
        loop {
            if let Some(end) = self.ahead.iter().position(|octet| *octet == b'\n') {
                let line: Vec<u8> = self.ahead.drain(..=end).collect();
                let line = String::from_utf8_lossy(line.trim_ascii()).into_owned();
                if line.is_empty() {
                    continue;
                }
                return Ok(Some(line));
            }
            ensure!(
                self.ahead.len() <= MAX_LINE,
                "{}: a line does not end",
                self.node
            );
            let Ok(frame) = timeout(STREAM_PATIENCE, self.body.frame()).await else {
                let secs = STREAM_PATIENCE.as_secs();
                bail!("{}: nothing was heard for {secs} s", self.node);
            };
            match frame {
                None => return Ok(None),
                Some(Err(error)) => bail!("{}: the connection broke: {error}", self.node),
                Some(Ok(frame)) => {
                    if let Some(octets) = frame.data_ref() {
                        self.ahead.extend_from_slice(octets);
                    }
                }
            }
        }
    }
}
