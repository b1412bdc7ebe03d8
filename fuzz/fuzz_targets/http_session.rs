//! The program of [`opentracker_fuzz::http_session`].
#![cfg_attr(fuzzing, no_main)]
opentracker_fuzz::program!(http_session);
