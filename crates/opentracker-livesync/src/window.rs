/// How far behind the greatest number of a sender one may be that is still taken. At 24,000 packets
/// a second that is 2.7 s, more than any two carriers lie apart.
pub const WINDOW: u32 = 1 << 16;

/// The numbers of a sender that were seen, modulo 2³²: the greatest, and which of those before it.
#[derive(Debug)]
pub(crate) struct Window {
    greatest: u32,
    /// A bit for each of the latest [`WINDOW`] numbers, by the number's low bits.
    seen: Box<[u64]>,
}

/// How a number stands to those that were seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standing {
    New,
    Seen,
    /// So far behind that nobody knows.
    Behind,
}

impl Window {
    /// Makes a window of a sender of which a first number was heard.
    pub(crate) fn new(number: u32) -> Self {
        let mut window = Self {
            greatest: number,
            seen: vec![0; (WINDOW / u64::BITS) as usize].into(),
        };
        window.mark(number);
        window
    }

    pub(crate) fn standing(&self, number: u32) -> Standing {
        if self.is_ahead(number) {
            Standing::New
        } else if self.greatest.wrapping_sub(number) >= WINDOW {
            Standing::Behind
        } else if self.is_marked(number) {
            Standing::Seen
        } else {
            Standing::New
        }
    }

    /// Notes a number that is new.
    pub(crate) fn note(&mut self, number: u32) {
        if self.is_ahead(number) {
            let step = number.wrapping_sub(self.greatest);
            if step >= WINDOW {
                self.seen.fill(0);
            } else {
                (1..step).for_each(|ahead| self.unmark(self.greatest.wrapping_add(ahead)));
            }
            self.greatest = number;
        }
        self.mark(number);
    }

    /// Half of all numbers are ahead of another.
    const fn is_ahead(&self, number: u32) -> bool {
        let ahead = number.wrapping_sub(self.greatest);
        0 < ahead && ahead <= u32::MAX / 2
    }

    fn is_marked(&self, number: u32) -> bool {
        let (word, bit) = place(number);
        self.seen[word] & bit != 0
    }

    fn mark(&mut self, number: u32) {
        let (word, bit) = place(number);
        self.seen[word] |= bit;
    }

    fn unmark(&mut self, number: u32) {
        let (word, bit) = place(number);
        self.seen[word] &= !bit;
    }
}

const fn place(number: u32) -> (usize, u64) {
    let number = number % WINDOW;
    ((number / u64::BITS) as usize, 1 << (number % u64::BITS))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    use super::*;

    #[test]
    fn each_number_is_new_once() {
        for start in [0, 7, u32::MAX - 1, u32::MAX / 2] {
            let mut window = Window::new(start);
            assert_eq!(window.standing(start), Standing::Seen);
            for number in [1, 3, 2, WINDOW + 2, WINDOW + 1].map(|n| start.wrapping_add(n)) {
                assert_eq!(window.standing(number), Standing::New, "{start} {number}");
                window.note(number);
                assert_eq!(window.standing(number), Standing::Seen, "{start} {number}");
            }
            assert_eq!(window.standing(start.wrapping_add(2)), Standing::Behind);
            assert_eq!(window.standing(start.wrapping_add(3)), Standing::Seen);
            assert_eq!(window.standing(start.wrapping_add(4)), Standing::New);
        }
    }

    #[test]
    fn it_agrees_with_a_set_of_all_numbers() {
        let mut rng = StdRng::seed_from_u64(1);
        for _ in 0..100 {
            let start: u32 = rng.random();
            // As 64-bit numbers, so that nothing wraps.
            let (mut greatest, mut seen) = (1_u64 << 33, BTreeSet::from([1_u64 << 33]));
            let wire = |number: u64| start.wrapping_add((number & 0xffff_ffff) as u32);
            let mut window = Window::new(wire(greatest));
            for _ in 0..1000 {
                let number = match rng.random_range(0..10) {
                    0 => greatest + rng.random_range(0..200_000),
                    1 => greatest - rng.random_range(0..200_000),
                    2..5 => greatest + rng.random_range(0..100),
                    _ => greatest - rng.random_range(0..100),
                };
                let expected = if number + u64::from(WINDOW) <= greatest {
                    Standing::Behind
                } else if seen.contains(&number) {
                    Standing::Seen
                } else {
                    Standing::New
                };
                assert_eq!(window.standing(wire(number)), expected);
                if expected == Standing::New {
                    window.note(wire(number));
                    seen.insert(number);
                    greatest = greatest.max(number);
                }
            }
        }
    }
}
