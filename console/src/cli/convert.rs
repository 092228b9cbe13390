//! `convert`: a whole farm in one process, for one machine and one command.
//!
//! A console and an agent over real QUIC and mutual TLS on loopback, with a throw-away identity unless a state folder is
//! named. Ends when every job is final.

use std::collections::BTreeMap;
use std::io::IsTerminal;
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use clap::Args;
use serde_json::json;
use tokio_util::sync::CancellationToken;
use vc_agent::ffmpeg::Tools;
use vc_protocol::job::{JobState, Priority, TEMP_FOLDER};
use vc_protocol::operator::{AddRequest, FarmTotals, JobFilter, JobRow, Sort};

use super::exit::{Exit, Failed};
use super::signals::Signals;
use super::watch::{Say, watch};
use super::{absolute, add, ask, json, screen, serve, text};
use crate::app::{Server, ServerConfig};
use crate::config::Config;
use crate::config::keys::Name;
use crate::operator::client::{Client, Target};
use crate::profiles::{self, Profiles, user_folder};

/// How long the agent gets to end its children and delete its part files: a cancel takes two seconds.
const AGENT_STOP_MAX: Duration = Duration::from_secs(8);
/// A state folder that was given has the agent of an earlier conversion in it: it joins anew when its certificate would
/// end sooner than this, since a refused agent would keep the conversion waiting for ever. Long ones take days.
const IDENTITY_LEFT_MIN: Duration = Duration::from_secs(7 * 24 * 3600);
/// Sources named for each cause in the last lines; `jobs ls` and `--json` have them all.
const NAMED_MAX: usize = 5;

/// Said when a person or the system asked for the end.
const STOPPED: &str = "stopped: what was being encoded is thrown away, finished outputs stay";

#[derive(Args)]
pub(super) struct ConvertArgs {
    /// Files and folders
    #[arg(required = true, value_name = "SRC")]
    sources: Vec<PathBuf>,
    /// Folder for the outputs; the tree below each SRC is kept
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Name of the profile
    #[arg(long, default_value = profiles::DEFAULT)]
    profile: String,
    /// Encodes at once [default: from the number of cores]
    #[arg(long, env = "VC_SLOTS", value_parser = clap::value_parser!(u16).range(1..=256))]
    slots: Option<u16>,
    /// ffmpeg to use
    #[arg(long, env = "VC_FFMPEG", value_name = "FILE")]
    ffmpeg: Option<PathBuf>,
    /// ffprobe to use
    #[arg(long, env = "VC_FFPROBE", value_name = "FILE")]
    ffprobe: Option<PathBuf>,
    /// One JSON document at the end, nothing else on stdout
    #[arg(long)]
    json: bool,
}

/// `config` names the state folder only where somebody said it to this call: the farm's own is not for one conversion.
pub(super) async fn convert(args: ConvertArgs, config: &Config) -> Result<Exit, Failed> {
    let named = config.setting(Name::StateDir).filter(|setting| setting.origin.is_of_this_call());
    let state_dir = named.and_then(|_| config.path(Name::StateDir)).map(Path::to_owned);
    let tools = check(&args)?;
    // From here on a signal is kept until somebody looks: nothing of what follows is left behind by one.
    let mut signals = Signals::listen()?;
    let throw_away = match state_dir {
        Some(_) => None,
        None => Some(temporary_folder()?),
    };
    let state_dir = state_dir.or_else(|| throw_away.clone()).unwrap_or_default();
    let exit = convert_in(&args, tools, &state_dir, config, &mut signals).await;
    if let Some(dir) = throw_away {
        let _ = std::fs::remove_dir_all(dir);
    }
    exit
}

/// What can be said before anything is started.
fn check(args: &ConvertArgs) -> Result<Tools, Failed> {
    let profiles = Profiles::load(user_folder().as_deref()).map_err(|e| Failed::usage(e.to_string()))?;
    profiles.get(&args.profile).map_err(|e| Failed::usage(e.to_string()))?;
    for source in &args.sources {
        std::fs::metadata(source)
            .map_err(|e| Failed::usage(format!("cannot read {}: {e}", source.display())))?;
    }
    Tools::find(args.ffmpeg.as_deref(), args.ffprobe.as_deref())
        .map_err(|e| Failed::usage(format!("{:#}", anyhow::Error::from(e))))
}

fn temporary_folder() -> Result<PathBuf, Failed> {
    let mut random = [0_u8; 8];
    getrandom::fill(&mut random).map_err(|e| Failed::new(Exit::Unexpected, format!("random bytes: {e}")))?;
    let dir = std::env::temp_dir().join(format!("vc-convert-{:016x}", u64::from_le_bytes(random)));
    // The farm's keys and the names of all files are in it: for nobody else's eyes.
    let made = std::fs::DirBuilder::new().mode(0o700).create(&dir);
    made.map_err(|e| Failed::usage(format!("cannot create {}: {e}", dir.display())))?;
    Ok(dir)
}

async fn convert_in(
    args: &ConvertArgs,
    tools: Tools,
    state_dir: &Path,
    config: &Config,
    signals: &mut Signals,
) -> Result<Exit, Failed> {
    let started = Instant::now();
    let listen = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let server = Server::start(ServerConfig { state_dir: state_dir.to_owned(), listen })
        .await
        .map_err(serve::start_failed)?;
    let stop = CancellationToken::new();
    let agent = start_agent(args, tools, state_dir, &server, stop.clone()).await;
    let exit = match agent {
        Ok(agent) => {
            let run = Run { args, server: Target::Local(state_dir.to_owned()), config, started };
            let exit = tokio::select! {
                exit = run.to_the_end(&agent) => exit,
                exit = signals.next() => {
                    text::note(STOPPED);
                    Ok(exit)
                }
            };
            stop.cancel();
            let _ = tokio::time::timeout(AGENT_STOP_MAX, agent).await;
            exit
        }
        Err(failed) => Err(failed),
    };
    server.stop().await;
    // Only when it is empty: part files of others stay.
    let _ = std::fs::remove_dir(args.out.join(TEMP_FOLDER));
    exit
}

/// Whether the agent has an identity that outlives the conversion.
fn may_stay(agent_dir: &Path) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let needed = i64::try_from((now + IDENTITY_LEFT_MIN).as_secs()).unwrap_or(i64::MAX);
    matches!(vc_certs::Identity::load(agent_dir), Ok(Some(identity)) if identity.expires_s > needed)
}

type Agent = tokio::task::JoinHandle<Result<(), vc_agent::AgentError>>;

async fn start_agent(
    args: &ConvertArgs,
    tools: Tools,
    state_dir: &Path,
    server: &Server,
    stop: CancellationToken,
) -> Result<Agent, Failed> {
    let unexpected = |e: anyhow::Error| Failed::unexpected(&e.context("start the agent"));
    let agent_dir = state_dir.join("agent");
    if !may_stay(&agent_dir) {
        let line = server.join_line(1, Duration::from_secs(60)).map_err(|e| unexpected(e.into()))?;
        vc_agent::join(&line, &agent_dir, true).await.map_err(|e| unexpected(e.into()))?;
    }
    let config = vc_agent::AgentConfig {
        console: Some(server.listen()),
        slots: args.slots,
        tools: Some(tools),
        tries_processor: false,
        ..vc_agent::AgentConfig::new(agent_dir)
    };
    Ok(vc_agent::task::spawn("agent", vc_agent::run(config, stop)))
}

struct Run<'a> {
    args: &'a ConvertArgs,
    server: Target,
    config: &'a Config,
    started: Instant,
}

impl Run<'_> {
    async fn to_the_end(&self, agent: &Agent) -> Result<Exit, Failed> {
        let mut client = Client::connect(&self.server).await?;
        let before = ask::snapshot(&mut client).await?;
        let request = AddRequest {
            paths: self.args.sources.iter().map(|p| absolute(p)).collect::<Result<_, _>>()?,
            out: absolute(&self.args.out)?,
            profile: self.args.profile.clone(),
            priority: Priority::DEFAULT,
            depth: None,
            dry_run: false,
        };
        let add::Scanned { counts, problems, .. } = add::scan(&mut client, request, |_| {}).await?;
        problems.iter().for_each(|p| text::note(&format!("! {p}")));
        if counts.added + counts.unchanged + counts.clashed + counts.unreadable == 0 {
            return Err(Failed::new(
                Exit::NothingMatched,
                format!("no video found: {} files seen, none with a video's extension", counts.seen),
            ));
        }
        let interrupted =
            if !self.args.json && std::io::stdout().is_terminal() && std::io::stdin().is_terminal() {
                screen::convert(&self.server, self.config).await?
            } else {
                let say = if self.args.json { Say::Notes } else { Say::Lines };
                watch(&self.server, before.now_ms, say, None, || agent.is_finished()).await?;
                None
            };
        if let Some(exit) = interrupted {
            text::note(STOPPED);
            return Ok(exit);
        }
        let rows = finished(&mut client).await?;
        let not_taken = counts.clashed + counts.unreadable;
        let after = ask::snapshot(&mut client).await?;
        let totals = Totals::of(&rows, &before.totals, &after.totals, self.started.elapsed());
        if self.args.json {
            let mut jobs = Vec::with_capacity(rows.len());
            for row in &rows {
                jobs.push(json::converted(&ask::detail(&mut client, row.id).await?));
            }
            text::json_out(&json!({ "v": 1, "jobs": jobs, "totals": totals.json(), "problems": problems }));
        } else {
            totals.print(&rows, not_taken);
        }
        Ok(totals.exit(not_taken))
    }
}

/// Every row of the table, by number.
async fn finished(client: &mut Client) -> Result<Vec<JobRow>, Failed> {
    let mut rows: Vec<JobRow> = Vec::new();
    let mut pages = ask::Pages::new(JobFilter::default(), Sort::default());
    while let Some(page) = pages.next(client, u64::MAX).await? {
        rows.extend(page.rows);
    }
    rows.sort_by_key(|row| row.id);
    Ok(rows)
}

/// A line for each state and cause that kept a source from being converted, with the sources it is about.
fn by_cause(rows: &[JobRow]) -> Vec<String> {
    let mut groups: BTreeMap<(JobState, String), Vec<String>> = BTreeMap::new();
    for row in rows.iter().filter(|row| row.state != JobState::Completed) {
        groups.entry((row.state, text::cause(row))).or_default().push(row.source.shown());
    }
    let line = |((state, cause), sources): ((JobState, String), Vec<String>)| {
        let more = sources.len().saturating_sub(NAMED_MAX);
        let named = sources[..sources.len() - more].join(", ");
        let more = if more > 0 { format!(" and {more} more") } else { String::new() };
        format!("{:<9} {cause}: {named}{more}", state.word())
    };
    groups.into_iter().map(line).collect()
}

/// Figures of the last lines.
struct Totals {
    by_state: [u64; 7],
    bytes_in: u64,
    bytes_out: u64,
    media_s: f64,
    wall: Duration,
}

impl Totals {
    fn of(rows: &[JobRow], before: &FarmTotals, after: &FarmTotals, wall: Duration) -> Totals {
        let mut by_state = [0; 7];
        rows.iter().for_each(|row| by_state[row.state as usize] += 1);
        Totals {
            by_state,
            bytes_in: after.bytes_in.saturating_sub(before.bytes_in),
            bytes_out: after.bytes_out.saturating_sub(before.bytes_out),
            media_s: after.media_ms.saturating_sub(before.media_ms) as f64 / 1000.0,
            wall,
        }
    }

    fn count(&self, state: JobState) -> u64 {
        self.by_state[state as usize]
    }

    fn speed(&self) -> f64 {
        self.media_s / self.wall.as_secs_f64().max(0.001)
    }

    fn exit(&self, not_taken: u64) -> Exit {
        if self.count(JobState::Failed) + not_taken > 0 {
            Exit::SomeFailed
        } else if self.count(JobState::Cancelled) + self.count(JobState::Held) > 0 {
            Exit::SomeLeft
        } else {
            Exit::Done
        }
    }

    fn json(&self) -> serde_json::Value {
        let mut value: serde_json::Map<_, _> =
            JobState::ALL.iter().map(|state| (state.word().to_owned(), self.count(*state).into())).collect();
        value.insert("bytes_in".into(), self.bytes_in.into());
        value.insert("bytes_out".into(), self.bytes_out.into());
        value.insert("media_seconds".into(), self.media_s.into());
        value.insert("wall_seconds".into(), self.wall.as_secs_f64().into());
        value.insert("speed".into(), self.speed().into());
        value.into()
    }

    fn print(&self, rows: &[JobRow], not_taken: u64) {
        text::parts(by_cause(rows));
        let mut counts = format!(
            "{} completed, {} skipped, {} failed",
            self.count(JobState::Completed),
            self.count(JobState::Skipped),
            self.count(JobState::Failed)
        );
        for state in [JobState::Cancelled, JobState::Held] {
            if self.count(state) > 0 {
                counts += &format!(", {} {}", self.count(state), state.word());
            }
        }
        if not_taken > 0 {
            counts += &format!(", {not_taken} not taken (see the lines with \"!\")");
        }
        text::out(&counts);
        text::out(&format!(
            "{} -> {} in {}, {:.1}x real time",
            super::size::bytes(self.bytes_in),
            super::size::bytes(self.bytes_out),
            super::size::seconds(self.wall.as_secs_f64()),
            self.speed()
        ));
    }
}

#[cfg(test)]
mod tests {
    use vc_protocol::failure::FailureClass;
    use vc_protocol::id::JobId;

    use super::*;

    fn row(id: u64, state: JobState, cause: &str) -> JobRow {
        JobRow {
            id: JobId(id),
            state,
            unsure: false,
            priority: Priority::DEFAULT,
            source: format!("{id}.mp4").as_str().into(),
            profile: String::new(),
            place: String::new(),
            retries: 0,
            retries_max: 3,
            created_ms: 0,
            updated_ms: 0,
            not_before_ms: None,
            progress: None,
            bytes_in: 0,
            bytes_out: 0,
            cause: cause.to_owned(),
            class: (state == JobState::Failed).then_some(FailureClass::Source),
        }
    }

    #[test]
    fn the_last_lines_group_what_was_not_converted_by_cause() {
        let mut rows = vec![row(1, JobState::Completed, ""), row(2, JobState::Failed, "the file is empty")];
        rows.extend((3..10).map(|id| row(id, JobState::Skipped, "kept")));
        let lines = by_cause(&rows);
        assert_eq!(
            lines,
            [
                "failed    source: the file is empty: 2.mp4",
                "skipped   kept: 3.mp4, 4.mp4, 5.mp4, 6.mp4, 7.mp4 and 2 more"
            ]
        );
    }
}
