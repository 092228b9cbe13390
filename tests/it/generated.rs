//! What is made from the programs' own definitions and kept in the repository. `UPDATE=1` writes it anew.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use vc_console::tui::settings::{ActionView, actions};

const BEGIN: &str = "<!-- actions: made by `UPDATE=1 cargo test -p vc-tests --test it generated` -->\n";
const END: &str = "<!-- end of actions -->\n";

fn check(path: &str, made: &str, kept: &str) {
    let whole = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    if kept == made {
        return;
    }
    assert!(
        std::env::var_os("UPDATE").is_some(),
        "{path} is stale: run `UPDATE=1 cargo test -p vc-tests --test it generated`"
    );
    fs::write(whole, made).unwrap();
}

fn kept(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap_or_default()
}

/// Every action that has a command, in the order of the help.
fn table() -> String {
    let mut table = String::from("| keys | palette | does | command |\n| --- | --- | --- | --- |\n");
    let code = |text: &str| format!("`{}`", text.replace('|', "\\|"));
    let each = |text: &str, parted: &str| text.split(parted).map(code).collect::<Vec<_>>().join(" ");
    for ActionView { name, keys, what, subcommand, .. } in actions().filter(|a| !a.subcommand.is_empty()) {
        let keys = if keys.is_empty() { String::new() } else { each(&keys, " ") };
        let commands = each(subcommand, ", ");
        let _ = writeln!(table, "| {keys} | {} | {what} | {commands} |", code(name));
    }
    table
}

#[test]
fn the_readme_lists_every_action_with_its_command() {
    let readme = kept("README.md");
    let (before, rest) = readme.split_once(BEGIN).expect("the README has the table's begin");
    let (_, after) = rest.split_once(END).expect("the README has the table's end");
    check("README.md", &format!("{before}{BEGIN}{}{END}{after}", table()), &readme);
}

#[test]
fn the_documented_settings_are_those_of_the_program() {
    let path = "assets/console.toml";
    check(path, &vc_console::config::documented(), &kept(path));
}
