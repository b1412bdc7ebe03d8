use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Returns what the clock on the wall says, since 1970; before that it says 1970.
pub(crate) fn now() -> Duration {
    let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH);
    since_1970.unwrap_or_default()
}
