//! What the process gives up once its sockets are open.

use std::io;
use std::path::Path;

use nix::unistd::{Gid, Uid, User, chdir, chroot, setgid, setgroups, setuid};

use crate::config::Process;

/// Why the process could not become what it shall be.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PrivilegeError {
    /// There is no such user.
    #[error("process.user: there is no user {user:?}")]
    NoSuchUser {
        /// The name in the configuration.
        user: String,
    },
    /// The system refused a step.
    #[error("process: cannot {step}")]
    Refused {
        /// What was tried.
        step: String,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
}

/// Changes the root folder and then the user, whose supplementary groups are dropped with the
/// others. A process without the right to change its root folder only enters it, as the C program
/// does.
pub(crate) fn drop(process: &Process) -> Result<(), PrivilegeError> {
    // The user is looked up while /etc/passwd can be seen.
    let user = (!process.user.is_empty())
        .then(|| look_up(&process.user))
        .transpose()?;
    if !process.chroot.as_os_str().is_empty() {
        confine(&process.chroot)?;
    }
    if let Some((uid, gid)) = user {
        let name = &process.user;
        step(setgroups(&[gid]), || {
            format!("drop the supplementary groups for {name}")
        })?;
        step(setgid(gid), || format!("take the group of {name}"))?;
        step(setuid(uid), || format!("become {name}"))?;
        if !uid.is_root() && setuid(Uid::from_raw(0)).is_ok() {
            return Err(PrivilegeError::Refused {
                step: format!("become {name} for good"),
                cause: io::Error::other("the way back to root is open"),
            });
        }
    }
    Ok(())
}

fn confine(folder: &Path) -> Result<(), PrivilegeError> {
    let name = folder.display();
    if Uid::effective().is_root() {
        step(chroot(folder), || format!("make {name} the root folder"))?;
        step(chdir("/"), || format!("enter {name}"))
    } else {
        step(chdir(folder), || format!("enter {name}"))
    }
}

/// Finds a user by name, or by number for one that has no name.
fn look_up(user: &str) -> Result<(Uid, Gid), PrivilegeError> {
    let found = User::from_name(user).map_err(|cause| PrivilegeError::Refused {
        step: format!("look up the user {user}"),
        cause: cause.into(),
    })?;
    match (found, user.parse()) {
        (Some(found), _) => Ok((found.uid, found.gid)),
        (None, Ok(number)) => Ok((Uid::from_raw(number), Gid::from_raw(number))),
        (None, Err(_)) => Err(PrivilegeError::NoSuchUser {
            user: user.to_owned(),
        }),
    }
}

fn step(result: nix::Result<()>, what: impl FnOnce() -> String) -> Result<(), PrivilegeError> {
    result.map_err(|cause| PrivilegeError::Refused {
        step: what(),
        cause: cause.into(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn users_have_names_or_numbers() {
        assert_eq!(look_up("root").unwrap().0, Uid::from_raw(0));
        let number = (Uid::from_raw(4_000_000), Gid::from_raw(4_000_000));
        assert_eq!(look_up("4000000").unwrap(), number);
        let error = look_up("nobody-has-this-name").unwrap_err();
        assert_eq!(
            error.to_string(),
            "process.user: there is no user \"nobody-has-this-name\""
        );
    }

    #[test]
    fn nothing_asked_nothing_done() {
        drop(&Process::default()).unwrap();
    }
}
