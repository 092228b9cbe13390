//! Dialogs: what they hold. Their ids are fixed when they open; nothing here looks at the row under the cursor later.

use vc_protocol::id::JobId;
use vc_protocol::operator::Why;

use super::Millis;
use super::copy::{CopyItem, CopyMenu};
use super::deed::Deed;
use super::field::Field;
use super::palette::Palette;

/// A dialog takes `y` only after it stood this long, so that a key meant for the screen below does not answer it.
pub(crate) const YES_AFTER_MS: Millis = 300;

/// A question of level 1: No is the default.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Confirm {
    pub(crate) deed: Deed,
    pub(crate) opened: Millis,
    /// The focus is on Yes.
    pub(crate) yes: bool,
    /// The count changed since the question was first asked.
    pub(crate) again: bool,
}

/// A question of level 2: a word must be typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Typed {
    pub(crate) deed: Deed,
    /// The word.
    pub(crate) word: String,
    pub(crate) field: Field,
    /// Something else was typed.
    pub(crate) wrong: bool,
}

/// How to leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Leaving {
    pub(crate) opened: Millis,
    /// When ctrl-c was pressed last.
    pub(crate) interrupted: Option<Millis>,
    /// The answer that has the focus.
    pub(crate) at: usize,
}

/// What lies over the screen and has the keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Overlay {
    Help {
        field: Field,
        scroll: usize,
    },
    Confirm(Confirm),
    Typed(Typed),
    Why {
        job: JobId,
        answer: Option<Result<Why, String>>,
        scroll: usize,
    },
    Leave(Leaving),
    Palette(Palette),
    Copy(CopyMenu),
    /// A text to read, with what is worth copying of it.
    Text {
        title: String,
        text: String,
        copy: CopyItem,
        scroll: usize,
    },
}
