/// How urgent a packet is: a tell gives way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Class {
    /// What clients announced, and what keeps the cluster together.
    Live,
    /// Download counts and peers for an instance that has asked.
    Tell,
}
