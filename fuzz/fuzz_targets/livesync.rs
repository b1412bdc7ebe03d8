//! The program of [`opentracker_fuzz::livesync`].
#![cfg_attr(fuzzing, no_main)]
opentracker_fuzz::program!(livesync);
