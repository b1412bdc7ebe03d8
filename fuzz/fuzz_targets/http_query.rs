//! The program of [`opentracker_fuzz::http_query`].
#![cfg_attr(fuzzing, no_main)]
opentracker_fuzz::program!(http_query);
