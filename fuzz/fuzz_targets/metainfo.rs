//! The program of [`opentracker_fuzz::metainfo`].
#![cfg_attr(fuzzing, no_main)]
opentracker_fuzz::program!(metainfo);
