//! The modes of the statistics, by their names in the C program.

use opentracker_http_wire::QueryPairs;

use crate::listing::Format;

/// What `mode=` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Mode {
    Peer,
    Torr,
    Conn,
    Scrp,
    Fscr,
    Udp4,
    Tcp4,
    Completed,
    Herr,
    Syncs,
    Renew,
    Numwants,
    /// The largest swarms; how many.
    Top(usize),
    /// The networks that announce most.
    S24s,
    /// The networks that announce too often.
    Woodpeckers,
    Everything,
    Version,
    /// All torrents.
    Tpbs(Format),
    /// All torrents, to be loaded with `-l`.
    Statedump,
    /// The nodes of the cluster. The C program has no such mode.
    Cluster,
}

/// Every mode by its name.
const MODES: &[(&str, Mode)] = &[
    ("peer", Mode::Peer),
    ("torr", Mode::Torr),
    ("conn", Mode::Conn),
    ("scrp", Mode::Scrp),
    ("fscr", Mode::Fscr),
    ("udp4", Mode::Udp4),
    ("tcp4", Mode::Tcp4),
    ("completed", Mode::Completed),
    ("herr", Mode::Herr),
    ("syncs", Mode::Syncs),
    ("renew", Mode::Renew),
    ("numwants", Mode::Numwants),
    ("top5", Mode::Top(5)),
    ("top10", Mode::Top(10)),
    ("top100", Mode::Top(100)),
    ("s24s", Mode::S24s),
    ("woodpeckers", Mode::Woodpeckers),
    ("everything", Mode::Everything),
    ("version", Mode::Version),
    ("tpbs", Mode::Tpbs(Format::Bencode)),
    ("statedump", Mode::Statedump),
    ("cluster", Mode::Cluster),
];

/// The formats of [`Mode::Tpbs`] by their names.
const FORMATS: &[(&str, Format)] = &[
    ("ben", Format::Bencode),
    ("txt", Format::Text),
    ("txtp", Format::TextPlus),
    ("bin", Format::Binary),
    ("url", Format::Url),
];

impl Mode {
    /// Reads the query of a request for statistics; `None` if the mode or its format is not known.
    pub(crate) fn of_query(query: &[u8]) -> Option<Self> {
        let value = |name: &str| {
            let mut pairs = QueryPairs::new(query);
            let (_, value) = pairs.find(|&(of, _)| of == name.as_bytes())?;
            Some(value)
        };
        let mode = value("mode").map_or(Some(Self::Peer), |mode| named(MODES, mode))?;
        match (mode, value("format")) {
            (Self::Tpbs(_), Some(format)) => named(FORMATS, format).map(Self::Tpbs),
            _ => Some(mode),
        }
    }
}

fn named<T: Copy>(known: &[(&str, T)], name: &[u8]) -> Option<T> {
    let mut known = known.iter();
    known.find_map(|&(of, value)| (of.as_bytes() == name).then_some(value))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn modes() {
        for (query, mode) in [
            ("", Some(Mode::Peer)),
            ("foo", Some(Mode::Peer)),
            ("mode", None),
            ("mode=", None),
            ("mode=nope", None),
            ("mode=PEER", None),
            ("mode=top10", Some(Mode::Top(10))),
            ("format=txt&mode=top100", Some(Mode::Top(100))),
            ("mode=version&mode=nope", Some(Mode::Version)),
            ("mode=tpbs", Some(Mode::Tpbs(Format::Bencode))),
            ("mode=tpbs&format=ben", Some(Mode::Tpbs(Format::Bencode))),
            ("format=txt&mode=tpbs", Some(Mode::Tpbs(Format::Text))),
            ("mode=tpbs&format=txtp", Some(Mode::Tpbs(Format::TextPlus))),
            ("mode=tpbs&format=bin", Some(Mode::Tpbs(Format::Binary))),
            ("mode=tpbs&format=url", Some(Mode::Tpbs(Format::Url))),
            ("mode=tpbs&format=xml", None),
            ("mode=statedump", Some(Mode::Statedump)),
        ] {
            assert_eq!(Mode::of_query(query.as_bytes()), mode, "{query}");
        }
    }

    /// The tables of docs/migrating.md have each mode of ours and of the C program, and say which are
    /// not served.
    #[test]
    fn the_modes_of_the_c_program_are_documented() {
        const DOCUMENT: &str = include_str!("../../../docs/migrating.md");
        let rows = |comment: &str| {
            let (_, table) = DOCUMENT.split_once(comment).unwrap();
            let rows = table.trim_start().lines().skip(2);
            let rows = rows.take_while(|line| line.starts_with("| `"));
            rows.map(|row| {
                let (name, _) = row.trim_start_matches("| `").split_once('`').unwrap();
                let is_served = !row.contains("| not served");
                (name, is_served)
            })
            .collect::<Vec<_>>()
        };
        let modes = rows("<!-- modes -->");
        for &(mode, is_served) in &modes {
            let known = Mode::of_query(format!("mode={mode}").as_bytes());
            assert_eq!(known.is_some(), is_served, "{mode}");
        }
        for (mode, _) in MODES.iter().filter(|(mode, _)| *mode != "cluster") {
            assert!(modes.contains(&(mode, true)), "{mode}");
        }
        let formats = FORMATS.iter().map(|&(format, _)| (format, true));
        assert_eq!(rows("<!-- formats -->"), formats.collect::<Vec<_>>());
    }
}
