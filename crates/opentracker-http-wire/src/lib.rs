//! Codec of the BitTorrent HTTP tracker protocol: query string to request, reply to bencode (BEP 3, 7, 23, 24, 31, 48).
