//! The program of [`opentracker_fuzz::proxy_wire`].
#![cfg_attr(fuzzing, no_main)]
opentracker_fuzz::program!(proxy_wire);
