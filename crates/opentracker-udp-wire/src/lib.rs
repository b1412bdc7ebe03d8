//! Codec of the BitTorrent UDP tracker protocol (BEP 15, BEP 41).
