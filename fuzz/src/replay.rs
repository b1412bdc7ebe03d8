//! The corpora, on any compiler; and more datagrams than a corpus has.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{Rng, RngExt, SeedableRng};

use crate::TARGETS;
use crate::udp_handler::Pair;

/// The most that is committed of a target.
const MAX_INPUTS: usize = 100;
const MAX_OCTETS: u64 = 1024;

/// Datagrams without a valid connection id.
const FORGED: u32 = 300_000;

fn corpus(target: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target);
    let files = fs::read_dir(&folder).unwrap_or_else(|error| panic!("{folder:?}: {error}"));
    files.map(|file| file.unwrap().path()).collect()
}

#[test]
fn nothing_in_the_corpora_fails() {
    for (name, target) in TARGETS {
        let corpus = corpus(name);
        assert!(!corpus.is_empty(), "{name} has no corpus");
        for file in corpus {
            // The last one that is shown is the one that fails.
            eprintln!("{}", file.display());
            target(&fs::read(&file).unwrap());
        }
    }
}

#[test]
fn the_corpora_are_small() {
    for (name, _) in TARGETS {
        let corpus = corpus(name);
        assert!(corpus.len() <= MAX_INPUTS, "{name}: {} files", corpus.len());
        for file in corpus {
            let octets = fs::metadata(&file).unwrap().len();
            assert!(octets <= MAX_OCTETS, "{}: {octets} octets", file.display());
        }
    }
}

#[test]
fn each_target_has_its_program_and_its_corpus() {
    let names = |folder: &str| -> BTreeSet<String> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let files = fs::read_dir(folder).unwrap();
        let names = files.map(|file| file.unwrap().path());
        names
            .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
            .collect()
    };
    let targets = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("corpus"), targets);
    let manifest = include_str!("../Cargo.toml");
    for (name, _) in TARGETS {
        assert!(
            manifest.contains(&format!("\nname = \"{name}\"\n")),
            "{name}"
        );
    }
}

/// What anybody can send in anybody's name brings its owner no more octets than it took: the model
/// owes it, and the front end is held to both.
#[test]
fn forged_datagrams_are_not_amplified() {
    let mut rng = StdRng::seed_from_u64(11);
    let mut seeds: Vec<Vec<u8>> = vec![vec![0; 16], vec![0; 36], vec![0; 98]];
    seeds.extend(
        corpus("udp_wire")
            .iter()
            .map(|file| fs::read(file).unwrap()),
    );
    let mut pair = Pair::new();
    for number in 0..FORGED {
        let mut datagram = seeds[rng.random_range(0..seeds.len())].clone();
        forge(&mut datagram, &mut rng);
        // Few addresses, so that each is told now and then that its id is bad.
        let host = rng.random_range(0..64_u8);
        let source = SocketAddr::from(([198, 51, 100, host], rng.random()));
        pair.exchange(vec![(datagram, source)]);
        if number % 64 == 0 {
            pair.pass(rng.random_range(0..3));
        }
    }
    let answered = pair.answered_unknown();
    assert!(answered > 10_000, "{answered} answers do not try it");
}

/// Makes a request of octets that would be one if the id were valid, or nearly one.
fn forge(datagram: &mut Vec<u8>, rng: &mut StdRng) {
    if rng.random_ratio(1, 8) {
        datagram.resize(rng.random_range(0..200), 0);
        rng.fill_bytes(datagram);
    }
    if let Some(action) = datagram.get_mut(8..12) {
        action.copy_from_slice(&rng.random_range(0..4_u32).to_be_bytes());
    }
    match datagram.first_chunk_mut() {
        Some(id) if rng.random() => *id = 0x0417_2710_1980_u64.to_be_bytes(),
        Some(id) => *id = rng.random(),
        None => {}
    }
    for _ in 0..rng.random_range(0..4) {
        let at = rng.random_range(0..datagram.len().max(1));
        if let Some(octet) = datagram.get_mut(at) {
            *octet = rng.random();
        }
    }
    if rng.random_ratio(1, 8) {
        datagram.truncate(rng.random_range(0..=datagram.len()));
    }
}
