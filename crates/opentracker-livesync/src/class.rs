/// How urgent a packet is: a tell gives way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// Announces, beacons and inquiries.
    Live,
    /// A part of a tell.
    Tell,
}
