//! Properties of the codec as its users see it.

mod arbitrary;
mod bencode;
mod hostile;
mod round_trip;
