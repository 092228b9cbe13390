//! What the engine does in this world: turns, commits, sends, and the look at outputs of vanished holders.

use vc_farm::effect::Effect;
use vc_farm::event::Settlement;
use vc_protocol::id::{AgentId, AttemptId};
use vc_protocol::job::FileStamp;

use crate::agent::Link;
use crate::console::{Input, Turn};
use crate::disk::Renamed;
use crate::judge::Verdict;
use crate::world::{Act, Order, Wire, World};

impl World {
    pub(crate) fn give(&mut self, input: Input) {
        if self.console.up {
            self.console.inbox.push(input);
            self.wake();
        }
    }

    /// A turn is due: soon, so that what comes together is committed together.
    pub(crate) fn wake(&mut self) {
        if !self.turn_set {
            self.turn_set = true;
            let after = self.rng.range(0, 300);
            self.at(after + self.late_ms, Act::Turn(self.console.life));
        }
    }

    pub(crate) fn turn(&mut self, life: u64) -> Verdict {
        if !self.console.up || self.console.life != life {
            return Ok(());
        }
        self.turn_set = false;
        let late_ms = std::mem::take(&mut self.late_ms);
        if late_ms > 0 {
            self.judge.saw("console stood still");
        }
        let (mut turn, count) = self.console.turn(self.now, late_ms, &mut self.judge)?;
        self.events += count;
        let first = std::mem::take(&mut turn.rest);
        if self.order == Order::SendThenCommit {
            self.send(&first)?;
        }
        if !self.calm && self.rng.one_in(150) {
            self.judge.saw("crash before the commit");
            self.crash();
            return Ok(());
        }
        self.commit(&mut turn)?;
        if self.order == Order::CommitThenSend {
            let cut = if !self.calm && self.rng.one_in(150) {
                usize::try_from(self.rng.range(0, first.len() as u64)).ok()
            } else {
                None
            };
            self.send(&first[..cut.unwrap_or(first.len())])?;
            if cut.is_some() {
                self.judge.saw("crash after the commit");
                self.crash();
                return Ok(());
            }
        }
        if let Some(at) = self.console.next_tick() {
            let life = self.console.life;
            self.at(at.saturating_sub(self.now), Act::Tick(life, at));
        }
        Ok(())
    }

    pub(crate) fn commit(&mut self, turn: &mut Turn) -> Verdict {
        for row in turn.rows.values() {
            self.judge.on_committed(row, &self.disk)?;
        }
        self.console.commit(turn);
        Ok(())
    }

    pub(crate) fn crash(&mut self) {
        self.console.up = false;
        self.turn_set = false;
        self.late_ms = 0;
        let away = self.rng.range(100, 120_000);
        self.at(away, Act::ConsoleUp);
        let ids: Vec<AgentId> = self.agents.keys().copied().collect();
        for id in ids {
            self.cut(id);
        }
    }

    pub(crate) fn send(&mut self, effects: &[Effect]) -> Verdict {
        for effect in effects {
            self.judge.on_sent(effect, &self.console.store)?;
            let life = self.console.life;
            match effect {
                Effect::Offer { agent, session, attempt, .. } => {
                    let link = Link { life, session: *session };
                    let stamp = self.console.stamps.get(&attempt.job).copied();
                    let stamp = stamp.unwrap_or(FileStamp { size: 0, mtime_ns: 0 });
                    self.post_to_agent(*agent, link, Wire::Offer(*attempt, stamp));
                }
                Effect::Tell(agent, session, message) => {
                    self.post_to_agent(*agent, Link { life, session: *session }, Wire::Tell(message.clone()));
                }
                Effect::Prove { agent, session, root, .. } => {
                    self.post_to_agent(*agent, Link { life, session: *session }, Wire::Prove(*root));
                }
                Effect::Close(agent, session, _) => {
                    self.post_to_agent(*agent, Link { life, session: *session }, Wire::Close);
                }
                Effect::Settle(attempt, granted) => {
                    let found = self.settle(*attempt, granted.hash)?;
                    let after = self.rng.range(0, 5_000);
                    self.at(after, Act::Settled(life, *attempt, found));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// What the engine does about the output of a vanished holder.
    pub(crate) fn settle(&mut self, attempt: AttemptId, hash: [u8; 32]) -> Result<Settlement, String> {
        if !self.calm && self.rng.one_in(4) {
            self.judge.saw("settle: unreachable");
            return Ok(Settlement::Unreachable("not mounted".to_owned()));
        }
        if self.disk.parts.get(&attempt).is_some_and(|part| part.hash == hash)
            && self.disk.rename(attempt) == Renamed::Done
        {
            self.judge.saw("settle: renamed for the holder");
            self.judge.on_created(attempt, &self.disk.finals[&attempt.job], &self.console.store)?;
            return Ok(Settlement::InPlace(50));
        }
        match self.disk.finals.get(&attempt.job) {
            Some(file) if file.hash == hash => {
                self.judge.saw("settle: found in place");
                Ok(Settlement::InPlace(50))
            }
            Some(_) => {
                self.judge.saw("settle: name taken");
                Ok(Settlement::NameTaken)
            }
            None => {
                self.judge.saw("settle: withdrawn");
                self.disk.unlink_parts(attempt.job);
                Ok(Settlement::Withdrawn)
            }
        }
    }
}
