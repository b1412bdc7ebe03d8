//! The dashboard: one page that shows the statistics and keeps them fresh.

/// The content type of the page.
pub(crate) const CONTENT_TYPE: &str = "text/html; charset=utf-8";

const PAGE: &str = include_str!("dashboard.html");

/// The page and the policy that goes with it.
#[derive(Debug)]
pub(crate) struct Dashboard {
    pub(crate) page: String,
    /// The value of `Content-Security-Policy`: this page's own style and script, and the
    /// tracker's statistics, and nothing else.
    pub(crate) policy: String,
}

impl Dashboard {
    /// Makes the page for statistics at a path. `nonce` must be new and random for each page.
    pub(crate) fn new(stats_path: &str, nonce: u128) -> Self {
        let nonce = format!("{nonce:032x}");
        // Relative, so that a proxy may serve the page under another path.
        let stats = format!("./{stats_path}");
        Self {
            page: PAGE
                .replace("{nonce}", &nonce)
                .replace("{stats}", &escape(&stats)),
            policy: format!(
                "default-src 'none'; connect-src 'self'; base-uri 'none'; form-action 'none'; \
                 frame-ancestors 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'"
            ),
        }
    }
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
        let dashboard = Dashboard::new("stats", 0xabc);
        let nonce = "00000000000000000000000000000abc";
        let page = &dashboard.page;
        assert!(!page.contains("{nonce}") && !page.contains("{stats}"));
        assert!(page.contains("data-stats=\"./stats\""));
        assert!(!page.contains("http:") && !page.contains("https:") && !page.contains("src="));
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
        let page = Dashboard::new("\"><script>alert(1)</script>&", 0).page;
        assert!(page.contains("data-stats=\"./&quot;>&lt;script>alert(1)&lt;/script>&amp;\""));
    }
}
