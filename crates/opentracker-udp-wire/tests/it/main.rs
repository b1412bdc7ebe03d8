//! Properties of the codec as its users see it.

mod arbitrary;
mod hostile;
mod round_trip;
