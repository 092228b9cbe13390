//! Farms to draw.

use jiff::tz::TimeZone;
use ratatui::layout::Size;
use vc_protocol::agent::{Command, CommandPhase};
use vc_protocol::failure::FailureClass;
use vc_protocol::id::{AgentId, AttemptId, AttemptNo, DeviceId, JobId, TaskNo};
use vc_protocol::job::{JobState, Priority};
use vc_protocol::operator::{
    AgentState, AgentView, AttemptView, DeviceView, EventView, Failures, FarmTotals, JobDetail, JobRow, Need,
    Page, RefusalCode, Request, Response, RunView, Snapshot,
};
use vc_protocol::path::FilePath;
use vc_protocol::progress::{Phase, Progress};

use super::answers;
use crate::tui::keys::Key;
use crate::tui::link::{Reply, RequestTag};
use crate::tui::state::{Action, Millis, Msg, State, update};
use crate::tui::{Color, Glyphs, Look, Mode, Options, Theme};

/// 2026-11-22 12:04:31 UTC.
pub(crate) const NOON: i64 = 1_795_349_071_000;
pub(crate) const NARROW: Size = Size { width: 80, height: 24 };
pub(crate) const WIDE: Size = Size { width: 120, height: 40 };

pub(crate) fn look(glyphs: Glyphs) -> Look {
    Look {
        glyphs,
        color: Color::On,
        zone: TimeZone::UTC,
        frame_ms: 100,
        remote: false,
        theme: Theme::default(),
        background: None,
    }
}

pub(crate) fn progress(phase: Phase, permille: u16, fps: f32, speed: f32, eta_s: u32) -> Progress {
    let out_ms = u64::from(permille) * 3000;
    let eta_s = (fps > 0.0 || eta_s > 0).then_some(eta_s);
    Progress { phase, permille, frames: out_ms / 40, fps, speed, out_bytes: out_ms * 430, out_ms, eta_s }
}

pub(crate) fn run(job: u64, name: &str, progress: Progress) -> RunView {
    RunView {
        attempt: AttemptId { job: JobId(job), task: TaskNo(0), no: AttemptNo(1) },
        source: FilePath::from(format!("tv/s04/{name}").as_str()),
        profile: "h264-1080p".into(),
        progress,
        unsure: false,
    }
}

pub(crate) fn agent(id: u32, name: &str, state: AgentState, slots: u16, runs: Vec<RunView>) -> AgentView {
    AgentView {
        id: AgentId(id),
        name: name.into(),
        state,
        silent_ms: Some(300),
        address: format!("10.0.0.{}:51234", 20 + id),
        rtt_us: Some(430),
        version: "0.1.0".into(),
        ffmpeg: "ffmpeg version 7.1".into(),
        devices: vec![DeviceView {
            id: DeviceId(0),
            name: "cpu 16 cores".into(),
            short: "cpu".into(),
            slots,
            runs,
            ..DeviceView::default()
        }],
        unproven: vec![],
        completed: 20_000,
        failed: 3,
        ..AgentView::default()
    }
}

fn need(kind: &str, what: &str, text: &str, jobs: &[u64]) -> Need {
    Need {
        kind: kind.into(),
        what: what.into(),
        text: text.into(),
        jobs: jobs.iter().map(|id| JobId(*id)).collect(),
        agent: None,
    }
}

fn event(seconds_ago: i64, job: Option<u64>, file: &str, text: &str) -> EventView {
    EventView {
        at_ms: NOON - seconds_ago * 1000,
        text: text.into(),
        job: job.map(JobId),
        file: file.into(),
        ..EventView::default()
    }
}

pub(crate) fn empty() -> Snapshot {
    Snapshot {
        farm: "studio-a".into(),
        listen: "10.0.0.5:4433".into(),
        up_ms: 5000,
        now_ms: NOON,
        revision: 1,
        ..Snapshot::default()
    }
}

pub(crate) fn busy() -> Snapshot {
    let waves = (0..60).map(|i: u32| 2500 + (i * i * 37) % 2000);
    let ada = vec![
        run(41902, "ep_0417.mkv", progress(Phase::Encoding, 640, 512.0, 21.3, 51)),
        run(41907, "ep_0418.mkv", progress(Phase::Encoding, 225, 498.0, 20.8, 113)),
        run(41911, "wedding_2019_raw_master.mov", progress(Phase::Verifying, 970, 402.0, 16.7, 12)),
    ];
    let bolt = vec![
        run(41915, "show_s02e01_uhd.mkv", progress(Phase::Encoding, 81, 0.0, 0.0, 0)),
        run(41920, "cam3_20240118_2200.ts", progress(Phase::Fetching, 410, 0.0, 0.0, 8)),
        run(41921, "ep_0421.mkv", progress(Phase::Waiting, 0, 0.0, 0.0, 0)),
    ];
    Snapshot {
        up_ms: 273_600_000,
        revision: 7,
        totals: FarmTotals {
            by_state: [18_208, 26, 41_877, 0, 0, 12, 0],
            to_retry: 4,
            unsure: 0,
            bytes_in: 19_800_000_000_000,
            bytes_out: 8_600_000_000_000,
            media_ms: 14_270_400_000,
            speed: 412.4,
            fps: 9871.0,
            permille: 697,
            eta_s: Some(34_800),
            output_free: Some(2_100_000_000_000),
            speed_minutes: waves.collect(),
            ..FarmTotals::default()
        },
        agents: vec![agent(1, "ada", AgentState::Ok, 3, ada), agent(2, "bolt", AgentState::Ok, 4, bolt)],
        needs: vec![],
        recent: vec![
            event(2, Some(41898), "ep_0413.mkv", "completed on ada"),
            event(
                33,
                Some(41896),
                "ep_0411_the_long_name_of_an_episode_that_says_it_all.mkv",
                "attempt 1 failed (infrastructure) on bolt: connection lost",
            ),
            event(400, None, "", "bolt connected"),
        ],
        ..empty()
    }
}

pub(crate) fn broken() -> Snapshot {
    let mut snapshot = busy();
    let mut lost = agent(
        3,
        "dec",
        AgentState::Offline,
        2,
        vec![run(41899, "ep_0414.mkv", progress(Phase::Encoding, 550, 300.0, 12.0, 70))],
    );
    lost.silent_ms = Some(72_000);
    lost.rtt_us = None;
    lost.devices[0].runs[0].unsure = true;
    let mut blind = agent(4, "fox", AgentState::Ok, 4, vec![]);
    blind.unproven = vec!["/srv/films: not there".into()];
    let drain = agent(5, "gnu", AgentState::Draining, 1, vec![]);
    let mut silent = agent(6, "hen", AgentState::Suspect, 1, vec![]);
    silent.silent_ms = Some(11_000);
    snapshot.agents.extend([lost, blind, drain, silent]);
    snapshot.totals.by_state = [18_208, 26, 41_877, 3, 2, 12, 1];
    snapshot.totals.unsure = 1;
    snapshot.halted = Some("job table: no space left on device".into());
    snapshot.needs = vec![
        need(
            "store",
            "job table",
            "no space left on device: nothing is handed out until it can be written",
            &[],
        ),
        need("failed", "2 files", "output shorter than source; two encoders agreed", &[41877, 41880]),
        need("failed", "1 file", "input not readable: moov atom not found", &[39120]),
        need("offline", "dec", "1 job goes back to pending unless it returns", &[41899]),
        need(
            "folder",
            "fox",
            "cannot see /srv/films: not there; `--map FROM=TO` when it is mounted elsewhere",
            &[],
        ),
    ];
    snapshot
}

pub(crate) fn row(id: u64, state: JobState, source: &str) -> JobRow {
    JobRow {
        id: JobId(id),
        state,
        unsure: false,
        priority: Priority::DEFAULT,
        source: FilePath::from(source),
        profile: "h264-1080p".into(),
        place: if state == JobState::Pending { String::new() } else { "ada/cpu".into() },
        retries: 0,
        retries_max: 3,
        created_ms: NOON - 5_400_000,
        updated_ms: NOON - 1_380_000,
        not_before_ms: None,
        progress: None,
        bytes_in: 3_100_000_000,
        bytes_out: if state == JobState::Completed { 1_270_000_000 } else { 0 },
        cause: String::new(),
        class: None,
    }
}

/// A page with a job of every kind.
pub(crate) fn page() -> Page {
    let mut retry = row(41896, JobState::Pending, "tv/s04/ep_0411.mkv");
    (retry.not_before_ms, retry.retries) = (Some(NOON + 15_000), 1);
    retry.cause = "connection lost".into();
    retry.class = Some(FailureClass::Infrastructure);
    let mut failed = row(41877, JobState::Failed, "tv/s03/ep_0398_directors_cut_remaster.mkv");
    failed.cause = "output shorter than source; two encoders agreed".into();
    failed.class = Some(FailureClass::Source);
    let mut unsure = row(41899, JobState::Running, "tv/s04/ep_0414.mkv");
    (unsure.unsure, unsure.priority) = (true, Priority(9));
    let mut running = row(41902, JobState::Running, "tv/s04/ep_0417.mkv");
    running.progress = Some(progress(Phase::Encoding, 630, 512.0, 21.3, 53));
    let mut held = row(41930, JobState::Held, "tv/odd\nname \u{202e}vkm.exe");
    held.cause = "output is already there".into();
    let old = row(17, JobState::Completed, "films/日本語の映画の長い名前、これはとても長い.mkv");
    let old = JobRow { updated_ms: NOON - 90_000_000, ..old };
    let cancelled = row(41931, JobState::Cancelled, "a.mp4");
    let skipped = JobRow { cause: "already h264".into(), ..row(41932, JobState::Skipped, "b.mp4") };
    let rows = vec![retry, failed, unsure, running, held, old, cancelled, skipped];
    Page { total: Some(rows.len() as u64), rows, more: false, scanned: None }
}

pub(crate) fn detail(state: JobState) -> JobDetail {
    let mut row = row(41902, state, "tv/s04/ep_0417.mkv");
    if state == JobState::Failed {
        row.cause = "moov atom not found".into();
        row.class = Some(FailureClass::Source);
    }
    let words = "/usr/bin/ffmpeg -hide_banner -nostdin -v level+info -i /srv/tv/s04/ep_0417.mkv -map 0 -c:v libx264 \
                 -crf 20 -preset medium -c:a aac -b:a 160k -movflags +faststart -progress pipe:1";
    let mut argv: Vec<FilePath> = words.split_whitespace().map(FilePath::from).collect();
    argv.push(FilePath(b"/srv/out/s04/.vc-tmp/ep \x1b[31m'0417.part.mp4".to_vec()));
    let log = "[h264 @ 0x55] Reinit context to 1920x1088\n[libx264 @ 0x56] using SAR=1/1\n\
               [libx264 @ 0x56] profile High, level 4.0\nframe=46211 fps=512 q=24.0 size=793MiB speed=21.3x\n";
    let ended = if state == JobState::Failed { "source" } else { "" };
    let newest = AttemptView {
        task: TaskNo(0),
        no: 2,
        place: "ada/cpu".into(),
        encoder: "libx264".into(),
        passed_over: vec![],
        quality: None,
        started_ms: NOON - 93_000,
        ended_ms: (!ended.is_empty()).then_some(NOON - 3_000),
        ended: ended.into(),
        cause: if state == JobState::Failed { "moov atom not found".into() } else { String::new() },
        commands: vec![
            Command { phase: CommandPhase::Probe, argv: vec!["ffprobe".into(), "-i".into(), "it's".into()] },
            Command { phase: CommandPhase::Encode, argv },
        ],
        log: log.into(),
    };
    let first = AttemptView {
        no: 1,
        place: "dec/cpu".into(),
        ended_ms: Some(NOON - 200_000),
        started_ms: NOON - 400_000,
        ended: "infrastructure".into(),
        cause: "agent lost".into(),
        commands: vec![],
        log: String::new(),
        ..newest.clone()
    };
    JobDetail {
        row,
        source: "/srv/tv/s04/ep_0417.mkv".into(),
        output: "/srv/out/s04/ep_0417.mp4".into(),
        created_ms: NOON - 500_000,
        encoder: "libx264".into(),
        seconds: 90.0,
        media_ms: 3_011_000,
        warnings: vec!["3 subtitle streams of kind PGS cannot be kept in mp4".into()],
        attempts: vec![newest, first],
        media: None,
        wanted: String::new(),
        next_encoders: vec![],
        phases: vec![],
        lease_ms: None,
    }
}

/// What happened to a job.
fn job_events() -> Vec<EventView> {
    let mut released = event(60, Some(41902), "ep_0417.mkv", "released");
    released.who = "ana".into();
    let started = event(93, Some(41902), "ep_0417.mkv", "attempt 2 started on ada/cpu");
    vec![released, started, event(90_000, Some(41902), "", "added")]
}

/// A dashboard with a server that answers from the fixtures, as it would be driven by the loop.
#[derive(Clone)]
pub(crate) struct Board {
    pub(crate) state: State,
    pub(crate) now: Millis,
    /// Requests that change something, and ways out.
    pub(crate) asked: Vec<Action>,
    pub(crate) detail: JobDetail,
    pub(crate) page: Page,
    pub(crate) failures: Failures,
    pub(crate) events: Vec<EventView>,
    /// Nothing is answered: all questions are left in `asked`.
    silent: bool,
}

impl Board {
    /// A dashboard whose server does not answer.
    pub(crate) fn silent(size: Size, glyphs: Glyphs, snapshot: Snapshot) -> Board {
        Board::with(Mode::Attach, size, glyphs, snapshot, true)
    }

    pub(crate) fn new(size: Size, glyphs: Glyphs, snapshot: Snapshot) -> Board {
        Board::of(Mode::Attach, size, glyphs, snapshot)
    }

    pub(crate) fn of(mode: Mode, size: Size, glyphs: Glyphs, snapshot: Snapshot) -> Board {
        Board::with(mode, size, glyphs, snapshot, false)
    }

    fn with(mode: Mode, size: Size, glyphs: Glyphs, snapshot: Snapshot, silent: bool) -> Board {
        let state = State::new(Options { mouse: false, ..Options::new(mode, look(glyphs)) }, size);
        let page =
            if snapshot.agents.is_empty() { Page { total: Some(0), ..Page::default() } } else { page() };
        let mut board = Board {
            state,
            now: 1000,
            asked: vec![],
            detail: detail(JobState::Running),
            page,
            failures: answers::failures(),
            events: answers::events(40, 40),
            silent,
        };
        board.tell(Reply::Snapshot(Box::new(snapshot)));
        board
    }

    pub(crate) fn tell(&mut self, reply: Reply) {
        self.message(Msg::Reply(reply));
    }

    pub(crate) fn message(&mut self, msg: Msg) {
        for action in update(&mut self.state, self.now, msg) {
            if let Action::Send(tag, request) = action {
                self.answer(tag, request);
            } else {
                self.asked.push(action);
            }
        }
    }

    fn answer(&mut self, tag: RequestTag, request: Request) {
        let told = if self.silent { None } else { self.response(&request, tag) };
        match told {
            Some(response) => self.tell(Reply::Response(tag, response)),
            None => self.asked.push(Action::Send(tag, request)),
        }
    }

    /// What the server answers to a question that only looks; none leaves it to the test.
    fn response(&self, request: &Request, tag: RequestTag) -> Option<Response> {
        let rows = |offset: u64, limit: u32| {
            self.page.rows.iter().skip(offset as usize).take(limit as usize).cloned().collect()
        };
        let before = |before: &Option<u64>, limit: u32| {
            let older = self.events.iter().filter(|event| before.is_none_or(|no| event.no < no));
            older.take(limit as usize).cloned().collect()
        };
        let farm = self.state.snapshot.as_deref();
        if let Request::Jobs { offset, limit, .. } = request {
            // How a search goes on is the test's to say.
            let is_further = *offset > 0 && self.page.scanned.is_some();
            (!is_further).then(|| Response::Page(Page { rows: rows(*offset, *limit), ..self.page.clone() }))
        } else if let Request::Log(_) = request {
            Some(Response::Detail(Box::new(self.detail.clone())))
        } else if let Request::Agent(id) = request {
            let found = farm.and_then(|farm| answers::agent_detail(farm, *id));
            let refused = || Response::Refused {
                code: RefusalCode::NotFound,
                message: "there is no such agent".into(),
            };
            Some(found.map_or_else(refused, |detail| Response::Agent(Box::new(detail))))
        } else if let Request::Failures = request {
            Some(Response::Failures(self.failures.clone()))
        } else if let Request::Events { job: Some(_), .. } = request {
            Some(Response::Events(job_events()))
        } else if let Request::Events { before: no, limit, .. } = request {
            Some(Response::Events(before(no, *limit)))
        } else if let Request::TokenCreate(wish) = request {
            let line = format!(
                "vcj1.{:0>3}Zm94LWpvaW4tbGluZS1mb3ItdGVzdHM.10.0.0.5:4433.c2VjcmV0LW9mLXRlc3Rz",
                tag.0
            );
            Some(Response::Token { line, ttl_s: wish.ttl_s })
        } else {
            None
        }
    }

    /// Presses keys, a little time apart. `^x` is ctrl-x.
    pub(crate) fn keys(&mut self, keys: &str) -> &mut Board {
        let mut chars = keys.chars();
        while let Some(c) = chars.next() {
            let key = match c {
                '^' => Key::Ctrl(chars.next().unwrap_or('c')),
                '\n' => Key::Enter,
                '\x1b' => Key::Esc,
                '\t' => Key::Tab,
                c => Key::Char(c),
            };
            self.press(key);
        }
        self
    }

    pub(crate) fn press(&mut self, key: Key) {
        self.now += 20;
        self.message(Msg::Key(key));
        self.state.drawn();
    }

    pub(crate) fn wait(&mut self, ms: Millis) -> &mut Board {
        self.now += ms;
        self.message(Msg::Tick);
        self
    }
}
