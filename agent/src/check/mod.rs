//! The proof that an output is right before it takes its place: it opens, its streams, length and size are as planned,
//! and its first, middle and last second decode. Exit statuses prove nothing.
//!
//! [`steps`] says what to run (one ffprobe that describes and decodes at once, or two processes where it lacks the
//! decoder), [`judge`] reads what came back. Both are pure; who runs the steps is the caller.

mod compare;
mod steps;

use vc_protocol::failure::{Failure, FailureClass};

use crate::ffmpeg;
use crate::plan::{Action, Plan};
use crate::probe;
use crate::process::{Ended, Exit, ProgressParser};

pub use steps::{Steps, limits, steps};

/// What the encoder's run is known to have done.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Its log.
    pub log: String,
    /// Frames that it says it wrote of the first picture stream.
    pub frames: Option<u64>,
    /// Milliseconds that it says it wrote.
    pub out_ms: Option<u64>,
}

/// Judges an output by what the steps printed. The texts are worth a look, and no reason to refuse.
pub fn judge(
    plan: &Plan,
    facts: &Facts,
    steps: &Steps,
    described: &Ended,
    decoded: Option<&Ended>,
) -> Result<Vec<String>, Failure> {
    for ended in [Some(described), decoded].into_iter().flatten() {
        ran(ended)?;
    }
    if described.is_stdout_cut {
        return Err(refused("its description is endless".to_owned()));
    }
    let file = probe::parse(&described.stdout).map_err(|error| refused(error.to_string()))?;
    let mut warnings = compare::compare(plan, facts, &file.media)?;
    warnings.extend(errors(plan, described)?);
    compare::frames(plan, facts, &file, steps.is_whole)?;
    if let Some(ended) = decoded {
        warnings.extend(errors(plan, ended)?);
        compare::decoded(plan, facts, frames_decoded(ended), steps.is_whole)?;
    }
    if let Some((line, count)) = ffmpeg::damage(&facts.log) {
        warnings.push(format!("the source is damaged: {line} ({count} such lines)"));
    }
    Ok(warnings)
}

/// An output that is not right: this encoder's fault, unless there is proof that it is the source's.
fn refused(what: String) -> Failure {
    Failure::new(FailureClass::Encoder, format!("the output is not right: {what}"))
}

fn ran(ended: &Ended) -> Result<(), Failure> {
    if ended.is_clean() {
        return Ok(());
    }
    let failure = ffmpeg::classify(ended, &[]);
    match ended.exit {
        Exit::Code(_) if ended.stopped.is_none() => Err(match failure.class {
            FailureClass::Capacity | FailureClass::Infrastructure => failure,
            FailureClass::Source | FailureClass::Encoder | FailureClass::Job => refused(failure.cause),
        }),
        Exit::Code(_) | Exit::Signal(_) => Err(failure),
    }
}

/// Frames of the first picture stream that ffmpeg says it decoded.
fn frames_decoded(ended: &Ended) -> u64 {
    let mut frames = 0;
    ProgressParser::default().push(&ended.stdout, |block| frames = block.frames.unwrap_or(frames));
    frames
}

/// Errors while decoding. In a stream that was copied they are the source's own.
fn errors(plan: &Plan, ended: &Ended) -> Result<Vec<String>, Failure> {
    let copied = || plan.streams.iter().filter(|s| s.action == Action::Copy).map(|s| s.codec.as_str());
    let mut warnings = Vec::new();
    for line in ffmpeg::errors(&ended.stderr) {
        if !copied().any(|codec| !codec.is_empty() && line.context.contains(codec)) {
            return Err(refused(line.text.to_owned()));
        }
        if warnings.is_empty() {
            warnings.push(format!("a copied stream has errors, as it has in the source: {}", line.text));
        }
    }
    Ok(warnings)
}
