//! The program of [`opentracker_fuzz::snapshot`].
#![cfg_attr(fuzzing, no_main)]
opentracker_fuzz::program!(snapshot);
