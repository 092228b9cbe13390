//! The proof that an output is right before it takes its place: it opens, its streams are those of the plan in all that
//! a plan says of them, and its first, middle and last second decode; or all of it, or every frame is the source's, as
//! the profile asks. Exit statuses prove nothing.
//!
//! [`Check`] says what to run next and reads what came back. It is pure; who runs the processes is the caller. What the
//! pictures show is looked at only by comparing hashes: an encoder that makes a fine stream of the wrong pictures passes
//! everything else here, and is caught by its trial, or by a profile's `min_ssim`.

mod compare;
mod hashes;
mod steps;
mod stream;

use std::collections::VecDeque;
use std::time::Duration;

use vc_protocol::failure::{Failure, FailureClass};
use vc_protocol::profile::Verify;

use crate::ffmpeg::{self, Tools};
use crate::plan::{Action, Files, Plan};
use crate::probe;
use crate::process::{Ended, Exit, Invocation, Limits, ProgressParser};

use hashes::Pair;
use steps::Scope;

/// Longest time for one step: seconds of 8K on a busy box take a minute, a network disk may add more.
const STEP_MAX: Duration = Duration::from_secs(600);
/// Where a whole output is decoded, as much again for each second of it: two 8K streams on few cores decode this slowly.
const SLOWEST: u64 = 20;

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

/// One process of a check.
#[derive(Debug, Clone)]
enum Step {
    /// Describes the output, and decodes it where ffprobe can.
    Describe,
    /// Decodes it.
    Decode,
    /// Hashes streams of source and output.
    Hash(Vec<Pair>),
    /// Hashes the frames of a stream of the source that is not that of the output.
    SourceFrames(Pair),
    /// Those of the output, and says which differs first.
    OutputFrames(Pair, Vec<u8>),
}

/// A check on its way.
#[derive(Debug)]
pub struct Check<'a> {
    tools: &'a Tools,
    plan: &'a Plan,
    facts: &'a Facts,
    files: &'a Files,
    scope: Scope,
    left: VecDeque<Step>,
    warnings: Vec<String>,
}

impl<'a> Check<'a> {
    /// Checks the part file of `files` against the plan.
    pub fn new(tools: &'a Tools, plan: &'a Plan, facts: &'a Facts, files: &'a Files) -> Check<'a> {
        let scope = Scope::of(tools, plan, facts);
        let mut left = VecDeque::from([Step::Describe]);
        if !scope.is_decoded_by_probe {
            left.push_back(Step::Decode);
        }
        if plan.verify == Verify::Lossless {
            left.push_back(Step::Hash(hashes::pairs(plan)));
        }
        Check { tools, plan, facts, files, scope, left, warnings: Vec::new() }
    }

    /// Bounds of each process.
    pub fn limits(&self) -> Limits {
        let whole = match self.plan.verify {
            Verify::Samples => 0,
            Verify::Full | Verify::Lossless => self.scope.length_ms.saturating_mul(SLOWEST),
        };
        Limits { total: Some(STEP_MAX + Duration::from_millis(whole)), ..Limits::default() }
    }

    /// What to run next; none once everything was looked at.
    #[expect(clippy::should_implement_trait, reason = "each step is answered before the next is asked for")]
    pub fn next(&mut self) -> Option<Invocation> {
        let (source, output) = (&self.files.source, &self.files.part);
        loop {
            let (program, args) = match self.left.front()? {
                Step::Describe => (&self.tools.ffprobe, steps::describe(&self.scope, output)),
                Step::Decode => (&self.tools.ffmpeg, steps::decode(&self.scope, output)),
                Step::Hash(pairs) if pairs.is_empty() => {
                    self.left.pop_front();
                    continue;
                }
                Step::Hash(pairs) => (&self.tools.ffmpeg, hashes::all(pairs, source, output)),
                Step::SourceFrames(pair) => (&self.tools.ffmpeg, pair.frames_of_source(source)),
                Step::OutputFrames(pair, _) => (&self.tools.ffmpeg, pair.frames_of_output(output)),
            };
            return Some(Invocation::new(program, args));
        }
    }

    /// Takes what the last process came to.
    pub fn take(&mut self, ended: &Ended) -> Result<(), Failure> {
        self.look(ended).map_err(|failure| match ffmpeg::first_error(&self.facts.log, &[]) {
            // ffmpeg 5 ends well although it could not write the rest.
            Some(told) if told.class == FailureClass::Capacity => told,
            Some(_) | None => failure,
        })
    }

    fn look(&mut self, ended: &Ended) -> Result<(), Failure> {
        ran(ended)?;
        match self.left.pop_front() {
            Some(Step::Describe) => self.described(ended),
            Some(Step::Decode) => {
                self.warnings.extend(errors(self.plan, ended)?);
                compare::decoded(self.plan, self.facts, frames_decoded(ended), self.scope.is_whole_decoded)
            }
            Some(Step::Hash(pairs)) => {
                // A picture says where it differs; sound is cut into other frames by each encoder.
                match hashes::first_difference(&pairs, &ended.stdout).map_err(refused)? {
                    Some(pair) if pair.is_picture() => self.left.push_front(Step::SourceFrames(pair)),
                    Some(pair) => return Err(refused(pair.differs())),
                    None => {}
                }
                Ok(())
            }
            Some(Step::SourceFrames(pair)) => {
                self.left.push_front(Step::OutputFrames(pair, ended.stdout.clone()));
                Ok(())
            }
            Some(Step::OutputFrames(pair, source)) => {
                Err(refused(pair.first_frame_that_differs(&source, &ended.stdout)))
            }
            None => Ok(()),
        }
    }

    /// What is worth a look, and no reason to refuse.
    pub fn warnings(self) -> Vec<String> {
        self.warnings
    }

    fn described(&mut self, ended: &Ended) -> Result<(), Failure> {
        if ended.is_stdout_cut {
            return Err(refused("its description is endless".to_owned()));
        }
        let (plan, facts) = (self.plan, self.facts);
        let mut file = probe::parse(&ended.stdout).map_err(|error| refused(error.to_string()))?;
        if self.scope.wants_hdr {
            probe::add_frames(&mut file.media, ended);
        }
        self.warnings.extend(compare::compare(plan, facts, &file.media)?);
        self.warnings.extend(errors(plan, ended)?);
        compare::frames(plan, facts, &file, self.scope.is_whole_listed)?;
        if plan.verify == Verify::Lossless
            && let Some(what) = hashes::obstacle(plan)
        {
            return Err(Failure::new(FailureClass::Source, what));
        }
        if let Some((line, count)) = ffmpeg::damage(&facts.log) {
            self.warnings.push(format!("the source is damaged: {line} ({count} such lines)"));
        }
        Ok(())
    }
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

/// What the decoder of a codec calls itself, where it has a name of its own.
fn decoder(codec: &str) -> &str {
    match codec {
        "dts" => "dca",
        "flv1" => "flv",
        "msmpeg4v3" => "msmpeg4",
        other => other,
    }
}

/// Errors while decoding. In a stream that was copied they are the source's own.
fn errors(plan: &Plan, ended: &Ended) -> Result<Vec<String>, Failure> {
    let copied = || plan.streams.iter().filter(|s| s.action == Action::Copy).map(|s| decoder(&s.codec));
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
