use std::collections::VecDeque;

use crate::Class;

/// Packets that wait to go out. When it is full, the oldest is dropped.
///
/// A tell has at most half of the room, and pushes nothing out: a packet of it that finds no room is
/// dropped itself. Packets leave in the order in which they came, so that their numbers do.
#[derive(Debug)]
pub struct Queue<T> {
    packets: VecDeque<(T, Class)>,
    capacity: usize,
    tells: usize,
    dropped: u64,
    dropped_tells: u64,
}

impl<T> Queue<T> {
    /// Makes a queue for so many packets. With no room at all, every packet is dropped.
    pub const fn new(capacity: usize) -> Self {
        Self {
            packets: VecDeque::new(),
            capacity,
            tells: 0,
            dropped: 0,
            dropped_tells: 0,
        }
    }

    /// Takes a packet in, and drops one if there is no room: it or the oldest.
    pub fn push(&mut self, packet: T, class: Class) {
        let is_full = self.packets.len() >= self.capacity;
        match class {
            Class::Tell if is_full || self.tells >= self.capacity / 2 => {
                self.dropped_tells += 1;
                return;
            }
            Class::Tell => self.tells += 1,
            Class::Live if is_full => {
                let oldest = self.pop();
                self.count_dropped(oldest.map_or(class, |(_, class)| class));
                if self.capacity == 0 {
                    return;
                }
            }
            Class::Live => {}
        }
        self.packets.push_back((packet, class));
    }

    /// Takes the oldest packet out.
    pub fn pop(&mut self) -> Option<(T, Class)> {
        let oldest = self.packets.pop_front();
        if let Some((_, Class::Tell)) = oldest {
            self.tells -= 1;
        }
        oldest
    }

    /// Drops all that waits.
    pub fn clear(&mut self) {
        while let Some((_, class)) = self.pop() {
            self.count_dropped(class);
        }
    }

    /// Returns how many packets wait.
    pub fn len(&self) -> usize {
        self.packets.len()
    }

    /// Tells whether no packet waits.
    pub fn is_empty(&self) -> bool {
        self.packets.is_empty()
    }

    /// Returns how many live packets were dropped so far.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// Returns how many packets of tells were dropped so far.
    pub const fn dropped_tells(&self) -> u64 {
        self.dropped_tells
    }

    fn count_dropped(&mut self, class: Class) {
        match class {
            Class::Live => self.dropped += 1,
            Class::Tell => self.dropped_tells += 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn left(queue: &mut Queue<u32>) -> Vec<u32> {
        std::iter::from_fn(|| queue.pop().map(|(packet, _)| packet)).collect()
    }

    #[test]
    fn the_oldest_of_a_full_queue_is_dropped() {
        let mut queue = Queue::new(3);
        for packet in 0..5 {
            queue.push(packet, Class::Live);
        }
        assert_eq!((queue.len(), queue.dropped()), (3, 2));
        assert_eq!(left(&mut queue), [2, 3, 4]);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_tell_has_half_of_it_and_pushes_nothing_out() {
        let mut queue = Queue::new(4);
        for packet in 0..3 {
            queue.push(packet, Class::Tell);
        }
        assert_eq!((queue.len(), queue.dropped_tells()), (2, 1));
        for packet in 3..7 {
            queue.push(packet, Class::Live);
        }
        // Both told packets were the oldest. There would be room for two, but nothing free.
        assert_eq!((queue.dropped(), queue.dropped_tells()), (0, 3));
        queue.push(7, Class::Tell);
        assert_eq!((queue.dropped(), queue.dropped_tells()), (0, 4));
        assert_eq!(left(&mut queue), [3, 4, 5, 6]);
    }

    #[test]
    fn what_is_cleared_is_counted_and_leaves_room_for_a_tell() {
        let mut queue = Queue::new(4);
        for class in [Class::Tell, Class::Live, Class::Tell] {
            queue.push(0, class);
        }
        queue.clear();
        assert_eq!((queue.dropped(), queue.dropped_tells()), (1, 2));
        queue.push(1, Class::Tell);
        queue.push(2, Class::Tell);
        assert_eq!(left(&mut queue), [1, 2]);
    }

    #[test]
    fn a_queue_without_room_drops_everything() {
        let mut queue = Queue::new(0);
        queue.push(0, Class::Live);
        queue.push(1, Class::Tell);
        assert_eq!((queue.dropped(), queue.dropped_tells()), (1, 1));
        assert_eq!(queue.pop(), None);
    }

    proptest! {
        #[test]
        fn every_packet_leaves_in_order_or_is_counted(
            capacity in 0_usize..9,
            pushed in prop::collection::vec((any::<bool>(), any::<bool>()), 0..99),
        ) {
            let mut queue = Queue::new(capacity);
            let mut popped = Vec::new();
            for (packet, &(is_tell, is_taken)) in (0_u32..).zip(&pushed) {
                queue.push(packet, if is_tell { Class::Tell } else { Class::Live });
                if is_taken {
                    popped.extend(queue.pop().map(|(packet, _)| packet));
                }
                let waiting = queue.packets.iter();
                let tells = waiting.filter(|(_, class)| *class == Class::Tell).count();
                prop_assert_eq!(tells, queue.tells);
                prop_assert!(tells <= capacity / 2 && queue.len() <= capacity);
            }
            popped.extend(left(&mut queue));
            prop_assert!(popped.is_sorted());
            let dropped = queue.dropped() + queue.dropped_tells();
            prop_assert_eq!(popped.len() as u64 + dropped, pushed.len() as u64);
        }
    }
}
