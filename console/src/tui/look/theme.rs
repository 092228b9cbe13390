//! Themes: a style for every role. Knows roles and styles, not what is drawn with them.
//!
//! `terminal` keeps to the terminal's own foreground and background and to red, green, cyan and magenta of the 16:
//! blue, bright black and yellow are unreadable as text on some common background. The others may assume one.

use ratatui::style::{Color as Ink, Modifier, Style};

use super::Background;
use crate::tui::model::text::Role;

/// The one list of roles, with their names in `[theme]`.
pub(crate) const ROLES: [(Role, &str); 10] = [
    (Role::Plain, "text"),
    (Role::Strong, "strong"),
    (Role::Good, "good"),
    (Role::Bad, "bad"),
    (Role::Busy, "busy"),
    (Role::Odd, "odd"),
    (Role::Found, "found"),
    (Role::Frame, "frame"),
    (Role::Selected, "selected"),
    (Role::Stale, "stale"),
];

/// A theme: its style for each role.
pub(crate) type StyleOf = fn(Role) -> Style;

/// Themes by name; each makes its style for a role.
pub(crate) const THEMES: [(&str, StyleOf); 6] = [
    ("terminal", terminal),
    ("dark", dark),
    ("light", light),
    ("contrast", contrast),
    ("mono", mono),
    // Dark or light, as the terminal's background is; until that is known, as `terminal`.
    (AUTO, terminal),
];

/// The theme that depends on the terminal's background.
const AUTO: &str = "auto";

/// A style for every role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Theme {
    name: &'static str,
    /// In the order of [`ROLES`].
    styles: [Style; ROLES.len()],
    /// Roles that were set one by one: another background does not change them.
    set: [bool; ROLES.len()],
}

impl Default for Theme {
    fn default() -> Theme {
        Theme::made("terminal", terminal)
    }
}

impl Theme {
    /// The theme of this name.
    pub fn named(name: &str) -> Option<Theme> {
        THEMES.iter().find(|(known, _)| *known == name).map(|(known, style)| Theme::made(known, *style))
    }

    fn made(name: &'static str, style: StyleOf) -> Theme {
        Theme { name, styles: ROLES.map(|(role, _)| style(role)), set: [false; ROLES.len()] }
    }

    /// Its name.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// It cannot be chosen before the terminal's background is known.
    pub(crate) fn wants_background(&self) -> bool {
        self.name == AUTO
    }

    /// Fits the theme to the background, if it depends on that.
    pub(crate) fn fit(&mut self, background: Background) {
        if self.wants_background() {
            let made = match background {
                Background::Dark => Theme::made(self.name, dark),
                Background::Light => Theme::made(self.name, light),
            };
            for at in 0..ROLES.len() {
                if !self.set[at] {
                    self.styles[at] = made.styles[at];
                }
            }
        }
    }

    /// Another style for a role.
    pub(crate) fn set(&mut self, role: Role, style: Style) {
        self.styles[role as usize] = style;
        self.set[role as usize] = true;
    }

    pub(crate) fn style(&self, role: Role) -> Style {
        self.styles[role as usize]
    }
}

/// A style in words: `bold red`, `#ffffff on 236`, `reverse`; `plain` for none.
pub(crate) fn parse_style(text: &str) -> Result<Style, String> {
    let mut style = Style::new();
    let mut words = text.split_whitespace();
    while let Some(word) = words.next() {
        style = match word {
            "plain" => style,
            "bold" => style.add_modifier(Modifier::BOLD),
            "dim" => style.add_modifier(Modifier::DIM),
            "underline" => style.add_modifier(Modifier::UNDERLINED),
            "reverse" => style.add_modifier(Modifier::REVERSED),
            "on" => style.bg(color(words.next().ok_or("a colour is missing after \"on\"")?)?),
            word => style.fg(color(word)?),
        };
    }
    Ok(style)
}

fn color(word: &str) -> Result<Ink, String> {
    let shown: String = word.chars().take(20).collect();
    word.parse().map_err(|_| {
        format!("{shown:?} is not a style: bold dim underline reverse plain, red … bright-white, 0 to 255, #rrggbb, on COLOUR")
    })
}

fn bold(ink: Ink) -> Style {
    Style::new().fg(ink).add_modifier(Modifier::BOLD)
}

fn fg(ink: Ink) -> Style {
    Style::new().fg(ink)
}

fn terminal(role: Role) -> Style {
    match role {
        Role::Plain | Role::Frame => Style::new(),
        Role::Strong => Style::new().add_modifier(Modifier::BOLD),
        Role::Good => fg(Ink::Green),
        Role::Bad => bold(Ink::Red),
        Role::Busy => fg(Ink::Cyan),
        Role::Odd => fg(Ink::Magenta),
        Role::Found => Style::new().add_modifier(Modifier::REVERSED),
        Role::Selected => Style::new().add_modifier(Modifier::REVERSED),
        Role::Stale => Style::new().add_modifier(Modifier::DIM),
    }
}

/// For dark backgrounds: at least 7:1 against black, of the 256 that every such terminal has.
fn dark(role: Role) -> Style {
    match role {
        Role::Plain => fg(Ink::Indexed(252)),
        Role::Strong => bold(Ink::Indexed(231)),
        Role::Good => fg(Ink::Indexed(114)),
        Role::Bad => bold(Ink::Indexed(210)),
        Role::Busy => fg(Ink::Indexed(117)),
        Role::Odd => fg(Ink::Indexed(183)),
        Role::Found => Style::new().add_modifier(Modifier::REVERSED),
        Role::Frame => fg(Ink::Indexed(245)),
        Role::Selected => Style::new().bg(Ink::Indexed(238)).add_modifier(Modifier::BOLD),
        Role::Stale => fg(Ink::Indexed(245)),
    }
}

/// For light backgrounds, likewise against white.
fn light(role: Role) -> Style {
    match role {
        Role::Plain => fg(Ink::Indexed(235)),
        Role::Strong => bold(Ink::Indexed(16)),
        Role::Good => fg(Ink::Indexed(22)),
        Role::Bad => bold(Ink::Indexed(124)),
        Role::Busy => fg(Ink::Indexed(24)),
        Role::Odd => fg(Ink::Indexed(90)),
        Role::Found => Style::new().add_modifier(Modifier::REVERSED),
        Role::Frame => fg(Ink::Indexed(240)),
        Role::Selected => Style::new().bg(Ink::Indexed(253)).add_modifier(Modifier::BOLD),
        Role::Stale => fg(Ink::Indexed(240)),
    }
}

/// White on black wherever it is, and nothing dim.
fn contrast(role: Role) -> Style {
    let on_black = |style: Style| style.bg(Ink::Indexed(16));
    match role {
        Role::Plain | Role::Frame => on_black(fg(Ink::Indexed(231))),
        Role::Strong => on_black(bold(Ink::Indexed(231))),
        Role::Good => on_black(bold(Ink::Indexed(120))),
        Role::Bad => on_black(bold(Ink::Indexed(217)).add_modifier(Modifier::UNDERLINED)),
        Role::Busy => on_black(bold(Ink::Indexed(159))),
        Role::Odd => on_black(bold(Ink::Indexed(225))),
        Role::Found | Role::Selected => {
            Style::new().fg(Ink::Indexed(16)).bg(Ink::Indexed(226)).add_modifier(Modifier::BOLD)
        }
        Role::Stale => on_black(fg(Ink::Indexed(255))),
    }
}

/// No colour at all: words, bold, underline and reverse video.
fn mono(role: Role) -> Style {
    match role {
        Role::Plain | Role::Frame | Role::Good | Role::Busy => Style::new(),
        Role::Strong => Style::new().add_modifier(Modifier::BOLD),
        Role::Bad => Style::new().add_modifier(Modifier::BOLD | Modifier::UNDERLINED),
        Role::Odd => Style::new().add_modifier(Modifier::UNDERLINED),
        Role::Found | Role::Selected => Style::new().add_modifier(Modifier::REVERSED),
        Role::Stale => Style::new().add_modifier(Modifier::DIM),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_stand_in_the_order_of_their_list() {
        for (at, (role, _)) in ROLES.into_iter().enumerate() {
            assert_eq!(role as usize, at);
        }
    }

    #[test]
    fn the_terminals_own_theme_uses_only_what_can_be_read_everywhere() {
        for (name, style) in THEMES {
            for (role, word) in ROLES {
                let style = style(role);
                let inks = [style.fg, style.bg].into_iter().flatten();
                for ink in inks {
                    let plain =
                        [Ink::Red, Ink::Green, Ink::Cyan, Ink::Magenta].contains(&ink) && style.bg.is_none();
                    let own = matches!(ink, Ink::Indexed(16..)) && name != "mono";
                    assert!(plain || own, "{name}: {word} is {ink:?}");
                }
            }
        }
    }

    #[test]
    fn the_background_chooses_between_dark_and_light() {
        let mut theme = Theme::named("auto").unwrap();
        assert_eq!(theme.style(Role::Good), Theme::default().style(Role::Good), "no answer means terminal");
        theme.set(Role::Bad, Style::new());
        theme.fit(Background::Light);
        assert_eq!(theme.style(Role::Good), light(Role::Good));
        assert_eq!(theme.style(Role::Bad), Style::new());
        let mut fixed = Theme::named("dark").unwrap();
        fixed.fit(Background::Light);
        assert_eq!(fixed.style(Role::Good), dark(Role::Good));
    }

    #[test]
    fn styles_are_read_from_words() {
        assert_eq!(parse_style("bold red on #000000"), Ok(bold(Ink::Red).bg(Ink::Rgb(0, 0, 0))));
        assert_eq!(parse_style(""), Ok(Style::new()));
        assert!(parse_style("on").is_err());
        assert!(parse_style("bold redd").is_err());
    }
}
