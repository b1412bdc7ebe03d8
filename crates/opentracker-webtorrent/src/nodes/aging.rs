use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// A map that forgets what was not put in or asked for lately: what is older than twice its lifetime,
/// and sooner if there is too much of it.
#[derive(Debug)]
pub(super) struct Aging<K, V> {
    recent: BTreeMap<K, V>,
    former: BTreeMap<K, V>,
    /// When what was recent became what was formerly.
    turned: Instant,
    lifetime: Duration,
    /// The most of each of the two.
    capacity: usize,
}

impl<K: Ord, V> Aging<K, V> {
    pub(super) const fn new(lifetime: Duration, capacity: usize, now: Instant) -> Self {
        Self {
            recent: BTreeMap::new(),
            former: BTreeMap::new(),
            turned: now,
            lifetime,
            capacity,
        }
    }

    pub(super) fn get(&self, key: &K) -> Option<&V> {
        self.recent.get(key).or_else(|| self.former.get(key))
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut V> {
        let recent = self.recent.get_mut(key);
        recent.or_else(|| self.former.get_mut(key))
    }

    /// Returns what is there under a key, which is recent from now on; what `make` makes if there is
    /// nothing.
    pub(super) fn entry(&mut self, key: K, now: Instant, make: impl FnOnce() -> V) -> &mut V {
        let known = self.recent.remove(&key);
        let known = known.or_else(|| self.former.remove(&key));
        let is_full = self.recent.len() >= self.capacity;
        if is_full || now.saturating_duration_since(self.turned) >= self.lifetime {
            self.former = std::mem::take(&mut self.recent);
            self.turned = now;
        }
        let value = known.unwrap_or_else(make);
        self.recent.entry(key).or_insert(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIFETIME: Duration = Duration::from_secs(10);

    #[test]
    fn what_is_used_stays_and_the_rest_is_forgotten() {
        let start = Instant::now();
        let mut map = Aging::new(LIFETIME, 100, start);
        map.entry(1, start, || "one");
        map.entry(2, start, || "two");
        for turn in 1..=5 {
            let now = start + turn * LIFETIME;
            assert_eq!(*map.entry(1, now, || "new"), "one");
        }
        assert_eq!((map.get(&1), map.get(&2)), (Some(&"one"), None));
    }

    #[test]
    fn there_is_never_too_much() {
        let now = Instant::now();
        let mut map = Aging::new(LIFETIME, 10, now);
        for key in 0..1000 {
            map.entry(key, now, || ());
            assert!(map.recent.len() <= 10 && map.former.len() <= 10);
        }
        let kept = (0..1000).filter(|key| map.get(key).is_some());
        assert!(kept.min() > Some(979));
    }
}
