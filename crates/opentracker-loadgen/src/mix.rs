//! What is asked for next.

use anyhow::{Context, Result};
use opentracker_types::Event;
use rand::distr::Distribution;
use rand::distr::weighted::WeightedIndex;
use rand::{Rng, RngExt};

use crate::args::MixArgs;
use crate::tally::Kind;

/// Requests in proportion.
#[derive(Debug, Clone)]
pub(crate) struct Mix {
    kinds: WeightedIndex<u32>,
    stopped: f64,
}

/// What [`Mix::kinds`] counts.
const KINDS: [Kind; 3] = [Kind::Announce, Kind::Scrape, Kind::Connect];

impl Mix {
    /// Takes the proportions of the command line, without its connects if the protocol has none.
    ///
    /// # Errors
    ///
    /// All proportions are 0.
    pub(crate) fn new(args: &MixArgs, has_connects: bool) -> Result<Self> {
        let connect = if has_connects { args.connect } else { 0 };
        let kinds = WeightedIndex::new([args.announce, args.scrape, connect])
            .context("announces and all other requests are in proportion 0")?;
        let stopped = args.stopped;
        Ok(Self { kinds, stopped })
    }

    /// Draws a request, and what it reports if it is an announce.
    pub(crate) fn draw(&self, random: &mut impl Rng) -> (Kind, Event) {
        let kind = KINDS[self.kinds.sample(random)];
        let event = if self.stopped > 0.0 && random.random_bool(self.stopped) {
            Event::Stopped
        } else {
            Event::None
        };
        (kind, event)
    }
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng;
    use rand::rngs::SmallRng;

    use super::*;

    fn args(announce: u32, connect: u32, scrape: u32) -> MixArgs {
        MixArgs {
            announce,
            connect,
            scrape,
            scrape_hashes: 3,
            numwant: 30,
            stopped: 0.1,
        }
    }

    #[test]
    fn requests_come_in_proportion() {
        let mix = Mix::new(&args(94, 1, 5), true).unwrap();
        let mut random = SmallRng::seed_from_u64(1);
        let drawn: Vec<(Kind, Event)> = (0..10_000).map(|_| mix.draw(&mut random)).collect();
        let count = |is: fn(&(Kind, Event)) -> bool| drawn.iter().filter(|pair| is(pair)).count();
        let connects = count(|(kind, _)| *kind == Kind::Connect);
        assert!((50..200).contains(&connects), "{connects}");
        let scrapes = count(|(kind, _)| *kind == Kind::Scrape);
        assert!((400..600).contains(&scrapes), "{scrapes}");
        let stopped = count(|(_, event)| *event == Event::Stopped);
        assert!((900..1_100).contains(&stopped), "{stopped}");
    }

    #[test]
    fn what_a_protocol_has_not_is_left_out() {
        assert!(Mix::new(&args(0, 0, 0), true).is_err());
        assert!(Mix::new(&args(0, 1, 0), false).is_err());
        let mix = Mix::new(&args(0, 1, 1), false).unwrap();
        let mut random = SmallRng::seed_from_u64(1);
        assert!((0..99).all(|_| mix.draw(&mut random).0 == Kind::Scrape));
    }
}
