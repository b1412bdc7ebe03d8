//! HTTP front end: announce, scrape, statistics, metrics.
