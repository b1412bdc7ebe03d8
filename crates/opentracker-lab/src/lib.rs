//! Test hosts in network namespaces, with real BitTorrent clients.
