use proptest::prelude::*;
use vc_protocol::profile::{Container, Verify, VideoCodec};

use super::*;

/// Profiles that can be used, and such that cannot; each of these says in its first line where the fault is.
fn examples(kind: &str) -> (Vec<String>, Profiles) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/profiles/examples").join(kind);
    let names = toml_files(&folder).unwrap();
    let names = names.iter().map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned());
    (names.collect(), Profiles::load(Some(&folder)).unwrap())
}

fn with(files: &[(&str, &str)]) -> Profiles {
    let dir = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(dir.path().join(format!("{name}.toml")), text).unwrap();
    }
    Profiles::load(Some(dir.path())).unwrap()
}

#[test]
fn every_built_in_profile_makes_sense_and_is_told_in_words() {
    let profiles = Profiles::load(None).unwrap();
    let words = BUILT_IN.map(|(name, _)| format!("{name}: {}", profiles.get(name).unwrap().profile.words()));
    assert!(BUILT_IN.iter().any(|(name, _)| *name == DEFAULT));
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../assets/profiles");
    assert_eq!(toml_files(&folder).unwrap().len(), BUILT_IN.len());
    insta::assert_snapshot!(words.join("\n"));
}

#[test]
fn every_valid_example_can_be_used_and_its_flat_text_is_the_same_profile() {
    let (names, profiles) = examples("valid");
    assert!(names.len() >= 7);
    for shown in profiles.all().into_iter().filter(|shown| names.contains(&shown.name)) {
        let whole = profiles.get(&shown.name).unwrap_or_else(|error| panic!("{error}"));
        let alone = Profiles::told(vec![(shown.name.clone(), String::new(), shown.toml)]);
        assert_eq!(alone.get(&shown.name).unwrap(), whole);
    }
}

#[test]
fn every_invalid_example_is_refused_at_the_line_and_key_at_fault_with_a_remedy() {
    let (names, profiles) = examples("invalid");
    assert!(names.len() >= 20);
    for name in names {
        let text = &profiles.texts[&name][0].text;
        let wanted = text.lines().next().and_then(|line| line.strip_prefix("# wants ")).unwrap();
        let [place, key, part] = wanted.splitn(3, ' ').collect::<Vec<_>>()[..] else { panic!("{wanted}") };
        let Err(ProfilesError::Faults(faults)) = profiles.get(&name) else { panic!("{name} can be used") };
        let fault = &faults[0];
        assert_eq!(faults.len(), 1, "{name}: {faults:?}");
        let at = match place.strip_prefix("built-in:") {
            Some(at) => {
                assert!(fault.origin.starts_with("built-in "), "{name}: {fault}");
                assert!(fault.what.contains(&name), "the heir is named: {fault}");
                at
            }
            None if key == "inherits" => place,
            None => {
                assert!(fault.origin.ends_with(&format!("{name}.toml")), "{name}: {fault}");
                place
            }
        };
        let found = format!("{}:{}", fault.line, fault.column);
        assert_eq!((found.as_str(), fault.key.as_str()), (at, if key == "-" { "" } else { key }), "{fault}");
        assert!(fault.to_string().contains(part) && !fault.remedy.is_empty(), "{name}: {fault}");
    }
}

#[test]
fn a_child_replaces_values_key_by_key_and_any_quality_by_its_own() {
    let (_, profiles) = examples("valid");
    let smaller = profiles.get("smaller").unwrap().profile;
    assert_eq!((smaller.video.crf, smaller.video.target_vmaf), (None, Some(94.0)));
    assert_eq!((smaller.video.codec, smaller.container), (VideoCodec::Hevc, Container::Mkv));
    assert_eq!(smaller.guard.unwrap().min_saving_percent, 5);
    let smallest = profiles.get("smallest").unwrap().profile;
    assert_eq!((smallest.video.target_vmaf, smallest.video.max_height), (Some(94.0), Some(480)));
    assert_eq!((smallest.guard.unwrap().min_saving_percent, smallest.description), (30, smaller.description));
    assert_eq!(profiles.get("remux").unwrap().profile.verify, Verify::Full);
    assert_eq!(profiles.get("typed").unwrap().profile.video.crf, None);
    let two_passes = "inherits = \"hevc-save\"\nvideo = { bitrate = \"6M\", passes = 2 }";
    let profiles = with(&[
        ("a", two_passes),
        ("b", "inherits = \"a\"\nvideo.size = \"1G\""),
        ("c", "inherits = \"b\"\nvideo.crf = 20"),
    ]);
    assert_eq!(profiles.get("b").unwrap().profile.video.passes, Some(2));
    assert_eq!(profiles.get("c").unwrap().profile.video.passes, None);
}

#[test]
fn a_shown_profile_says_what_it_inherits_and_where_each_value_is_from() {
    let (_, profiles) = examples("valid");
    let all = profiles.all();
    let smallest = all.iter().find(|shown| shown.name == "smallest").unwrap();
    assert_eq!(smallest.inherits, ["smaller", "hevc-save"]);
    assert!(smallest.origin.ends_with("smallest.toml"));
    insta::assert_snapshot!(smallest.toml);
    let remux = all.iter().find(|shown| shown.name == "remux").unwrap();
    assert!(
        remux.toml.starts_with("# remux inherits the built-in profile of that name.\n"),
        "{}",
        remux.toml
    );
}

#[test]
fn a_circle_is_told_with_its_chain() {
    let profiles =
        with(&[("a", "inherits = \"b\""), ("b", "\n inherits = \"c\""), ("c", "inherits = \"b\"")]);
    let said = profiles.get("a").unwrap_err().to_string();
    assert!(said.contains("c.toml:1:12: inherits goes round in a circle, a -> b -> c -> b"), "{said}");
}

#[test]
fn a_file_hides_the_built_in_and_its_errors_name_it() {
    let profiles = with(&[("remux", "description = 1")]);
    let text = profiles.get("remux").unwrap_err().to_string();
    assert!(text.contains("remux.toml:1:1"), "{text}");
    let text = profiles.get("remuxx").unwrap_err().to_string();
    assert!(text.contains("did you mean remux?") && text.contains("h264-1080p"), "{text}");
}

proptest! {
    #[test]
    fn no_text_of_a_profile_panics(text in any::<String>()) {
        let _ = Profiles::told(vec![("a".into(), String::new(), text)]).all();
    }

    #[test]
    fn no_mangled_profile_panics(from in 0usize..400, to in 0usize..400, with in "[ -~\n]{0,8}") {
        let whole = "inherits = \"b\"\n".to_owned() + &BUILT_IN[4].1.replace('#', "") + BUILT_IN[6].1;
        let cut: String = whole.chars().take(from).chain(with.chars()).chain(whole.chars().skip(to)).collect();
        let texts = vec![("a".into(), String::new(), cut), ("b".into(), String::new(), BUILT_IN[3].1.into())];
        let _ = Profiles::told(texts).all();
    }
}
