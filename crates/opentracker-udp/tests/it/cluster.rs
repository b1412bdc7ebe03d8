//! Connection ids of a cluster: those of one node at another.

use std::iter;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use opentracker_core::{Rules, Tracker, Worker};
use opentracker_udp::{ConnectionKeys, Connections, Handler};
use proptest::prelude::*;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::{MAGIC, MAX_PAYLOAD, announce, source};

const SECOND: Duration = Duration::from_secs(1);
const LIFETIME: Duration = Duration::from_secs(240);
const SLOT: Duration = Duration::from_secs(270);
const UNIX_TIME: Duration = Duration::from_secs(1_764_080_000);

const OLD: [u8; 16] = [1; 16];
const NEW: [u8; 16] = [2; 16];

/// A node that has run since `UNIX_TIME` as its own clock says.
struct Node {
    start: Instant,
    connections: Arc<Connections>,
    handler: Handler,
}

impl Node {
    fn start(keys: &[[u8; 16]], clock: Duration, lifetime: Duration) -> Self {
        let start = Instant::now();
        let connections = Connections::new([7; 16], start, lifetime).shared(connection_keys(keys));
        connections.set_clock(start, clock);
        Self::of(start, connections)
    }

    fn without_secret() -> Self {
        let start = Instant::now();
        Self::of(start, Connections::new([7; 16], start, LIFETIME))
    }

    fn of(start: Instant, connections: Connections) -> Self {
        let connections = Arc::new(connections);
        let mut rng = StdRng::seed_from_u64(1);
        let tracker = Arc::new(Tracker::new(Rules::default(), start, &mut rng));
        let worker = Worker::new(tracker, 1, None);
        let seen = Arc::clone(&connections);
        Self {
            start,
            connections,
            handler: Handler::new(worker, seen, MAX_PAYLOAD, &"udp".into()),
        }
    }

    fn set_keys(&self, keys: &[[u8; 16]]) {
        self.connections.set_keys(connection_keys(keys));
    }

    /// Issues an id to a client so long after the start.
    fn issue(&mut self, client: SocketAddr, after: Duration) -> [u8; 8] {
        let mut request = MAGIC.to_vec();
        request.extend([0, 0, 0, 0, 1, 2, 3, 4]);
        let mut reply = [0; 16];
        let now = self.start + after;
        let octets = self.handler.handle(&request, client, now, &mut reply);
        assert_eq!(octets, Some(16));
        reply[8..].try_into().unwrap()
    }

    /// Tells whether an announce with an id is served.
    fn serves(&mut self, id: [u8; 8], client: SocketAddr, after: Duration) -> bool {
        let mut reply = [0; 2048];
        let now = self.start + after;
        let request = announce(id, 6881);
        let octets = self.handler.handle(&request, client, now, &mut reply);
        octets.is_some() && reply[3] == 1
    }
}

fn connection_keys(keys: &[[u8; 16]]) -> ConnectionKeys {
    ConnectionKeys::new(keys[0], keys[1..].iter().copied())
}

fn clients() -> [SocketAddr; 2] {
    ["192.0.2.1:5000", "[2001:db8::1]:5000"].map(source)
}

#[test]
fn an_id_is_good_at_a_sibling_30_s_behind_and_30_s_ahead() {
    let mut here = Node::start(&[OLD], UNIX_TIME, LIFETIME);
    let mut behind = Node::start(&[OLD], UNIX_TIME - 30 * SECOND, LIFETIME);
    let mut ahead = Node::start(&[OLD], UNIX_TIME + 30 * SECOND, LIFETIME);
    for client in clients() {
        for second in 0..=2 * SLOT.as_secs() {
            let issued = Duration::from_secs(second);
            let id = here.issue(client, issued);
            for later in [issued, issued + LIFETIME] {
                assert!(behind.serves(id, client, later), "{issued:?} {later:?}");
                assert!(ahead.serves(id, client, later), "{issued:?} {later:?}");
            }
            // The clock that is behind has come to the second slot after.
            let too_late = issued + 2 * SLOT + 31 * SECOND;
            assert!(!behind.serves(id, client, too_late), "{issued:?}");
        }
    }
}

#[test]
fn a_restart_refuses_nobody() {
    let mut before = Node::start(&[OLD], UNIX_TIME, LIFETIME);
    for client in clients() {
        let id = before.issue(client, 100 * SECOND);
        let mut after = Node::start(&[OLD], UNIX_TIME + 130 * SECOND, LIFETIME);
        assert!(after.serves(id, client, 200 * SECOND));
    }
}

#[test]
fn an_id_from_before_the_secret_is_refused() {
    let mut before = Node::without_secret();
    let mut after = Node::start(&[OLD], UNIX_TIME, LIFETIME);
    for client in clients() {
        let id = before.issue(client, Duration::ZERO);
        assert!(before.serves(id, client, Duration::ZERO));
        assert!(!after.serves(id, client, Duration::ZERO));
    }
}

#[test]
fn no_step_of_a_rotation_refuses_anybody_half_done() {
    let files: [&[[u8; 16]]; 4] = [&[OLD], &[OLD, NEW], &[NEW, OLD], &[NEW]];
    let nodes = || iter::repeat_with(|| Node::start(files[0], UNIX_TIME, LIFETIME)).take(3);
    for client in clients() {
        let mut nodes: Vec<_> = nodes().collect();
        let mut now = Duration::ZERO;
        for keys in &files[1..] {
            // What was issued with the old key has to run out before it goes.
            now += 2 * SLOT;
            for changed in 0..nodes.len() {
                let ids: Vec<_> = nodes
                    .iter_mut()
                    .map(|node| node.issue(client, now))
                    .collect();
                nodes[changed].set_keys(keys);
                for later in [now, now + LIFETIME] {
                    for node in &mut nodes {
                        for &id in &ids {
                            assert!(node.serves(id, client, later), "{changed} {later:?}");
                        }
                    }
                }
                now += SECOND;
            }
        }
        let id = Node::start(files[0], UNIX_TIME, LIFETIME).issue(client, now);
        assert!(!nodes[0].serves(id, client, now), "the old key is gone");
    }
}

#[test]
fn a_clock_that_is_set_right_counts_at_once() {
    let client = clients()[0];
    let mut here = Node::start(&[OLD], UNIX_TIME, LIFETIME);
    let mut wrong = Node::start(&[OLD], Duration::ZERO, LIFETIME);
    let (at, later) = (100 * SECOND, 101 * SECOND);
    let id = here.issue(client, at);
    assert!(!wrong.serves(id, client, at));
    wrong
        .connections
        .set_clock(wrong.start + at, UNIX_TIME + at);
    assert!(wrong.serves(id, client, later));
}

proptest! {
    #[test]
    fn an_id_is_good_for_its_lifetime_wherever_clocks_agree_within_30_s(
        clock_ms in 0..4_000_000_000_000_u64,
        behind_ms in 0..=60_000_u64,
        lifetime_secs in 1..4000_u64,
        part_of_lifetime in 0.0..=1.0_f64,
        is_v4: bool,
    ) {
        let lifetime = Duration::from_secs(lifetime_secs);
        let clock = Duration::from_millis(clock_ms + 30_000);
        let other = Duration::from_millis(clock_ms + behind_ms);
        let client = clients()[usize::from(is_v4)];
        let mut issuer = Node::start(&[OLD], clock, lifetime);
        let mut sibling = Node::start(&[OLD], other, lifetime);
        let id = issuer.issue(client, SECOND);
        let later = SECOND + lifetime.mul_f64(part_of_lifetime);
        prop_assert!(sibling.serves(id, client, later));
        prop_assert!(issuer.serves(id, client, later));
    }
}
