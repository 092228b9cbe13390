//! Comparing clips with what they were made from.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use vc_protocol::agent::Metric;

use super::Place;
use crate::ffmpeg::Tools;
use crate::probe::file_url;
use crate::process::Invocation;

/// From this many rows on people sit so near that another model of VMAF is right.
const ROWS_OF_4K: u32 = 2160;

/// A file, or a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clip {
    /// Where it is.
    pub path: PathBuf,
    /// Which stream of it.
    pub stream: u32,
    /// Which part, and where its first frame is; none is all of it.
    pub part: Option<(Place, u64)>,
    /// First frame that counts, and the one behind the last; none is all of them.
    pub frames: Option<(u64, u64)>,
}

/// What is known of the pictures of both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Looks {
    /// One of them has more than 8 bits.
    pub is_deep: bool,
    /// Rows of the smaller side.
    pub rows: u32,
}

/// The process that compares pairs of what was made and what it was made from, all of them as one picture. Frames are
/// compared by their number, so both clips of a pair must hold the same ones.
pub fn command(
    tools: &Tools,
    metric: Metric,
    pairs: &[(Clip, Clip)],
    looks: Looks,
    threads: usize,
) -> Invocation {
    let mut args: Vec<OsString> = words("-nostdin -hide_banner -v level+info -nostats -progress pipe:1");
    for clip in pairs.iter().flat_map(|(made, from)| [made, from]) {
        if let Some((place, first_ms)) = clip.part {
            args.extend(place.options(first_ms, 0));
        }
        args.extend(words("-protocol_whitelist file,pipe -i"));
        args.push(file_url(&clip.path));
    }
    args.extend(["-lavfi".into(), graph(metric, pairs, looks, threads).into()]);
    args.extend(words("-fps_mode passthrough -f null -"));
    Invocation::new(&tools.ffmpeg, args)
}

fn graph(metric: Metric, pairs: &[(Clip, Clip)], looks: Looks, threads: usize) -> String {
    let format = if looks.is_deep { "yuv420p10le" } else { "yuv420p" };
    let mut graph = String::new();
    for (side, offset) in [("made", 0), ("from", 1)] {
        for (n, (made, from)) in pairs.iter().enumerate() {
            let clip = if offset == 0 { made } else { from };
            let _ = write!(graph, "[{}:{}]", 2 * n + offset, clip.stream);
            if let Some((first, end)) = clip.frames {
                let _ = write!(graph, "trim=start_frame={first}:end_frame={end},");
            }
            let _ = write!(graph, "format={format},setsar=1[{side}{n}];");
        }
        for n in 0..pairs.len() {
            let _ = write!(graph, "[{side}{n}]");
        }
        let _ = write!(graph, "concat=n={},settb=1/25,setpts=N[{side}];", pairs.len());
    }
    let filter = match metric {
        Metric::Ssim => "ssim".to_owned(),
        Metric::Vmaf if looks.rows >= ROWS_OF_4K => {
            format!("libvmaf=n_threads={threads}:model=version=vmaf_4k_v0.6.1")
        }
        Metric::Vmaf => format!("libvmaf=n_threads={threads}"),
    };
    graph + "[made][from]" + &filter
}

/// The mean score that a comparison printed to its log.
pub fn score(metric: Metric, log: &str) -> Option<f64> {
    let mark = match metric {
        Metric::Vmaf => "VMAF score: ",
        Metric::Ssim => " All:",
    };
    let value = log.lines().rev().find_map(|line| line.split_once(mark))?.1;
    let value: f64 = value.split_ascii_whitespace().next()?.parse().ok()?;
    value.is_finite().then_some(value)
}

fn words(line: &str) -> Vec<OsString> {
    line.split(' ').map(OsString::from).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clip(path: &str) -> Clip {
        Clip { path: path.into(), stream: 0, part: None, frames: None }
    }

    #[test]
    fn pairs_are_joined_in_their_order_and_compared_frame_by_frame() {
        let made = Clip { frames: Some((24, 60)), ..clip("/d0") };
        let pairs = [(made, clip("/r0")), (clip("/d1"), clip("/r1"))];
        let graph = graph(Metric::Vmaf, &pairs, Looks { is_deep: false, rows: 720 }, 3);
        assert_eq!(
            graph,
            "[0:0]trim=start_frame=24:end_frame=60,format=yuv420p,setsar=1[made0];[2:0]format=yuv420p,setsar=1[made1];\
             [made0][made1]concat=n=2,settb=1/25,setpts=N[made];\
             [1:0]format=yuv420p,setsar=1[from0];[3:0]format=yuv420p,setsar=1[from1];\
             [from0][from1]concat=n=2,settb=1/25,setpts=N[from];[made][from]libvmaf=n_threads=3"
        );
    }

    #[test]
    fn the_score_is_read_as_both_filters_print_it() {
        let vmaf = "[Parsed_libvmaf_4 @ 0x5] [info] VMAF score: 94.266\n[info] \n";
        assert_eq!(score(Metric::Vmaf, vmaf), Some(94.266));
        let ssim =
            "[Parsed_ssim_0 @ 0x5] SSIM Y:0.98 (17.2) U:0.99 (20.1) V:0.99 (21.0) All:0.985123 (18.274)\n";
        assert_eq!(score(Metric::Ssim, ssim), Some(0.985123));
        assert_eq!(score(Metric::Ssim, "All:nan (x)"), None);
        assert_eq!(score(Metric::Vmaf, "nothing of it"), None);
    }
}
