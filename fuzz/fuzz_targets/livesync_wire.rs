//! The program of [`opentracker_fuzz::livesync_wire`].
#![cfg_attr(fuzzing, no_main)]
opentracker_fuzz::program!(livesync_wire);
