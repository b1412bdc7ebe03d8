//! The program of [`opentracker_fuzz::scrape_sync`].
#![cfg_attr(fuzzing, no_main)]
opentracker_fuzz::program!(scrape_sync);
