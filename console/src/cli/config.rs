//! `config show|path|check`: what is set, where it was said, and whether a file is right.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use serde_json::{Value as Json, json};

use super::exit::{Exit, Failed};
use super::text;
use crate::config::keys::{KEYS, Key, SECTIONS, Value};
use crate::config::{self, Binding, Config, ConfigError, Given, Origin, Problem};

#[derive(Subcommand)]
pub(super) enum ConfigCommand {
    /// Print every setting with the place where it was said
    Show {
        /// Print the file that documents every key, with its default
        #[arg(long)]
        default: bool,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// List the files that are read, best first
    Path {
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
    /// Check a file, or everything that counts here
    Check {
        /// The file
        #[arg(value_name = "FILE")]
        file: Option<PathBuf>,
        /// One JSON document
        #[arg(long)]
        json: bool,
    },
}

/// Every setting that counts for this call.
pub(super) fn load(given: &Given) -> Result<Config, Failed> {
    config::load(given, &|name| std::env::var_os(name)).map_err(|error| bad(&error))
}

fn bad(error: &ConfigError) -> Failed {
    let lines = error.to_string();
    let many = if lines.contains('\n') { "\n" } else { " " };
    Failed::usage(format!("the configuration is wrong:{many}{lines}"))
}

pub(super) fn run(command: ConfigCommand, given: &Given) -> Result<Exit, Failed> {
    match command {
        ConfigCommand::Show { default: true, json: as_json } => {
            let file = config::documented();
            if as_json {
                text::json_out(&json!({ "v": 1, "file": file }))
            } else {
                text::out(file.trim_end())
            }
        }
        ConfigCommand::Show { default: false, json: as_json } => {
            let config = load(given)?;
            if as_json { text::json_out(&shown_json(&config)) } else { text::out(shown(&config).trim_end()) }
        }
        ConfigCommand::Path { json } => paths(given, json),
        ConfigCommand::Check { file, json } => return check(file.as_deref(), given, json),
    }
    Ok(Exit::Done)
}

fn paths(given: &Given, as_json: bool) {
    let files = config::files(given.file.as_deref(), &|name| std::env::var_os(name));
    if as_json {
        let row = |file: &config::Candidate| json!({ "path": file.path, "exists": file.path.exists() });
        text::json_out(&json!({ "v": 1, "files": files.iter().map(row).collect::<Vec<_>>() }));
        return;
    }
    for file in files {
        text::out(&file.path.display().to_string());
        if !file.path.exists() {
            text::note(&format!("{} is not there", file.path.display()));
        }
    }
}

fn check(file: Option<&Path>, given: &Given, as_json: bool) -> Result<Exit, Failed> {
    let (problems, what) = match file {
        Some(file) => (config::check(file), file.display().to_string()),
        None => {
            let loaded = config::load(given, &|name| std::env::var_os(name));
            (loaded.err().map(|error| error.problems).unwrap_or_default(), "the configuration".to_owned())
        }
    };
    let exit = if problems.is_empty() { Exit::Done } else { Exit::Usage };
    if as_json {
        let problems: Vec<_> = problems.iter().map(problem_json).collect();
        text::json_out(&json!({ "v": 1, "right": problems.is_empty(), "problems": problems }));
    } else if problems.is_empty() {
        text::note(&format!("{what} is right"));
    } else {
        problems.iter().for_each(|problem| text::out(&problem.to_string()));
    }
    Ok(exit)
}

fn problem_json(problem: &Problem) -> Json {
    let (file, line) = match &problem.place {
        Origin::File(path, line) => (Some(path), Some(line)),
        Origin::Flag(_) | Origin::Variable(_) | Origin::Default => (None, None),
    };
    json!({
        "origin": problem.place.word(), "file": file, "line": line, "key": problem.key,
        "message": problem.message, "nearest": problem.nearest,
    })
}

/// As a file with the same effect, each line with where it was said.
fn shown(config: &Config) -> String {
    let mut lines = Vec::new();
    for (section, _) in SECTIONS {
        lines.push((format!("[{section}]"), None));
        for key in KEYS.iter().filter(|key| key.section == section) {
            lines.push(match value(config, key) {
                Some((value, origin)) => {
                    (format!("{} = {}", key.key, value.toml()), Some(origin.to_string()))
                }
                None => (format!("#{} is not set", key.key), None),
            });
        }
        lines.push((String::new(), None));
    }
    for (section, bindings) in tables(config) {
        if !bindings.is_empty() {
            lines.push((format!("[{section}]"), None));
        }
        for Binding { name, texts, origin } in bindings {
            lines.push((format!("{name} = {}", toml(texts)), Some(origin.to_string())));
        }
    }
    let width = lines.iter().filter(|(_, origin)| origin.is_some()).map(|(line, _)| line.len()).max();
    let width = width.unwrap_or_default();
    let line = |(line, origin): (String, Option<String>)| match origin {
        Some(origin) => format!("{line:<width$}  # {origin}\n"),
        None => line + "\n",
    };
    lines.into_iter().map(line).collect()
}

fn value<'c>(config: &'c Config, key: &Key) -> Option<(&'c Value, &'c Origin)> {
    let setting = config.setting(key.name)?;
    setting.value.as_ref().map(|value| (value, &setting.origin))
}

fn tables(config: &Config) -> [(&'static str, &[Binding]); 2] {
    let tables = config.tables();
    [("keys", &tables.keys), ("theme", &tables.theme)]
}

fn toml(texts: &[String]) -> toml::Value {
    match texts {
        [one] => one.clone().into(),
        many => toml::Value::Array(many.iter().cloned().map(Into::into).collect()),
    }
}

fn shown_json(config: &Config) -> Json {
    let row = |key: String, value: Json, origin: &Origin| json!({ "key": key, "value": value, "origin": origin.word(), "where": origin.to_string() });
    let settings = KEYS.iter().map(|key| match value(config, key) {
        Some((value, origin)) => row(key.full(), json!(value.toml()), origin),
        None => row(key.full(), Json::Null, &Origin::Default),
    });
    let bound = tables(config).into_iter().flat_map(|(section, bindings)| {
        bindings.iter().map(move |b| row(format!("{section}.{}", b.name), json!(toml(&b.texts)), &b.origin))
    });
    let settings: Vec<_> = settings.chain(bound).collect();
    json!({ "v": 1, "settings": settings })
}
