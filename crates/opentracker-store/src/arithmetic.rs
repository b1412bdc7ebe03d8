//! Numbers twice as wide as the hashes that are made of them.

/// The low and the high half.
#[expect(clippy::cast_possible_truncation, reason = "takes the two halves")]
pub(crate) const fn halves(number: u64) -> [u32; 2] {
    [number as u32, (number >> 32) as u32]
}

/// The low and the high half.
#[expect(clippy::cast_possible_truncation, reason = "takes the two halves")]
pub(crate) const fn wide_halves(number: u128) -> [u64; 2] {
    [number as u64, (number >> 64) as u64]
}

/// Multiplies, and lets the high half of the product stir the low one.
pub(crate) fn folded_multiply(a: u64, b: u64) -> u64 {
    let [low, high] = wide_halves(u128::from(a) * u128::from(b));
    low ^ high
}

/// The number, or the largest one of 32 bits.
pub(crate) fn saturating_u32(number: impl TryInto<u32>) -> u32 {
    number.try_into().unwrap_or(u32::MAX)
}
