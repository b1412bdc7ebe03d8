//! What the tasks read of a Markdown document.

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// The parts of a document. A line is a number that counts from 1.
#[derive(Debug, Default)]
pub(crate) struct Document {
    /// The anchors of the headings, as forges make them.
    pub(crate) anchors: Vec<String>,
    pub(crate) blocks: Vec<Block>,
    /// What stands in the text as code, each with its line.
    pub(crate) code: Vec<(usize, String)>,
    /// The targets of links and images, each with its line.
    pub(crate) links: Vec<(usize, String)>,
    pub(crate) tables: Vec<Table>,
}

/// A fenced block of code.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Block {
    /// The word after the opening fence.
    pub(crate) language: String,
    /// The line of its first line of code.
    pub(crate) line: usize,
    pub(crate) text: String,
}

/// A table, cell by cell, without marks of emphasis.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Table {
    /// The comment above it, such as `<!-- plot: memory -->`.
    pub(crate) comment: String,
    pub(crate) heading: Vec<String>,
    pub(crate) rows: Vec<Row>,
}

/// A row of a table.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    /// As many as the heading has.
    pub(crate) cells: Vec<String>,
    /// Whether a cell has bold text.
    pub(crate) is_bold: bool,
}

impl Document {
    /// Reads a document.
    pub(crate) fn parse(source: &str) -> Self {
        let mut document = Self::default();
        // What was read since the last heading, cell or block began.
        let mut text = String::new();
        let (mut block, mut row, mut comment) = (None, Row::default(), String::new());
        for (event, place) in Parser::new_ext(source, Options::ENABLE_TABLES).into_offset_iter() {
            let line = || 1 + source[..place.start].matches('\n').count();
            match event {
                Event::Text(part) => text += &part,
                Event::Code(part) => {
                    text += &part;
                    document.code.push((line(), part.into_string()));
                }
                Event::Html(part) => part.trim().clone_into(&mut comment),
                Event::Start(Tag::Paragraph) => comment.clear(),
                Event::Start(Tag::Heading { .. } | Tag::TableCell) => text.clear(),
                Event::End(TagEnd::Heading(_)) => document.add_anchor(&text),
                Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                    document.links.push((line(), dest_url.into_string()));
                }
                Event::Start(Tag::CodeBlock(kind)) => {
                    text.clear();
                    if let CodeBlockKind::Fenced(language) = kind {
                        block = Some((language.into_string(), line() + 1));
                    }
                }
                Event::End(TagEnd::CodeBlock) => {
                    let fenced = block.take().map(|(language, line)| Block {
                        language,
                        line,
                        text: std::mem::take(&mut text),
                    });
                    document.blocks.extend(fenced);
                }
                Event::Start(Tag::Table(_)) => document.tables.push(Table {
                    comment: std::mem::take(&mut comment),
                    ..Table::default()
                }),
                Event::Start(Tag::Strong) => row.is_bold = true,
                Event::End(TagEnd::TableCell) => row.cells.push(text.trim().to_owned()),
                Event::End(TagEnd::TableHead | TagEnd::TableRow) => {
                    let row = std::mem::take(&mut row);
                    if let Some(table) = document.tables.last_mut() {
                        table.add(row);
                    }
                }
                _ => {}
            }
        }
        document
    }

    /// Adds the anchor of a heading: lower case, spaces as hyphens, without punctuation.
    fn add_anchor(&mut self, title: &str) {
        let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let slug: String = title.chars().filter(kept).collect();
        let slug = slug.to_lowercase().replace(' ', "-");
        let numbered = (1..).map(|n| format!("{slug}-{n}"));
        let mut candidates = std::iter::once(slug.clone()).chain(numbered);
        self.anchors
            .extend(candidates.find(|candidate| !self.anchors.contains(candidate)));
    }
}

impl Table {
    fn add(&mut self, row: Row) {
        if self.heading.is_empty() {
            self.heading = row.cells;
        } else {
            self.rows.push(row);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "\
# A title: `with` code
See [one](docs/one.md#part \"title\"), ![two](two.png) and `[no](link.md)`, or [three].

```sh
cargo run
# A comment, no heading
```

## A title with code
[three]: ../three.md

<!-- plot: x -->

| | a |
|---|--:|
| **x** | 1 `000` |
| y |

Words, and another table:

| b |
|---|
";

    #[test]
    fn all_parts_are_found_with_their_lines() {
        let document = Document::parse(TEXT);
        assert_eq!(
            document.anchors,
            ["a-title-with-code", "a-title-with-code-1"]
        );
        let links = [(2, "docs/one.md#part"), (2, "two.png"), (2, "../three.md")];
        assert_eq!(
            document.links,
            links.map(|(line, target)| (line, target.to_owned()))
        );
        let code = [(1, "with"), (2, "[no](link.md)"), (16, "000")];
        assert_eq!(
            document.code,
            code.map(|(line, text)| (line, text.to_owned()))
        );
        let block = Block {
            language: "sh".to_owned(),
            line: 5,
            text: "cargo run\n# A comment, no heading\n".to_owned(),
        };
        assert_eq!(document.blocks, [block]);
    }

    #[test]
    fn a_table_has_its_comment_and_its_bold_row() {
        let row = |cells: [&str; 2], is_bold| Row {
            cells: cells.map(str::to_owned).to_vec(),
            is_bold,
        };
        let [first, second] = &Document::parse(TEXT).tables[..] else {
            panic!("two tables")
        };
        assert_eq!(first.comment, "<!-- plot: x -->");
        assert_eq!(first.heading, ["", "a"]);
        assert_eq!(
            first.rows,
            [row(["x", "1 000"], true), row(["y", ""], false)]
        );
        assert_eq!((second.comment.as_str(), second.rows.len()), ("", 0));
    }
}
