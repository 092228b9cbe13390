//! What comes with a stream or a frame beside its picture: metadata of high dynamic range, the turn of the picture.

use serde::Deserialize;
use serde_json::{Map, Value};
use vc_protocol::media::{Hdr, Mastering};

/// One piece, as ffprobe writes it: `side_data_type` says what it is, the rest depends on that.
#[derive(Deserialize, Default)]
#[serde(transparent)]
pub(super) struct SideData(Map<String, Value>);

impl SideData {
    fn kind(&self) -> &str {
        self.0.get("side_data_type").and_then(Value::as_str).unwrap_or_default()
    }

    /// A number, which ffprobe may write as a fraction in a text.
    pub(super) fn number(&self, name: &str) -> Option<f64> {
        let value = self.0.get(name)?;
        let value = match value.as_str() {
            None => value.as_f64()?,
            Some(text) => match text.split_once('/') {
                Some((over, under)) => over.parse::<f64>().ok()? / under.parse::<f64>().ok()?,
                None => text.parse().ok()?,
            },
        };
        value.is_finite().then_some(value)
    }

    /// A number in units of one part in `parts`, if it fits.
    fn units<T: TryFrom<u64>>(&self, name: &str, parts: f64) -> Option<T> {
        let units = (self.number(name)? * parts).round();
        (0.0..1e15).contains(&units).then_some(units as u64).and_then(|units| T::try_from(units).ok())
    }

    fn mastering(&self) -> Option<Mastering> {
        let point = |name: &str| {
            let side = |axis| self.units::<u16>(&format!("{name}_{axis}"), 50_000.0);
            Some((side('x')?, side('y')?))
        };
        Some(Mastering {
            points: [point("red")?, point("green")?, point("blue")?, point("white_point")?],
            min: self.units("min_luminance", 10_000.0)?,
            max: self.units("max_luminance", 10_000.0)?,
        })
    }
}

/// What all pieces together say of high dynamic range.
pub(super) fn hdr(pieces: &[SideData]) -> Hdr {
    let mut hdr = Hdr::default();
    for piece in pieces {
        match piece.kind() {
            "Mastering display metadata" => hdr.mastering = hdr.mastering.or(piece.mastering()),
            "Content light level metadata" => {
                let light = piece.units("max_content", 1.0).zip(piece.units("max_average", 1.0));
                hdr.light = hdr.light.or(light).filter(|light| *light != (0, 0));
            }
            "DOVI configuration record" => {
                hdr.dolby_vision = piece.units("dv_profile", 1.0).or(hdr.dolby_vision)
            }
            // A frame says what it was made from, which is not the number that is known by people.
            "Dolby Vision Metadata" => hdr.dolby_vision = hdr.dolby_vision.or(Some(0)),
            kind if kind.contains("SMPTE2094-40") => hdr.has_hdr10_plus = true,
            _ => {}
        }
    }
    hdr
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_of_a_screen_are_read_in_the_units_of_the_standard_or_not_at_all() {
        let of = |json: &str| hdr(&serde_json::from_str::<Vec<SideData>>(json).unwrap());
        let screen = r#""side_data_type": "Mastering display metadata", "red_x": "17/25", "red_y": "16000/50000",
            "green_x": "13250/50000", "green_y": "34500/50000", "blue_x": "7500/50000", "blue_y": "3000/50000",
            "white_point_x": "15635/50000", "white_point_y": "16450/50000", "min_luminance": "1/10000""#;
        let whole = of(&format!(
            r#"[{{{screen}, "max_luminance": "1000/1"}},
                {{"side_data_type": "Content light level metadata", "max_content": 1000, "max_average": 400}}]"#
        ));
        let points = [(34_000, 16_000), (13_250, 34_500), (7_500, 3_000), (15_635, 16_450)];
        assert_eq!(whole.mastering, Some(Mastering { points, min: 1, max: 10_000_000 }));
        assert_eq!(whole.light, Some((1000, 400)));
        for max in ["\"-1/1\"", "\"1/0\"", "1e300", "{}"] {
            assert_eq!(of(&format!(r#"[{{{screen}, "max_luminance": {max}}}]"#)), Hdr::default(), "{max}");
        }
        let layers = of(r#"[{"side_data_type": "DOVI configuration record", "dv_profile": 5},
            {"side_data_type": "HDR Dynamic Metadata SMPTE2094-40 (HDR10+)"}, {"side_data_type": "Dolby Vision Metadata"}]"#);
        assert_eq!((layers.dolby_vision, layers.has_hdr10_plus), (Some(5), true));
    }
}
