//! The live session of each agent, of which a newer one closes the older, and the connections of operators, of whom
//! each may have a few.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use quinn::Connection;
use vc_certs::wire;
use vc_protocol::close::Close;
use vc_protocol::id::{AgentId, SessionNo};

/// Most connections of operators at once.
const OPERATORS_MAX: usize = 64;
/// Most of them of one operator: a few terminals, and scripts beside them.
const PER_OPERATOR_MAX: usize = 16;

/// Which connection speaks for which member.
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
    operators: BTreeMap<SessionNo, (AgentId, Connection)>,
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

    /// Numbers a connection of an operator; nothing if there are too many.
    pub(super) fn open_operator(&self, operator: AgentId, connection: &Connection) -> Option<SessionNo> {
        let mut live = self.live();
        let same = live.operators.values().filter(|(other, _)| *other == operator).count();
        if live.operators.len() >= OPERATORS_MAX || same >= PER_OPERATOR_MAX {
            return None;
        }
        live.last += 1;
        let session = SessionNo(live.last);
        live.operators.insert(session, (operator, connection.clone()));
        Some(session)
    }

    /// That connection of an operator ended.
    pub(super) fn operator_ended(&self, session: SessionNo) {
        self.live().operators.remove(&session);
    }

    /// Closes every connection of one member.
    pub(super) fn close(&self, member: AgentId, why: Close) {
        let live = self.live();
        let agents = live.by_agent.get(&member).map(|(_, connection)| connection);
        let operators = live.operators.values().filter(|(id, _)| *id == member).map(|(_, c)| c);
        for connection in agents.into_iter().chain(operators) {
            wire::close(connection, why, why.words());
        }
    }

    /// Closes them all.
    pub(super) fn close_all(&self, why: Close) {
        let live = self.live();
        let agents = live.by_agent.values().map(|(_, connection)| connection);
        for connection in agents.chain(live.operators.values().map(|(_, connection)| connection)) {
            wire::close(connection, why, why.words());
        }
    }

    fn live(&self) -> MutexGuard<'_, Live> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
