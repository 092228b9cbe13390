//! A stream, told to people in a few words.

use super::{Colour, Stream};

/// ffmpeg's name of the transfer of HDR10.
const PQ: &str = "smpte2084";
/// ffmpeg's name of hybrid log-gamma.
const HLG: &str = "arib-std-b67";
/// Candela per square metre in the units of a mastering screen.
const NIT: u32 = 10_000;

impl Colour {
    /// `bt709 tv`, `bt2020nc/bt2020/smpte2084 tv topleft`: matrix, primaries and transfer, once if they are alike, then
    /// range and chroma location. Empty if nothing is known.
    pub fn words(&self) -> String {
        let three = [&self.matrix, &self.primaries, &self.transfer];
        let named = |name: &String| if name.is_empty() { "?".to_owned() } else { name.clone() };
        let meaning = if three.iter().all(|name| *name == three[0]) {
            three[0].clone()
        } else {
            three.map(named).join("/")
        };
        let parts = [meaning.as_str(), &self.range, &self.chroma];
        parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
    }
}

impl Stream {
    /// The name of its high dynamic range, the richest first; none if it has none.
    pub fn hdr_name(&self) -> Option<&'static str> {
        let has_metadata = self.hdr.mastering.is_some() || self.hdr.light.is_some();
        match self.colour.transfer.as_str() {
            _ if self.hdr.dolby_vision.is_some() => Some("Dolby Vision"),
            _ if self.hdr.has_hdr10_plus => Some("HDR10+"),
            HLG => Some("HLG"),
            _ if has_metadata => Some("HDR10"),
            PQ => Some("PQ"),
            _ => None,
        }
    }

    /// Its high dynamic range in full: `Dolby Vision 8.1`, `HDR10 1000 nits`, `HLG`.
    fn hdr_words(&self) -> Vec<String> {
        let mut words = Vec::new();
        let transfer = self.colour.transfer.as_str();
        if let Some(profile) = self.hdr.dolby_vision {
            // In profile 8 the number behind the point says what the picture is without its metadata.
            let base = match (profile, transfer) {
                (8, PQ) => ".1",
                (8, HLG) => ".4",
                (8, "bt709") => ".2",
                _ => "",
            };
            words.push(format!("Dolby Vision {profile}{base}"));
        }
        if self.hdr.has_hdr10_plus {
            words.push("HDR10+".to_owned());
        }
        let screen = self.hdr.mastering.filter(|screen| screen.max > 0);
        if let Some(screen) = screen {
            words.push(format!("HDR10 {} nits", screen.max / NIT));
        } else if self.hdr.light.is_some() {
            words.push("HDR10".to_owned());
        } else if transfer == PQ && words.is_empty() {
            words.push("PQ".to_owned());
        } else if transfer == HLG {
            words.push("HLG".to_owned());
        }
        if let Some((brightest, average)) = self.hdr.light {
            words.push(format!("MaxCLL {brightest}, MaxFALL {average}"));
        }
        words
    }

    /// What is set of it and how its frames come: `default`, `forced`, `variable rate`, `interlaced (tt)`, `turned 90`.
    pub fn notes(&self) -> Vec<String> {
        let mut notes = self.dispositions.clone();
        if self.is_vfr {
            notes.push("variable rate".to_owned());
        }
        if self.is_interlaced() {
            notes.push(format!("interlaced ({})", self.field_order));
        }
        if self.rotation != 0 {
            notes.push(format!("turned {}", self.rotation));
        }
        notes
    }

    /// What else is known of it: title, light, colour, shape of its pixels, where it starts.
    pub fn details(&self) -> Vec<String> {
        let mut words: Vec<String> = self.title.iter().map(|title| format!("\"{title}\"")).collect();
        words.extend(self.hdr_words());
        words.extend(Some(self.colour.words()).filter(|colour| !colour.is_empty()));
        words.extend(self.pixel_aspect.map(|(across, down)| format!("pixels {across}:{down}")));
        words.extend(self.timecode.iter().map(|code| format!("timecode {code}")));
        let start = self.start_ms.filter(|ms| *ms != 0);
        words.extend(start.map(|ms| format!("starts at {} s", ms as f64 / 1000.0)));
        words
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Hdr, Mastering};
    use super::*;

    fn stream(transfer: &str, hdr: Hdr) -> Stream {
        let colour = Colour {
            primaries: "bt2020".into(),
            transfer: transfer.into(),
            matrix: "bt2020nc".into(),
            range: "tv".into(),
            chroma: String::new(),
        };
        Stream { colour, hdr, ..Stream::default() }
    }

    #[test]
    fn high_dynamic_range_is_told_by_the_names_that_people_use() {
        let screen = Mastering { max: 1000 * NIT, ..Mastering::default() };
        let hdr10 = Hdr { mastering: Some(screen), light: Some((980, 400)), ..Hdr::default() };
        let dolby = Hdr { dolby_vision: Some(8), ..hdr10.clone() };
        let plus = Hdr { has_hdr10_plus: true, ..hdr10.clone() };
        let five = Hdr { dolby_vision: Some(5), ..Hdr::default() };
        for (stream, name, words) in [
            (stream(PQ, hdr10), Some("HDR10"), "HDR10 1000 nits; MaxCLL 980, MaxFALL 400"),
            (
                stream(PQ, dolby),
                Some("Dolby Vision"),
                "Dolby Vision 8.1; HDR10 1000 nits; MaxCLL 980, MaxFALL 400",
            ),
            (stream(PQ, plus), Some("HDR10+"), "HDR10+; HDR10 1000 nits; MaxCLL 980, MaxFALL 400"),
            (stream(PQ, five), Some("Dolby Vision"), "Dolby Vision 5"),
            (stream(PQ, Hdr::default()), Some("PQ"), "PQ"),
            (stream(HLG, Hdr::default()), Some("HLG"), "HLG"),
            (stream("bt709", Hdr::default()), None, ""),
        ] {
            assert_eq!((stream.hdr_name(), stream.hdr_words().join("; ").as_str()), (name, words));
        }
    }

    #[test]
    fn a_stream_is_told_with_what_is_known_of_it_and_nothing_else() {
        assert_eq!((Stream::default().notes(), Stream::default().details()), (vec![], vec![]));
        let even = "bt709".to_owned();
        let mut stream = Stream {
            title: Some("Director".into()),
            dispositions: vec!["comment".into(), "default".into()],
            colour: Colour {
                primaries: even.clone(),
                transfer: even.clone(),
                matrix: even,
                ..Colour::default()
            },
            field_order: "tt".into(),
            rotation: 90,
            pixel_aspect: Some((64, 45)),
            timecode: Some("01:00:00:00".into()),
            start_ms: Some(-21),
            is_vfr: true,
            ..Stream::default()
        };
        assert_eq!(stream.notes().join(", "), "comment, default, variable rate, interlaced (tt), turned 90");
        let told = "\"Director\", bt709, pixels 64:45, timecode 01:00:00:00, starts at -0.021 s";
        assert_eq!(stream.details().join(", "), told);
        stream.colour.range = "pc".into();
        stream.colour.matrix.clear();
        assert_eq!(stream.colour.words(), "?/bt709/bt709 pc");
    }
}
