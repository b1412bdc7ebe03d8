//! The program of [`opentracker_fuzz::peer_sync`].
#![cfg_attr(fuzzing, no_main)]
opentracker_fuzz::program!(peer_sync);
