//! `status` and `why`: the farm and one job in words.

use vc_protocol::id::JobId;
use vc_protocol::operator::{Request, Response};

use super::ask::answer;
use super::exit::{Exit, Failed};
use super::target::Target;
use super::{ask, json, text};
use crate::operator::client::ClientError;

pub(super) async fn status(target: &Target, as_json: bool) -> Result<Exit, Failed> {
    let snapshot = ask::snapshot(&mut target.connect().await?).await?;
    if as_json {
        text::json_out(&json::status(&snapshot));
    } else {
        text::out(&text::status(&snapshot));
    }
    Ok(Exit::Done)
}

pub(super) async fn why(target: &Target, job: JobId, as_json: bool) -> Result<Exit, Failed> {
    let mut client = target.connect().await?;
    let why = answer!(client, &Request::Why(job), Response::Why(why) => why);
    if as_json {
        text::json_out(&json::why(&why));
    } else {
        text::out(&why.answer);
        why.devices.iter().for_each(|(device, reason)| text::out(&format!("  {device:<20} {reason}")));
    }
    Ok(Exit::Done)
}
