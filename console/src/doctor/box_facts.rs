//! What this box has besides: ffmpeg, and a terminal.

use std::path::Path;

use super::{Finding, Verdict};

/// What is known of the terminal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Terminal {
    /// Somebody sees it.
    pub is_there: bool,
    /// Its name, from `TERM`.
    pub name: String,
    /// It can show more than ASCII.
    pub has_unicode: bool,
    /// Colours are used on it.
    pub has_color: bool,
}

/// The ffmpeg that an agent on this box would use.
pub(super) fn ffmpeg() -> Finding {
    let version = |path: &Path| {
        let said = vc_agent::process::quick(path, &["-version"]).ok()?;
        said.stdout.lines().next().map(|line| line.chars().filter(|c| !c.is_control()).collect::<String>())
    };
    match which::which("ffmpeg") {
        Ok(path) => match version(&path) {
            Some(line) => Finding::fine("ffmpeg", format!("{}: {line}", path.display())),
            None => Finding::new(
                "ffmpeg",
                Verdict::Warning,
                format!("{} does not say its version", path.display()),
                "install ffmpeg anew; assets/setup.sh has one that works",
            ),
        },
        Err(_) => Finding::note("ffmpeg", "not on the PATH: this box cannot convert, agents elsewhere can"),
    }
}

/// What the dashboard can be drawn with.
pub(super) fn terminal(terminal: &Terminal) -> Option<Finding> {
    if !terminal.is_there {
        return None;
    }
    let glyphs = if terminal.has_unicode { "UTF-8" } else { "ASCII only" };
    let color = if terminal.has_color { "colours" } else { "no colours" };
    let name: String = terminal.name.chars().filter(|c| !c.is_control()).collect();
    Some(Finding::note("terminal", format!("{name}: {glyphs}, {color}")))
}
