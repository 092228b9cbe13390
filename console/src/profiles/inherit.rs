//! A profile made of its own text and of those that it inherits from.
//!
//! Texts are merged key by key, the nearest one counts, and what cannot go with what it says is not taken over: a
//! quality replaces every other one. Each value keeps its place, so that a complaint names the line that is at fault,
//! whichever file that is in.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::ops::Range;

use vc_protocol::profile::{Profile, ProfileError};

use super::fault::Fault;
use super::keys::{Key, PASS};
use super::text::{Document, Leaf, Source};

/// Keys of which one says how good.
const QUALITIES: [&str; 5] = ["crf", "bitrate", "size", "target_vmaf", "target_ssim"];
/// Keys that say how to encode, and mean nothing where options are typed.
const KNOBS: [&str; 5] = ["passes", "keyframe_s", "profile", "level", "encoders"];
/// Keys that change what is encoded.
const CHANGES: [&str; 4] = ["max_width", "max_height", "depth", "interlaced"];

/// One text of a chain, the profile's own first.
pub(super) struct Link<'s> {
    pub(super) name: &'s str,
    pub(super) source: &'s Source,
    pub(super) document: Document,
}

/// Values from several texts, each with the link that it is from.
pub(super) struct Merged<'s> {
    chain: Vec<Link<'s>>,
    leaves: BTreeMap<Key, (usize, Leaf)>,
}

impl<'s> Merged<'s> {
    pub(super) fn of(chain: Vec<Link<'s>>) -> Self {
        let mut leaves = BTreeMap::new();
        for (n, link) in chain.iter().enumerate().rev() {
            leaves.retain(|key, _| !is_replaced(*key, &link.document.leaves));
            leaves.extend(link.document.leaves.iter().map(|(key, leaf)| (*key, (n, leaf.clone()))));
        }
        Merged { chain, leaves }
    }

    /// The names that it inherits from, the nearest first.
    pub(super) fn parents(&self) -> Vec<String> {
        self.chain.iter().skip(1).map(|link| link.name.to_owned()).collect()
    }

    /// The profile, checked; or everything that is wrong with it.
    pub(super) fn profile(&self) -> Result<Profile, Vec<Fault>> {
        let missing = self.missing();
        if !missing.is_empty() {
            return Err(missing);
        }
        let (text, places) = self.compose(false);
        let profile: Profile = match toml::from_str(&text) {
            Ok(profile) => profile,
            Err(error) => return Err(vec![self.no_value(&error, &places)]),
        };
        let faults: Vec<Fault> = profile.faults().iter().map(|fault| self.no_sense(fault)).collect();
        if faults.is_empty() { Ok(profile) } else { Err(faults) }
    }

    /// As one text that inherits nothing, with where each value is from.
    pub(super) fn flat(&self) -> String {
        let mut text = String::new();
        for (link, parent) in self.chain.iter().zip(self.chain.iter().skip(1)) {
            let of = if parent.name == link.name { "the built-in profile of that name" } else { parent.name };
            let _infallible = writeln!(text, "# {} inherits {of}.", link.name);
        }
        text + &self.compose(true).0
    }

    fn missing(&self) -> Vec<Fault> {
        let own = &self.chain[0];
        let needed = [("", "description"), ("", "container"), ("video", "codec"), ("audio", "codec")];
        let missing = needed.into_iter().filter_map(|(table, name)| Key::find(table, 0, name));
        let missing = missing.filter(|key| !self.leaves.contains_key(key));
        let fault = |key: Key| {
            let beside = own.document.leaves.iter().find(|(known, _)| known.table() == key.table());
            let at = beside.map_or(0, |(_, leaf)| line_start(&own.source.text, leaf.at.start));
            let remedy = format!("give {}, or inherit a profile that has it", key.takes());
            own.source.fault(at, &key.to_string(), "is missing", &remedy)
        };
        missing.map(fault).collect()
    }

    /// One text of all values, and where in it each of them is.
    fn compose(&self, says_origin: bool) -> (String, Vec<(Range<usize>, Key)>) {
        let (mut text, mut places, mut table) = (String::new(), Vec::new(), ("", 0));
        for (key, (link, leaf)) in &self.leaves {
            if (key.table(), key.pass()) != table {
                table = (key.table(), key.pass());
                let header =
                    if key.table() == PASS { format!("[[{PASS}]]") } else { format!("[{}]", key.table()) };
                let _infallible = write!(text, "\n{header}\n");
            }
            let _infallible = write!(text, "{} = ", key.name());
            places.push((text.len()..text.len() + leaf.text.len(), *key));
            text.push_str(&leaf.text);
            if says_origin && *link > 0 {
                let _infallible = write!(text, " # of {}", self.chain[*link].name);
            }
            text.push('\n');
        }
        (text, places)
    }

    /// A value is none of those that its key takes.
    fn no_value(&self, error: &toml::de::Error, places: &[(Range<usize>, Key)]) -> Fault {
        let at = error.span().map_or(0, |span| span.start);
        let found = places.iter().find(|(place, _)| place.contains(&at));
        let Some((place, key)) = found else {
            return self.chain[0].source.fault(0, "", error.message(), "write it as the built-in ones are");
        };
        // What was expected is said in our own words behind it.
        let message = error.message();
        let found = message.split_once(", expected").map_or(message, |(found, _)| found);
        let what = format!("is not understood ({found})");
        self.fault(*key, at - place.start, &what, &format!("give {}", key.takes()))
    }

    /// The values do not go together, or with the rest of the world.
    fn no_sense(&self, error: &ProfileError) -> Fault {
        let ProfileError { field, what, remedy } = error;
        let exact = Key::of_field(field).filter(|key| self.leaves.contains_key(key));
        let in_table = || self.leaves.keys().copied().find(|key| key.table() == field);
        match exact.or_else(in_table) {
            Some(key) => Fault { key: field.clone(), ..self.fault(key, 0, what, remedy) },
            None => self.chain[0].source.fault(0, field, what, remedy),
        }
    }

    fn fault(&self, key: Key, offset: usize, what: &str, remedy: &str) -> Fault {
        let Some((link, leaf)) = self.leaves.get(&key) else {
            return self.chain[0].source.fault(0, &key.to_string(), what, remedy);
        };
        let own = self.chain[0].name;
        let what = if *link > 0 { format!("(inherited by {own}) {what}") } else { what.to_owned() };
        self.chain[*link].source.fault(leaf.at.start + offset, &key.to_string(), &what, remedy)
    }
}

/// Whether a value of a parent gives way to what a child says under other keys.
fn is_replaced(key: Key, child: &BTreeMap<Key, Leaf>) -> bool {
    let says = |table: &str, name: &str| Key::find(table, 0, name).and_then(|key| child.get(&key));
    let has_passes = child.keys().any(|key| key.table() == PASS);
    if key.table() == PASS {
        return has_passes;
    }
    if key.table() != "video" {
        return false;
    }
    let name = key.name();
    let (is_quality, is_knob) = (QUALITIES.contains(&name), KNOBS.contains(&name));
    let has = |names: &[&str]| names.iter().any(|name| says("video", name).is_some());
    let codec = says("video", "codec").map(|leaf| leaf.text.trim_matches(['"', '\'']));
    match codec {
        Some("copy" | "drop") if is_quality || is_knob || CHANGES.contains(&name) => return true,
        Some("ffv1" | "prores") if is_quality || ["passes", "keyframe_s"].contains(&name) => return true,
        _ => {}
    }
    // Two passes aim at a number of bits, and at nothing else.
    (is_quality && has(&QUALITIES))
        || (name == "passes" && has(&["crf", "target_vmaf", "target_ssim"]))
        || (has_passes && (is_quality || is_knob))
}

fn line_start(text: &str, at: usize) -> usize {
    text.get(..at).and_then(|before| before.rfind('\n')).map_or(0, |end| end + 1)
}
