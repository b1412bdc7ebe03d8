//! UDP front end: sockets, worker threads, batched system calls.
