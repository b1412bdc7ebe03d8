//! Bars as SVG: as much of it as the pictures of the documentation need.
//!
//! It deliberately measures no text: the fonts are those of the reader's system, and so the room for a
//! name or a figure is a generous guess by its characters.

/// A picture of panels, one below the other.
#[derive(Debug)]
pub(crate) struct Chart {
    pub(crate) title: String,
    pub(crate) panels: Vec<Panel>,
}

/// Bars that share a scale.
#[derive(Debug)]
pub(crate) struct Panel {
    pub(crate) title: String,
    /// What the reader has to know beside the title.
    pub(crate) note: String,
    pub(crate) bars: Vec<Bar>,
}

/// A bar and its figure.
#[derive(Debug, PartialEq)]
pub(crate) struct Bar {
    pub(crate) name: String,
    /// Above zero.
    pub(crate) figure: f64,
    /// Whether it could be more.
    pub(crate) is_limited: bool,
    pub(crate) kind: Kind,
}

/// What a bar stands for, which decides its colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Ours,
    Other,
    /// Not one of those that are compared, but their limit.
    Floor,
}

// All lengths are in pixels of the picture's own size.
const WIDTH: f64 = 840.0;
const MARGIN: f64 = 24.0;
/// From one bar to the next.
const STEP: f64 = 28.0;
const THICKNESS: f64 = 18.0;
/// From the top of a panel to its first bar.
const HEAD: f64 = 34.0;
/// Between two panels.
const GAP: f64 = 22.0;
/// Between a name and its bar, and a bar and its figure.
const SPACE: f64 = 8.0;
/// More than most characters of a name take.
const CHARACTER: f64 = 7.3;
/// The room for a figure behind the longest bar.
const FIGURE: f64 = 92.0;

/// Colours for light and for dark pages. The background is part of the picture: the page need not
/// follow the system's scheme, as the picture does.
const STYLE: &str = "\
text { font: 13px system-ui, -apple-system, 'Segoe UI', Roboto, Helvetica, Arial, sans-serif; fill: #1f2328 }
.page { fill: #ffffff; stroke: #d1d9e0 }
.head, .strong { font-weight: 600 }
.note { font-weight: 400; fill: #59636e }
.axis { stroke: #818b98 }
.ours { fill: #0969da }
.other { fill: #9aa4af }
.floor { fill: #f3f5f7; stroke: #9aa4af; stroke-dasharray: 4 3 }
@media (prefers-color-scheme: dark) {
text { fill: #e6edf3 }
.page { fill: #0d1117; stroke: #3d444d }
.note { fill: #9198a1 }
.axis { stroke: #656c76 }
.ours { fill: #4493f8 }
.other { fill: #6e7681 }
.floor { fill: #161b22; stroke: #6e7681 }
}
";

impl Chart {
    /// Writes the picture: the same octets for the same chart.
    pub(crate) fn svg(&self) -> String {
        let panel_height = |panel: &Panel| HEAD + panel.bars.iter().map(|_| STEP).sum::<f64>();
        let names = self.panels.iter().flat_map(|panel| &panel.bars);
        let characters = names.map(|bar| bar.name.chars().map(|_| CHARACTER).sum());
        let axis = MARGIN + characters.fold(0.0, f64::max) + SPACE;
        let mut body = String::new();
        let mut top = MARGIN;
        for panel in &self.panels {
            body += &panel.svg(top, axis);
            top += panel_height(panel) + GAP;
        }
        let height = top - GAP + MARGIN - (STEP - THICKNESS);
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" \
             viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-labelledby=\"title desc\">\n\
             <title id=\"title\">{}</title>\n\
             <desc id=\"desc\">{}</desc>\n\
             <style>\n{STYLE}</style>\n\
             <rect class=\"page\" x=\"0.5\" y=\"0.5\" width=\"{}\" height=\"{}\" rx=\"6\"/>\n\
             {body}</svg>\n",
            escape(&self.title),
            escape(&self.description()),
            WIDTH - 1.0,
            height - 1.0,
        )
    }

    /// What the picture shows, for who does not see it.
    fn description(&self) -> String {
        let panel = |panel: &Panel| {
            let bar = |bar: &Bar| format!("{} {}", bar.name, bar.shown());
            let bars: Vec<String> = panel.bars.iter().map(bar).collect();
            format!("{} ({}): {}.", panel.title, panel.note, bars.join("; "))
        };
        let panels: Vec<String> = self.panels.iter().map(panel).collect();
        panels.join(" ")
    }
}

impl Panel {
    fn svg(&self, top: f64, axis: f64) -> String {
        let mut text = format!(
            "<text class=\"head\" x=\"{MARGIN}\" y=\"{}\">{} <tspan class=\"note\" dx=\"6\">{}</tspan></text>\n",
            top + 13.0,
            escape(&self.title),
            escape(&self.note),
        );
        let greatest = self.bars.iter().map(|bar| bar.figure).fold(0.0, f64::max);
        let longest = WIDTH - MARGIN - FIGURE - axis;
        let mut bar_top = top + HEAD;
        for bar in &self.bars {
            text += &bar.svg(bar_top, axis, longest * bar.figure / greatest);
            bar_top += STEP;
        }
        text + &format!(
            "<line class=\"axis\" x1=\"{axis:.1}\" y1=\"{}\" x2=\"{axis:.1}\" y2=\"{}\"/>\n",
            top + HEAD - 4.0,
            bar_top - (STEP - THICKNESS) + 4.0,
        )
    }
}

impl Bar {
    fn svg(&self, top: f64, axis: f64, length: f64) -> String {
        let (class, text_class) = match self.kind {
            Kind::Ours => ("ours", " class=\"strong\""),
            Kind::Other => ("other", ""),
            Kind::Floor => ("floor", " class=\"note\""),
        };
        let middle = top + THICKNESS / 2.0 + 4.5;
        format!(
            "<text{text_class} x=\"{:.1}\" y=\"{middle}\" text-anchor=\"end\">{}</text>\n\
             <rect class=\"{class}\" x=\"{axis:.1}\" y=\"{top}\" width=\"{length:.1}\" height=\"{THICKNESS}\"/>\n\
             <text{text_class} x=\"{:.1}\" y=\"{middle}\">{}</text>\n",
            axis - SPACE,
            escape(&self.name),
            axis + length + SPACE,
            escape(&self.shown()),
        )
    }

    /// The figure, rounded.
    fn shown(&self) -> String {
        let least = if self.is_limited { "≥ " } else { "" };
        format!("{least}{}", rounded(self.figure))
    }
}

/// Writes a number with the three digits that count most, and with gaps between thousands.
fn rounded(number: f64) -> String {
    let scientific = format!("{number:.2e}");
    let digits = scientific
        .parse::<f64>()
        .map_or(scientific, |number| number.to_string());
    let (whole, fraction) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
    let mut text = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index).is_multiple_of(3) {
            text.push('\u{a0}');
        }
        text.push(digit);
    }
    text + fraction
}

/// Text as XML has it, in elements and in attributes.
fn escape(text: &str) -> String {
    let mut escaped = String::new();
    for c in text.chars() {
        match c {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\'' => escaped += "&#39;",
            _ => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bar(name: &str, figure: f64, kind: Kind) -> Bar {
        Bar {
            name: name.to_owned(),
            figure,
            is_limited: kind == Kind::Floor,
            kind,
        }
    }

    fn chart() -> Chart {
        let panel = |title: &str, bars| Panel {
            title: title.to_owned(),
            note: "less is <better>".to_owned(),
            bars,
        };
        Chart {
            title: "A & B".to_owned(),
            panels: vec![
                panel(
                    "first",
                    vec![
                        bar("a", 50.0, Kind::Ours),
                        bar("b", 200.0, Kind::Other),
                        bar("\"c\"", 100.0, Kind::Floor),
                    ],
                ),
                panel("second", vec![bar("a", 0.5, Kind::Ours)]),
            ],
        }
    }

    /// The lengths of the bars of a class.
    fn lengths(svg: &str, class: &str) -> Vec<f64> {
        let start = format!("<rect class=\"{class}\"");
        let bars = svg.lines().filter(|line| line.starts_with(&start));
        bars.map(|line| {
            let (_, width) = line.split_once("width=\"").unwrap();
            width.split('"').next().unwrap().parse().unwrap()
        })
        .collect()
    }

    #[test]
    fn bars_are_scaled_to_the_greatest_of_their_panel() {
        let svg = chart().svg();
        let [greatest] = lengths(&svg, "other")[..] else {
            panic!("{svg}")
        };
        let near = |a: f64, b: f64| (a - b).abs() <= 0.1;
        let [first, second] = lengths(&svg, "ours")[..] else {
            panic!("{svg}")
        };
        assert!(near(first, greatest / 4.0), "{svg}");
        assert!(near(second, greatest), "{svg}");
        assert!(near(lengths(&svg, "floor")[0], greatest / 2.0), "{svg}");
    }

    #[test]
    fn nothing_leaves_the_picture() {
        let svg = chart().svg();
        let (_, size) = svg.split_once("viewBox=\"0 0 ").unwrap();
        let height: f64 = size.split([' ', '"']).nth(1).unwrap().parse().unwrap();
        let attribute = |line: &str, name: &str| -> f64 {
            let value = line.split_once(&format!(" {name}=\""));
            value.map_or(0.0, |(_, rest)| {
                rest.split('"').next().unwrap().parse().unwrap()
            })
        };
        for line in svg.lines().filter(|line| line.contains(" y=\"")) {
            let right = attribute(line, "x") + attribute(line, "width");
            let bottom = attribute(line, "y") + attribute(line, "height");
            assert!(right <= WIDTH && bottom <= height, "{line}");
        }
    }

    #[test]
    fn text_is_escaped() {
        assert_eq!(
            escape("a<b> & \"c\" 'd'"),
            "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;"
        );
        let svg = chart().svg();
        assert!(
            svg.contains("<title id=\"title\">A &amp; B</title>"),
            "{svg}"
        );
        assert!(svg.contains(">less is &lt;better&gt;</tspan>"), "{svg}");
        assert!(svg.contains(">&quot;c&quot;</text>"), "{svg}");
    }

    #[test]
    fn elements_are_closed() {
        let svg = chart().svg();
        let mut open = Vec::new();
        for tag in svg.split('<').skip(1) {
            let tag = tag.split('>').next().unwrap();
            let name = tag.split(' ').next().unwrap();
            if let Some(name) = name.strip_prefix('/') {
                assert_eq!(open.pop(), Some(name), "{svg}");
            } else if !tag.ends_with('/') {
                open.push(name);
            }
        }
        assert!(open.is_empty(), "{open:?}");
    }

    #[test]
    fn who_does_not_see_the_picture_is_told_its_figures() {
        let first = "first (less is <better>): a 50; b 200; \"c\" ≥ 100.";
        let second = "second (less is <better>): a 0.5.";
        assert_eq!(chart().description(), format!("{first} {second}"));
    }

    #[test]
    fn the_same_chart_is_the_same_picture() {
        assert_eq!(chart().svg(), chart().svg());
    }

    #[test]
    fn three_digits_of_a_figure_are_shown() {
        for (number, expected) in [
            (145_576.0, "146\u{a0}000"),
            (1_234_567.0, "1\u{a0}230\u{a0}000"),
            (999_600.0, "1\u{a0}000\u{a0}000"),
            (999.4, "999"),
            (94.0, "94"),
            (11.25, "11.2"),
            (15.68, "15.7"),
            (9.999, "10"),
            (0.125_6, "0.126"),
        ] {
            assert_eq!(rounded(number), expected);
        }
    }
}
