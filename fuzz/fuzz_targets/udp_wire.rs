//! The program of [`opentracker_fuzz::udp_wire`].
#![cfg_attr(fuzzing, no_main)]
opentracker_fuzz::program!(udp_wire);
