use std::io;

/// Does what waits with a time limit, again if it was interrupted: where the whole machine is stopped
/// for a moment, waiting ends with an error although nobody has sent a signal (signal(7)). The
/// limit counts from the last beginning.
///
/// # Errors
///
/// Those of `wait`, but for an interruption.
pub fn uninterrupted<T>(mut wait: impl FnMut() -> io::Result<T>) -> io::Result<T> {
    loop {
        match wait() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            ended => return ended,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interruption_is_no_end() {
        let mut endings = [
            Ok(7),
            Err(io::ErrorKind::Interrupted),
            Err(io::ErrorKind::Interrupted),
        ]
        .to_vec();
        let ended = uninterrupted(|| Ok(endings.pop().unwrap()?));
        assert_eq!((ended.unwrap(), endings.len()), (7, 0));
        let refused = uninterrupted(|| Err::<(), _>(io::ErrorKind::WouldBlock.into()));
        assert_eq!(refused.unwrap_err().kind(), io::ErrorKind::WouldBlock);
    }
}
