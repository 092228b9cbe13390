//! Options of ffmpeg as they are typed: how they are split into words, and which of them no profile may give.
//!
//! Sources and outputs are the farm's: an option that opens another file, talks to a network or replaces the output is
//! refused with the reason. Words are read as ffmpeg reads them, so that a word that it would take for the name of an
//! output is found. Knows nothing of what the options do to a picture.

use super::RawPass;
use super::check::ProfileError;

/// Longest text of options, in bytes. Real ones are under 1 KiB; the kernel takes 128 KiB a word.
const TEXT_BYTES_MAX: usize = 16 * 1024;
/// Most words of one text.
const WORDS_MAX: usize = 512;

/// Options that take no value, with and without `no` in front: everything else takes the word behind it, whatever that
/// is. From `-h long` of ffmpeg 5 to 9; private options of encoders and muxers always take one.
const FLAGS: &[&str] = &[
    "accurate_seek",
    "an",
    "auto_conversion_filters",
    "autorotate",
    "autoscale",
    "benchmark",
    "benchmark_all",
    "bitexact",
    "copy_unknown",
    "copyinkf",
    "copyts",
    "debug_ts",
    "deinterlace",
    "display_hflip",
    "display_vflip",
    "dn",
    "dump",
    "find_stream_info",
    "fix_sub_duration",
    "fix_sub_duration_heartbeat",
    "force_fps",
    "hex",
    "hide_banner",
    "ignore_unknown",
    "print_graphs",
    "psnr",
    "qphist",
    "re",
    "recast_media",
    "shortest",
    "sn",
    "start_at_zero",
    "stats",
    "vn",
    "xerror",
];

/// Words of the first kind name options, the second says why no profile may give them, the third what to do.
type Refusals = &'static [(&'static [&'static str], &'static str, &'static str)];

const OPTIONS: Refusals = &[
    (&["i"], "names a source", "leave it out: the job's source stands between `input` and `output`"),
    (&["y", "n"], "decides about an output that exists", "leave it out: the farm never overwrites one"),
    (&["f", "target"], "names a format", "leave it out and set `container`"),
    (
        &["passlogfile", "vstats", "vstats_file", "sdp_file", "report", "print_graphs_file"],
        "writes a file of its own",
        "leave it out: ffmpeg's log and the log of two passes are kept by the agent",
    ),
    (
        &["stats_enc_pre", "stats_enc_post", "stats_mux_pre", "enc_stats_pre", "enc_stats_post", "mux_stats"],
        "writes a file of its own",
        "leave it out",
    ),
    (
        &["progress", "stdin", "nostdin"],
        "talks to the program that runs ffmpeg",
        "leave it out: the agent does",
    ),
    (&["loglevel", "v"], "changes the log that the agent reads failures from", "leave it out"),
    (
        &["filter_script", "filter_complex_script", "fpre", "vpre", "apre", "spre", "pre"],
        "reads options from a file",
        "write the options here",
    ),
    (
        &["attach", "dump_attachment"],
        "opens a file",
        "leave it out: attachments are kept where the container can",
    ),
    (
        &[
            "protocol_whitelist",
            "protocol_blacklist",
            "format_whitelist",
            "allowed_extensions",
            "allowed_segment_extensions",
            "extension_picky",
            "safe",
            "enable_drefs",
            "use_absolute_path",
            "tls_verify",
            "http_proxy",
        ],
        "changes what files and networks ffmpeg may open",
        "leave it out: only the source is read",
    ),
    (
        &[
            "L",
            "h",
            "?",
            "help",
            "license",
            "version",
            "buildconf",
            "formats",
            "muxers",
            "demuxers",
            "devices",
            "codecs",
            "decoders",
            "encoders",
            "bsfs",
            "protocols",
            "filters",
            "pix_fmts",
            "layouts",
            "sample_fmts",
            "dispositions",
            "colors",
            "hwaccels",
            "sources",
            "sinks",
        ],
        "prints a list and converts nothing",
        "leave it out",
    ),
];

const FILTERS: Refusals = &[
    (
        &["movie", "amovie", "removelogo", "cover_rect", "find_rect", "vidstabdetect", "vidstabtransform"],
        "opens a file",
        "leave it out: only the source is read",
    ),
    (&["subtitles", "ass"], "opens a file", "leave it out: subtitles of the source are kept as streams"),
    (
        &[
            "lut1d",
            "lut3d",
            "arnndn",
            "sofalizer",
            "nnedi",
            "lensfun",
            "sendcmd",
            "asendcmd",
            "whisper",
            "ocr",
        ],
        "opens a file",
        "use a filter whose values are numbers, such as eq, curves or colorchannelmixer",
    ),
    (
        &[
            "frei0r",
            "frei0r_src",
            "ladspa",
            "lv2",
            "dnn_processing",
            "dnn_classify",
            "dnn_detect",
            "sr",
            "derain",
            "program_opencl",
            "openclsrc",
        ],
        "loads a program or a model from a file",
        "leave it out",
    ),
    (&["zmq", "azmq"], "listens on the network", "leave it out"),
];

/// Keys in the values of filters and of `-x264-params` and its like that name files; `_` is written `-`.
const FILE_KEYS: &[&str] = &[
    "analysis-load",
    "analysis-reuse-file",
    "analysis-save",
    "axisfile",
    "cqmfile",
    "csv",
    "custom-shader-path",
    "dhdr10-info",
    "dolby-vision-rpu",
    "dump-yuv",
    "dumpfile",
    "fgs-table",
    "file",
    "filename",
    "film-grain-table",
    "fontfile",
    "lambda-file",
    "log-path",
    "model-path",
    "opencl-clbin",
    "psfile",
    "qpfile",
    "recon",
    "stat-file",
    "stats",
    "stats-file",
    "tcfile-in",
    "tcfile-out",
    "textfile",
    "vmaf-model-path",
    "zonefile",
];

/// Options whose values are filters.
const FILTER_OPTIONS: &[&str] = &["vf", "af", "filter", "filter_complex", "lavfi"];

impl RawPass {
    /// The words of `input` and of `output`, as a shell splits them; none of them is a refused one.
    pub fn words(&self) -> Result<(Vec<String>, Vec<String>), ProfileError> {
        Ok((words("pass.input", &self.input)?, words("pass.output", &self.output)?))
    }
}

fn words(field: &str, text: &str) -> Result<Vec<String>, ProfileError> {
    let refuse = |what: String, remedy: &str| Err(ProfileError::new(field, what, remedy));
    if text.len() > TEXT_BYTES_MAX {
        return refuse(format!("is longer than {} KiB", TEXT_BYTES_MAX / 1024), "write a shorter one");
    }
    if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        return refuse("has a control character".into(), "write the options as one types them");
    }
    let Some(words) = shlex::split(text) else {
        return refuse("has a quote that is not closed".into(), "close it, or write \\' for a quote");
    };
    if words.len() > WORDS_MAX {
        return refuse(format!("has more than {WORDS_MAX} words"), "write fewer");
    }
    let mut rest = words.iter();
    while let Some(word) = rest.next() {
        let name = option_name(field, word)?;
        if is_flag(name) {
            continue;
        }
        let Some(value) = rest.next() else {
            return refuse(format!("option {} has no value", shown(word)), "write its value behind it");
        };
        check_value(field, word, name, value)?;
    }
    Ok(words)
}

/// The option's name without its stream; a word that is no option would be one more output.
fn option_name<'w>(field: &str, word: &'w str) -> Result<&'w str, ProfileError> {
    let refuse =
        |what: &str, remedy: &str| Err(ProfileError::new(field, format!("{} {what}", shown(word)), remedy));
    let Some(option) = word.strip_prefix('-').filter(|option| !option.is_empty()) else {
        return refuse(
            "would be taken for the name of an output",
            "begin options with -, put values with blanks in quotes, and name no output: the farm does",
        );
    };
    if option.starts_with('/') {
        return refuse("reads its value from a file", "write the value here");
    }
    if !option.starts_with(|first: char| first.is_ascii_alphabetic() || first == '?') {
        return refuse("is no option", "begin options with a single -, as ffmpeg's manual writes them");
    }
    let name = option.split_once(':').map_or(option, |(name, _)| name);
    let is_refused = |names: &[&str]| {
        names.contains(&name) || name.strip_prefix("no").is_some_and(|rest| names.contains(&rest))
    };
    match OPTIONS.iter().find(|(names, _, _)| is_refused(names)) {
        Some((_, why, remedy)) => refuse(why, remedy),
        None => Ok(name),
    }
}

fn is_flag(name: &str) -> bool {
    FLAGS.contains(&name) || name.strip_prefix("no").is_some_and(|rest| FLAGS.contains(&rest))
}

fn check_value(field: &str, word: &str, name: &str, value: &str) -> Result<(), ProfileError> {
    let refuse =
        |what: String, remedy: &str| Err(ProfileError::new(field, format!("{} {what}", shown(word)), remedy));
    // A tag is text, whatever it looks like.
    if name == "metadata" {
        return Ok(());
    }
    // Both quotes and backslashes can stand within a name and change nothing about it.
    let plain: String = value.chars().filter(|c| !matches!(c, '\\' | '\'')).collect();
    if FILTER_OPTIONS.contains(&name) {
        let names = plain.split([',', ';', '[', ']']).map(|part| {
            part.trim_start()
                .split(|c: char| c == '=' || c == '@' || c.is_whitespace())
                .next()
                .unwrap_or_default()
        });
        for filter in names {
            let found = FILTERS.iter().find(|(names, _, _)| names.contains(&filter));
            if let Some((_, why, remedy)) = found {
                return refuse(format!("has the filter {filter}, which {why}"), remedy);
            }
        }
    }
    let keys = plain.split([':', '=', ',', ';']).zip(plain.match_indices([':', '=', ',', ';']));
    for (key, (_, behind)) in keys {
        let key = key.trim().replace('_', "-");
        if behind == "=" && FILE_KEYS.contains(&key.as_str()) {
            return refuse(
                format!("has the key {key}, which names a file"),
                "leave it out: only the source is read",
            );
        }
    }
    if has_path(&plain) {
        return refuse(
            "has a path or an address in its value".into(),
            "leave it out: only the source is read; devices are chosen by the agent",
        );
    }
    Ok(())
}

/// Whether the value names a file or an address anywhere. A slash between numbers or names divides, one at the
/// beginning of a word is a path.
fn has_path(value: &str) -> bool {
    if value.contains("://") || value.contains("../") {
        return true;
    }
    let mut before = None;
    let mut letters = value.chars().peekable();
    while let Some(letter) = letters.next() {
        let begins =
            before.is_none_or(|before: char| ":='\",;|@+".contains(before) || before.is_whitespace());
        let is_alone = letters.peek().is_none_or(|next| next.is_whitespace());
        if letter == '/' && begins && !is_alone {
            return true;
        }
        before = Some(letter);
    }
    false
}

/// A word for a message: short, and nothing in it that a terminal would act on.
fn shown(word: &str) -> String {
    /// Longer words are cut: the message must stay readable.
    const LETTERS_MAX: usize = 40;
    let mut short: String = word.chars().take(LETTERS_MAX).collect();
    if short.len() < word.len() {
        short.push_str("...");
    }
    format!("\"{}\"", short.escape_debug())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn output(text: &str) -> Result<Vec<String>, String> {
        let pass = RawPass { input: String::new(), output: text.to_owned() };
        pass.words().map(|(_, output)| output).map_err(|error| error.to_string())
    }

    #[test]
    fn options_are_split_as_a_shell_splits_them() {
        for (text, words) in [
            ("", &[][..]),
            ("-c:v libx264 -crf 20", &["-c:v", "libx264", "-crf", "20"]),
            ("-an\n  -metadata title='two words'", &["-an", "-metadata", "title=two words"]),
            ("-vf \"scale=iw/2:-2,eq=gamma=1.1\" -dn", &["-vf", "scale=iw/2:-2,eq=gamma=1.1", "-dn"]),
            ("-ss -5 -r 30000/1001 -aspect 16:9", &["-ss", "-5", "-r", "30000/1001", "-aspect", "16:9"]),
            ("-noautorotate -sn", &["-noautorotate", "-sn"]),
            ("-x264-params keyint=48:min-keyint=48", &["-x264-params", "keyint=48:min-keyint=48"]),
            ("-metadata comment=http://x/../filename=a", &["-metadata", "comment=http://x/../filename=a"]),
            ("-map 0:v -map -0:d -pass 1", &["-map", "0:v", "-map", "-0:d", "-pass", "1"]),
        ] {
            assert_eq!(output(text).unwrap(), words, "{text}");
        }
    }

    #[test]
    fn options_that_touch_files_networks_or_outputs_are_refused_with_the_reason() {
        for (text, reason) in [
            ("-i other.mp4", "names a source"),
            ("-y", "never overwrites"),
            ("-n", "never overwrites"),
            ("-c:v libx264 out.mp4", "name of an output"),
            ("-an out.mp4", "name of an output"),
            ("-shortest -", "name of an output"),
            ("-- out.mp4", "no option"),
            ("-crf", "no value"),
            ("-vf 'scale=1", "not closed"),
            ("-f tee", "container"),
            ("-/filter:v script", "from a file"),
            ("-filter_script:v graph", "from a file"),
            ("-filter_complex_script graph", "from a file"),
            ("-passlogfile:v:0 log", "file of its own"),
            ("-report", "file of its own"),
            ("-vstats", "file of its own"),
            ("-vstats_file x", "file of its own"),
            ("-sdp_file x", "file of its own"),
            ("-progress pipe:2", "program that runs ffmpeg"),
            ("-nostdin", "program that runs ffmpeg"),
            ("-protocol_whitelist file,http", "networks"),
            ("-attach font.ttf", "opens a file"),
            ("-dump_attachment:t x", "opens a file"),
            ("-init_hw_device vaapi=va:/dev/dri/renderD128", "devices are chosen"),
            ("-vf movie=logo.png[l];[0:v][l]overlay", "the filter movie"),
            ("-vf null,amovie=x", "the filter amovie"),
            ("-filter:v m\\\\ov'ie'=x", "the filter movie"),
            ("-lavfi \"[0:v] subtitles = x.srt\"", "the filter subtitles"),
            ("-vf lut3d=file.cube", "the filter lut3d"),
            ("-vf lut3d@grade=file.cube", "the filter lut3d"),
            ("-vf drawtext=textfile=secret", "the key textfile"),
            ("-x265-params crf=20:csv=log", "the key csv"),
            ("-x264-params dump_yuv=x", "the key dump-yuv"),
            ("-vf frei0r=plugin", "loads a program"),
            ("-af /etc/passwd", "a path"),
            ("-hwaccel_device /dev/dri/renderD128", "a path"),
            ("-vf drawtext=text=a:font=../x", "a path"),
            ("-init_hw_device opencl=http://x", "an address"),
            ("-encoders", "converts nothing"),
        ] {
            let said = output(text).unwrap_err();
            assert!(said.contains(reason) && said.starts_with("pass.output"), "{text}: {said}");
        }
        let pass = RawPass { input: "-f concat".into(), output: String::new() };
        assert_eq!(pass.words().unwrap_err().field, "pass.input");
    }

    proptest! {
        #[test]
        fn no_text_of_options_panics_and_what_is_taken_holds_no_output(text in "[-a-z0-9:=/,;' \"\\\\\\[\\]@\n]{0,60}") {
            if let Ok(words) = output(&text) {
                prop_assert!(words.first().is_none_or(|first| first.starts_with('-')));
            }
        }

        #[test]
        fn no_text_at_all_panics(text in any::<String>()) {
            let _ = output(&text);
        }
    }
}
