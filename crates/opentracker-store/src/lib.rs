//! Swarms in memory: announce, scrape, sweep, iterate.
