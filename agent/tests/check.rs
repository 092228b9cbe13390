//! The check on real outputs: good ones pass, each kind of damage is caught.

#![allow(
    clippy::unwrap_used,
    clippy::wildcard_enum_match_arm,
    clippy::print_stderr,
    reason = "tests fail by panics, and say aloud what they skip"
)]

mod support;

use std::path::Path;
use std::process::Command;

use support::{Box, profile};
use vc_agent::check::{Check, Facts};
use vc_agent::encoder::{self, Candidate};
use vc_agent::plan::{self, Caps, Files, Plan};
use vc_agent::probe;
use vc_agent::process::{Ended, Exit, Invocation};
use vc_protocol::failure::Failure;
use vc_protocol::id::DeviceId;
use vc_protocol::profile::{Container, Verify, VideoCodec};

fn run(call: &Invocation) -> Ended {
    let out = Command::new(&call.program)
        .args(&call.args)
        .envs(call.env.iter().map(|(k, v)| (k, v)))
        .output()
        .unwrap();
    Ended {
        exit: out.status.code().map_or(Exit::Signal(0), Exit::Code),
        stopped: None,
        stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
        stdout: out.stdout,
        is_stdout_cut: false,
    }
}

fn judge(on: &Box, plan: &Plan, facts: &Facts, source: &Path, output: &Path) -> Result<Vec<String>, Failure> {
    let files = Files { source: source.into(), part: output.into(), pass_log: output.with_extension("pass") };
    let mut check = Check::new(&on.context.tools, plan, facts, &files);
    while let Some(call) = check.next() {
        check.take(&run(&call))?;
    }
    Ok(check.warnings())
}

/// Encodes a source, and gives its plan with what the encoder is known to have done.
fn encode(on: &Box, source: &Path, output: &Path, container: Container, codec: VideoCodec) -> (Plan, Facts) {
    let tools = &on.context.tools;
    let media = probe::read(&run(&probe::command(tools, source)), source).unwrap();
    let encoder = encoder::rows(None, &tools.encoders).into_iter().find(|encoder| encoder.codec == codec);
    let with = encoder.map(|encoder| Candidate { encoder, gpu: None, is_on_device: false });
    let caps = Caps { encoders: &tools.encoders, major: tools.major };
    let plan = plan::plan(&media, &profile(container, codec), with.as_ref(), caps).unwrap();
    let files = Files { source: source.into(), part: output.into(), pass_log: output.with_extension("pass") };
    let call = Invocation::new(&tools.ffmpeg, plan.commands(&files).remove(0));
    let ended = run(&call);
    assert!(ended.is_clean(), "{}", ended.stderr);
    let mut facts = Facts { log: ended.stderr, ..Facts::default() };
    vc_agent::process::ProgressParser::default().push(&ended.stdout, |block| {
        facts.frames = block.frames;
        facts.out_ms = block.out_time_us.map(|us| us as u64 / 1000);
    });
    (plan, facts)
}

/// Overwrites a stretch of the media data, at a share of the file.
fn damage(from: &Path, to: &Path, share: f64) {
    let mut bytes = std::fs::read(from).unwrap();
    let at = (bytes.len() as f64 * share) as usize;
    let len = (bytes.len() / 50).min(6000);
    for (n, byte) in bytes[at..at + len].iter_mut().enumerate() {
        *byte = (n * 37 % 251) as u8;
    }
    std::fs::write(to, bytes).unwrap();
}

#[test]
fn whole_outputs_pass_and_cut_or_damaged_ones_do_not() {
    let Some(on) = Box::new() else { return };
    let noisy = "-f lavfi -i testsrc2=s=320x180:r=25:d=12,noise=alls=20:allf=t -f lavfi -i sine=d=12 -c:v mpeg4 -q:v 3 -c:a aac";
    let source = on.make("long.mkv", noisy);
    let short = on.make("short.mkv", &noisy.replace("d=12", "d=3"));
    let codecs = on.context.proved.codecs(DeviceId(0));
    for (container, codec) in [
        (Container::Mp4, VideoCodec::H264),
        (Container::Mkv, VideoCodec::H264),
        (Container::Mp4, VideoCodec::Hevc),
        (Container::Mkv, VideoCodec::Av1),
    ] {
        if !codecs.contains(&codec) {
            eprintln!("SKIPPED: this ffmpeg has no encoder for {codec:?}");
            continue;
        }
        for (length, source) in [("long", &source), ("short", &short)] {
            let what = format!("{length} {codec:?} in {container:?}");
            let good = on.output("good");
            let bad = on.output("bad");
            let (plan, facts) = encode(&on, source, &good, container, codec);
            assert_eq!(judge(&on, &plan, &facts, source, &good), Ok(Vec::new()), "{what}");

            let bytes = std::fs::read(&good).unwrap();
            std::fs::write(&bad, &bytes[..bytes.len() * 6 / 10]).unwrap();
            let cut = judge(&on, &plan, &facts, source, &bad).expect_err(&what);
            eprintln!("{what}, cut: {}", cut.cause);
            // In the first second, and in the last one.
            for share in [0.04, 0.95] {
                damage(&good, &bad, share);
                let damaged = judge(&on, &plan, &facts, source, &bad).expect_err(&what);
                eprintln!("{what}, damaged at {share}: {}", damaged.cause);
            }
            std::fs::write(&bad, b"garbage").unwrap();
            judge(&on, &plan, &facts, source, &bad).expect_err(&what);
        }
    }
}

fn cause(result: Result<Vec<String>, Failure>) -> String {
    result.expect_err("it is refused").cause
}

#[test]
fn damage_between_the_samples_is_found_where_every_frame_is_decoded() {
    let Some(on) = Box::new() else { return };
    let noisy = "-f lavfi -i testsrc2=s=160x90:r=25:d=20,noise=alls=20:allf=t -c:v mpeg4 -q:v 3";
    let source = on.make("long.mkv", noisy);
    let (good, bad) = (on.output("good"), on.output("bad"));
    let (mut plan, facts) = encode(&on, &source, &good, Container::Mkv, VideoCodec::H264);
    damage(&good, &bad, 0.25);
    assert!(judge(&on, &plan, &facts, &source, &bad).is_ok(), "the samples miss it");
    plan.verify = Verify::Full;
    assert_eq!(judge(&on, &plan, &facts, &source, &good), Ok(Vec::new()));
    eprintln!("full: {}", cause(judge(&on, &plan, &facts, &source, &bad)));
}

#[test]
fn an_output_that_must_be_the_source_is_held_against_it_frame_by_frame() {
    let Some(on) = Box::new() else { return };
    let source = on.make(
        "pcm.mkv",
        "-f lavfi -i testsrc2=s=160x90:r=25:d=2 -f lavfi -i sine=d=2 -pix_fmt yuv420p -c:v ffv1 -c:a pcm_s16le",
    );
    let (good, bad) = (on.output("good"), on.output("bad"));
    let lossless = |container, codec, output: &Path| {
        let (mut plan, facts) = encode(&on, &source, output, container, codec);
        plan.verify = Verify::Lossless;
        (plan, facts)
    };
    let (plan, facts) = lossless(Container::Mkv, VideoCodec::Ffv1, &good);
    assert_eq!(judge(&on, &plan, &facts, &source, &good), Ok(Vec::new()));
    // The right stream of the wrong picture: one frame of it is another one.
    let other = on.make(
        "other.mkv",
        "-f lavfi -i testsrc2=s=160x90:r=25:d=2 -f lavfi -i sine=d=2 -vf drawbox=enable=eq(n\\,12):w=9:h=9:c=red:t=fill \
         -pix_fmt yuv420p -c:v ffv1 -c:a pcm_s16le",
    );
    let (_, _) = encode(&on, &other, &bad, Container::Mkv, VideoCodec::Ffv1);
    assert_eq!(
        cause(judge(&on, &plan, &facts, &source, &bad)),
        "the output is not right: frame 13 of stream 0 is not that of the source"
    );
    let (plan, facts) = lossless(Container::Mkv, VideoCodec::H264, &bad);
    assert_eq!(
        cause(judge(&on, &plan, &facts, &source, &bad)),
        "the output is not right: frame 1 of stream 0 is not that of the source"
    );
}
