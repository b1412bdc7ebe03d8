//! The program of [`opentracker_fuzz::config`].
#![cfg_attr(fuzzing, no_main)]
opentracker_fuzz::program!(config);
