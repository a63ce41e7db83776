//! Tests of the fuzz targets' properties on their seeds and on inputs near them, without the fuzzer.

#[path = "../../fuzz/properties/mod.rs"]
mod properties;

use std::path::Path;

use proptest::prelude::*;
use proptest::sample::{Index, select};

use properties::PARSERS;

/// Minimum number of seeds of a target.
const SEEDS_MIN: usize = 12;

/// Returns the seeds of a parser, by name. The parser accepts `good-…` and rejects `bad-…`.
fn seeds(parser: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(parser);
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap());
    let mut seeds: Vec<_> =
        files.map(|file| (file.file_name().into_string().unwrap(), std::fs::read(file.path()).unwrap())).collect();
    seeds.sort();
    seeds
}

#[test]
fn every_seed_has_the_outcome_in_its_name() {
    for (parser, check) in PARSERS {
        let seeds = seeds(parser);
        assert!(seeds.len() >= SEEDS_MIN, "{parser} has {} seeds", seeds.len());
        for (name, bytes) in seeds {
            let expected = name.split_once('-').map_or("", |(expected, _)| expected);
            let Ok(is_taken) = std::panic::catch_unwind(|| check(&bytes)) else {
                panic!("a property does not hold for {parser}/{name}: see above");
            };
            assert_eq!(expected, if is_taken { "good" } else { "bad" }, "{parser}/{name}");
        }
    }
}

#[test]
fn every_parser_has_a_fuzz_target() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let manifest = std::fs::read_to_string(root.join("fuzz/Cargo.toml")).unwrap();
    let makefile = std::fs::read_to_string(root.join("Makefile")).unwrap();
    let targets = makefile.lines().find_map(|line| line.strip_prefix("FUZZ_TARGETS := ")).unwrap();
    assert_eq!(targets.split(' ').collect::<Vec<_>>(), PARSERS.map(|(parser, _)| parser));
    for (parser, _) in PARSERS {
        let source = std::fs::read_to_string(root.join(format!("fuzz/fuzz_targets/{parser}.rs"))).unwrap();
        assert!(source.contains(&format!("check(\"{parser}\", bytes)")), "{source}");
        assert!(manifest.contains(&format!("fuzz_targets/{parser}.rs")), "{parser}");
    }
}

#[test]
fn an_attempt_over_256_kib_is_refused() {
    let padded = |bytes: usize| {
        let mut line = seeds("attempt").into_iter().find(|(name, _)| name == "good-plain.json").unwrap().1;
        line.resize(bytes, b' ');
        properties::check("attempt", &line)
    };
    assert!(padded(256 * 1024) && !padded(256 * 1024 + 1));
}

/// Change to a seed.
#[derive(Clone, Debug)]
enum Change {
    Put(Index, u8),
    Insert(Index, &'static str),
    Remove(Index, Index),
    Repeat(Index, Index),
    /// Replaces the rest with the rest of another seed.
    Cross(Index, Index, Index),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let at = any::<Index>;
    let tokens = [
        "\"",
        "\\",
        "\\u0000",
        "\\ud800",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "-",
        "0",
        "9",
        "99999999999999999999",
        "\n",
        "é",
    ];
    let change = prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, byte)| Change::Put(at, byte)),
        (at(), select(tokens.to_vec())).prop_map(|(at, token)| Change::Insert(at, token)),
        (at(), at()).prop_map(|(from, to)| Change::Remove(from, to)),
        (at(), at()).prop_map(|(from, to)| Change::Repeat(from, to)),
        (at(), at(), at()).prop_map(|(seed, from, to)| Change::Cross(seed, from, to)),
    ];
    prop::collection::vec(change, 1..4)
}

fn changed(mut bytes: Vec<u8>, changes: &[Change], seeds: &[(String, Vec<u8>)]) -> Vec<u8> {
    let place = |at: &Index, bytes: &[u8]| at.index(bytes.len() + 1);
    // The range has at most 15 bytes, so that a change stays local.
    let range = |from: &Index, to: &Index, bytes: &[u8]| {
        let begin = place(from, bytes);
        begin..(begin + to.index(16)).min(bytes.len())
    };
    for change in changes {
        match change {
            Change::Put(at, byte) => {
                if let Some(place) = place(at, &bytes).checked_sub(1) {
                    bytes[place] = *byte;
                }
            }
            Change::Insert(at, token) => drop(bytes.splice(place(at, &bytes)..place(at, &bytes), token.bytes())),
            Change::Remove(from, to) => drop(bytes.drain(range(from, to, &bytes))),
            Change::Repeat(from, to) => {
                let range = range(from, to, &bytes);
                let part = bytes[range.clone()].to_vec();
                drop(bytes.splice(range.end..range.end, part));
            }
            Change::Cross(seed, from, to) => {
                let other = &seed.get(seeds).1;
                bytes.truncate(place(from, &bytes));
                bytes.extend_from_slice(&other[place(to, other)..]);
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn the_properties_hold_for_arbitrary_bytes(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        for (_, check) in PARSERS {
            check(&bytes);
        }
    }

    #[test]
    fn the_properties_hold_near_every_seed(seed in any::<Index>(), changes in changes()) {
        for (parser, check) in PARSERS {
            let seeds = seeds(parser);
            check(&changed(seed.get(&seeds).1.clone(), &changes, &seeds));
        }
    }
}
