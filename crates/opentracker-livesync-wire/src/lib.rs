//! Codec of the live-sync cluster protocol: SYNC_LIVE, BEACON, INQUIRE, SCRAPE_TELL.
