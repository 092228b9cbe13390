//! Requests about who belongs to the farm: tokens, revocation, names.
//!
//! The registry decides and writes; the engine hears of agents that are gone, then their connections close.

use std::sync::Arc;
use std::time::Duration;

use vc_certs::{Authority, JoinLine};
use vc_protocol::id::AgentId;
use vc_protocol::join::TokenId;
use vc_protocol::operator::{MemberView, RefusalCode, Response, Role, TokenView, TokenWish};

use super::service::{refused, unavailable};
use crate::engine::handle::{CallError, Handle};
use crate::engine::orders::{Order, Refusal};
use crate::registry::{self, Member, Registry, RegistryError};
use crate::wall::wall_ms;

/// Closes every connection of a member.
pub type CloseMember = dyn Fn(AgentId) + Send + Sync;

/// Who belongs to the farm, and what it takes to change that.
pub struct Members {
    /// The registry.
    pub registry: Arc<Registry>,
    /// The farm's keys.
    pub authority: Arc<Authority>,
    /// Where newcomers reach this server, best first.
    pub addresses: Vec<String>,
    /// Ends the connections of one who was revoked.
    pub close: Box<CloseMember>,
}

impl Members {
    /// A line that lets newcomers in. Blocks.
    pub fn join_line(&self, wish: TokenWish) -> Result<JoinLine, RegistryError> {
        let TokenWish { uses, ttl_s, role } = wish;
        let wish = registry::TokenWish {
            role,
            uses,
            ttl: Duration::from_secs(ttl_s),
            addresses: self.addresses.clone(),
            pin: self.authority.ca_pin(),
        };
        self.registry.create_token(wish, wall_ms())
    }

    /// Carries out a [`vc_protocol::operator::Request::TokenCreate`].
    pub(super) async fn token_create(
        self: &Arc<Self>,
        engine: &Handle,
        wish: TokenWish,
        who: &str,
    ) -> Response {
        let line = match self.blocking(move |members| members.join_line(wish)).await {
            Ok(line) => line,
            Err(response) => return response,
        };
        let TokenWish { uses, ttl_s, role } = wish;
        let role = role.word();
        note(engine, who, format!("made token {} for {uses} x {role}, {} min", line.token, ttl_s / 60)).await;
        Response::Token { line: line.to_string(), ttl_s }
    }

    /// Carries out a [`vc_protocol::operator::Request::Tokens`].
    pub(super) fn tokens(&self) -> Response {
        let view = |token: registry::Token| TokenView {
            id: token.id.to_string(),
            role: token.role,
            uses_left: token.uses_left,
            ends_ms: token.expires_ms,
        };
        let tokens = self.registry.tokens(wall_ms());
        tokens.map_or_else(failed, |tokens| Response::Tokens(tokens.into_iter().map(view).collect()))
    }

    /// Carries out a [`vc_protocol::operator::Request::TokenRevoke`].
    pub(super) async fn token_revoke(self: &Arc<Self>, engine: &Handle, id: &str, who: &str) -> Response {
        let no_such =
            || refused(RefusalCode::NotFound, "there is no such token: `token ls` lists them".to_owned());
        let Ok(token) = id.parse::<TokenId>() else { return no_such() };
        match self.blocking(move |members| members.registry.revoke_token(token)).await {
            Ok(true) => {
                note(engine, who, format!("took token {token} back")).await;
                Response::Done(format!("token {token} lets nobody in any more"))
            }
            Ok(false) => no_such(),
            Err(response) => response,
        }
    }

    /// Carries out a [`vc_protocol::operator::Request::Members`].
    pub(super) fn members(&self) -> Response {
        let view = |member: Member| MemberView {
            id: member.id,
            name: member.name,
            role: member.role,
            joined_ms: member.created_ms,
            revoked_ms: member.revoked_ms,
        };
        Response::Members(self.registry.members().into_iter().map(view).collect())
    }

    /// Carries out an [`vc_protocol::operator::AgentAction::Revoke`], of anybody who joined.
    pub(super) async fn revoke(self: &Arc<Self>, engine: &Handle, id: AgentId, who: &str) -> Response {
        let member = match self.blocking(move |members| members.registry.revoke(id, wall_ms())).await {
            Ok(member) => member,
            Err(response) => return response,
        };
        // Before the engine hears of it: what is said on an open connection while a turn is written would still count.
        (self.close)(id);
        match member.role {
            Role::Agent => answer_of(engine.revoked(id, who).await),
            Role::Operator | Role::Viewer => {
                let done = format!("{} {} is revoked", member.role.word(), member.name);
                note(engine, who, format!("revoked {} {}", member.role.word(), member.name)).await;
                Response::Done(done)
            }
        }
    }

    /// Carries out an [`vc_protocol::operator::AgentAction::Rename`], of anybody who joined.
    pub(super) async fn rename(
        self: &Arc<Self>,
        engine: &Handle,
        id: AgentId,
        name: &str,
        who: &str,
    ) -> Response {
        let name = name.to_owned();
        match self.blocking(move |members| members.registry.rename(id, &name)).await {
            Ok(member) if member.role == Role::Agent => {
                let order = Order::Renamed(id, member.name);
                answer_of(engine.order(order, who).await)
            }
            Ok(member) => {
                let done = format!("{} {id} is called {} from here on", member.role.word(), member.name);
                note(engine, who, done.clone()).await;
                Response::Done(done)
            }
            Err(response) => response,
        }
    }

    /// What waits for the disk, and for the engine's turn to be written, waits on a thread of its own.
    async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce(&Members) -> Result<T, RegistryError> + Send + 'static,
    ) -> Result<T, Response> {
        let members = self.clone();
        match tokio::task::spawn_blocking(move || work(&members)).await {
            Ok(done) => done.map_err(failed),
            Err(_) => Err(unavailable(CallError::Stopped)),
        }
    }
}

/// For the list of what happened. What was done is durable already, and stays done if it cannot be listed.
async fn note(engine: &Handle, who: &str, text: String) {
    let noted = engine.order(Order::Noted(text), who).await;
    if let Response::Refused { message, .. } = answer_of(noted) {
        tracing::warn!(who, "what an operator did is not in the list of events: {message}");
    }
}

/// What the engine made of an order.
pub(super) fn answer_of(answer: Result<Result<String, Refusal>, CallError>) -> Response {
    match answer {
        Ok(Ok(done)) => Response::Done(done),
        Ok(Err(refusal)) => refused(refusal.code, refusal.message),
        Err(error) => unavailable(error),
    }
}

fn failed(error: RegistryError) -> Response {
    let code = match &error {
        RegistryError::Wish(_) | RegistryError::Name(_) => RefusalCode::Usage,
        RegistryError::Nobody(_) => RefusalCode::NotFound,
        RegistryError::Store(_)
        | RegistryError::Storage(_)
        | RegistryError::Row(_)
        | RegistryError::Certs(_) => RefusalCode::Unavailable,
    };
    refused(code, format!("failed to {}", vc_agent::told::chain(&error)))
}
