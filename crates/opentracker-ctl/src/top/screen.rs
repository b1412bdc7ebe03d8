//! The model, drawn. Sixteen colours, no mouse: it works over any line.

use opentracker_api::{ClusterCarrier, PeerCounts};
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear, Paragraph};

use super::model::{List, Model, Rate, SHARES};
use crate::status::heard_by;
use crate::words::{brief, octets, or_dash, seconds, short, time};

/// Columns from which replies stand beside requests, and from which latency does.
const TWO_BLOCKS: u16 = 50;
const THREE_BLOCKS: u16 = 76;

/// Lines of the blocks of figures, on a screen of some height and on a low one.
const BLOCK_LINES: u16 = 7;
const LOW_BLOCK_LINES: u16 = 4;
const LOW_SCREEN: u16 = 20;

const HELP: [&str; 9] = [
    "Tab    next list: torrents, replies, nodes",
    "s      sort by the next column",
    "/      filter: type, then Enter; Esc clears it",
    "p      pause, and go on",
    "h ?    this help",
    "q ^C   quit",
    "",
    "Rates are of the time between two looks.",
    "Latency: so many requests took no longer.",
];

pub(super) fn draw(frame: &mut Frame<'_>, model: &Model) {
    let area = frame.area();
    let blocks = if area.height < LOW_SCREEN {
        LOW_BLOCK_LINES
    } else {
        BLOCK_LINES
    };
    let [head, swarms, memory, figures, list, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(1),
        Constraint::Length(blocks),
        Constraint::Min(0),
        Constraint::Length(1),
    ])
    .areas(area);
    frame.render_widget(head_line(model, area.width), head);
    frame.render_widget(swarms_line(model, area.width), swarms);
    frame.render_widget(memory_line(model, area.width), memory);
    draw_figures(frame, model, figures);
    draw_list(frame, model, list);
    frame.render_widget(foot_line(model, area.width), foot);
    if model.wants_help {
        draw_help(frame, area);
    }
}

fn bold() -> Style {
    Style::new().add_modifier(Modifier::BOLD)
}

fn head_line(model: &Model, width: u16) -> Line<'static> {
    let up = model.now.as_ref().map(|now| (now.uptime_secs, now.time_ms));
    let (up, at) = up.map_or_else(Default::default, |(up, at)| (seconds(up), time(at)));
    // The date is the first to go.
    let at = if width < TWO_BLOCKS {
        ""
    } else {
        at.split(' ').nth(1).unwrap_or_default()
    };
    let state = if model.is_paused { "  PAUSED" } else { "" };
    let text = format!("{}  up {up}  {at}{state}", model.node);
    let style = bold().add_modifier(Modifier::REVERSED);
    Line::styled(
        format!(" {text:<width$}", width = usize::from(width)),
        style,
    )
}

fn swarms_line(model: &Model, width: u16) -> Line<'static> {
    let Some(now) = &model.now else {
        return Line::default();
    };
    let swarms = &now.swarms;
    let all = |peers: &PeerCounts| short(peers.total() as f64);
    let mut figures = vec![
        ("torrents", short(swarms.torrents as f64)),
        ("seed", all(&swarms.seeders)),
        ("leech", all(&swarms.leechers)),
    ];
    if width >= TWO_BLOCKS {
        figures[1].0 = "seeders";
        figures[2].0 = "leechers";
        figures.push(("completed/s", short(model.downloads())));
    }
    figures_line(&figures, width)
}

fn memory_line(model: &Model, width: u16) -> Line<'static> {
    let Some(now) = &model.now else {
        return Line::default();
    };
    let memory = &now.memory;
    let limit = memory
        .limit_octets
        .map(|limit| format!(" of {}", octets(limit)));
    let swarms = octets(memory.swarms_octets) + &limit.unwrap_or_default();
    let mut figures = vec![("memory", swarms)];
    if let Some(resident) = memory.resident_octets.filter(|_| width >= TWO_BLOCKS) {
        figures.push(("resident", octets(resident)));
    }
    figures_line(&figures, width)
}

fn figures_line(figures: &[(&'static str, String)], width: u16) -> Line<'static> {
    let gap = if width < TWO_BLOCKS { "" } else { " " };
    let spans = figures.iter().flat_map(|(name, figure)| {
        let name = Span::raw(format!(" {name} "));
        [name, Span::styled(figure.clone(), bold()), Span::raw(gap)]
    });
    Line::from_iter(spans)
}

fn draw_figures(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let widths: &[Constraint] = match area.width {
        ..TWO_BLOCKS => &[Constraint::Percentage(100)],
        TWO_BLOCKS..THREE_BLOCKS => &[Constraint::Percentage(50); 2],
        _ => &[
            Constraint::Length(25),
            Constraint::Min(0),
            Constraint::Length(30),
        ],
    };
    let areas = Layout::horizontal(widths).split(area);
    let blocks = [
        ("requests/s", rate_lines(&model.requests(), areas[0].width)),
        (
            "replies/s",
            rate_lines(&model.replies(), areas.get(1).map_or(0, |area| area.width)),
        ),
        ("latency", latency_lines(model)),
    ];
    for ((title, lines), area) in blocks.into_iter().zip(areas.iter()) {
        let block = Block::bordered().title(Span::styled(title, bold()));
        frame.render_widget(Paragraph::new(lines).block(block), *area);
    }
}

fn rate_lines(rates: &[Rate], width: u16) -> Vec<Line<'static>> {
    let room = usize::from(width.saturating_sub(2));
    let line = |rate: &Rate| {
        let figure = short(rate.per_second);
        let name: String = rate
            .name
            .chars()
            .take(room.saturating_sub(figure.len() + 1))
            .collect();
        let gap = room.saturating_sub(name.chars().count());
        Line::from_iter([
            Span::raw(name),
            Span::styled(format!("{figure:>gap$}"), bold()),
        ])
    };
    rates.iter().map(line).collect()
}

fn latency_lines(model: &Model) -> Vec<Line<'static>> {
    let row = |name: &str, cells: [String; 3]| {
        let [a, b, c] = cells;
        format!("{name:<5}{a:>7} {b:>7} {c:>7}")
    };
    let shares = SHARES.map(|share| format!("{}%", (share * 1000.0).round() / 10.0));
    let mut lines = vec![Line::raw(row("", shares))];
    for of in model.latency() {
        let cells = of
            .bounds
            .map(|bound| bound.map_or_else(|| "-".to_owned(), brief));
        lines.push(Line::styled(row(&of.protocol, cells), bold()));
    }
    lines
}

fn draw_list(frame: &mut Frame<'_>, model: &Model, area: Rect) {
    let (name, mut lines) = match model.list {
        List::Torrents => ("torrents", torrent_lines(model, area.width)),
        List::Replies => ("replies", reply_lines(model)),
        List::Nodes => ("nodes", node_lines(model)),
    };
    let carriers = model.carriers();
    let area = match carriers.is_empty() {
        true => area,
        false => draw_carriers(frame, carriers, area),
    };
    let mut title = format!("{name}, by {}", model.sorted_by());
    if !model.filter.is_empty() {
        title += &format!(", with \"{}\"", model.filter);
    }
    colour_head(&mut lines);
    let block = Block::bordered().title(Span::styled(title, bold()));
    frame.render_widget(Paragraph::new(lines).block(block), area);
}

/// Draws the carriers above the nodes, and returns what is left for those.
fn draw_carriers(frame: &mut Frame<'_>, carriers: &[ClusterCarrier], area: Rect) -> Rect {
    let mut lines = carrier_lines(carriers);
    let height = u16::try_from(lines.len() + 2).unwrap_or(u16::MAX);
    let [above, below] =
        Layout::vertical([Constraint::Max(height), Constraint::Min(0)]).areas(area);
    colour_head(&mut lines);
    let block = Block::bordered().title(Span::styled("carriers", bold()));
    frame.render_widget(Paragraph::new(lines).block(block), above);
    below
}

fn colour_head(lines: &mut [Line<'static>]) {
    if let Some(head) = lines.first_mut() {
        *head = std::mem::take(head).style(Style::new().fg(Color::Cyan));
    }
}

/// An info hash is shortened where there is no room for all of it.
fn torrent_lines(model: &Model, width: u16) -> Vec<Line<'static>> {
    let room = usize::from(width.saturating_sub(2))
        .saturating_sub(3 * 8)
        .min(40);
    let row = |hash: &str, cells: [&str; 3]| {
        let [seeders, leechers, downloads] = cells;
        let hash: String = hash.chars().take(room).collect();
        Line::raw(format!(
            "{hash:<room$}{seeders:>8}{leechers:>8}{downloads:>8}"
        ))
    };
    let mut lines = vec![row("info hash", ["seeders", "leech", "done"])];
    for torrent in model.torrents() {
        let seeders = short(torrent.seeders.into());
        let leechers = short(torrent.leechers.into());
        let downloads = short(torrent.downloads as f64);
        lines.push(row(&torrent.info_hash, [&seeders, &leechers, &downloads]));
    }
    lines
}

fn reply_lines(model: &Model) -> Vec<Line<'static>> {
    let row =
        |name: &str, rate: &str, total: &str| Line::raw(format!("{name:<24}{rate:>8}{total:>10}"));
    let mut lines = vec![row("reply", "/s", "total")];
    for reply in model.listed_replies() {
        let total = short(reply.total as f64);
        lines.push(row(&reply.name, &short(reply.per_second), &total));
    }
    lines
}

fn carrier_lines(carriers: &[ClusterCarrier]) -> Vec<Line<'static>> {
    let row = |name: &str, cells: [&str; 8]| {
        let [
            state,
            to,
            received,
            sent,
            failed,
            dropped,
            size_in,
            size_out,
        ] = cells;
        Line::raw(format!(
            "{name:<8}{state:>5}{to:>4}{received:>8}{sent:>8}{failed:>8}{dropped:>8}\
             {size_in:>12}{size_out:>12}"
        ))
    };
    let head = [
        "state", "to", "in", "out", "failed", "dropped", "size in", "size out",
    ];
    let mut lines = vec![row("by", head)];
    for carrier in carriers {
        let state = if carrier.is_up { "up" } else { "down" };
        let numbers = [
            carrier.destinations,
            carrier.received,
            carrier.sent,
            carrier.send_errors,
            carrier.dropped,
        ];
        let [to, received, sent, failed, dropped] = numbers.map(|number| short(number as f64));
        let sizes = [carrier.received_octets, carrier.sent_octets].map(octets);
        let [size_in, size_out] = &sizes;
        let cells = [
            state, &to, &received, &sent, &failed, &dropped, size_in, size_out,
        ];
        lines.push(row(&carrier.name, cells));
    }
    lines
}

fn node_lines(model: &Model) -> Vec<Line<'static>> {
    let row = |cells: [&str; 6]| {
        let [address, heard, lag, torrents, dropped, by] = cells;
        Line::raw(format!(
            "{address:<16}{heard:>8}{lag:>8}{torrents:>9}{dropped:>8}  {by}"
        ))
    };
    let Some(nodes) = model.nodes() else {
        return vec![Line::raw("there is no cluster, or it is not shown to you")];
    };
    let mut lines = vec![row([
        "address", "heard", "lag", "torrents", "dropped", "by",
    ])];
    for node in nodes {
        let secs = |secs: Option<f64>| or_dash(secs.map(|secs| format!("{secs:.1}s")));
        lines.push(row([
            node.address.as_deref().unwrap_or("-"),
            &secs(node.heard_secs_ago),
            &secs(node.lag_secs),
            &or_dash(node.torrents.map(|torrents| short(torrents as f64))),
            &short(node.dropped as f64),
            &heard_by(node),
        ]));
    }
    lines
}

fn foot_line(model: &Model, width: u16) -> Line<'static> {
    if model.is_typing {
        return Line::raw(format!(" filter: {}_", model.filter));
    }
    if let Some(fault) = &model.fault {
        return Line::styled(format!(" {fault}"), bold().fg(Color::Red));
    }
    Line::raw(match width {
        ..TWO_BLOCKS => " q quit  h help  s sort  Tab list",
        _ => " q quit  h help  p pause  s sort  / filter  Tab list",
    })
}

fn draw_help(frame: &mut Frame<'_>, area: Rect) {
    let lines = u16::try_from(HELP.len()).unwrap_or(u16::MAX);
    let width = HELP.iter().map(|line| line.len()).max().unwrap_or(0);
    let width = u16::try_from(width + 4).unwrap_or(u16::MAX);
    let area = area.centered(Constraint::Length(width), Constraint::Length(lines + 2));
    let text: Vec<_> = HELP.iter().map(|line| Line::raw(*line)).collect();
    frame.render_widget(Clear, area);
    let block = Block::bordered().title(Span::styled("keys", bold()));
    frame.render_widget(Paragraph::new(text).block(block), area);
}

#[cfg(test)]
mod tests {
    use opentracker_api::Cluster;
    use ratatui::Terminal;
    use ratatui::backend::TestBackend;

    use super::super::model::tests::{model, press};
    use super::*;

    fn drawn(model: &Model, width: u16, height: u16) -> Vec<String> {
        let mut terminal = Terminal::new(TestBackend::new(width, height)).unwrap();
        terminal.draw(|frame| draw(frame, model)).unwrap();
        let buffer = terminal.backend().buffer();
        let line = |y| {
            let cells = (0..width).map(|x| buffer[(x, y)].symbol());
            cells.collect::<String>().trim_end().to_owned()
        };
        (0..height).map(line).collect()
    }

    #[test]
    fn a_terminal_of_80_columns_and_24_lines() {
        let lines = drawn(&model(), 80, 24);
        let expected = [
            " /run/opentracker/control.sock  up 1 h  21:04:17Z",
            " torrents 310.2k  seeders 1.2M  leechers 700.0k  completed/s 3",
            " memory 123.0 MiB of 2.0 GiB  resident 150.0 MiB",
            "┌requests/s─────────────┐┌replies/s──────────────┐┌latency─────────────────────┐",
            "│udp announce       1000││served            13.0k││         50%     99%   99.9%│",
            "│http announce     12.3k││denied               40││udp    10 µs  100 µs       -│",
            "│udp connect        1200││rate                  0││                            │",
            "│udp scrape          0.5││                       ││                            │",
            "│http scrape           0││                       ││                            │",
            "└───────────────────────┘└───────────────────────┘└────────────────────────────┘",
            "┌torrents, by peers────────────────────────────────────────────────────────────┐",
            "│info hash                                seeders   leech    done              │",
            "│aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa       5    9000  900.0k              │",
            "│bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb     800     200   20.0k              │",
            "│cccccccccccccccccccccccccccccccccccccccc     700       1     100              │",
        ];
        assert_eq!(lines[..expected.len()], expected);
        let (foot, below) = lines[expected.len()..].split_last().unwrap();
        let (border, empty) = below.split_last().unwrap();
        assert!(
            empty
                .iter()
                .all(|line| line.trim_matches(['│', ' ']).is_empty())
        );
        assert_eq!(*border, format!("└{}┘", "─".repeat(78)));
        assert_eq!(foot, " q quit  h help  p pause  s sort  / filter  Tab list");
    }

    #[test]
    fn a_small_terminal() {
        let expected = [
            " /run/opentracker/control.sock  up 1 h",
            " torrents 310.2k seed 1.2M leech 700.0k",
            " memory 123.0 MiB of 2.0 GiB",
            "┌requests/s────────────────────────────┐",
            "│udp announce                      1000│",
            "│http announce                    12.3k│",
            "└──────────────────────────────────────┘",
            "┌torrents, by peers────────────────────┐",
            "│info hash      seeders   leech    done│",
            "│aaaaaaaaaaaaaa       5    9000  900.0k│",
            "└──────────────────────────────────────┘",
            " q quit  h help  s sort  Tab list",
        ];
        assert_eq!(drawn(&model(), 40, 12), expected);
    }

    #[test]
    fn other_lists_a_filter_a_fault_and_the_help() {
        let mut model = model();
        press(&mut model, "\t");
        let replies = drawn(&model, 80, 24);
        assert!(replies[10].contains("replies, by rate"), "{replies:#?}");
        assert!(
            replies[12].contains("served") && replies[12].contains("13.0k"),
            "{replies:#?}"
        );
        press(&mut model, "\t/.9");
        let nodes = drawn(&model, 80, 24);
        assert!(
            nodes[10].contains("nodes, by address, with \".9\""),
            "{nodes:#?}"
        );
        assert!(nodes[12].contains("192.0.2.9"), "{nodes:#?}");
        assert!(nodes[13].trim_matches(['│', ' ']).is_empty(), "{nodes:#?}");
        assert_eq!(nodes[23], " filter: .9_");
        press(&mut model, "\n?p");
        model.take_fault("nobody listens there".to_owned());
        let fault = drawn(&model, 80, 24);
        assert_eq!(fault[23], " nobody listens there");
        press(&mut model, "?");
        assert!(
            drawn(&model, 80, 24)
                .iter()
                .any(|line| line.contains("this help"))
        );
    }

    #[test]
    fn carriers_stand_above_the_nodes() {
        let mut model = model();
        let carrier = |name: &str, is_up, sent| ClusterCarrier {
            name: name.to_owned(),
            is_up,
            destinations: u64::from(is_up),
            waiting: 0,
            received: 12_345,
            sent,
            received_octets: 12_345 * 1232,
            sent_octets: sent * 1232,
            send_errors: 2,
            dropped: 0,
        };
        let carriers = vec![carrier("group", true, 900), carrier("nats", false, 0)];
        let nodes = model.nodes().unwrap().into_iter().cloned().collect();
        model.take_cluster(Cluster {
            tracker_id: "00000102".to_owned(),
            is_joined: true,
            carriers,
            keys: vec![],
            nodes,
        });
        press(&mut model, "\t\t");
        let lines = drawn(&model, 80, 24);
        let expected = [
            "┌carriers──────────────────────────────────────────────────────────────────────┐",
            "│by      state  to      in     out  failed dropped     size in    size out     │",
            "│group      up   1   12.3k     900       2       0    14.5 MiB     1.1 MiB     │",
            "│nats     down   0   12.3k       0       2       0    14.5 MiB         0 B     │",
            "└──────────────────────────────────────────────────────────────────────────────┘",
            "┌nodes, by address─────────────────────────────────────────────────────────────┐",
            "│address            heard     lag torrents dropped  by                         │",
            "│192.0.2.1           1.0s       -      300       0  nats, split                │",
            "│192.0.2.9           1.0s    0.5s      300       0  group,nats                 │",
        ];
        assert_eq!(lines[10..19], expected);
        press(&mut model, "\t");
        assert!(drawn(&model, 80, 24)[10].contains("torrents, by peers"));
    }

    #[test]
    fn no_size_is_too_small() {
        for (width, height) in [(1, 1), (10, 3), (200, 60), (60, 18)] {
            let mut model = model();
            drawn(&model, width, height);
            press(&mut model, "\t?");
            drawn(&model, width, height);
        }
    }
}
