//! HTTP: threads with a listener of each address, and the connections that they accept.

mod accept;
mod connection;
mod connections;
mod counters;
mod deadline;
mod prefixes;
mod secure;
mod server;
mod shared;
mod socket;
mod thread;
mod unix;
mod websocket;

pub use counters::Counter;
pub use prefixes::{ConnectionLimit, Counted};
pub use secure::TlsCounter;
pub use server::{Config, ListenError, Listeners, Server};
pub use shared::{HandOver, HandedOver};
pub use socket::{AsyncSocket, Socket};
pub use unix::{SocketFile, UnixError, UnixListen, bind as bind_unix};
pub use websocket::{Counter as WebSocketCounter, NodePost};
