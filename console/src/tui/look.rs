//! What the terminal can show, decided once from the environment. Knows nothing of what is drawn.

use jiff::tz::TimeZone;

/// Which characters drawings are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Glyphs {
    /// Only ASCII; other characters from outside become `?`.
    Ascii,
    /// Box lines, blocks and the ellipsis.
    Unicode,
}

/// Whether colours are used. Bold and reverse video stay in both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Color {
    /// The terminal's own 16 colours.
    On,
    /// None.
    Off,
}

/// Least time between two frames that nobody asked for by a key.
const FRAME_MS: u64 = 100;
/// The same over SSH, where bytes are dearer.
const FRAME_SSH_MS: u64 = 250;

/// How things are drawn.
#[derive(Debug, Clone)]
pub struct Look {
    /// Characters.
    pub glyphs: Glyphs,
    /// Colours.
    pub color: Color,
    /// For clock times.
    pub zone: TimeZone,
    /// Least milliseconds between two frames.
    pub frame_ms: u64,
}

impl Look {
    /// From this process's environment.
    pub fn detect() -> Look {
        Look::from_vars(|name| std::env::var(name).ok(), TimeZone::system())
    }

    /// From variables: locale and `TERM` choose the glyphs, `NO_COLOR` and `TERM` the colours.
    pub fn from_vars(var: impl Fn(&str) -> Option<String>, zone: TimeZone) -> Look {
        let set = |name: &str| var(name).filter(|v| !v.is_empty());
        let term = set("TERM").unwrap_or_default();
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).unwrap_or_default();
        let locale = locale.to_ascii_lowercase();
        let utf8 = locale.contains("utf-8") || locale.contains("utf8");
        let plain = term == "linux" || term == "dumb";
        Look {
            glyphs: if utf8 && !plain { Glyphs::Unicode } else { Glyphs::Ascii },
            color: if set("NO_COLOR").is_some() || term == "dumb" { Color::Off } else { Color::On },
            zone,
            frame_ms: if set("SSH_CONNECTION").is_some() { FRAME_SSH_MS } else { FRAME_MS },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(vars: &[(&str, &str)]) -> (Glyphs, Color, u64) {
        let var = |name: &str| vars.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned());
        let look = Look::from_vars(var, TimeZone::UTC);
        (look.glyphs, look.color, look.frame_ms)
    }

    #[test]
    fn the_environment_decides_glyphs_colours_and_pace() {
        use {Color::*, Glyphs::*};
        let check = |vars: &[(&str, &str)], expected| assert_eq!(look(vars), expected, "{vars:?}");
        check(&[], (Ascii, On, 100));
        check(&[("LANG", "C.UTF-8"), ("TERM", "xterm-256color")], (Unicode, On, 100));
        check(&[("LANG", "de_DE.utf8"), ("LC_ALL", "C")], (Ascii, On, 100));
        check(&[("LANG", "C"), ("LC_ALL", ""), ("LC_CTYPE", "en_US.UTF-8")], (Unicode, On, 100));
        check(&[("LANG", "C.UTF-8"), ("TERM", "linux")], (Ascii, On, 100));
        check(&[("LANG", "C.UTF-8"), ("TERM", "dumb")], (Ascii, Off, 100));
        check(&[("NO_COLOR", "1"), ("SSH_CONNECTION", "a b")], (Ascii, Off, 250));
        check(&[("NO_COLOR", "")], (Ascii, On, 100));
    }
}
