//! The live session of each agent. A newer one closes the older.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use quinn::Connection;
use vc_certs::wire;
use vc_protocol::close::Close;
use vc_protocol::id::{AgentId, SessionNo};

/// Which connection speaks for which agent.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    live: Mutex<Live>,
    /// Held from the numbering of a session until the engine's queue has its `Opened`, so that the engine hears of
    /// sessions in the order of their numbers.
    pub(super) opening: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Live {
    last: u64,
    by_agent: BTreeMap<AgentId, (SessionNo, Connection)>,
}

impl Sessions {
    /// Numbers a new session and closes the one it replaces.
    pub(super) fn open(&self, agent: AgentId, connection: &Connection) -> SessionNo {
        let mut live = self.live();
        live.last += 1;
        let session = SessionNo(live.last);
        if let Some((_, older)) = live.by_agent.insert(agent, (session, connection.clone())) {
            wire::close(&older, Close::Replaced, Close::Replaced.words());
        }
        session
    }

    /// That session ended; a newer one stays.
    pub(super) fn ended(&self, agent: AgentId, session: SessionNo) {
        let mut live = self.live();
        if live.by_agent.get(&agent).is_some_and(|(current, _)| *current == session) {
            live.by_agent.remove(&agent);
        }
    }

    /// Closes the session of one agent, if there is one.
    pub(super) fn close(&self, agent: AgentId, why: Close) {
        if let Some((_, connection)) = self.live().by_agent.get(&agent) {
            wire::close(connection, why, why.words());
        }
    }

    /// Closes them all.
    pub(super) fn close_all(&self, why: Close) {
        for (_, connection) in self.live().by_agent.values() {
            wire::close(connection, why, why.words());
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
