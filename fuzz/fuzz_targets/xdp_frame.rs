//! The program of [`opentracker_fuzz::xdp_frame`].
#![cfg_attr(fuzzing, no_main)]
opentracker_fuzz::program!(xdp_frame);
