//! An attempt's line to the agent around it: where it tells how far it is, and where it asks for the right to commit.
//!
//! Knows nothing of sessions: a grant that is asked for while the console is away comes when it is back.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{mpsc, watch};
use vc_protocol::agent::{Outcome, Proven, Report};
use vc_protocol::job::Offer;
use vc_protocol::progress::{Phase, Progress};

use crate::journal::{Journal, Record};
use crate::parts::{PartRecord, Parts};
use crate::session::fit;
use crate::session::state::Input;
use crate::storage::Boxed;
use crate::told;
use crate::work::{AttemptLink, Grant};

/// The attempt's end.
#[derive(Debug)]
pub(crate) struct Link {
    offer: Box<Offer>,
    progress: watch::Sender<Progress>,
    answer: watch::Receiver<Option<Grant>>,
    inputs: mpsc::Sender<Input>,
    journal: Arc<Journal>,
    parts: Option<Parts>,
    noted: Mutex<Noted>,
}

/// What the attempt has told of itself.
#[derive(Debug, Default)]
struct Noted {
    draft: Option<Report>,
    records: Vec<PartRecord>,
}

/// The agent's end.
#[derive(Debug)]
pub(crate) struct LinkEnd {
    pub(crate) progress: watch::Receiver<Progress>,
    /// One value for each question.
    pub(crate) answer: watch::Sender<Option<Grant>>,
}

impl Link {
    /// Both ends of a line.
    pub(crate) fn new(
        offer: Box<Offer>,
        inputs: mpsc::Sender<Input>,
        journal: Arc<Journal>,
    ) -> (Self, LinkEnd) {
        let (progress, shown) = watch::channel(Progress::start(Phase::Waiting));
        let (answers, answer) = watch::channel(None);
        let noted = Mutex::default();
        let link = Link { offer, progress, answer, inputs, journal, parts: None, noted };
        (link, LinkEnd { progress: shown, answer: answers })
    }

    /// Writes the attempt's files down there.
    pub(crate) fn with_parts(mut self, parts: Parts) -> Self {
        self.parts = Some(parts);
        self
    }

    async fn ask(&self, proven: &Proven) -> Grant {
        let attempt = self.offer.attempt;
        let draft = self.noted(|noted| noted.draft.clone());
        let mut draft =
            Box::new(draft.unwrap_or_else(|| Report::blank(attempt, Outcome::Committed(proven.clone()))));
        fit::report(&mut draft);
        let record = Record::Proven { offer: self.offer.clone(), draft, proven: proven.clone() };
        let mut answer = self.answer.clone();
        // A grant of an earlier question is no answer to this one.
        answer.mark_unchanged();
        // At once: a console that grants before the journal has it is no danger, since it can finish what it granted.
        let (kept, asked) = tokio::join!(
            self.journal.keep(record),
            self.inputs.send(Input::Proven(attempt, proven.clone())),
        );
        if let Err(error) = kept {
            // The result is safe as long as this process lives; after that the console settles the grant.
            tracing::warn!(%attempt, "failed to {}", told::chain(&error));
        }
        if asked.is_ok() && answer.changed().await.is_ok() {
            let said = *answer.borrow();
            if let Some(grant) = said {
                return grant;
            }
        }
        // The agent around it is gone: there will be no answer, and the attempt's stop token says the rest.
        std::future::pending().await
    }

    fn noted<T>(&self, look: impl FnOnce(&mut Noted) -> T) -> T {
        look(&mut self.noted.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl AttemptLink for Link {
    fn progress(&self, progress: Progress) {
        self.progress.send_replace(progress);
    }

    fn making(&self, stem: &Path) {
        let Some(parts) = &self.parts else { return };
        match parts.record(stem) {
            Ok(record) => self.noted(|noted| noted.records.push(record)),
            // Costs the sweep after a crash, and nothing else.
            Err(error) => tracing::warn!("failed to write down {}: {error}", stem.display()),
        }
    }

    fn draft(&self, report: Report) {
        self.noted(|noted| noted.draft = Some(report));
    }

    fn ask_commit<'a>(&'a self, proven: &'a Proven) -> Boxed<'a, Grant> {
        Box::pin(self.ask(proven))
    }
}
