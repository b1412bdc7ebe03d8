//! The task of the connection, which alone waits for NATS.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions, Event, PublishErrorKind};
use rand::RngExt;
use tokio::sync::{Notify, mpsc};
use tracing::{debug, info, warn};

use crate::link::Incoming;
use crate::server::{Login, Server};
use crate::shared::{MAX_INCOMING, Shared};
use crate::{NatsConfig, Subject};

/// Packets that the client holds beside the queue. Few, since they outlive the connection by
/// some seconds.
const CLIENT_CAPACITY: usize = 64;

/// How often a connection that is silent is asked whether it lives. The second question that stays
/// without an answer ends it.
const PING_INTERVAL: Duration = Duration::from_secs(10);

/// How long to wait at most before the first attempt to connect again.
const MIN_DELAY: Duration = Duration::from_millis(500);

/// How long to wait at most before any.
const MAX_DELAY: Duration = Duration::from_secs(8);

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// Connects, and connects again whenever the connection breaks, until all is sent at an end.
///
/// The client could do that itself, but would send then what it had before the connection broke. So
/// each connection has a client of its own, whose buffer goes with it.
pub(crate) async fn keep_up(
    config: NatsConfig,
    subjects: Vec<Subject>,
    shared: Arc<Shared>,
    subscriptions: mpsc::Sender<Incoming>,
) {
    let mut attempts = 0;
    let mut is_said = false;
    loop {
        match connect(&config, &subjects).await {
            Ok(connection) => {
                info!(server = connection.server(), subject = %config.subject, "connected to NATS");
                let since = Instant::now();
                connection.serve(&shared, &subscriptions).await;
                if shared.is_closed() {
                    return;
                }
                warn!(servers = ?config.servers, "connection to NATS is broken");
                is_said = true;
                if since.elapsed() > MAX_DELAY {
                    attempts = 0;
                }
            }
            Err(error) if is_said => debug!(%error, "cannot connect to NATS yet"),
            Err(error) => {
                warn!(servers = ?config.servers, %error, "cannot connect to NATS yet");
                is_said = true;
            }
        }
        tokio::time::sleep(delay(attempts)).await;
        attempts += 1;
    }
}

/// Returns how long to wait before an attempt: the longer, the more there were, and never as long as
/// all others do who have lost the same server.
fn delay(attempts: u32) -> Duration {
    let longest = MIN_DELAY.saturating_mul(2_u32.saturating_pow(attempts));
    longest
        .min(MAX_DELAY)
        .mul_f64(rand::rng().random_range(0.5..1.0))
}

struct Connection {
    client: Client,
    incoming: Incoming,
    broken: Arc<Notify>,
}

async fn connect(config: &NatsConfig, subjects: &[Subject]) -> Result<Connection, AnyError> {
    let broken = Arc::new(Notify::new());
    let options = options(config).await?.event_callback(listener(&broken));
    let servers: Vec<_> = config.servers.iter().map(Server::address).collect();
    let client = options.connect(servers).await?;
    let mut subscribers = Vec::new();
    for subject in subjects {
        subscribers.push(client.subscribe(subject.name()).await?);
    }
    Ok(Connection {
        incoming: Incoming::new(subscribers, client.statistics()),
        client,
        broken,
    })
}

async fn options(config: &NatsConfig) -> Result<ConnectOptions, AnyError> {
    let mut options = ConnectOptions::new();
    match config.servers.iter().find_map(Server::login) {
        Some(Login::User { name, password }) => options = options.user_and_password(name, password),
        Some(Login::Token(token)) => options = options.token(token),
        None => {}
    }
    if let Some(path) = &config.credentials {
        options = options.credentials_file(path).await?;
    }
    if let Some(path) = &config.ca {
        options = options.add_root_certificates(path.clone());
    }
    Ok(options
        .name("opentracker")
        .no_echo()
        .ping_interval(PING_INTERVAL)
        .client_capacity(CLIENT_CAPACITY)
        .subscription_capacity(MAX_INCOMING)
        .ignore_discovered_servers()
        // One round over the servers. That counts for a client whose connection broke as well, which
        // ends with it.
        .max_reconnects(config.servers.len()))
}

/// Returns what a client tells its events to.
fn listener(
    broken: &Arc<Notify>,
) -> impl Fn(Event) -> Pin<Box<dyn Future<Output = ()> + Send + Sync>> + Send + Sync + use<> {
    let broken = Arc::clone(broken);
    let is_said = AtomicBool::new(false);
    move |event| {
        match event {
            Event::Disconnected | Event::Closed => broken.notify_one(),
            // It may not publish or subscribe, say, and would say so of each packet.
            Event::ServerError(error) if !is_said.swap(true, Ordering::Relaxed) => {
                warn!(%error, "the NATS server refuses something");
            }
            _ => {}
        }
        Box::pin(std::future::ready(()))
    }
}

impl Connection {
    fn server(&self) -> String {
        let info = self.client.server_info();
        format!("{}:{}", info.server_name, info.port)
    }

    /// Serves it until it breaks, or all is sent.
    async fn serve(self, shared: &Shared, subscriptions: &mpsc::Sender<Incoming>) {
        let Self {
            client,
            incoming,
            broken,
        } = self;
        // Nobody is there any more to take it if that fails, and then this ends, too.
        let _ = subscriptions.send(incoming).await;
        shared.set_up(true);
        tokio::select! {
            biased;
            () = broken.notified() => {}
            () = publish(&client, shared) => {}
        }
        shared.set_up(false);
    }
}

/// Publishes what waits until there is no connection to do so, or nothing more will come.
async fn publish(client: &Client, shared: &Shared) {
    while let Some((subject, packet)) = shared.next().await {
        let octets = packet.len();
        match client.publish(subject.name(), packet).await {
            Ok(()) => shared.count_sent(octets),
            Err(error) => {
                shared.count_send_error();
                if error.kind() == PublishErrorKind::Send {
                    return;
                }
            }
        }
    }
    // It waits until the server has them, or the system for it.
    if let Err(error) = client.flush().await {
        debug!(%error, "cannot send the last packets to NATS");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attempts_become_rarer_and_differ() {
        for (attempts, longest) in [(0, 500), (1, 1000), (4, 8000), (9, 8000), (u32::MAX, 8000)] {
            let longest = Duration::from_millis(longest);
            let some: Vec<_> = (0..100).map(|_| delay(attempts)).collect();
            assert!(
                some.iter()
                    .all(|delay| (longest / 2..longest).contains(delay))
            );
            assert!(some.iter().any(|delay| *delay != some[0]));
        }
    }
}
