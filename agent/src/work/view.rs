//! What a running attempt has run and printed, readable from outside while it runs.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use std::time::Instant;

use vc_protocol::agent::{
    COMMANDS_MAX, Command, CommandPhase, LOG_TAIL_BYTES_MAX, LiveLog, PassedOver, QualityFound,
};
use vc_protocol::media::Media;
use vc_protocol::progress::{PHASES_MAX, Phase};

use crate::process::{Invocation, Ring};

/// A shared view of one attempt. Clones see the same.
#[derive(Debug, Clone)]
pub struct LiveView {
    inner: Arc<Mutex<Inner>>,
}

#[derive(Debug)]
struct Inner {
    commands: Vec<Command>,
    log: Ring,
    encoder: &'static str,
    next_encoders: Vec<&'static str>,
    media: Option<Box<Media>>,
    /// With the moment of its beginning, in order.
    phases: Vec<(Phase, Instant)>,
    passed_over: Vec<PassedOver>,
    quality: Option<QualityFound>,
}

/// Commands told of samples: a first round of each kind. The rest differ in a number, and leave room for what follows.
const SAMPLES_TOLD_MAX: usize = 18;

impl Default for LiveView {
    fn default() -> Self {
        let inner = Inner {
            commands: Vec::new(),
            log: Ring::new(LOG_TAIL_BYTES_MAX),
            encoder: "",
            next_encoders: Vec::new(),
            media: None,
            phases: Vec::new(),
            passed_over: Vec::new(),
            quality: None,
        };
        LiveView { inner: Arc::new(Mutex::new(inner)) }
    }
}

impl Inner {
    /// Each phase lasted until the next one began; the last one lasts on.
    fn phases(&self) -> Vec<(Phase, u64)> {
        let ends = self.phases.iter().skip(1).map(|(_, began)| *began).chain([Instant::now()]);
        let lasted = |(phase, began): &(Phase, Instant), end: Instant| {
            (*phase, u64::try_from((end - *began).as_millis()).unwrap_or(u64::MAX))
        };
        self.phases.iter().zip(ends).map(|(phase, end)| lasted(phase, end)).collect()
    }
}

impl LiveView {
    /// An empty one.
    pub fn new() -> LiveView {
        LiveView::default()
    }

    /// What there is so far.
    pub fn snapshot(&self) -> LiveLog {
        let inner = self.lock();
        LiveLog {
            commands: inner.commands.clone(),
            log: inner.log.text(LOG_TAIL_BYTES_MAX),
            encoder: inner.encoder.to_owned(),
            next_encoders: inner.next_encoders.iter().map(|name| (*name).to_owned()).collect(),
            media: inner.media.clone(),
            phases: inner.phases(),
            passed_over: inner.passed_over.clone(),
            quality: inner.quality.clone(),
        }
    }

    /// A phase begins.
    pub(super) fn enters(&self, phase: Phase) {
        let mut inner = self.lock();
        if inner.phases.len() < PHASES_MAX && inner.phases.last().is_none_or(|(last, _)| *last != phase) {
            inner.phases.push((phase, Instant::now()));
        }
    }

    /// The source was looked at.
    pub(super) fn describes(&self, media: &Media) {
        self.lock().media = Some(Box::new(media.told()));
    }

    /// This encoder is used, and these would be tried next.
    pub(super) fn uses(&self, encoder: &'static str, next: Vec<&'static str>) {
        let mut inner = self.lock();
        (inner.encoder, inner.next_encoders, inner.quality) = (encoder, next, None);
    }

    /// These encoders are not used.
    pub(super) fn passes_over(&self, passed: &[PassedOver]) {
        self.lock().passed_over = passed.to_vec();
    }

    /// The quality was found by measuring.
    pub(super) fn finds(&self, found: &QualityFound) {
        self.lock().quality = Some(found.clone());
    }

    /// A command is about to be started.
    pub(super) fn begin(&self, phase: CommandPhase, call: &Invocation) {
        let mut inner = self.lock();
        let samples = || inner.commands.iter().filter(|command| command.phase == phase).count();
        let is_told = phase != CommandPhase::Sample || samples() < SAMPLES_TOLD_MAX;
        if is_told && inner.commands.len() < COMMANDS_MAX {
            inner.commands.push(Command { phase, argv: call.argv() });
        }
    }

    /// A command printed something.
    pub(super) fn printed(&self, bytes: &[u8]) {
        self.lock().log.push(bytes);
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        // Every field stays whole whatever panics between two pushes.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
