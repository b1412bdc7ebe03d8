//! What two carriers do with each other, and what they say in the log.

use std::fmt;
use std::future::poll_fn;
use std::io::{self, Write};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use opentracker_livesync::{Carrier, Class};
use opentracker_nats::Nats;
use tokio::time::{sleep, timeout};
use tracing::Dispatch;
use tracing::subscriber::{DefaultGuard, NoSubscriber};

/// As long as the slowest machine may take.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// How begins what is said until somebody hears it.
const GREETING: &str = "do you hear me?";

/// Waits for the next packet that is no greeting.
pub(crate) async fn hear(nats: &mut Nats) -> Vec<u8> {
    let wait = async {
        loop {
            let packet = next(nats).await;
            if !packet.starts_with(GREETING.as_bytes()) {
                return packet;
            }
        }
    };
    timeout(PATIENCE, wait).await.unwrap()
}

async fn next(nats: &mut Nats) -> Vec<u8> {
    let mut buffer = [0; 2048];
    let (octets, _) = poll_fn(|cx| nats.poll_recv(cx, &mut buffer)).await.unwrap();
    buffer[..octets].to_vec()
}

/// Lets each of two say something until the other hears it, and returns what else they hear meanwhile.
pub(crate) async fn meet(first: &mut Nats, second: &mut Nats) -> Vec<Vec<u8>> {
    let both = async {
        let mut heard = say_until_heard(first, second).await;
        heard.extend(say_until_heard(second, first).await);
        heard
    };
    timeout(PATIENCE, both).await.unwrap()
}

async fn say_until_heard(speaker: &mut Nats, listener: &mut Nats) -> Vec<Vec<u8>> {
    let mut others = Vec::new();
    for number in 0.. {
        let words = format!("{GREETING} {number}");
        speaker.send(&Bytes::from(words.clone()), Class::Live);
        // One that was said before may still come.
        while let Ok(heard) = timeout(Duration::from_millis(100), next(listener)).await {
            if heard == words.as_bytes() {
                return others;
            }
            if !heard.starts_with(GREETING.as_bytes()) {
                others.push(heard);
            }
        }
    }
    unreachable!("it speaks until it is heard")
}

/// Waits for something that happens without this test.
pub(crate) async fn until(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    assert!(timeout(PATIENCE, wait).await.is_ok(), "not so: {what}");
}

/// What the crate says of its connections in this thread.
pub(crate) struct Log {
    lines: Lines,
    _guard: DefaultGuard,
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Log {
    pub(crate) fn begin() -> Self {
        let lines = Lines::default();
        let writer = lines.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(move || writer.clone())
            .with_ansi(false)
            .without_time()
            .finish();
        // With one alone, a thread that is not ours may decide that nobody wants some line.
        let _second = Dispatch::new(NoSubscriber::default());
        Self {
            lines,
            _guard: tracing::subscriber::set_default(subscriber),
        }
    }

    pub(crate) fn forget(&self) {
        self.lines.0.lock().unwrap().clear();
    }

    /// Returns level and gist of each line, in order.
    pub(crate) fn lines(&self) -> Vec<String> {
        let octets = self.lines.0.lock().unwrap().clone();
        let text = String::from_utf8(octets).unwrap();
        let ours = text
            .lines()
            .filter(|line| line.contains("opentracker_nats"));
        let gist = ours.map(|line| {
            let level = line.split_whitespace().next().unwrap();
            let words = ["broken", "connected", "cannot"];
            let word = words.iter().find(|word| line.contains(**word));
            format!("{level} {}", word.unwrap_or(&line))
        });
        gist.collect()
    }
}

impl fmt::Debug for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.lines()).finish()
    }
}

impl Write for Lines {
    fn write(&mut self, octets: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(octets)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
