//! `pause`, `resume` and `version`: one thing for the whole farm.

use std::time::Duration;

use serde_json::json;
use vc_protocol::operator::{Request, Response};

use super::ask::answer;
use super::exit::{Exit, Failed};
use super::target::Target;
use super::text;
use crate::operator::client::ClientError;

/// How long a server may take to say its version: it is asked for where something does not work.
const SERVER_MAX: Duration = Duration::from_secs(2);

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
pub(super) async fn version(target: Option<&Target>, as_json: bool) -> Exit {
    let version = env!("CARGO_PKG_VERSION");
    let server = match target {
        Some(target) => tokio::time::timeout(SERVER_MAX, of_server(target)).await.unwrap_or_default(),
        None => None,
    };
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

async fn of_server(target: &Target) -> Option<String> {
    let client = target.connect().await.ok()?;
    let version = client.welcome().version.clone();
    drop(client);
    target.close().await;
    Some(version)
}
