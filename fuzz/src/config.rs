use std::path::Path;

use opentracker::Config;
use opentracker::config::Layers;

const FILE: &str = "fuzz.toml";

/// Files of configuration, in TOML and in the C program's format.
pub fn config(octets: &[u8]) {
    for import in [false, true] {
        let mut layers = Layers::default();
        if import {
            layers.import(FILE.as_ref(), octets);
        } else {
            layers.file(FILE.as_ref(), octets);
        }
        match layers.build() {
            Ok((config, _warnings)) => print_and_read_again(&config),
            Err(errors) => {
                let lines = 1 + octets.iter().filter(|&&octet| octet == b'\n').count();
                assert!(!errors.faults().is_empty());
                for fault in errors.faults() {
                    assert_eq!(fault.origin.as_deref(), Some(FILE));
                    let line = fault.line.unwrap();
                    assert!((1..=lines).contains(&line), "{fault} of {lines} lines");
                    assert!(!fault.to_string().contains('\n'), "{fault:?}");
                }
            }
        }
    }
}

fn print_and_read_again(config: &Config) {
    for text in [config.effective_toml(), config.to_toml()] {
        let mut layers = Layers::default();
        layers.file(Path::new(FILE), text.as_bytes());
        let (again, _warnings) = layers.build().unwrap();
        assert_eq!(again.changed(config), [""; 0], "{text}");
    }
}
