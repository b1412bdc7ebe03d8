//! The dashboard: one page that shows the figures of the API, keeps them fresh, and steers with the
//! token. It is put together from `assets/`.

use std::sync::LazyLock;

/// The content type of the page.
pub(crate) const CONTENT_TYPE: &str = "text/html; charset=utf-8";

const TEMPLATE: Template = Template {
    html: include_str!("../assets/dashboard/page.html"),
    styles: &[
        include_str!("../assets/uplot/uPlot.min.css"),
        include_str!("../assets/dashboard/style.css"),
    ],
    library: include_str!("../assets/uplot/uPlot.iife.min.js"),
    // In this order: what is named is declared before.
    scripts: &[
        include_str!("../assets/dashboard/format.js"),
        include_str!("../assets/dashboard/page.js"),
        include_str!("../assets/dashboard/api.js"),
        include_str!("../assets/dashboard/charts.js"),
        include_str!("../assets/dashboard/figures.js"),
        include_str!("../assets/dashboard/lists.js"),
        include_str!("../assets/dashboard/operate.js"),
    ],
    policy: "default-src 'none'; connect-src 'self'",
};

/// The dashboard but for what differs from one to the next.
static JOINED: LazyLock<String> = LazyLock::new(|| TEMPLATE.join());

/// What every page has.
const THEME: &str = include_str!("../assets/theme.css");
const ICON: &str = include_str!("../assets/icon.html");
const MARK: &str = include_str!("../assets/mark.svg");

/// Makes the dashboard of a tracker whose statistics are at a path. `nonce` must be new and random
/// for each page.
pub(crate) fn page(stats_path: &str, nonce: u128) -> HtmlPage {
    // Relative, so that a proxy may serve the page under another path.
    let stats = escape(&format!("./{stats_path}"));
    TEMPLATE.page(JOINED.replace("{stats}", &stats), nonce)
}

/// A page and the policy that goes with it.
#[derive(Debug)]
pub(crate) struct HtmlPage {
    pub(crate) html: String,
    /// The value of `Content-Security-Policy`: the page's own style, script and icon, and nothing
    /// else but what its template names.
    pub(crate) policy: String,
}

/// What a page is made of.
pub(crate) struct Template {
    pub(crate) html: &'static str,
    pub(crate) styles: &'static [&'static str],
    /// A script that is served as it was published.
    pub(crate) library: &'static str,
    pub(crate) scripts: &'static [&'static str],
    /// The beginning of its policy.
    pub(crate) policy: &'static str,
}

impl Template {
    /// Puts the parts together.
    pub(crate) fn join(&self) -> String {
        let own = self.styles.iter();
        let styles: String = [&THEME]
            .into_iter()
            .chain(own)
            .map(|css| squeezed(css))
            .collect();
        let scripts: String = self.scripts.iter().map(|script| squeezed(script)).collect();
        squeezed(self.html)
            .replace("{icon}", ICON)
            .replace("{mark}", MARK)
            .replace("{style}", &styles)
            .replace(
                "{script}",
                &format!("\"use strict\";\n{}{scripts}", self.library),
            )
    }

    /// Makes the page of what was put together.
    pub(crate) fn page(&self, html: String, nonce: u128) -> HtmlPage {
        let nonce = format!("{nonce:032x}");
        HtmlPage {
            html: html.replace("{nonce}", &nonce),
            policy: format!(
                "{}; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; \
                 script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'",
                self.policy
            ),
        }
    }
}

/// Leaves out what only those need who read the source: indents, and lines that are comments.
fn squeezed(text: &str) -> String {
    let lines = text.lines().map(str::trim_start);
    let told = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
    told.fold(String::with_capacity(text.len()), |text, line| {
        text + line + "\n"
    })
}

/// Escapes what means something inside of a quoted attribute of HTML.
pub(crate) fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_stands_alone_and_runs_nothing_foreign() {
        let dashboard = page("stats", 0xabc);
        let nonce = "00000000000000000000000000000abc";
        let page = &dashboard.html;
        for placeholder in ["{nonce}", "{stats}", "{style}", "{script}"] {
            assert!(!page.contains(placeholder), "{placeholder}");
        }
        assert!(page.contains("href=\"./stats?mode=everything\""));
        for elsewhere in ["http://", "https://", "src=", "url(", "@import"] {
            // Neither the origin of a library nor the name of a language is fetched.
            let own = page.replacen("/*! https://github.com/leeoniya/uPlot", "", 1);
            let own = own.replacen("xmlns='http://www.w3.org/2000/svg'", "", 1);
            assert!(!own.contains(elsewhere), "{elsewhere}");
        }
        for element in ["<script", "<style"] {
            let with_nonce = format!("{element} nonce=\"{nonce}\">");
            assert_eq!(page.matches(element).count(), 1);
            assert_eq!(page.matches(&with_nonce).count(), 1);
        }
        for attribute in [" style=", " onclick=", " onload=", " onerror="] {
            assert!(!page.contains(attribute), "{attribute}");
        }
        assert!(
            dashboard
                .policy
                .contains(&format!("script-src 'nonce-{nonce}'"))
        );
        assert!(dashboard.policy.starts_with("default-src 'none';"));
    }

    #[test]
    fn the_path_cannot_break_out() {
        let page = page("\"><script>alert(1)</script>&", 0).html;
        assert!(
            page.contains("href=\"./&quot;>&lt;script>alert(1)&lt;/script>&amp;?mode=everything\"")
        );
    }

    #[test]
    fn the_page_is_small() {
        let octets = page("stats", 0).html.len();
        assert!(octets < 100 << 10, "{octets} octets");
    }

    #[test]
    fn what_nobody_reads_is_not_sent() {
        let text = "// Why.\n\n  let a = 1; // one\n}\n";
        assert_eq!(squeezed(text), "let a = 1; // one\n}\n");
    }
}
