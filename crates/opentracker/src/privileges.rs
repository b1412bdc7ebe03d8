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
/// others.
///
/// A process that is not root only enters the folder and stays who it is, as the C program does;
/// where that is not who it should be, the log says so.
pub(crate) fn drop(process: &Process) -> Result<(), PrivilegeError> {
    let is_root = Uid::effective().is_root();
    // The user is looked up while /etc/passwd can be seen.
    let user = match process.user.as_str() {
        "" => None,
        user if is_root => Some(look_up(user)?),
        user => {
            note_other_user(user);
            None
        }
    };
    if !process.chroot.as_os_str().is_empty() {
        confine(&process.chroot, is_root)?;
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

/// Finds a user by name, or by number for one that has no name. A number needs no `/etc/passwd`.
pub(crate) fn look_up(user: &str) -> Result<(Uid, Gid), PrivilegeError> {
    let found = match User::from_name(user) {
        Ok(Some(found)) => return Ok((found.uid, found.gid)),
        Ok(None) => Ok(()),
        Err(cause) => Err(cause),
    };
    if let Ok(number) = user.parse() {
        let uid = Uid::from_raw(number);
        // Whose number it is matters only for the group.
        let named = User::from_uid(uid).ok().flatten();
        let gid = named.map_or(Gid::from_raw(number), |named| named.gid);
        return Ok((uid, gid));
    }
    found.map_err(|cause| PrivilegeError::Refused {
        step: format!("look up the user {user}"),
        cause: cause.into(),
    })?;
    Err(PrivilegeError::NoSuchUser {
        user: user.to_owned(),
    })
}

/// Says that only root can become another user.
fn note_other_user(user: &str) {
    let uid = Uid::effective();
    if !matches!(look_up(user), Ok((wanted, _)) if wanted == uid) {
        tracing::warn!("not started as root: process.user {user:?} is left aside, and {uid} stays");
    }
}

fn confine(folder: &Path, is_root: bool) -> Result<(), PrivilegeError> {
    let name = folder.display();
    if is_root {
        step(chroot(folder), || format!("make {name} the root folder"))?;
        step(chdir("/"), || format!("enter {name}"))
    } else {
        step(chdir(folder), || format!("enter {name}"))
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
