//! From the configuration format of the C program to ours.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use anyhow::{Context, Result};
use opentracker::{Config, ConfigError};

/// Prints the TOML for the configuration in a file.
pub(crate) fn run(file: &Path) -> Result<()> {
    let text =
        fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let toml = convert(&text, file)?;
    io::stdout().lock().write_all(toml.as_bytes())?;
    Ok(())
}

fn convert(text: &str, file: &Path) -> Result<String, ConfigError> {
    Config::from_text(text, file).map(|config| config.to_toml())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_imported_means_the_same() {
        let text = "listen.tcp_udp 192.0.2.1:6969\n\
                    access.blacklist /etc/deny\n\
                    livesync.cluster.listen 192.168.0.1\n\
                    livesync.cluster.node_ip 192.168.0.2\n";
        let file = Path::new("opentracker.conf");
        let toml = convert(text, file).unwrap();
        let imported = Config::from_toml(&toml, file).unwrap();
        assert_eq!(imported, Config::from_text(text, file).unwrap());
        assert!(toml.contains("listen = \"192.168.0.1:9696\""), "{toml}");
        assert!(!toml.contains("interval"), "{toml}");
    }

    #[test]
    fn nothing_becomes_nothing() {
        assert_eq!(convert("# empty\n", Path::new("a")).unwrap(), "");
    }

    #[test]
    fn what_is_wrong_is_said_with_its_line() {
        let error = convert("listen.udp nowhere\n", Path::new("a.conf")).unwrap_err();
        assert!(
            error.to_string().starts_with("a.conf:1: listen.udp: "),
            "{error}"
        );
    }
}
