//! Tries a configuration as a start would.

use std::fs;
use std::io::{self, Write};
use std::path::PathBuf;

use anyhow::{Result, bail};
use clap::Args;
use opentracker::Tracker;
use opentracker::config::Layers;
use serde_json::json;

use crate::AlreadySaid;

/// The configuration is wrong, as `opentracker --check` says it.
const EXIT_CONFIG: u8 = 2;

/// Tries a configuration.
#[derive(Debug, Args)]
pub(crate) struct Check {
    /// The configuration files; of several the later one wins.
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

pub(crate) fn run(check: &Check, json: bool) -> Result<()> {
    let mut layers = Layers::default();
    for path in &check.files {
        match fs::read(path) {
            Ok(octets) => layers.file(path, &octets),
            Err(error) => layers.unreadable(path, &error),
        }
    }
    layers.environment(std::env::vars_os());
    let (mut faults, mut warnings, mut effective) = (Vec::new(), Vec::new(), None);
    match layers.build() {
        Err(errors) => faults.extend(errors.faults().iter().map(ToString::to_string)),
        Ok((config, found)) => {
            warnings.extend(found.iter().map(ToString::to_string));
            // What a start would warn of goes the way of its log.
            tracing_subscriber::fmt()
                .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
                .with_writer(io::stderr)
                .without_time()
                .with_target(false)
                .init();
            opentracker::raise_descriptor_limit();
            let found = Tracker::check(&config, None, Vec::new());
            faults.extend(found.iter().map(ToString::to_string));
            effective = Some(config.effective_toml()).filter(|_| faults.is_empty());
        }
    }
    let text = if json {
        let object = json!({ "faults": faults, "warnings": warnings, "effective": effective });
        object.to_string() + "\n"
    } else {
        for warning in &warnings {
            eprintln!("opentracker-ctl: warning: {warning}");
        }
        for fault in &faults {
            eprintln!("opentracker-ctl: {fault}");
        }
        effective.unwrap_or_default()
    };
    io::stdout().lock().write_all(text.as_bytes())?;
    if !faults.is_empty() {
        bail!(AlreadySaid { code: EXIT_CONFIG });
    }
    Ok(())
}
