//! Datagrams to and from a multicast group; knows no packet format.
