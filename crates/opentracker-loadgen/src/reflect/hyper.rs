//! Requests over TCP, answered through hyper: each gets the same response, whatever it asks for.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use anyhow::{Context, Result};
use http_body_util::Full;
use hyper::Response;
use hyper::body::Bytes;
use hyper::header::CONTENT_TYPE;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::shared::{Until, bind_listener, body, say};
use crate::args::ReflectArgs;
use crate::host::is_transient;

/// How long to wait for a connection before looking at the clock.
const WAIT: Duration = Duration::from_millis(100);

pub(super) fn run(args: &ReflectArgs, until: &Until) -> Result<()> {
    let body = Bytes::from(body(args.octets)?);
    let listener = bind_listener(args.listen)?;
    let address = listener.local_addr()?;
    let runtime = Builder::new_current_thread()
        .enable_all()
        .build_local(LocalOptions::default())?;
    runtime.block_on(async {
        let listener = TcpListener::from_std(listener)?;
        say("http", address)?;
        while !until.is_over() {
            let stream = match timeout(WAIT, listener.accept()).await {
                Ok(Ok((stream, _))) => stream,
                Ok(Err(error)) if is_lost(&error) => continue,
                Ok(Err(error)) => return Err(error).context("cannot accept"),
                Err(_elapsed) => continue,
            };
            let body = body.clone();
            let answer = service_fn(move |_request| {
                let response = Response::builder()
                    .header(CONTENT_TYPE, "text/plain")
                    .body(Full::new(body.clone()));
                async move { Ok::<_, Infallible>(response.expect("a constant header")) }
            });
            spawn_local(async move {
                let mut server = http1::Builder::new();
                let connection = server
                    .pipeline_flush(true)
                    .serve_connection(TokioIo::new(stream), answer);
                // A connection that breaks is no concern of the others.
                let _ = connection.await;
            });
        }
        Ok(())
    })
}

/// Tells whether a connection was gone before it was accepted.
fn is_lost(error: &io::Error) -> bool {
    is_transient(error) || error.kind() == io::ErrorKind::ConnectionAborted
}
