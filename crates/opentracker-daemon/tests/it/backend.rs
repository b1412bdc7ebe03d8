//! What receives datagrams in these tests: sockets, as by default.

use crate::program::Setup;

pub(crate) fn choose(_setup: &mut Setup) {}
