//! A BitTorrent tracker as a library: configuration, start, live sync, reload, shutdown.
