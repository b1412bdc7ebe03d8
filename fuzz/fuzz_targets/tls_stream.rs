//! The program of [`opentracker_fuzz::tls_stream`].
#![cfg_attr(fuzzing, no_main)]
opentracker_fuzz::program!(tls_stream);
