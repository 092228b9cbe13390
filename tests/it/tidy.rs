//! The architecture, as far as a program can check it.

use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a production file before its tests: what can still be read in one go.
const LINES_MAX: usize = 500;

/// Crates of the workspace; the folder of each holds a `src`.
const CRATES: [&str; 6] = ["protocol", "certs", "agent", "console", "console/farm", "tests"];

/// The only two places that know how bytes are laid out: the wire and the table.
const BINCODE: [&str; 2] = ["protocol/src/codec.rs", "console/src/store/row.rs"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate lies in the workspace")
}

/// Every source file of a crate with its path below the workspace.
fn sources(krate: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut folders: Vec<PathBuf> = vec![root().join(krate).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a crate has a folder src") {
            let path = entry.expect("the folder can be read").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let name = path.strip_prefix(root()).expect("it lies in the workspace").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("a source is text")));
            }
        }
    }
    found.sort();
    found
}

fn all_sources() -> Vec<(String, String)> {
    CRATES.into_iter().flat_map(sources).collect()
}

/// What comes before the tests at the end of a file.
fn production(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap_or(text)
}

/// A file of tests only, which its parent includes under `cfg(test)`.
fn is_tests(name: &str) -> bool {
    name.ends_with("/tests.rs") || name.contains("/tests/") || name.ends_with("_tests.rs")
}

#[test]
fn no_file_is_too_long_to_read() {
    let long: Vec<_> = all_sources()
        .into_iter()
        .filter(|(name, _)| !is_tests(name))
        .map(|(name, text)| (production(&text).lines().count(), name))
        .filter(|(lines, _)| *lines > LINES_MAX)
        .collect();
    assert!(long.is_empty(), "past {LINES_MAX} lines before their tests: {long:?}");
}

#[test]
fn every_module_says_first_what_it_is() {
    let silent: Vec<_> = all_sources()
        .into_iter()
        .filter(|(name, text)| !is_tests(name) && !text.starts_with("//! "))
        .map(|(name, _)| name)
        .collect();
    assert!(silent.is_empty(), "without a page at their top: {silent:?}");
}

#[test]
fn two_files_know_the_layout_of_bytes() {
    let users: Vec<_> = all_sources()
        .into_iter()
        .filter(|(_, text)| production(text).lines().any(|line| is_code(line) && line.contains("bincode")))
        .map(|(name, _)| name)
        .filter(|name| !name.starts_with("tests/") && !BINCODE.contains(&name.as_str()))
        .collect();
    assert!(users.is_empty(), "bincode belongs to {BINCODE:?} alone, and is used in {users:?}");
}

#[test]
fn the_farm_core_knows_nothing_of_the_world() {
    let manifest =
        fs::read_to_string(root().join("console/farm/Cargo.toml")).expect("the core has a manifest");
    let (_, dependencies) = manifest.split_once("[dependencies]").expect("the core depends on the protocol");
    let dependencies = dependencies.split("\n[").next().unwrap_or_default();
    let names: Vec<_> = dependencies
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['.', '=', ' ']).next())
        .filter(|name| !name.is_empty())
        .collect();
    assert!(
        names.iter().all(|name| ["vc-protocol", "serde"].contains(name)),
        "the core depends on {names:?}"
    );

    for (name, text) in sources("console/farm") {
        for forbidden in ["std::fs", "std::net", "std::thread", "Instant::now", "SystemTime::now"] {
            let user = production(&text).lines().find(|line| is_code(line) && line.contains(forbidden));
            assert!(
                user.is_none() || is_tests(&name),
                "{name} uses {forbidden}: the core has no world of its own"
            );
        }
    }
}

#[test]
fn crates_depend_downwards_only() {
    let forbidden = [
        ("protocol", ["vc-certs", "vc-agent", "vc-farm", "vc-console"].as_slice()),
        ("certs", &["vc-agent", "vc-farm", "vc-console"]),
        ("agent", &["vc-farm", "vc-console"]),
        ("console/farm", &["vc-certs", "vc-agent", "vc-console"]),
    ];
    for (krate, upwards) in forbidden {
        let manifest =
            fs::read_to_string(root().join(krate).join("Cargo.toml")).expect("a crate has a manifest");
        for name in upwards {
            assert!(!manifest.contains(name), "{krate} depends on {name}, which is above it");
        }
    }
    let protocol = fs::read_to_string(root().join("protocol/Cargo.toml")).expect("a crate has a manifest");
    assert!(!protocol.contains("tokio"), "the vocabulary does no I/O");
}

#[test]
fn nothing_is_left_for_later() {
    // Put together here, so that this file does not find itself.
    let marks =
        [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X:"), concat!("unimplemented", "!(")];
    for (name, text) in all_sources() {
        for (number, line) in text.lines().enumerate() {
            for mark in marks {
                assert!(!line.contains(mark), "{name}:{}: {mark}: {line}", number + 1);
            }
            assert!(!line.contains(concat!("todo", "!(")), "{name}:{}: {line}", number + 1);
        }
    }
}

#[test]
fn no_program_writes_down_session_keys() {
    for (name, text) in all_sources() {
        for word in [concat!("SSL", "KEYLOG"), concat!("Key", "LogFile")] {
            assert!(!text.contains(word), "{name}: {word}: a key log gives every secret away");
        }
    }
}

fn is_code(line: &str) -> bool {
    !line.trim_start().starts_with("//")
}
