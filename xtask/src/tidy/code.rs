//! Rust source without what is not code.

/// Returns the source with comments and the contents of strings and characters blanked, line for
/// line, so that a search for a word finds code alone.
pub(super) fn only(source: &str) -> String {
    let source: Vec<char> = source.chars().collect();
    let mut blanker = Blanker {
        source: &source,
        at: 0,
        code: String::new(),
    };
    while blanker.step() {}
    blanker.code
}

/// Says whether a line holds a word between characters that no identifier has.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(start, _)| {
        !line[..start].ends_with(is_part) && !line[start + word.len()..].starts_with(is_part)
    })
}

struct Blanker<'a> {
    source: &'a [char],
    at: usize,
    code: String,
}

impl Blanker<'_> {
    fn step(&mut self) -> bool {
        let Some(&c) = self.source.get(self.at) else {
            return false;
        };
        if self.starts_with("//") {
            self.blank_while(|blanker| !blanker.starts_with("\n"));
        } else if self.starts_with("/*") {
            self.block_comment();
        } else if c == '"' {
            self.string();
        } else if c == '\'' && self.is_character() {
            self.keep();
            let mut escaped = false;
            self.blank_while(|blanker| {
                let ends = blanker.starts_with("'") && !escaped;
                escaped = blanker.starts_with("\\") && !escaped;
                !ends
            });
            self.keep();
        } else {
            self.keep();
        }
        true
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        loop {
            if self.starts_with("/*") {
                depth += 1;
                self.blank();
            } else if self.starts_with("*/") {
                depth -= 1;
                self.blank();
            }
            self.blank();
            if depth == 0 || self.at >= self.source.len() {
                return;
            }
        }
    }

    fn string(&mut self) {
        let before = self.code.trim_end_matches('#');
        let hashes = self.code.len() - before.len();
        let raw = before.ends_with('r');
        self.keep();
        if raw {
            let end = format!("\"{}", "#".repeat(hashes));
            self.blank_while(|blanker| !blanker.starts_with(&end));
        } else {
            let mut escaped = false;
            self.blank_while(|blanker| {
                let ends = blanker.starts_with("\"") && !escaped;
                escaped = blanker.starts_with("\\") && !escaped;
                !ends
            });
        }
        self.keep();
    }

    /// Tells a character from a lifetime.
    fn is_character(&self) -> bool {
        match self.source.get(self.at + 1) {
            Some('\\') => true,
            Some(_) => self.source.get(self.at + 2) == Some(&'\''),
            None => false,
        }
    }

    fn starts_with(&self, text: &str) -> bool {
        let rest = self.source.get(self.at..).unwrap_or_default();
        text.chars()
            .enumerate()
            .all(|(index, c)| rest.get(index) == Some(&c))
    }

    fn blank_while(&mut self, mut more: impl FnMut(&Self) -> bool) {
        while self.at < self.source.len() && more(self) {
            self.blank();
        }
    }

    fn blank(&mut self) {
        if let Some(&c) = self.source.get(self.at) {
            self.code.push(if c == '\n' { '\n' } else { ' ' });
            self.at += 1;
        }
    }

    fn keep(&mut self) {
        self.code.extend(self.source.get(self.at));
        self.at += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left of a line of code, without spaces.
    fn left(source: &str) -> String {
        only(source).split_whitespace().collect()
    }

    #[test]
    fn comments_and_literals_are_blanked() {
        assert_eq!(left("a // unsafe\nb"), "ab");
        assert_eq!(left("a /* x /* y */ unsafe */ b"), "ab");
        assert_eq!(left(r#"f("unsafe \" unsafe", b"x")"#), r#"f("",b"")"#);
        assert_eq!(left(r##"f(r#"a " b"#, c)"##), r##"f(r#""#,c)"##);
        assert_eq!(left(r"f('x', '\'', '\\', '/')"), "f('','','','')");
        assert_eq!(left("fn f<'a>(x: &'a str) // y"), "fnf<'a>(x:&'astr)");
        assert_eq!(left("'\"' + x + \"y\""), "''+x+\"\"");
    }

    #[test]
    fn lines_keep_their_numbers() {
        let source = "a\n/* one\ntwo */ b\n\"x\ny\"\nc\n";
        let code = only(source);
        assert_eq!(code.lines().count(), source.lines().count());
        assert_eq!(code.lines().nth(2).map(str::trim), Some("b"));
        assert_eq!(code.lines().nth(5), Some("c"));
    }

    #[test]
    fn unfinished_code_ends() {
        for source in ["\"abc", "/* abc", "r#\"abc\"", "'\\", "'"] {
            assert_eq!(
                only(source).chars().count(),
                source.chars().count(),
                "{source}"
            );
        }
    }

    #[test]
    fn a_word_stands_alone() {
        assert!(has_word("an unsafe { block", "unsafe"));
        assert!(!has_word("#[expect(unsafe_code)]", "unsafe"));
    }
}
