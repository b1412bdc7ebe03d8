//! One HTTP/1.1 request over a connection of its own.

use std::io;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{HeaderName, HeaderValue};
use hyper::{Method, Request, Response, header};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};
use tokio::time::timeout;

use crate::tls;
use crate::url::{Scheme, Url};

/// How long a connection may take.
const CONNECT_PATIENCE: Duration = Duration::from_secs(10);

/// Octets of a body that are read as a whole.
const MAX_BODY: usize = 64 << 20;

/// What requests go over.
pub(crate) trait Connection: AsyncRead + AsyncWrite + Unpin + Send {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send> Connection for T {}

/// A request without a body.
#[derive(Debug)]
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    /// The `Host` field.
    pub(crate) host: &'a str,
    /// Path and query.
    pub(crate) target: &'a str,
    /// Fields besides.
    pub(crate) fields: Vec<(HeaderName, HeaderValue)>,
}

impl<'a> Ask<'a> {
    pub(crate) const fn get(host: &'a str, target: &'a str) -> Self {
        Self {
            method: Method::GET,
            host,
            target,
            fields: Vec::new(),
        }
    }
}

/// Connects to a Unix socket, and says in an operator's words why it cannot.
pub(crate) async fn connect_unix(path: &Path) -> Result<Box<dyn Connection>> {
    let connected = patiently(UnixStream::connect(path)).await;
    let shown = path.display();
    match connected {
        Ok(stream) => Ok(Box::new(stream)),
        Err(error) => {
            let why = match error.kind() {
                io::ErrorKind::NotFound => {
                    format!(
                        "there is no {shown}: is the tracker running, with that `admin.socket`?"
                    )
                }
                io::ErrorKind::ConnectionRefused => {
                    format!("nobody listens on {shown}: the tracker that made it has gone")
                }
                io::ErrorKind::PermissionDenied => {
                    format!("{shown} is not for you: be root, or in the group that owns it")
                }
                _ => format!("cannot connect to {shown}: {error}"),
            };
            bail!(why)
        }
    }
}

/// Connects to the host and port of a URL, over TLS if that says so. The host has to have a certificate of
/// this name then.
pub(crate) async fn connect_tcp(url: &Url, name: &str) -> Result<Box<dyn Connection>> {
    let stream = open_tcp(url).await?;
    if url.scheme != Scheme::Https {
        return Ok(Box::new(stream));
    }
    let shaking = timeout(CONNECT_PATIENCE, tls::shake_hands(stream, name));
    match shaking
        .await
        .context("the TLS handshake takes too long")??
    {
        (stream, None) => Ok(Box::new(stream)),
        (_, Some(doubt)) => bail!("{name} has no certificate that is trusted here: {doubt}"),
    }
}

/// Connects to the host and port of a URL, and says in an operator's words why it cannot.
pub(crate) async fn open_tcp(url: &Url) -> Result<TcpStream> {
    let address = (url.host.as_str(), url.port);
    match patiently(TcpStream::connect(address)).await {
        Ok(stream) => Ok(stream),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => bail!(
            "nobody listens on {}: is the tracker running, and is that one of its addresses?",
            url.authority()
        ),
        Err(error) => bail!("cannot connect to {}: {error}", url.authority()),
    }
}

async fn patiently<T>(connecting: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    timeout(CONNECT_PATIENCE, connecting)
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Sends a request and waits for the head of its response.
pub(crate) async fn send(
    connection: impl Connection + 'static,
    ask: Ask<'_>,
    patience: Duration,
) -> Result<Response<Incoming>> {
    let mut request = Request::builder()
        .method(ask.method)
        .uri(ask.target)
        .header(header::HOST, ask.host)
        .header(header::CONNECTION, "close")
        .header(
            header::USER_AGENT,
            concat!("opentracker-ctl/", env!("CARGO_PKG_VERSION")),
        );
    for (name, value) in ask.fields {
        request = request.header(name, value);
    }
    let request = request.body(Empty::<Bytes>::new())?;
    let sending = async {
        let (mut sender, connection) = http1::handshake(TokioIo::new(connection)).await?;
        // Its failure is that of the request, which is waited for.
        tokio::spawn(async { connection.await.ok() });
        sender.send_request(request).await
    };
    match timeout(patience, sending).await {
        Ok(response) => response.context("the connection ended before the answer"),
        Err(_) => bail!("no answer within {} s", patience.as_secs()),
    }
}

/// Reads the body of a response as a whole.
pub(crate) async fn read(body: Incoming, patience: Duration) -> Result<Bytes> {
    let reading = Limited::new(body, MAX_BODY).collect();
    match timeout(patience, reading).await {
        Ok(Ok(body)) => Ok(body.to_bytes()),
        Ok(Err(error)) => bail!("cannot read the answer: {error}"),
        Err(_) => bail!("the answer did not end within {} s", patience.as_secs()),
    }
}
