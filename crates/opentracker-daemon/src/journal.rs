//! Log lines for the journal of systemd, which keeps a time and a level of its own: the level comes in
//! front of a line, as `<4>` (sd-daemon(3)), so that `journalctl -p warning` finds it.

use std::env;
use std::fmt;
use std::io;
use std::os::fd::AsFd;

use nix::sys::stat::fstat;
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::fmt::format::{Format, Full, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Tells whether the standard error output leads to the journal: `JOURNAL_STREAM` has its device and
/// inode then. Who sends it elsewhere leaves the variable as it is.
pub(crate) fn is_there() -> bool {
    let stream = env::var("JOURNAL_STREAM").ok();
    let stat = fstat(io::stderr().as_fd());
    stream
        .zip(stat.ok())
        .is_some_and(|(stream, stat)| stream == format!("{}:{}", stat.st_dev, stat.st_ino))
}

/// Puts the level in front of each line of a text.
pub(crate) fn with_level(level: Level, text: &str) -> String {
    let number = match level {
        Level::ERROR => 3,
        Level::WARN => 4,
        Level::INFO => 6,
        _ => 7,
    };
    let lines = text.lines().map(|line| format!("<{number}>{line}\n"));
    lines.collect()
}

/// Formats an event as lines for the journal.
pub(crate) struct JournalLines(Format<Full, ()>);

impl JournalLines {
    pub(crate) fn new() -> Self {
        let format = Format::default().without_time();
        Self(format.with_target(false).with_ansi(false))
    }
}

impl<S, N> FormatEvent<S, N> for JournalLines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut text = String::new();
        self.0
            .format_event(context, Writer::new(&mut text), event)?;
        let level = *event.metadata().level();
        writer.write_str(&with_level(level, text.trim_start()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_has_a_level() {
        assert_eq!(with_level(Level::WARN, "one\ntwo\n"), "<4>one\n<4>two\n");
        assert_eq!(with_level(Level::ERROR, "one"), "<3>one\n");
        assert_eq!(with_level(Level::INFO, "one"), "<6>one\n");
        assert_eq!(with_level(Level::TRACE, "one"), "<7>one\n");
    }
}
