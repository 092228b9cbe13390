//! Marking jobs: one by one, or all that a filter finds.

use vc_protocol::operator::IDS_MAX;

use super::jobs::Marks;
use super::{Millis, State, row_ref};

/// Marks or unmarks the job under the cursor and goes on to the next.
pub(super) fn mark(state: &mut State, now: Millis) {
    let Some(job) = state.selected() else { return };
    match &mut state.jobs.marks {
        Marks::All { .. } => state.jobs.marks = Marks::Jobs([(job.id, job)].into()),
        Marks::Jobs(marks) => {
            let unmarked = marks.remove(&job.id).is_some();
            if !unmarked && marks.len() >= IDS_MAX {
                return state.say(now, format!("{IDS_MAX} marks are the most; use * with a filter"));
            }
            if !unmarked {
                marks.insert(job.id, job);
            }
        }
    }
    super::on_key::scroll(state, 1);
}

/// Marks all that the filter finds: by id when all are here, else by filter and count.
pub(super) fn mark_all(state: &mut State) {
    let Some(window) = &state.jobs.window else { return };
    if window.whole() {
        let marks = window.page.rows.iter().map(|row| (row.id, row_ref(row))).collect();
        state.jobs.marks = Marks::Jobs(marks);
    } else if let Some(count) = window.page.total {
        state.jobs.marks = Marks::All { filter: state.jobs.filter.clone(), count };
    }
}
