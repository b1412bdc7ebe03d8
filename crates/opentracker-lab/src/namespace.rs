use std::fs::File;
use std::io::Write as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Where iproute2 keeps a handle of every named namespace.
pub(crate) const HANDLES: &str = "/run/netns";

/// Where iproute2 looks for files that stand in for those of `/etc` in a namespace.
const FILES: &str = "/etc/netns";

/// A named network namespace. The [`Janitor`](crate::janitor::Janitor) of its lab deletes it.
#[derive(Debug, Clone)]
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// Makes the namespace, with its loopback interface up.
    pub(crate) fn create(name: String) -> Self {
        run(Command::new("ip").args(["netns", "add", &name]), "");
        let namespace = Self { name };
        namespace.ip("link set dev lo up");
        namespace
    }

    /// Returns the name that `ip` knows it by.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Runs lines of `ip` commands (without the word `ip`) in the namespace; a failing one panics.
    pub(crate) fn ip(&self, lines: &str) {
        run(
            Command::new("ip").args(["-n", &self.name, "-batch", "-"]),
            lines,
        );
    }

    /// Returns what `ip` knows of an interface, on one line.
    pub(crate) fn link(&self, interface: &str) -> String {
        let show = ["-details", "-oneline", "link", "show", "dev", interface];
        run(Command::new("ip").args(["-n", &self.name]).args(show), "")
    }

    /// Runs an nftables script in the namespace and returns what it prints.
    pub(crate) fn nft(&self, script: &str) -> String {
        run(self.command("nft").args(["-f", "-"]), script)
    }

    /// Prepares a program to run in the namespace. It replaces the process that the command
    /// spawns, so that process's id is the program's own.
    pub(crate) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &self.name, program]);
        command
    }

    /// Opens the handle that `setns` takes.
    pub(crate) fn open(&self) -> File {
        let path = PathBuf::from(HANDLES).join(&self.name);
        File::open(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// Says where a file lies that programs in this namespace see as `/etc/<file>`, and makes the
    /// folder for it.
    pub(crate) fn etc(&self, file: &str) -> PathBuf {
        let folder = PathBuf::from(FILES).join(&self.name);
        std::fs::create_dir_all(&folder)
            .unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
        folder.join(file)
    }
}

/// Runs a command to its end with `input` on its standard input, and returns what it printed.
///
/// # Panics
///
/// Panics with the command and what it said if it cannot be run or fails.
#[track_caller]
pub(crate) fn run(command: &mut Command, input: &str) -> String {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("cannot run {command:?}: {error}"));
    let mut stdin = child.stdin.take().expect("it is piped, see above");
    // A program that stops early closes the pipe; its exit code tells more than that error.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child
        .wait_with_output()
        .unwrap_or_else(|error| panic!("cannot wait for {command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?} failed ({})\n{input}{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn input_goes_in_and_output_comes_out() {
        assert_eq!(run(&mut Command::new("cat"), "one\ntwo\n"), "one\ntwo\n");
    }

    #[test]
    #[should_panic(expected = "no such luck")]
    fn a_failing_command_panics_with_what_it_said() {
        run(
            Command::new("sh").args(["-c", "echo no such luck >&2; exit 3"]),
            "",
        );
    }
}
