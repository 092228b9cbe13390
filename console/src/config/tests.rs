//! Settings said in several places, wrongly, and not at all.

use super::*;

fn no_variables(_: &str) -> Option<OsString> {
    None
}

/// Loads a file that was named, with nothing else said.
fn load_text(text: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("console.toml");
    std::fs::write(&path, text).unwrap();
    load(&Given { file: Some(path), flags: Vec::new() }, &no_variables)
}

/// The problems of a file, without the path in front.
fn problems(text: &str) -> Vec<String> {
    let error = load_text(text).unwrap_err().to_string();
    error.lines().map(|line| line.split_once("console.toml:").unwrap().1.to_owned()).collect()
}

#[test]
fn every_default_is_of_its_kind_and_every_key_is_in_a_documented_section() {
    for key in &KEYS {
        if let keys::Fallback::Is(text) = key.default {
            key.kind.parse(OsStr::new(text)).unwrap();
        }
        assert!(keys::SECTIONS.iter().any(|(section, _)| *section == key.section), "{}", key.full());
    }
}

#[test]
fn the_themes_are_those_of_the_dashboard() {
    let Err(crate::tui::settings::Unfit::Name { known, .. }) =
        crate::tui::settings::check_theme("none", &BTreeMap::new())
    else {
        panic!("there is no such theme")
    };
    assert_eq!(known, keys::THEMES);
}

#[test]
fn keys_may_be_swapped_and_the_best_file_decides() {
    let config =
        load_text("[keys]\ncancel = \"r\"\nretry = [\"x\", \"F9\"]\n[theme]\ngood = \"bold green\"\n")
            .unwrap();
    assert_ne!(*config.keys(), Keys::default());
    assert_ne!(*config.theme(), Theme::default());
    assert_eq!(config.tables().keys.len(), 2);
}

#[test]
fn the_documented_file_is_valid_with_and_without_its_comment_marks() {
    load_text(&documented()).unwrap();
    let marked = |line: &str| line.starts_with('#') && !line.starts_with("# ");
    let bare: String = documented()
        .lines()
        .map(|line| if marked(line) { &line[1..] } else { line })
        .map(|line| format!("{line}\n"))
        .collect();
    if std::env::var_os("HOME").is_some() {
        let config = load_text(&bare).unwrap();
        for key in &KEYS {
            assert!(
                matches!(config.setting(key.name), Some(Setting { origin: Origin::File(..), .. })),
                "{} is not documented: {bare}",
                key.full()
            );
        }
    }
}

#[test]
fn a_flag_wins_over_a_variable_over_a_file_over_the_default() {
    let dir = tempfile::tempdir().unwrap();
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    };
    let named = file("named.toml", "[server]\nlisten = \"1.1.1.1:1\"\n[dashboard]\ntheme = \"dark\"\n");
    let user = "[dashboard]\n# a comment\ntheme = \"light\"\nascii = true\nmouse = \"off\"\n";
    let user = file("home/vc/console.toml", user);
    let home = dir.path().join("home").into_os_string();
    let var = move |name: &str| match name {
        "XDG_CONFIG_HOME" => Some(home.clone()),
        "VC_LISTEN" => Some("2.2.2.2:2".into()),
        "VC_THEME" => Some("".into()),
        "VC_MOUSE" => Some("on".into()),
        _ => None,
    };
    let mut given = Given { file: Some(named.clone()), flags: Vec::new() };
    given.flag(Name::Listen, Some("3.3.3.3:3"));
    given.flag(Name::Color, None::<&str>);
    let config = load(&given, &var).unwrap();
    let origin = |name| config.setting(name).unwrap().origin.clone();
    assert_eq!(config.address(Name::Listen), Some("3.3.3.3:3".parse().unwrap()));
    assert_eq!(origin(Name::Listen), Origin::Flag("--listen"));
    assert_eq!((config.text(Name::Mouse), origin(Name::Mouse)), ("on", Origin::Variable("VC_MOUSE")));
    assert_eq!((config.text(Name::Theme), origin(Name::Theme)), ("dark", Origin::File(named, 4)));
    assert_eq!((config.is_on(Name::Ascii), origin(Name::Ascii)), (true, Origin::File(user, 4)));
    assert_eq!((config.text(Name::Color), origin(Name::Color)), ("auto", Origin::Default));
}

#[test]
fn state_lies_below_the_home_folder_when_nothing_is_said() {
    let check = |vars: &[(&str, &str)], expected: Option<&str>| {
        let vars: Vec<_> = vars.iter().map(|(n, v)| ((*n).to_owned(), OsString::from(v))).collect();
        let var = move |name: &str| vars.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone());
        let config = load(&Given::default(), &var).unwrap();
        assert_eq!(config.path(Name::StateDir), expected.map(Path::new));
    };
    check(&[], None);
    check(&[("HOME", "/h")], Some("/h/.local/state/vc-console"));
    check(&[("HOME", "/h"), ("XDG_STATE_HOME", "/s")], Some("/s/vc-console"));
    check(&[("HOME", "/h"), ("VC_STATE_DIR", "rel")], Some("rel"));
}

#[test]
fn wrong_settings_are_named_with_their_line_and_the_nearest_known_one() {
    let check = |text: &str, expected: &[&str]| assert_eq!(problems(text), expected, "{text}");
    check(
        "[server]\nlisen = \"0.0.0.0:1\"\n",
        &["2: server.lisen is not known: did you mean server.listen?"],
    );
    check("\n\n[servr]\nlisten = 1\n", &["3: servr is not known: did you mean server?"]);
    check("listen = \"a\"\n", &["1: listen is not known: did you mean server.listen?"]);
    check("[server]\nzzz = 1\n", &["2: server.zzz is not known"]);
    check("server = 1\n", &["1: server is a table: write [server] on a line of its own"]);
    check(
        "[dashboard]\nascii = \"yes\"\ncolor = \"blue\"\nread_only = 1\n",
        &[
            "2: dashboard.ascii wants true or false, not a string",
            "3: dashboard.color wants one of auto, always, never, not \"blue\"",
            "4: dashboard.read_only wants true or false, not an integer",
        ],
    );
    check(
        "[server]\nlisten = \"4433\"\nstate_dir = \"here\"\n",
        &[
            "2: server.listen wants an address and port such as 0.0.0.0:4433 or [::]:4433, not \"4433\"",
            "3: server.state_dir wants a path that begins with / or ~/, not \"here\"",
        ],
    );
    check(
        "[keys]\ncancle = \"x\"\ncancel = [\"r\"]\n[theme]\ngod = \"red\"\ngood = \"reddish\"\n",
        &[
            "2: keys.cancle is not known: did you mean keys.cancel?",
            "3: keys.cancel cannot be so: r is a key of \"retry\" in the same place",
            "5: theme.god is not known: did you mean theme.good?",
            "6: theme.good cannot be so: \"reddish\" is not a style: bold dim underline reverse plain, red … bright-white, 0 \
             to 255, #rrggbb, on COLOUR",
        ],
    );
    check("[keys]\nretry = 1\n", &["2: keys.retry wants a key or a list of keys in quotes, not an integer"]);
    let syntax = problems("[server]\nlisten = \n");
    assert!(syntax[0].starts_with("2: is not TOML: "), "{syntax:?}");
}

#[test]
fn a_wrong_variable_or_flag_is_named() {
    let var = |name: &str| (name == "VC_COLOR").then(|| "blue\u{1b}".into());
    let mut given = Given::default();
    given.flag(Name::Listen, Some("nowhere"));
    let error = load(&given, &var).unwrap_err().to_string();
    assert!(error.contains("VC_COLOR: dashboard.color wants one of auto"), "{error}");
    assert!(error.contains("--listen: server.listen wants an address"), "{error}");
    assert!(!error.contains('\u{1b}'), "{error}");
}

#[test]
fn a_file_that_was_named_must_be_there() {
    let given = Given { file: Some("/nonexistent/console.toml".into()), flags: Vec::new() };
    let error = load(&given, &no_variables).unwrap_err().to_string();
    assert!(error.starts_with("/nonexistent/console.toml:1: cannot be read: "), "{error}");
}
