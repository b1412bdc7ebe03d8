//! The program of [`opentracker_fuzz::websocket`].
#![cfg_attr(fuzzing, no_main)]
opentracker_fuzz::program!(websocket);
