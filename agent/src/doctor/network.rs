//! Whether the console can be reached: by what the running agent says, else by a connection of our own.

use std::path::{Path, PathBuf};
use std::time::Duration;

use tokio::time::timeout;
use vc_certs::ended::Ended;
use vc_certs::wire::{self, Channel, WireError};
use vc_certs::{CertsError, Identity, dial};
use vc_protocol::agent::ToAgent;
use vc_protocol::close::Close;

use super::clock::{NTP, now_s, shown};
use super::{Finding, Verdict};
use crate::state_dir::StateDir;
use crate::status::{self, Status};
use crate::{task, told};

/// Longest that reaching the console may take: name server and handshake have five seconds each, and there may be
/// several addresses.
const REACH_MAX: Duration = Duration::from_secs(15);
/// How long the close gets to leave this box.
const GOODBYE_MAX: Duration = Duration::from_secs(1);

const CHECK: &str = "console";

/// The identity of this box, and the way to its console.
pub(super) async fn console(state_dir: &Path) -> Vec<Finding> {
    let dir = state_dir.to_owned();
    let asked = task::spawn_blocking("ask the agent", move || look(dir)).await;
    let (identity, running) = match asked {
        Ok((Ok(Some(identity)), running)) => (identity, running),
        Ok((Ok(None), _)) => {
            let text = "this box has not joined a farm; `vc-agent join LINE` does, with a line from `vc-console token create`";
            return vec![Finding::note("identity", text)];
        }
        Ok((Err(error), _)) => {
            let fix = "join anew with `vc-agent join --force LINE`";
            return vec![Finding::new("identity", Verdict::Bad, told::chain(&error), fix)];
        }
        Err(error) => return vec![Finding::new("identity", Verdict::Bad, told::chain(&error), "")],
    };
    let who = format!("{} of farm {}", identity.name, identity.farm);
    let mut findings = vec![valid(&who, identity.expires_s, now_s())];
    if findings[0].verdict == Verdict::Bad {
        return findings;
    }
    findings.push(match running {
        Some(status) => told_by(&status),
        None => reach(&identity).await,
    });
    findings
}

fn look(dir: PathBuf) -> (Result<Option<Identity>, CertsError>, Option<Status>) {
    let running = status::ask(&StateDir::socket(&dir)).ok();
    (Identity::load(&dir), running)
}

fn valid(who: &str, expires_s: i64, now_s: i64) -> Finding {
    let until = shown(expires_s);
    if now_s < expires_s {
        return Finding::fine("identity", format!("{who}, valid until {until}"));
    }
    let text = format!("{who}: the certificate ended at {until}");
    Finding::new(
        "identity",
        Verdict::Bad,
        text,
        format!("join anew with `vc-agent join --force LINE`, or {NTP}"),
    )
}

/// An agent that runs knows best, and another connection in its name would only disturb.
fn told_by(status: &Status) -> Finding {
    let console = &status.console;
    let agent = format!("the running agent (process {})", status.pid);
    match (console.connected, &console.address, &console.problem) {
        (true, Some(address), _) => Finding::fine(CHECK, format!("{agent} is connected to {address}")),
        (true, None, _) => Finding::fine(CHECK, format!("{agent} is connected")),
        (false, _, Some(problem)) => unreachable(&format!("{agent} is not connected: {problem}")),
        (false, _, None) => Finding::note(CHECK, format!("{agent} is connecting")),
    }
}

fn unreachable(text: &str) -> Finding {
    let fix = "let UDP through to the console's port, and see that `vc-console status` runs there";
    Finding::new(CHECK, Verdict::Bad, text, fix)
}

/// A handshake and the hellos, and no session: nothing changes on the console.
async fn reach(identity: &Identity) -> Finding {
    let mut preferred = 0;
    let attempt = async {
        let (endpoint, connection, address) =
            dial::member(identity, &identity.consoles, &mut preferred).await.map_err(WireError::Ended)?;
        let spoken: Result<Channel<ToAgent>, _> = wire::open(&connection, env!("CARGO_PKG_VERSION")).await;
        let rtt_ms = connection.rtt().as_secs_f64() * 1000.0;
        wire::close(&connection, Close::Done, "");
        let _ = timeout(GOODBYE_MAX, endpoint.wait_idle()).await;
        spoken.map(|_| (address, rtt_ms))
    };
    match timeout(REACH_MAX, attempt).await {
        Ok(Ok((address, rtt_ms))) => {
            Finding::fine(CHECK, format!("{address} answers, {rtt_ms:.1} ms there and back"))
        }
        Ok(Err(WireError::Ended(Ended::Refused(words)))) => {
            let fix = "ask for a new line with `vc-console token create`, then `vc-agent join --force LINE`";
            Finding::new(CHECK, Verdict::Bad, format!("does not let this box in: {words}"), fix)
        }
        Ok(Err(WireError::Hello(hello))) => {
            Finding::new(CHECK, Verdict::Bad, hello.to_string(), "install the same version on both boxes")
        }
        Ok(Err(error)) => unreachable(&told::chain(&error)),
        Err(_) => unreachable(&format!("no answer within {} s", REACH_MAX.as_secs())),
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::id::AgentId;

    use super::*;
    use crate::status::ConsoleStatus;

    fn status(connected: bool, problem: Option<&str>) -> Status {
        let (address, problem) = (Some("10.0.0.1:4433".into()), problem.map(str::to_owned));
        Status {
            v: 1,
            pid: 7,
            version: "0.1.0".into(),
            agent: AgentId(3),
            name: "ada".into(),
            console: ConsoleStatus { connected, address, problem },
            devices: Vec::new(),
            attempts: Vec::new(),
        }
    }

    #[test]
    fn a_running_agent_is_believed() {
        let fine = told_by(&status(true, None));
        assert_eq!((fine.verdict, fine.text.contains("10.0.0.1:4433")), (Verdict::Fine, true));
        let lost = told_by(&status(false, Some("no answer")));
        assert_eq!((lost.verdict, lost.text.contains("no answer")), (Verdict::Bad, true));
        assert_eq!(told_by(&status(false, None)).verdict, Verdict::Note);
    }

    #[test]
    fn a_certificate_that_has_ended_is_bad() {
        assert_eq!(valid("ada", 2_000_000_000, 1_900_000_000).verdict, Verdict::Fine);
        let ended = valid("ada", 1_900_000_000, 2_000_000_000);
        assert_eq!((ended.verdict, ended.text.contains("2030-03-17")), (Verdict::Bad, true));
    }

    #[tokio::test]
    async fn a_box_that_has_not_joined_is_told_how() {
        let dir = tempfile::tempdir().unwrap();
        let findings = console(dir.path()).await;
        assert_eq!((findings.len(), findings[0].verdict), (1, Verdict::Note));
        std::fs::write(dir.path().join("identity.pem"), "garbage").unwrap();
        assert_eq!(console(dir.path()).await[0].verdict, Verdict::Bad);
    }
}
