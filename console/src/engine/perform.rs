//! What follows once a turn is durable: sends, offers, disk work and answers.

use vc_farm::effect::Effect;
use vc_protocol::agent::ToAgent;
use vc_protocol::id::{AgentId, AttemptId, DeviceId, SessionNo};
use vc_protocol::job::Offer;

use super::errand::Errand;
use super::local;
use super::run::{After, Loop};
use crate::store::{Reader, StoreError};

impl Loop {
    /// Fails only if the store cannot be read, which ends the hand-out.
    pub(super) fn perform(&mut self, after: After) -> Result<(), StoreError> {
        let store = self.store.clone();
        let mut reader = None;
        for effect in after.effects {
            match effect {
                Effect::Tell(agent, session, message) => self.send(agent, session, message),
                Effect::Close(agent, session, why) => {
                    if let Some(known) = self.sessions.get(&agent).filter(|known| known.no == session) {
                        known.link.close(why);
                    }
                }
                Effect::Offer { agent, session, attempt, device } => {
                    let reader = opened(&mut reader, || store.reader())?;
                    // Else it was cancelled and purged in this very turn; its agent is told to drop it.
                    if let Some(offer) = self.make_offer(reader, attempt, device)? {
                        self.send(agent, session, ToAgent::Offer(Box::new(offer)));
                    }
                }
                Effect::Prove { agent, session, root, writable } => {
                    self.errands.push(Errand::Prove { agent, session, root, writable });
                }
                Effect::Settle(attempt, granted) => {
                    let reader = opened(&mut reader, || store.reader())?;
                    let spec = reader.spec(attempt.job)?.ok_or(StoreError::Damaged(attempt.job))?;
                    let root = local(&self.store.root(spec.output_root)?);
                    self.errands.push(Errand::Settle { attempt, root, output: spec.output, granted });
                }
                // Rows went into the turn.
                Effect::PutJob(_)
                | Effect::PutAttempt(_)
                | Effect::PutFarm(_)
                | Effect::PutAgent(..)
                | Effect::Restamp(..)
                | Effect::Note(_) => {}
            }
        }
        for answer in after.answers {
            self.answer(answer)?;
        }
        Ok(())
    }

    pub(super) fn send(&self, agent: AgentId, session: SessionNo, message: ToAgent) {
        if let Some(known) = self.sessions.get(&agent).filter(|known| known.no == session) {
            known.link.send(message);
        }
    }

    fn make_offer(
        &self,
        reader: &Reader<'_>,
        attempt: AttemptId,
        device: DeviceId,
    ) -> Result<Option<Offer>, StoreError> {
        let Some(spec) = reader.spec(attempt.job)? else { return Ok(None) };
        Ok(Some(Offer {
            attempt,
            device,
            source_root: (spec.source_root, self.store.root(spec.source_root)?),
            source: spec.source,
            stamp: spec.stamp,
            output_root: (spec.output_root, self.store.root(spec.output_root)?),
            output: spec.output,
            profile: self.store.profile(spec.profile)?.as_ref().clone(),
        }))
    }
}

/// One snapshot for all that a turn needs.
fn opened<'a, 's>(
    slot: &'a mut Option<Reader<'s>>,
    open: impl FnOnce() -> Result<Reader<'s>, StoreError>,
) -> Result<&'a Reader<'s>, StoreError> {
    match slot {
        Some(reader) => Ok(reader),
        None => Ok(slot.insert(open()?)),
    }
}
