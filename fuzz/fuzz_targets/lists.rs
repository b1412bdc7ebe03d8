//! The program of [`opentracker_fuzz::lists`].
#![cfg_attr(fuzzing, no_main)]
opentracker_fuzz::program!(lists);
