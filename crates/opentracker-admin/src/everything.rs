//! `mode=everything`: the statistics as XML, like the C program's.

use std::io::{self, Write};

use opentracker_core::Counter as Core;
use opentracker_http::Counter as Http;
use opentracker_udp::Counter as Udp;

use crate::counters::Counter as Pages;
use crate::snapshot::Snapshot;

/// Appends the document.
pub(crate) fn put(snapshot: &Snapshot<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    let torrents = snapshot.totals.torrents;
    let tracker_id = u32::from_be_bytes(*snapshot.tracker_id.as_bytes());
    writeln!(out, r#"<?xml version="1.0" encoding="UTF-8"?>"#)?;
    writeln!(out, "<stats>")?;
    writeln!(out, "  <tracker_id>{tracker_id}</tracker_id>")?;
    writeln!(
        out,
        "  <version>\nopentracker {}\n  </version>",
        snapshot.version
    )?;
    writeln!(out, "  <uptime>{}</uptime>", snapshot.uptime_secs)?;
    writeln!(out, "  <torrents>")?;
    writeln!(out, "    <count_mutex>{torrents}</count_mutex>")?;
    writeln!(out, "    <count_iterator>{torrents}</count_iterator>")?;
    writeln!(out, "  </torrents>")?;
    put_section(out, 2, "peers", snapshot.totals.peers.total())?;
    put_section(out, 2, "seeds", snapshot.totals.peers.seeders())?;
    put_section(out, 2, "completed", snapshot.get(Core::Completed))?;
    put_connections(snapshot, out)?;
    put_debug(snapshot, out)?;
    // The C program ends without a line end.
    write!(out, "</stats>")
}

fn put_connections(snapshot: &Snapshot<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    let tcp = [
        ("accept", snapshot.accepted()),
        ("announce", snapshot.http_announces()),
        ("scrape", snapshot.counters.sum_of(&Http::SCRAPES)),
    ];
    let udp = [
        ("overall", snapshot.get(Udp::Received)),
        ("connect", snapshot.counters.sum_of(&Udp::CONNECTS)),
        ("announce", snapshot.counters.sum_of(&Udp::ANNOUNCES)),
        ("scrape", snapshot.counters.sum_of(&Udp::SCRAPES)),
        ("missmatch", snapshot.get(Udp::BadConnectionId)),
    ];
    writeln!(out, "  <connections>")?;
    for (protocol, counts) in [("tcp", tcp.as_slice()), ("udp", &udp)] {
        writeln!(out, "    <{protocol}>")?;
        for &(name, count) in counts {
            writeln!(out, "      <{name}>{count}</{name}>")?;
        }
        writeln!(out, "    </{protocol}>")?;
    }
    put_section(out, 4, "livesync", snapshot.live_sync_applied())?;
    writeln!(out, "  </connections>")
}

fn put_debug(snapshot: &Snapshot<'_>, out: &mut Vec<u8>) -> io::Result<()> {
    let errors = [
        ("302 Redirect", snapshot.get(Pages::Redirect)),
        ("400 Parse Error", snapshot.bad_requests()),
        ("400 Invalid Parameter", snapshot.bad_parameters()),
        ("400 Invalid Parameter (compact=0)", 0),
        ("400 Not Modest", 0),
        ("402 Payment Required", 0),
        ("403 Access Denied", snapshot.forbidden()),
        ("404 Not found", snapshot.not_found()),
        ("500 Internal Server Error", snapshot.overloaded()),
    ];
    writeln!(out, "  <debug>")?;
    writeln!(out, "    <renew>")?;
    for (minute, count) in snapshot.renewals().iter().enumerate() {
        writeln!(
            out,
            r#"      <count interval="{minute:02}">{count}</count>"#
        )?;
    }
    writeln!(out, "    </renew>")?;
    writeln!(out, "    <http_error>")?;
    for (code, count) in errors {
        writeln!(out, r#"      <count code="{code}">{count}</count>"#)?;
    }
    writeln!(out, "    </http_error>")?;
    // No announce waits for another here.
    put_section(out, 4, "mutex_stall", 0)?;
    writeln!(out, "  </debug>")
}

/// Appends an element that holds nothing but a count.
fn put_section(out: &mut Vec<u8>, indent: usize, name: &str, count: u64) -> io::Result<()> {
    let space = " ".repeat(indent);
    writeln!(out, "{space}<{name}>")?;
    writeln!(out, "{space}  <count>{count}</count>")?;
    writeln!(out, "{space}</{name}>")
}
