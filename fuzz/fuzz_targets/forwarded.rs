//! The program of [`opentracker_fuzz::forwarded`].
#![cfg_attr(fuzzing, no_main)]
opentracker_fuzz::program!(forwarded);
