//! What is lost when running jobs are stopped, in the words of a question.

use vc_protocol::id::JobId;
use vc_protocol::operator::{JobRow, RunView};
use vc_protocol::progress::Progress;

use super::size::seconds;
use crate::tui::words::some;

/// Jobs named in a question.
pub(super) const JOBS_NAMED: usize = 3;

/// A running job.
pub(super) struct Running {
    id: JobId,
    file: String,
    permille: u16,
    /// Milliseconds of video that are encoded.
    out_ms: u64,
}

impl Running {
    pub(super) fn of_run(run: &RunView) -> Running {
        Running::new(run.attempt.job, run.source.file_name(), Some(run.progress))
    }

    pub(super) fn of_row(row: &JobRow) -> Running {
        Running::new(row.id, row.source.file_name(), row.progress)
    }

    fn new(id: JobId, file: &[u8], progress: Option<Progress>) -> Running {
        Running {
            id,
            file: String::from_utf8_lossy(file).into_owned(),
            permille: progress.map_or(0, |p| p.permille),
            out_ms: progress.map_or(0, |p| p.out_ms),
        }
    }
}

/// The first few, and that there are more.
pub(super) fn listed(first: &[String], count: u64) -> String {
    let more = if count > first.len() as u64 { ", ..." } else { "" };
    format!("{}{more}", first.join(", "))
}

/// What would happen to them, and what that loses.
pub(super) fn would(running: &[Running], what: &str) -> String {
    let named = |job: &Running| format!("#{} {} {}%", job.id, job.file, job.permille / 10);
    let first: Vec<_> = running.iter().take(JOBS_NAMED).map(named).collect();
    let lost_ms: u64 = running.iter().map(|job| job.out_ms).sum();
    let lost = match lost_ms {
        0 => "what is encoded is thrown away".to_owned(),
        ms => format!("{} of encoded video thrown away", seconds(ms as f64 / 1000.0)),
    };
    let count = running.len() as u64;
    format!("{} would {what} ({}), {lost}", some(count, "running job"), listed(&first, count))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_question_names_the_first_jobs_and_what_is_lost() {
        let job = |id, out_ms| Running { id: JobId(id), file: format!("{id}.mkv"), permille: 640, out_ms };
        assert_eq!(
            would(&[job(1, 61_000), job(2, 61_000), job(3, 0), job(4, 0)], "be cancelled"),
            "4 running jobs would be cancelled (#1 1.mkv 64%, #2 2.mkv 64%, #3 3.mkv 64%, ...), 2:02 of encoded video \
             thrown away"
        );
        assert_eq!(
            would(&[job(1, 0)], "stop"),
            "1 running job would stop (#1 1.mkv 64%), what is encoded is thrown away"
        );
    }
}
