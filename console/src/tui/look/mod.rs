//! What the terminal can show, decided once from the environment and from what the operator wants. Knows nothing of
//! what is drawn.

pub(crate) mod theme;

use jiff::tz::TimeZone;

pub use theme::Theme;

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

/// What the operator wants of something that the program can decide by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum When {
    /// As the environment says.
    #[default]
    Auto,
    /// In any case.
    Always,
    /// In no case.
    Never,
}

/// What is behind the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Background {
    /// Text is best light.
    Dark,
    /// Text is best dark.
    Light,
}

impl Background {
    pub(crate) fn of_light(is_light: bool) -> Background {
        if is_light { Background::Light } else { Background::Dark }
    }
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
    /// The terminal is on another machine.
    pub remote: bool,
    /// Styles of the roles.
    pub theme: Theme,
    /// Behind the text, if the terminal was asked and answered.
    pub background: Option<Background>,
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
        let remote = set("SSH_CONNECTION").is_some();
        Look {
            glyphs: if utf8 && !plain { Glyphs::Unicode } else { Glyphs::Ascii },
            color: if set("NO_COLOR").is_some() || term == "dumb" { Color::Off } else { Color::On },
            zone,
            frame_ms: if remote { FRAME_SSH_MS } else { FRAME_MS },
            remote,
            theme: Theme::default(),
            background: None,
        }
    }

    /// With what the operator asked for: `--color` and `--ascii` are stronger than the environment.
    pub fn wished(mut self, color: When, ascii: bool) -> Look {
        match color {
            When::Auto => {}
            When::Always => self.color = Color::On,
            When::Never => self.color = Color::Off,
        }
        if ascii {
            self.glyphs = Glyphs::Ascii;
        }
        self
    }

    /// The terminal said what is behind the text, or did not.
    pub(crate) fn know_background(&mut self, background: Option<Background>) {
        self.background = background;
        self.wear(self.theme.clone());
    }

    /// Another theme, as it is on this background.
    pub(crate) fn wear(&mut self, mut theme: Theme) {
        if let Some(background) = self.background {
            theme.fit(background);
        }
        self.theme = theme;
    }

    /// Whether the mouse is taken at the start: over SSH it is left to the terminal, whose own selection is then the
    /// surest way to copy.
    pub fn takes_mouse(&self, wish: When) -> bool {
        match wish {
            When::Auto => !self.remote,
            When::Always => true,
            When::Never => false,
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

    #[test]
    fn what_the_operator_asks_for_is_stronger_than_the_environment() {
        let var = |name: &str| match name {
            "LANG" => Some("C.UTF-8".to_owned()),
            "NO_COLOR" | "SSH_CONNECTION" => Some("1".to_owned()),
            _ => None,
        };
        let look = Look::from_vars(var, TimeZone::UTC);
        assert!(!look.takes_mouse(When::Auto) && look.takes_mouse(When::Always));
        assert_eq!(look.clone().wished(When::Auto, false).color, Color::Off);
        let look = look.wished(When::Always, true);
        assert_eq!((look.color, look.glyphs), (Color::On, Glyphs::Ascii));
    }
}
