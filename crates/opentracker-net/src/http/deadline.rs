//! Waiting until a time that moves on with what happens.

use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::time::Sleep;

/// Returns the present once a deadline has passed. A deadline mostly moves away, and the timer follows
/// only when it has rung.
pub(super) fn poll_deadline(
    deadline: Instant,
    cx: &mut Context<'_>,
    mut timer: Pin<&mut Sleep>,
) -> Poll<Instant> {
    if deadline < timer.deadline().into_std() {
        timer.as_mut().reset(deadline.into());
    }
    loop {
        ready!(timer.as_mut().poll(cx));
        let now = Instant::now();
        if now >= deadline {
            return Poll::Ready(now);
        }
        timer.as_mut().reset(deadline.into());
    }
}
