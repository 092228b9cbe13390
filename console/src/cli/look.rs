//! Flags that say how the dashboard looks and what it allows.

use clap::Args;

use crate::config::Given;
use crate::config::keys::Name;
use crate::config::keys::THEMES;

#[derive(Args, Clone, Default)]
pub(super) struct LookArgs {
    /// Colours [env: VC_COLOR] [default: auto]
    #[arg(long, value_name = "WHEN", value_parser = ["auto", "always", "never"])]
    color: Option<String>,
    /// Draw with ASCII only [env: VC_ASCII]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    ascii: Option<String>,
    /// Plain lines for screen readers: no boxes, nothing redrawn [env: VC_ACCESSIBLE, ACCESSIBLE]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    accessible: Option<String>,
    /// Take the mouse at the start [env: VC_MOUSE] [default: auto]
    #[arg(long, value_name = "WHEN", value_parser = ["auto", "on", "off"])]
    mouse: Option<String>,
    /// Colours by name [env: VC_THEME] [default: terminal]
    #[arg(long, value_name = "NAME", value_parser = THEMES)]
    theme: Option<String>,
    /// Only look: every action is hidden [env: VC_READ_ONLY]
    #[arg(long, value_name = "BOOL", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    read_only: Option<String>,
}

impl LookArgs {
    pub(super) fn given(&self, given: &mut Given) {
        let flags = [
            (Name::Color, &self.color),
            (Name::Ascii, &self.ascii),
            (Name::Accessible, &self.accessible),
            (Name::Mouse, &self.mouse),
            (Name::Theme, &self.theme),
            (Name::ReadOnly, &self.read_only),
        ];
        for (name, value) in flags {
            given.flag(name, value.clone());
        }
    }
}
