//! `join`: makes this user an operator or viewer of a farm on another box.

use std::io::Read;

use clap::Args;
use serde_json::json;
use vc_certs::JoinLine;
use vc_certs::line::LineError;

use super::exit::{Exit, Failed};
use super::target::Target;
use super::text;
use crate::operator::{people, service};

/// Longest join line read from stdin: eight full addresses and the rest are under 3 KiB.
const LINE_BYTES_MAX: u64 = 16 * 1024;

#[derive(Args)]
pub(super) struct JoinArgs {
    /// The line, or - to read it from stdin
    #[arg(value_name = "LINE|-", allow_hyphen_values = true)]
    line: String,
    /// Replace the identity that you have in that farm
    #[arg(long)]
    force: bool,
    /// One JSON document
    #[arg(long)]
    json: bool,
}

pub(super) async fn join(target: &Target, args: JoinArgs) -> Result<Exit, Failed> {
    let line: JoinLine = said(args.line)?
        .parse()
        .map_err(|error: LineError| Failed::usage(format!("read the join line: {error}")))?;
    let account = service::account(nix::unistd::geteuid().as_raw());
    let folder = people::folder(target.state_dir());
    let entered = people::join(&folder, &line, &account, args.force).await?;
    entered.goodbye().await;
    if let Some(off_s) = entered.clock_off_s() {
        text::note(&format!(
            "the clock of this box is {off_s} s off the console's: set it, or certificates will not be valid"
        ));
    }
    let identity = &entered.identity;
    let (role, address) = (identity.role.word(), identity.consoles.first().map_or("-", String::as_str));
    if args.json {
        let farm = identity.farm.to_string();
        text::json_out(
            &json!({ "v": 1, "farm": farm, "name": identity.name, "role": role, "connect": address }),
        );
    } else {
        text::out(&format!("joined farm {} as {role} {}", identity.farm, identity.name));
        text::note(&format!("next: vc-console --connect {address}"));
    }
    Ok(Exit::Done)
}

/// What was said, here or on stdin: for shells that keep what is typed, and boxes where others list processes.
fn said(line: String) -> Result<String, Failed> {
    if line != "-" {
        return Ok(line);
    }
    let mut text = String::new();
    let read = std::io::stdin().lock().take(LINE_BYTES_MAX).read_to_string(&mut text);
    read.map_err(|error| Failed::usage(format!("read the join line from stdin: {error}")))?;
    Ok(text)
}
