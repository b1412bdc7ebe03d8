//! The statistics, in the formats of the C program: what `/stats` answers.

use std::io::{self, Write};

use opentracker_core::{Counter as Core, Habit};
use opentracker_http::Counter as Http;
use opentracker_udp::Counter as Udp;

use crate::counters::Counter as Pages;
use crate::everything;
use crate::mode::Mode;
use crate::snapshot::Snapshot;

impl Snapshot<'_> {
    /// Appends what a mode answers. Lists of torrents and networks and the nodes of
    /// [`Mode::Cluster`] are not in a snapshot; they get nothing.
    pub(crate) fn put(&self, mode: Mode, out: &mut Vec<u8>) {
        let put = match mode {
            Mode::Peer => {
                self.put_gauge(out, self.totals.peers.total(), self.totals.peers.seeders())
            }
            Mode::Torr => self.put_gauge(out, self.totals.torrents, 0),
            Mode::Conn => {
                let (connections, successes) = self.connections();
                self.put_traffic(out, "connections", connections, successes)
            }
            Mode::Udp4 => {
                let received = self.get(Udp::Received);
                self.put_traffic(out, "udp4 stats", received, self.udp_successes())
            }
            Mode::Tcp4 => {
                let (accepted, successes) = (self.accepted(), self.http_announces());
                self.put_traffic(out, "tcp4 stats", accepted, successes)
            }
            Mode::Scrp => self.put_scrapes(out),
            Mode::Fscr => self.put_full_scrapes(out),
            Mode::Completed => self.put_completed(out),
            Mode::Herr => self.put_errors(out),
            Mode::Syncs => self.put_syncs(out),
            Mode::Renew => self.put_renewals(out),
            Mode::Numwants => self.put_wanted(out),
            Mode::Everything => everything::put(self, out),
            Mode::Version => writeln!(out, "opentracker {}", self.version),
            Mode::Top(_)
            | Mode::S24s
            | Mode::Woodpeckers
            | Mode::Tpbs(_)
            | Mode::Statedump
            | Mode::Cluster => Ok(()),
        };
        put.expect("a Vec takes everything");
    }

    /// Connections and datagrams, and how many of them were answered with what they asked for.
    fn connections(&self) -> (u64, u64) {
        (
            self.accepted() + self.get(Udp::Received),
            self.http_announces() + self.udp_successes(),
        )
    }

    fn hours(&self) -> u64 {
        self.uptime_secs / 3600
    }

    fn per_second(&self, number: u64) -> u64 {
        number / self.uptime_secs.max(1)
    }

    fn put_gauge(&self, out: &mut Vec<u8>, first: u64, second: u64) -> io::Result<()> {
        let torrents = self.totals.torrents;
        write!(
            out,
            "{first}\n{second}\nopentracker serving {torrents} torrents\nopentracker"
        )
    }

    fn put_uptime(&self, out: &mut Vec<u8>) -> io::Result<()> {
        writeln!(out, "{} seconds ({} hours)", self.uptime_secs, self.hours())
    }

    fn put_traffic(
        &self,
        out: &mut Vec<u8>,
        what: &str,
        connections: u64,
        successes: u64,
    ) -> io::Result<()> {
        write!(out, "{connections}\n{successes}\n")?;
        self.put_rates(out, what, connections, successes)
    }

    fn put_rates(
        &self,
        out: &mut Vec<u8>,
        what: &str,
        connections: u64,
        successes: u64,
    ) -> io::Result<()> {
        self.put_uptime(out)?;
        write!(
            out,
            "opentracker {what}, {} conns/s :: {} success/s.",
            self.per_second(connections),
            self.per_second(successes)
        )
    }

    fn put_syncs(&self, out: &mut Vec<u8>) -> io::Result<()> {
        write!(out, "{}\n0\n", self.live_sync_applied())?;
        let (connections, successes) = self.connections();
        self.put_rates(out, "connections", connections, successes)
    }

    fn put_renewals(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let renewals = self.renewals();
        let mut renewals = renewals.iter().enumerate();
        renewals.try_for_each(|(minute, count)| writeln!(out, "{minute:02} {count}"))
    }

    fn put_wanted(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let mut numbers = 0..=Habit::MAX_WANTED;
        numbers.try_for_each(|peers| {
            let count = self.get(Habit::Wanted(peers));
            writeln!(out, "{peers:03} => {count}")
        })
    }

    fn put_scrapes(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let tcp = self.counters.sum_of(&Http::SCRAPES);
        let udp = self.counters.sum_of(&Udp::SCRAPES);
        write!(out, "{tcp}\n{udp}\n")?;
        self.put_uptime(out)?;
        write!(
            out,
            "opentracker scrape stats, {} scrape/s (tcp and udp)",
            self.per_second(tcp + udp)
        )
    }

    fn put_full_scrapes(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let scrapes = self.get(Pages::FullScrape);
        let octets = self.get(Pages::FullScrapeOctets);
        write!(out, "{scrapes}\n{octets}\n")?;
        self.put_uptime(out)?;
        write!(
            out,
            "opentracker full scrape stats, {} conns/s :: {} bytes/s.",
            self.per_second(scrapes),
            self.per_second(octets)
        )
    }

    fn put_completed(&self, out: &mut Vec<u8>) -> io::Result<()> {
        let completed = self.get(Core::Completed);
        write!(out, "{completed}\n0\n")?;
        self.put_uptime(out)?;
        write!(
            out,
            "opentracker, {} completed/h.",
            completed / self.hours().max(1)
        )
    }

    fn put_errors(&self, out: &mut Vec<u8>) -> io::Result<()> {
        writeln!(out, "302 RED {}", self.get(Pages::Redirect))?;
        writeln!(out, "400 ... {}", self.bad_requests())?;
        writeln!(out, "400 PAR {}", self.bad_parameters())?;
        // Replies that are not compact are served.
        writeln!(out, "400 COM 0")?;
        writeln!(out, "403 IP  {}", self.forbidden())?;
        writeln!(out, "404 INV {}", self.not_found())?;
        writeln!(out, "500 SRV {}", self.overloaded())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use opentracker_core::{CounterRegistry, CounterSet, Counters, PerKind, Totals};
    use opentracker_types::TrackerId;

    opentracker_core::counters! {
        enum Net {
            "opentracker_http_connections_total" connections "" [] {
                Accepted [],
            }
            "opentracker_http_connections_closed_total" connections "" ["kind"] {
                Evicted ["idle"],
                Overloaded ["new"],
            }
        }
    }

    opentracker_core::counters! {
        enum LiveSync {
            "opentracker_livesync_records_total" records "" ["kind", "direction"] {
                Applied ["announce", "in"],
                Told ["announce", "out"],
            }
        }
    }

    fn add<C: CounterSet>(registry: &CounterRegistry, numbers: &[(C, u64)]) {
        add_to(&registry.register(), numbers);
    }

    fn add_by_listener<C: CounterSet>(registry: &CounterRegistry, numbers: &[(C, u64)]) {
        let (first, last) = numbers.split_at(numbers.len() / 2);
        add_to(&registry.register_for(&"http://192.0.2.1:80".into()), first);
        add_to(&registry.register_for(&"http://192.0.2.2:80".into()), last);
    }

    fn add_to<C: CounterSet>(counters: &Counters<C>, numbers: &[(C, u64)]) {
        for &(counter, number) in numbers {
            counters.add(counter, number);
        }
    }

    /// The C program's answers after the same requests, captured from its Debian build, which lacks
    /// `numwants`; the version and the tracker id are ours.
    #[test]
    fn the_bodies_are_those_of_the_c_program() {
        let counters = CounterRegistry::default();
        add(
            &counters,
            &[
                (Net::Accepted, 132),
                (Net::Overloaded, 7),
                (Net::Evicted, 99),
            ],
        );
        add_by_listener(
            &counters,
            &[
                (Http::AnnounceV4, 100),
                (Http::AnnounceV6, 23),
                (Http::ScrapeV6, 1),
                (Http::BadHead, 1),
                (Http::BadInfoHash, 3),
                (Http::NotFound, 2),
            ],
        );
        add_by_listener(
            &counters,
            &[
                (Udp::Received, 10),
                (Udp::ConnectV4, 1),
                (Udp::AnnounceV4, 2),
                (Udp::AnnounceV6, 3),
                (Udp::ScrapeV4, 2),
                (Udp::BadConnectionId, 3),
            ],
        );
        add(&counters, &[(LiveSync::Applied, 9), (LiveSync::Told, 99)]);
        add(&counters, &[(Core::Completed, 7)]);
        add(
            &counters,
            &[
                (Habit::RenewedAfter(0), 1),
                (Habit::RenewedAfter(30), 77),
                (Habit::RenewedAfter(44), 2),
                (Habit::RenewedAfter(46), 3),
                (Habit::Wanted(0), 4),
                (Habit::Wanted(200), 5),
            ],
        );
        add(
            &counters,
            &[
                (Pages::FullScrape, 4),
                (Pages::FullScrapeOctets, 14_645),
                (Pages::Redirect, 1),
                (Pages::BadHead, 1),
                (Pages::BadMode, 1),
                (Pages::Forbidden, 4),
                (Pages::Foreign, 1),
                (Pages::NotFound, 4),
                (Pages::Overloaded, 1),
            ],
        );
        let snapshot = Snapshot {
            totals: Totals {
                torrents: 14,
                peers: PerKind {
                    v4_seeders: 50,
                    v4_leechers: 60,
                    v6_seeders: 8,
                    v6_leechers: 2,
                    ..PerKind::default()
                },
            },
            counters: &counters,
            swarms_octets: 0,
            limit_octets: None,
            uptime_secs: 7322,
            peer_timeout: 45,
            version: "1.2.3",
            tracker_id: TrackerId::new([0x7a, 0xf0, 0x4d, 0x98]),
        };
        let renewals = lines(45, |minute| {
            let count = renewed(minute);
            format!("      <count interval=\"{minute:02}\">{count}</count>")
        });
        let everything = EVERYTHING.replace("RENEWALS\n", &renewals);
        for (mode, body) in [
            ("", "120\n58\nopentracker serving 14 torrents\nopentracker"),
            (
                "mode=peer",
                "120\n58\nopentracker serving 14 torrents\nopentracker",
            ),
            (
                "x=y&mode=torr",
                "14\n0\nopentracker serving 14 torrents\nopentracker",
            ),
            (
                "mode=conn",
                "142\n129\n7322 seconds (2 hours)\n\
                 opentracker connections, 0 conns/s :: 0 success/s.",
            ),
            (
                "mode=udp4",
                "10\n6\n7322 seconds (2 hours)\n\
                 opentracker udp4 stats, 0 conns/s :: 0 success/s.",
            ),
            (
                "mode=tcp4",
                "132\n123\n7322 seconds (2 hours)\n\
                 opentracker tcp4 stats, 0 conns/s :: 0 success/s.",
            ),
            (
                "mode=scrp",
                "1\n2\n7322 seconds (2 hours)\n\
                 opentracker scrape stats, 0 scrape/s (tcp and udp)",
            ),
            (
                "mode=fscr",
                "4\n14645\n7322 seconds (2 hours)\n\
                 opentracker full scrape stats, 0 conns/s :: 2 bytes/s.",
            ),
            (
                "mode=syncs",
                "9\n0\n7322 seconds (2 hours)\n\
                 opentracker connections, 0 conns/s :: 0 success/s.",
            ),
            (
                "mode=renew",
                &lines(45, |minute| format!("{minute:02} {}", renewed(minute))),
            ),
            (
                "mode=numwants",
                &lines(201, |peers| {
                    let count = match peers {
                        0 => 4,
                        200 => 5,
                        _ => 0,
                    };
                    format!("{peers:03} => {count}")
                }),
            ),
            (
                "mode=completed",
                "7\n0\n7322 seconds (2 hours)\nopentracker, 3 completed/h.",
            ),
            (
                "mode=herr",
                "302 RED 1\n400 ... 2\n400 PAR 4\n400 COM 0\n\
                 403 IP  5\n404 INV 6\n500 SRV 8\n",
            ),
            ("mode=version", "opentracker 1.2.3\n"),
            ("mode=everything", &everything),
        ] {
            let mut out = Vec::new();
            snapshot.put(Mode::of_query(mode.as_bytes()).unwrap(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), body, "{mode}");
        }
    }

    fn lines(count: u64, line: impl Fn(u64) -> String) -> String {
        (0..count).map(|number| line(number) + "\n").collect()
    }

    fn renewed(minute: u64) -> u64 {
        match minute {
            0 => 1,
            30 => 77,
            // Later ones, of which the C program has none, are in the last line.
            44 => 5,
            _ => 0,
        }
    }

    const EVERYTHING: &str = r#"<?xml version="1.0" encoding="UTF-8"?>
<stats>
  <tracker_id>2062568856</tracker_id>
  <version>
opentracker 1.2.3
  </version>
  <uptime>7322</uptime>
  <torrents>
    <count_mutex>14</count_mutex>
    <count_iterator>14</count_iterator>
  </torrents>
  <peers>
    <count>120</count>
  </peers>
  <seeds>
    <count>58</count>
  </seeds>
  <completed>
    <count>7</count>
  </completed>
  <connections>
    <tcp>
      <accept>132</accept>
      <announce>123</announce>
      <scrape>1</scrape>
    </tcp>
    <udp>
      <overall>10</overall>
      <connect>1</connect>
      <announce>5</announce>
      <scrape>2</scrape>
      <missmatch>3</missmatch>
    </udp>
    <livesync>
      <count>9</count>
    </livesync>
  </connections>
  <debug>
    <renew>
RENEWALS
    </renew>
    <http_error>
      <count code="302 Redirect">1</count>
      <count code="400 Parse Error">2</count>
      <count code="400 Invalid Parameter">4</count>
      <count code="400 Invalid Parameter (compact=0)">0</count>
      <count code="400 Not Modest">0</count>
      <count code="402 Payment Required">0</count>
      <count code="403 Access Denied">5</count>
      <count code="404 Not found">6</count>
      <count code="500 Internal Server Error">8</count>
    </http_error>
    <mutex_stall>
      <count>0</count>
    </mutex_stall>
  </debug>
</stats>"#;

    #[test]
    fn rates_are_of_whole_seconds_even_in_the_first() {
        let counters = CounterRegistry::default();
        add(&counters, &[(Net::Accepted, 10)]);
        let mut snapshot = Snapshot {
            totals: Totals::default(),
            counters: &counters,
            swarms_octets: 0,
            limit_octets: None,
            uptime_secs: 0,
            peer_timeout: 45,
            version: "",
            tracker_id: TrackerId::new([0; 4]),
        };
        for (uptime_secs, rate) in [(0, 10), (1, 10), (3, 3), (11, 0)] {
            snapshot.uptime_secs = uptime_secs;
            let mut out = Vec::new();
            snapshot.put(Mode::Conn, &mut out);
            let expected = format!(
                "10\n0\n{uptime_secs} seconds (0 hours)\n\
                 opentracker connections, {rate} conns/s :: 0 success/s."
            );
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }
}
