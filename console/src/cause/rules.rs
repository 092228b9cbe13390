//! The table of known causes: what each is called, whose fault it is, and what to do about it.
//!
//! Numbers of hints are stable: people write them down. A new row gets the next number of its letter: `s` the source,
//! `e` an encoder, `c` capacity, `i` infrastructure, `v` the proof of the output, `j` the job itself.

use vc_protocol::failure::FailureClass;

use super::Hint;

/// A known cause.
pub(super) struct Rule {
    /// Parts of the cause, all of which it has, in this order.
    parts: &'static [&'static str],
    /// What the group is called; empty for the cause's own words.
    pub(super) name: &'static str,
    pub(super) hint: Hint,
}

const fn rule(
    class: FailureClass,
    id: &'static str,
    parts: &'static [&'static str],
    name: &'static str,
    advice: &'static str,
) -> Rule {
    Rule { parts, name, hint: Hint { id, advice, class } }
}

/// The rule of this name, else the first that fits.
pub(super) fn find(cause: &str) -> Option<&'static Rule> {
    let named = RULES.iter().find(|rule| !rule.name.is_empty() && rule.name == cause);
    named.or_else(|| RULES.iter().find(|rule| has_all(cause, rule.parts)))
}

fn has_all(cause: &str, parts: &[&str]) -> bool {
    let mut rest = cause;
    parts.iter().all(|part| match rest.find(part) {
        Some(at) => {
            rest = &rest[at + part.len()..];
            true
        }
        None => false,
    })
}

/// Specific before general.
const RULES: &[Rule] = {
    use FailureClass::{Capacity, Encoder, Infrastructure, Job, Source};
    &[
        // The proof of the output.
        rule(
            Encoder,
            "v1",
            &["the output is not right: it is ", " long and the source "],
            "output shorter than source",
            "The encoder ended early and said that all is well. If encoders of other makers end there as well, the \
             source is damaged at that place: mend it, and the changed file is a new job.",
        ),
        rule(
            Encoder,
            "v2",
            &["the output is not right: frames are missing"],
            "output lacks frames at its end",
            "The encoder lost the end of the video. Try another agent; if all do, the source ends in a broken frame.",
        ),
        rule(
            Encoder,
            "v2",
            &["the output is not right: it holds ", " frames and "],
            "output lacks frames",
            "The encoder lost frames. Try another agent; if all do, the source ends in a broken frame.",
        ),
        rule(
            Encoder,
            "v3",
            &["the output is not right: ", " frames decode"],
            "output does not decode",
            "The encoder or its driver writes garbage. Update the driver, or take the encoder out on that box.",
        ),
        rule(
            Encoder,
            "v3",
            &["the output is not right: no frame"],
            "output does not decode",
            "The encoder or its driver writes garbage. Update the driver, or take the encoder out on that box.",
        ),
        rule(
            Encoder,
            "v4",
            &["the output is not right: "],
            "",
            "What was made is not what was planned, so it was thrown away. The log shows which encoder did it.",
        ),
        // The source.
        rule(
            Source,
            "s1",
            &["source ends at ", "(truncated?)"],
            "source is cut short",
            "The file ends before the length that it states: a copy or a recording broke off. Copy it again; a changed \
             file is a new job.",
        ),
        rule(
            Source,
            "s2",
            &["broken time stamps"],
            "broken time stamps",
            "Wrap the file anew (ffmpeg -i IN -c copy OUT) and convert the new file.",
        ),
        rule(
            Source,
            "s3",
            &["moov atom not found"],
            "moov atom not found",
            "The recording never ended properly, so its index is missing. A tool that rebuilds it from a whole file of \
             the same camera can mend it.",
        ),
        rule(
            Source,
            "s4",
            &["EBML header parsing failed"],
            "EBML header parsing failed",
            "It is called mkv or webm and is something else, or its start is damaged.",
        ),
        rule(
            Source,
            "s5",
            &["invalid data"],
            "not a media file, or damaged",
            "Look at it with ffprobe. If it plays nowhere, fetch it again or take it out.",
        ),
        rule(
            Source,
            "s5",
            &["Invalid data found"],
            "not a media file, or damaged",
            "Look at it with ffprobe. If it plays nowhere, fetch it again or take it out.",
        ),
        rule(
            Source,
            "s6",
            &["Could not find codec parameters"],
            "",
            "ffmpeg does not know what the stream is: the file is damaged, or its codec is too new or too old.",
        ),
        rule(
            Source,
            "s7",
            &["no video stream"],
            "",
            "There is no picture in it. Leave it out, or use a profile that copies.",
        ),
        rule(Source, "s7", &["no stream in the file"], "", "There is nothing in it. Leave it out."),
        rule(Source, "s8", &["a list of other files"], "", "Add the files that it names instead."),
        rule(
            Source,
            "s9",
            &["name of the output is too long"],
            "",
            "Shorten the name of the source: the output's ending has no room.",
        ),
        rule(
            Source,
            "s10",
            &[" cannot hold this video"],
            "",
            "Use a profile with another container (mkv holds everything), or one that encodes.",
        ),
        rule(
            Source,
            "s11",
            &["File ended prematurely"],
            "source is cut short",
            "The file ends before the length that it states: a copy or a recording broke off. Copy it again; a changed \
             file is a new job.",
        ),
        rule(
            Source,
            "s12",
            &["its description is endless"],
            "",
            "ffprobe finds no end of streams in it: it is damaged.",
        ),
        // Used up.
        rule(
            Capacity,
            "c1",
            &["no space"],
            "no space for the output",
            "Make room where outputs go, or on the agent's scratch disk; the jobs come back by themselves.",
        ),
        rule(
            Capacity,
            "c1",
            &["isk quota exceeded"],
            "disk quota exceeded",
            "Make room, or raise the quota of the agent's user; the jobs come back by themselves.",
        ),
        rule(
            Capacity,
            "c2",
            &["no encoder session is free"],
            "no encoder session is free",
            "Consumer GPUs encode few videos at once, other programs included. Give the device fewer slots.",
        ),
        rule(
            Capacity,
            "c2",
            &["OpenEncodeSessionEx failed"],
            "no encoder session is free",
            "Consumer GPUs encode few videos at once, other programs included. Give the device fewer slots.",
        ),
        rule(
            Capacity,
            "c3",
            &["Too many open files"],
            "Too many open files",
            "Raise the limit of open files of the agent (LimitNOFILE=).",
        ),
        rule(
            Capacity,
            "c4",
            &["out of memory"],
            "out of memory",
            "Give the device fewer slots, or the box more memory.",
        ),
        rule(
            Capacity,
            "c4",
            &["SIGKILL"],
            "killed by SIGKILL",
            "Most likely the system was out of memory: look at its log. Give the device fewer slots.",
        ),
        rule(
            Capacity,
            "c5",
            &["this agent holds ", " attempts already"],
            "",
            "The agent has more than it can do: look whether its disk answers.",
        ),
        // The box, its disks, the network.
        rule(
            Job,
            "j4",
            &["its agent was lost ", " times"],
            "lost with its agent several times",
            "Agents went away while they ran it: look whether it is what takes them down, then release it.",
        ),
        rule(
            Infrastructure,
            "i1",
            &["its agent "],
            "",
            "The agent or the network to it went away; the job goes elsewhere. `agents show` says since when.",
        ),
        rule(
            Infrastructure,
            "i1",
            &["the agent stopped it"],
            "",
            "The agent was stopped by hand or drained; the job goes elsewhere.",
        ),
        rule(
            Infrastructure,
            "i2",
            &["nput/output error"],
            "input/output error",
            "A disk or a share fails. Look at the system's log of that box before more is written there.",
        ),
        rule(
            Infrastructure,
            "i3",
            &["tale file handle"],
            "stale file handle",
            "The share was made anew on its server: mount it again on that box.",
        ),
        rule(
            Infrastructure,
            "i3",
            &["Transport endpoint is not connected"],
            "",
            "The share is gone: mount it again on that box.",
        ),
        rule(
            Infrastructure,
            "i4",
            &["ead-only file system"],
            "read-only file system",
            "Mount it for writing. A disk that went read-only by itself is failing.",
        ),
        rule(
            Infrastructure,
            "i5",
            &["the source is gone"],
            "the source is gone",
            "It was moved or deleted since it was added. Scan again.",
        ),
        rule(
            Infrastructure,
            "i5",
            &["o such file or directory"],
            "no such file or folder",
            "It was moved or deleted, or the folder is not mounted on that box.",
        ),
        rule(
            Infrastructure,
            "i6",
            &["ermission denied"],
            "permission denied",
            "The user that the agent runs as may not read the source or write the output folder.",
        ),
        rule(
            Infrastructure,
            "i7",
            &["folder ", " cannot be opened"],
            "",
            "Mount it on that box, or map it to where it is there.",
        ),
        rule(
            Infrastructure,
            "i8",
            &["this agent has no device"],
            "",
            "The agent came back with fewer devices than it had.",
        ),
        // Encoders.
        rule(
            Encoder,
            "e1",
            &["this ffmpeg has no "],
            "",
            "Install an ffmpeg that was built with that encoder, or let other agents do it.",
        ),
        rule(
            Encoder,
            "e1",
            &["Unknown encoder"],
            "",
            "Install an ffmpeg that was built with that encoder, or let other agents do it.",
        ),
        rule(
            Encoder,
            "e2",
            &["Vulkan"],
            "",
            "Update the GPU's driver, or take the Vulkan encoders out on that box.",
        ),
        rule(
            Encoder,
            "e3",
            &["no NVIDIA driver"],
            "",
            "Install the NVIDIA driver, and give the agent's container the GPU.",
        ),
        rule(
            Encoder,
            "e3",
            &["no Quick Sync driver"],
            "",
            "Install the driver for Intel's encoder (oneVPL).",
        ),
        rule(
            Encoder,
            "e3",
            &["no VAAPI device"],
            "",
            "Install the VAAPI driver, and let the agent's user use /dev/dri.",
        ),
        rule(Encoder, "e3", &["no AMF runtime"], "", "Install AMD's AMF runtime."),
        rule(
            Encoder,
            "e4",
            &["not divisible by 2"],
            "odd width or height",
            "The picture has an odd size that this encoder refuses: set max_width or max_height in the profile.",
        ),
        rule(
            Encoder,
            "e5",
            &["Impossible to convert between the formats"],
            "",
            "The encoder takes no such pixel format. Try another agent, and tell us with the log.",
        ),
        rule(
            Encoder,
            "e6",
            &["Error while opening encoder"],
            "",
            "The encoder refused its settings or its device. The log says which.",
        ),
        rule(
            Encoder,
            "e6",
            &["Error setting preset"],
            "",
            "This ffmpeg's encoder knows other presets: update ffmpeg on that box.",
        ),
        // The job itself.
        rule(
            Job,
            "j1",
            &["name taken"],
            "another file has the output's name",
            "Move that file away or choose another output folder, then retry.",
        ),
        rule(
            Job,
            "j2",
            &["no progress for "],
            "no progress for too long",
            "The encoder or the disk hung. If it is always the same box, look at that one.",
        ),
        rule(
            Job,
            "j2",
            &["took too long"],
            "",
            "It did not end in the time that it may take. Look at the speed of that box.",
        ),
        rule(
            Job,
            "j3",
            &["killed by a signal on "],
            "killed by a signal on several agents",
            "This file makes ffmpeg crash or takes all memory. Update ffmpeg; then release it.",
        ),
        rule(
            Job,
            "j3",
            &["killed by "],
            "",
            "ffmpeg crashed. Update it; if only this file does it, tell its makers.",
        ),
        rule(
            Job,
            "j5",
            &[" attempts without a result"],
            "many attempts without a result",
            "Each attempt was ended by something else. Look at its attempts, then release it.",
        ),
        rule(
            Job,
            "j6",
            &["Could not find tag for codec"],
            "",
            "The container cannot hold a stream of this source: use a profile with mkv.",
        ),
        rule(
            Job,
            "j7",
            &["the source changed meanwhile"],
            "",
            "It is probably still being written. It is tried again once it stays as it is.",
        ),
    ]
};

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cause::name;

    #[test]
    fn causes_of_agents_and_of_the_farm_have_names_and_advice() {
        for (cause, group, id) in [
            (
                "the output is not right: it is 47:58 long and the source 50:11",
                "output shorter than source",
                "v1",
            ),
            ("the output is not right: 3 of 250 frames decode", "output does not decode", "v3"),
            (
                "the output is not right: it has 2 streams and not 3",
                "the output is not right: it has N streams and not N",
                "v4",
            ),
            ("source ends at 0:03.5 of 1:00 (truncated?)", "source is cut short", "s1"),
            ("not a media file, or a damaged one (invalid data)", "not a media file, or damaged", "s5"),
            (
                "mp4 cannot hold this video (vp8) unchanged",
                "mp4 cannot hold this video (vp8) unchanged",
                "s10",
            ),
            ("no space for the output: 12 MiB free", "no space for the output", "c1"),
            ("no space left on the disk", "no space for the output", "c1"),
            ("killed by SIGKILL (memory?)", "killed by SIGKILL", "c4"),
            ("killed by SIGSEGV", "killed by SIGSEGV", "j3"),
            ("killed by a signal on 2 agents", "killed by a signal on several agents", "j3"),
            ("its agent fell silent", "its agent fell silent", "i1"),
            ("its agent was lost 2 times while running it", "lost with its agent several times", "j4"),
            ("flush the part file: read-only file system", "read-only file system", "i4"),
            ("folder /mnt/in cannot be opened: no such file or directory", "no such file or folder", "i5"),
            ("this ffmpeg has no libopus encoder", "this ffmpeg has no libopus encoder", "e1"),
            ("width not divisible by 2 (321x181)", "odd width or height", "e4"),
            ("no progress for 300 s", "no progress for too long", "j2"),
            ("10 attempts without a result", "many attempts without a result", "j5"),
        ] {
            assert_eq!((name(cause).as_str(), find(cause).map(|r| r.hint.id)), (group, Some(id)), "{cause}");
            assert_eq!(find(&name(cause)).map(|rule| rule.hint.id), Some(id), "the group of {cause}");
        }
        assert!(find("Something new failed").is_none());
    }

    #[test]
    fn every_named_group_is_found_by_its_name_again() {
        for rule in RULES.iter().filter(|rule| !rule.name.is_empty()) {
            assert_eq!(name(rule.name), rule.name);
            assert_eq!(
                find(rule.name).map(|found| found.hint.id.as_bytes()[0]),
                Some(rule.hint.id.as_bytes()[0])
            );
        }
    }
}
