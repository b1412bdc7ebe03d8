//! The program of [`opentracker_fuzz::livesync_seal`].
#![cfg_attr(fuzzing, no_main)]
opentracker_fuzz::program!(livesync_seal);
