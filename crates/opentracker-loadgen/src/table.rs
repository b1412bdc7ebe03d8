//! A report as a table for people.

use std::fmt;

use crate::report::{Filled, Livesync, Loadgen, Report, Server};
use crate::text::{grouped, ratio};

/// From this share of busy time on, the figures say more about this program than about the tracker.
const SATURATED: f64 = 0.97;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "target     {} {}", self.command, self.target)?;
        writeln!(f, "measured   {:.2} s", self.measured_secs)?;
        self.requests(f)?;
        if let Some(livesync) = &self.livesync {
            livesync.fmt(f)?;
        }
        self.failures(f)?;
        if let Some(connections) = &self.connections {
            let (opened, broken) = (grouped(connections.opened), grouped(connections.broken));
            writeln!(f, "tcp        {opened:>13} opened, {broken} broken")?;
        }
        if self.is_answered() {
            let (peers, octets) = (self.peers_per_announce, self.octets_per_answer);
            writeln!(
                f,
                "answers    {peers:.1} peers an announce, {octets:.1} octets"
            )?;
        }
        if !self.latency_micros.is_empty() {
            write!(f, "latency µs ")?;
            for (name, value) in &self.latency_micros {
                write!(f, " {} {value:.0}", name.replace('_', "."))?;
            }
            writeln!(f)?;
        }
        if let Some(server) = &self.server {
            server.show(f, self.is_answered())?;
        }
        if let Some(filled) = &self.filled {
            filled.fmt(f)?;
        }
        self.loadgen.show(f, self.is_answered())
    }
}

impl Report {
    fn requests(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sent, answered) = (&self.counts.sent, &self.counts.answered);
        for (name, sent, answered) in [
            ("connect", sent.connect, answered.connect),
            ("announce", sent.announce, answered.announce),
            ("scrape", sent.scrape, answered.scrape),
        ] {
            if sent + answered > 0 {
                let rate = rounded(ratio(answered as f64, self.measured_secs));
                let (sent, answered) = (grouped(sent), grouped(answered));
                writeln!(
                    f,
                    "{name:<10} {sent:>13} sent {answered:>13} answered {rate:>11} /s"
                )?;
            }
        }
        Ok(())
    }

    fn failures(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = &self.counts;
        for (text, count) in &counts.errors {
            writeln!(f, "refused    {:>13} {text:?}", grouped(*count))?;
        }
        let sent = counts.sent.total();
        for (name, count) in [
            ("lost", counts.lost),
            ("stray", counts.stray),
            ("malformed", counts.malformed),
            ("unsent", counts.unsent),
            ("resent", counts.resent),
        ] {
            if count > 0 || (name == "lost" && sent > 0) {
                let share = 100.0 * ratio(count as f64, sent as f64);
                writeln!(
                    f,
                    "{name:<10} {:>13} ({share:.3} % of sent)",
                    grouped(count)
                )?;
            }
        }
        Ok(())
    }
}

impl fmt::Display for Livesync {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (packets, records) = (grouped(self.packets), grouped(self.records));
        let rate = rounded(self.records_per_sec);
        write!(
            f,
            "livesync   {packets:>13} packets {records:>10} records {rate:>11} /s"
        )?;
        if let Some(micros) = self.cpu_micros_per_record {
            write!(f, ", {micros:.3} µs of the server a record")?;
        }
        writeln!(f)
    }
}

impl Server {
    fn show(&self, f: &mut fmt::Formatter<'_>, is_answered: bool) -> fmt::Result {
        write!(
            f,
            "server     {:.1} % of a processor",
            100.0 * self.cpu_share
        )?;
        if is_answered {
            write!(f, ", {:.2} µs an answer", self.cpu_micros_per_answer)?;
        }
        let octets = [
            self.resident_octets,
            self.resident_octets_before,
            self.peak_octets,
        ];
        let [now, before, peak] = octets.map(|octets| octets as f64 / 1e6);
        writeln!(
            f,
            ", resident {now:.1} MB (before {before:.1}, peak {peak:.1})"
        )
    }
}

impl fmt::Display for Filled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (peers, torrents) = (grouped(self.peers), grouped(self.torrents));
        write!(f, "filled     {peers} peers in {torrents} torrents")?;
        if let (Some(torrent), Some(peer)) = (self.octets_per_torrent, self.octets_per_peer) {
            write!(f, ": {torrent:.1} octets a torrent, {peer:.1} a peer")?;
        }
        writeln!(f)
    }
}

impl Loadgen {
    fn show(&self, f: &mut fmt::Formatter<'_>, is_answered: bool) -> fmt::Result {
        let (busy, threads) = (100.0 * self.busy_share, self.threads);
        let plural = if threads == 1 { "" } else { "s" };
        write!(f, "loadgen    busy {busy:.1} % of {threads} thread{plural}")?;
        if is_answered {
            write!(f, ", {:.2} µs an answer", self.busy_micros_per_answer)?;
        }
        if self.busy_share >= SATURATED {
            write!(f, "; THE LIMIT OF THIS RUN: the tracker can do more")?;
        }
        writeln!(f)
    }
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "a rate that is shown without its fraction, and saturates"
)]
fn rounded(rate: f64) -> String {
    grouped(rate.round() as u64)
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::report::measurement;

    #[test]
    fn the_table_shows_what_was_counted() {
        let report = Report::new("udp", "127.0.0.1:1".to_owned(), Value::Null, &measurement())
            .with_fill(3_000, 1_000);
        let text = report.to_string();
        for part in [
            "target     udp 127.0.0.1:1\n",
            "4 sent             2 answered           1 /s",
            "1 \"not served\"",
            "1 (25.000 % of sent)",
            "21.0 peers an announce, 97.3 octets",
            "p50 250",
            "p99.9 250",
            "10.00 µs an answer, resident 4.0 MB (before 1.0, peak 5.0)",
            "3 000 peers in 1 000 torrents: 3000.0 octets a torrent, 1000.0 a peer",
            "busy 75.0 % of 1 thread, 500000.00 µs an answer\n",
        ] {
            assert!(text.contains(part), "{part:?} is not in\n{text}");
        }
        assert!(!text.contains("LIMIT"), "{text}");
    }

    #[test]
    fn a_run_at_its_own_limit_says_so() {
        let mut measurement = measurement();
        measurement.tally.idle = 0;
        let report = Report::new("udp", "x".to_owned(), Value::Null, &measurement);
        assert!(report.to_string().contains("THE LIMIT OF THIS RUN"));
    }
}
