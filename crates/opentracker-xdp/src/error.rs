//! Why XDP cannot be used.

use std::fmt;
use std::io;

/// Why an interface cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("cannot use XDP on {interface}: {step}{}", hint(step, cause))]
pub struct OpenError {
    /// The interface.
    pub interface: String,
    /// What failed.
    pub step: Step,
    /// The error of the system.
    #[source]
    pub cause: io::Error,
}

/// A step on the way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Step {
    /// To find the interface.
    Find,
    /// To find a queue of it.
    Queue(u32),
    /// To load the program.
    Load,
    /// To attach it.
    Attach,
    /// To open a socket, with its memory.
    Socket,
    /// To bind it to a queue.
    Bind(u32),
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Find => f.write_str("it is not there"),
            Self::Queue(queue) => write!(f, "it has no queue {queue}"),
            Self::Load => f.write_str("the program cannot be loaded"),
            Self::Attach => f.write_str("the program cannot be attached"),
            Self::Socket => f.write_str("no AF_XDP socket can be opened"),
            Self::Bind(queue) => write!(f, "the socket cannot be bound to queue {queue}"),
        }
    }
}

impl OpenError {
    /// Tells whether another program has the interface, or another socket the queue.
    pub fn is_in_use(&self) -> bool {
        is_in_use(&self.cause)
    }
}

pub(crate) fn is_in_use(cause: &io::Error) -> bool {
    matches!(cause.raw_os_error(), Some(libc::EBUSY | libc::EEXIST))
}

/// What can be done about it.
fn hint(step: &Step, cause: &io::Error) -> &'static str {
    match (step, cause.raw_os_error()) {
        (_, Some(libc::EPERM | libc::EACCES)) => {
            ", which takes the capabilities CAP_NET_ADMIN, CAP_NET_RAW and CAP_BPF, or root, and \
             before Linux 5.11 a higher limit of locked memory"
        }
        (Step::Socket | Step::Bind(_), Some(libc::ENOBUFS | libc::ENOMEM)) => {
            ": raise the limit of locked memory (LimitMEMLOCK=, ulimit -l), or give CAP_IPC_LOCK"
        }
        (Step::Attach | Step::Bind(_), Some(libc::EBUSY | libc::EEXIST)) => {
            ": another program has it"
        }
        (Step::Bind(_), Some(libc::EOPNOTSUPP)) => ": the driver has no zero-copy",
        (Step::Attach, Some(libc::EOPNOTSUPP)) => ": the driver has no native XDP",
        (Step::Load | Step::Attach, Some(libc::EINVAL | libc::ENOSYS)) => {
            ", which takes Linux 5.10 or later"
        }
        (Step::Socket, Some(libc::EAFNOSUPPORT)) => ": this kernel is built without AF_XDP",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_says_what_is_missing() {
        let said = |step, code| {
            let error = OpenError {
                interface: "eth0".to_owned(),
                step,
                cause: io::Error::from_raw_os_error(code),
            };
            error.to_string()
        };
        assert_eq!(
            said(Step::Queue(4), libc::EINVAL),
            "cannot use XDP on eth0: it has no queue 4"
        );
        assert!(said(Step::Load, libc::EPERM).contains("CAP_BPF"));
        assert!(said(Step::Bind(0), libc::ENOBUFS).contains("LimitMEMLOCK"));
        assert!(said(Step::Attach, libc::EBUSY).ends_with(": another program has it"));
    }
}
