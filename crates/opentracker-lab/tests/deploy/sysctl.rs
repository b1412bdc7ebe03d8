//! The kernel settings of `deploy/sysctl`. That the remedies of `opentracker-ctl doctor` are the same is a test
//! of that program.

use std::path::Path;

use crate::text;

/// The settings of a file, without comments and empty lines.
fn settings(text: &str) -> Vec<(&str, &str)> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(" = ")).collect()
}

#[test]
fn the_kernel_knows_every_setting() {
    let file = text("deploy/sysctl/90-opentracker.conf");
    let settings = settings(&file);
    assert!(!settings.is_empty());
    for (key, value) in settings {
        let path = Path::new("/proc/sys").join(key.replace('.', "/"));
        assert!(path.is_file(), "{key}");
        assert!(value.parse::<u32>().is_ok(), "{key}: {value}");
    }
}

#[test]
fn the_documentation_has_the_same_settings() {
    let tuning = text("docs/tuning.md");
    let block = tuning
        .split("```")
        .find(|block| block.contains("90-opentracker.conf"));
    let block = block.expect("tuning.md shows the file");
    let file = text("deploy/sysctl/90-opentracker.conf");
    assert_eq!(settings(block), settings(&file));
}
