//! From the configuration format of the C program to ours.

use std::fmt::Write as _;
use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use opentracker::ConfigErrors;
use opentracker::config::Layers;
use serde_json::json;

/// Prints the TOML for the configuration in a file.
pub(crate) fn run(file: &Path, json: bool) -> Result<()> {
    let octets = fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let toml = convert(&octets, file)?;
    let text = match json {
        true => json!({ "toml": toml }).to_string() + "\n",
        false => toml,
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    Ok(())
}

/// Writes the TOML, below a note for each key that was left out and each warning.
fn convert(octets: &[u8], file: &Path) -> Result<String, ConfigErrors> {
    let mut layers = Layers::default();
    layers.import(file, octets);
    let (config, warnings) = layers.build()?;
    let mut text = String::new();
    for warning in &warnings {
        // Writing to a string cannot fail.
        writeln!(text, "# {warning}").ok();
    }
    let toml = config.to_toml();
    if !text.is_empty() && !toml.is_empty() {
        text.push('\n');
    }
    Ok(text + &toml)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(text: &str) -> String {
        convert(text.as_bytes(), Path::new("a.conf")).unwrap()
    }

    #[test]
    fn what_is_imported_means_the_same() {
        let text = "listen.tcp_udp 192.0.2.1:6969\n\
                    access.blacklist /etc/deny\n\
                    access.fifo_add /run/add\n\
                    tracker.redirect_url https://site.example/#/tracker\n\
                    livesync.cluster.listen 192.168.0.1\n\
                    livesync.cluster.node_ip 192.168.0.2\n";
        let toml = converted(text);
        assert_eq!(converted(&toml), toml);
        for line in [
            "listen = [\"192.0.2.1:6969\"]",
            "deny = \"/etc/deny\"",
            "fifo_add = \"/run/add\"",
            "redirect_url = \"https://site.example/#/tracker\"",
            "listen = \"192.168.0.1:9696\"",
            "nodes = [\"192.168.0.2/32\"]",
        ] {
            assert!(
                toml.lines().any(|of_toml| of_toml == line),
                "{line}: {toml}"
            );
        }
        assert!(!toml.contains("interval"), "{toml}");
    }

    #[test]
    fn nothing_becomes_nothing() {
        assert_eq!(converted("# empty\n"), "");
    }

    #[test]
    fn what_is_left_out_is_noted() {
        let toml = converted("tracker.user nobody\nbatchsync.cluster.admin_ip 10.1.1.1\n");
        assert_eq!(
            toml,
            "# a.conf:2: batchsync.cluster.admin_ip: left out: trackers exchange nothing over HTTP: \
             see [livesync]\n\n[process]\nuser = \"nobody\"\n"
        );
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let errors = convert(b"listen.udp nowhere\n", Path::new("a.conf")).unwrap_err();
        assert!(
            errors.to_string().starts_with("a.conf:1: listen.udp: "),
            "{errors}"
        );
    }

    /// Each line of the table of docs/migrating.md becomes the keys that stand beside it, or a note.
    #[test]
    fn every_key_of_the_c_program_is_imported_or_noted() {
        const DOCUMENT: &str = include_str!("../../../docs/migrating.md");
        let (_, table) = DOCUMENT.split_once("<!-- keys -->").unwrap();
        let rows = table.trim_start().lines().skip(2);
        for row in rows.take_while(|line| line.starts_with("| `")) {
            let [_, line, fate, ..] = row.split('|').collect::<Vec<_>>()[..] else {
                panic!("{row}");
            };
            let toml = converted(&(line.replace('`', "").trim().to_owned() + "\n"));
            let keys = fate.split('`').skip(1).step_by(2);
            for (section, key) in keys.filter_map(|key| key.split_once('.')) {
                assert!(toml.contains(&format!("[{section}]")), "{row}: {toml}");
                assert!(toml.contains(&format!("\n{key} = ")), "{row}: {toml}");
            }
            assert_eq!(
                toml.contains(": left out: "),
                fate.contains("left out"),
                "{row}: {toml}"
            );
        }
    }
}
