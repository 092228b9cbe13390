//! `pause`, `resume` and `version`: one thing for the whole farm.

use serde_json::json;
use vc_protocol::operator::{Request, Response};

use super::ask::answer;
use super::exit::{Exit, Failed};
use super::target::Target;
use super::text;
use crate::operator::client::ClientError;

/// Hands out no more work.
pub(super) async fn pause(target: &Target, as_json: bool) -> Result<Exit, Failed> {
    ask(target, &Request::Pause, as_json).await
}

/// Hands out work again.
pub(super) async fn resume(target: &Target, as_json: bool) -> Result<Exit, Failed> {
    ask(target, &Request::Resume, as_json).await
}

async fn ask(target: &Target, request: &Request, as_json: bool) -> Result<Exit, Failed> {
    let mut client = target.connect().await?;
    let done = answer!(client, request, Response::Done(sentence) => sentence);
    text::done(&[done], as_json);
    Ok(Exit::Done)
}

/// The version of this program, and of the server if one answers.
pub(super) async fn version(target: &Target, as_json: bool) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    let server = target.connect().await.ok().map(|client| client.welcome().version.clone());
    if as_json {
        text::json_out(&json!({ "v": 1, "version": version, "server": server }));
    } else {
        text::out(&format!("vc-console {version}"));
        if let Some(server) = server {
            text::out(&format!("server     {server}"));
        }
    }
    Exit::Done
}
