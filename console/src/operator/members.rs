//! Requests about who belongs to the farm: tokens, revocation, names.
//!
//! The registry decides and writes; the engine hears of agents that are gone, then their connections close.

use std::sync::Arc;
use std::time::Duration;

use vc_certs::{Authority, JoinLine};
use vc_protocol::id::AgentId;
use vc_protocol::join::TokenId;
use vc_protocol::operator::{AgentAction, OperatorView, RefusalCode, Response, Role, TokenView, TokenWish};

use super::service::{refused, unavailable};
use crate::engine::handle::Handle;
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
    pub(super) fn token_create(&self, wish: TokenWish, who: &str) -> Response {
        match self.join_line(wish) {
            Ok(line) => {
                tracing::info!(who, token = %line.token, role = wish.role.word(), uses = wish.uses, "made a token");
                Response::Token { line: line.to_string(), ttl_s: wish.ttl_s }
            }
            Err(error) => failed(error),
        }
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
    pub(super) fn token_revoke(&self, id: &str, who: &str) -> Response {
        let no_such = || refused(RefusalCode::NotFound, "there is no such token: `token ls` lists them".to_owned());
        let Ok(token) = id.parse::<TokenId>() else { return no_such() };
        match self.registry.revoke_token(token) {
            Ok(true) => {
                tracing::info!(who, %token, "took a token back");
                Response::Done(format!("token {token} lets nobody in any more"))
            }
            Ok(false) => no_such(),
            Err(error) => failed(error),
        }
    }

    /// Carries out a [`vc_protocol::operator::Request::Operators`].
    pub(super) fn operators(&self) -> Response {
        let people = self.registry.members().into_iter().filter(|member| member.role != Role::Agent);
        let view = |member: Member| OperatorView {
            id: member.id,
            name: member.name,
            role: member.role,
            joined_ms: member.created_ms,
            revoked_ms: member.revoked_ms,
        };
        Response::Operators(people.map(view).collect())
    }

    /// Revokes or renames; what else is asked of a member comes back, for the engine.
    pub(super) async fn on_member(
        &self,
        engine: &Handle,
        id: AgentId,
        action: AgentAction,
        who: &str,
    ) -> Result<Response, AgentAction> {
        match action {
            AgentAction::Revoke => Ok(self.revoke(engine, id, who).await),
            AgentAction::Rename(name) => Ok(self.rename(engine, id, &name, who).await),
            other @ (AgentAction::Drain { .. }
            | AgentAction::Undrain(_)
            | AgentAction::Release(_)
            | AgentAction::SelfTest(_)) => Err(other),
        }
    }
}
