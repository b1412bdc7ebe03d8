//! The tracker's rules: one announce and one scrape for every front end.
