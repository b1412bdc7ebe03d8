//! How many connections each prefix has open, over all threads.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use opentracker_core::Networks;
use opentracker_types::Prefix;

/// Locks; threads that accept at the same time seldom meet.
const SHARDS: usize = 64;

/// How many connections a prefix may have open: an extension of the
/// [rules](opentracker_core::Rules), by default any number.
///
/// Connections of trusted proxies and Unix sockets are not counted: who is behind them shows later.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConnectionLimit {
    /// Connections; `None`: any number.
    pub per_prefix: Option<u32>,
    /// Networks whose connections are not counted.
    pub exempt: Networks,
}

/// The open connections of all threads.
#[derive(Debug)]
pub(super) struct Prefixes {
    shards: [Mutex<HashMap<Prefix, u32>>; SHARDS],
}

/// A connection that counts, until it is dropped.
#[derive(Debug)]
pub struct Counted {
    prefixes: Arc<Prefixes>,
    prefix: Prefix,
}

impl Prefixes {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self {
            shards: std::array::from_fn(|_| Mutex::default()),
        })
    }

    /// Counts a connection, unless its prefix has as many as it may have.
    pub(super) fn open(self: &Arc<Self>, ip: IpAddr, most: u32) -> Option<Counted> {
        let prefix = Prefix::of(ip);
        let mut shard = self.shard(prefix);
        let count = shard.entry(prefix).or_default();
        if *count >= most {
            return None;
        }
        *count += 1;
        Some(Counted {
            prefixes: Arc::clone(self),
            prefix,
        })
    }

    fn shard(&self, prefix: Prefix) -> MutexGuard<'_, HashMap<Prefix, u32>> {
        // The last octets of IPv4 addresses, and of IPv6 networks, differ most.
        let index = prefix.number() % SHARDS as u64;
        let shard = &self.shards[usize::try_from(index).expect("less than their number")];
        shard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        if let Entry::Occupied(mut count) = self.prefixes.shard(self.prefix).entry(self.prefix) {
            *count.get_mut() -= 1;
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_closes_one_may_open_another() {
        let prefixes = Prefixes::new();
        let open = |ip: &str| prefixes.open(ip.parse().unwrap(), 2);
        let first = open("192.0.2.1").unwrap();
        let _second = open("::ffff:192.0.2.1").unwrap();
        assert!(open("192.0.2.1").is_none());
        let _neighbour = open("192.0.2.65").unwrap();
        drop(first);
        let _third = open("192.0.2.1").unwrap();
        assert!(open("192.0.2.1").is_none());
        let _v6 = [
            open("2001:db8::1").unwrap(),
            open("2001:db8:0:ff::1").unwrap(),
        ];
        assert!(open("2001:db8::2").is_none(), "one /56");
    }

    #[test]
    fn nothing_is_left_of_who_is_gone() {
        let prefixes = Prefixes::new();
        let open = |number: u32| prefixes.open(IpAddr::V4(number.into()), 1);
        let connections: Vec<_> = (0..1000).map(|number| open(number).unwrap()).collect();
        drop(connections);
        let is_empty = |shard: &Mutex<HashMap<_, _>>| shard.lock().unwrap().is_empty();
        assert!(prefixes.shards.iter().all(is_empty));
    }
}
