//! The sources: each a kind that real libraries hold, as small as it can be.

use std::fs;
use std::path::Path;

use vc_agent::ffmpeg::Tools;

use super::{ffmpeg, subtitles};

/// How one is made: its name with its extension behind the last dot, and runs of ffmpeg as they are typed. `DIR` stands
/// for a folder with subtitles, chapters, a font and a cover; `OUT` for the file itself and `1.mkv` and so on for what an
/// earlier run left in `DIR`. `V` and `A` are a moving picture and a tone of a second.
pub(crate) struct Source {
    pub(crate) name: &'static str,
    runs: &'static [&'static str],
}

const V: &str = "-f lavfi -i testsrc2=s=160x90:r=25:d=1";
const A: &str = "-f lavfi -i sine=d=1";

const fn source(name: &'static str, runs: &'static [&'static str]) -> Source {
    Source { name, runs }
}

const X264: &str = "-c:v libx264 -preset ultrafast -pix_fmt yuv420p";

/// Every kind.
pub(crate) const SOURCES: &[Source] = &[
    // Many streams.
    source(
        "many.mkv",
        &[
            "V A -f lavfi -i sine=300:d=1 -f lavfi -i sine=600:d=1 -i DIR/s.srt -i DIR/s.ass -i DIR/s.srt -f ffmetadata \
           -i DIR/chapters.txt -map 0:v -map 1:a -map 2:a -map 3:a -map 4:s -map 5:s -map 6:s -map_metadata 7 \
           -map_chapters 7 -attach DIR/font.ttf -metadata:s:t:0 mimetype=font/ttf -attach DIR/other.otf \
           -metadata:s:t:1 mimetype=application/vnd.ms-opentype -metadata:s:v language=jpn -metadata:s:v title=Film \
           -metadata:s:a:0 language=jpn -metadata:s:a:1 language=ger -metadata:s:a:1 title=Deutsch \
           -metadata:s:a:2 language=eng -metadata:s:a:2 title=Kommentar -metadata:s:s:0 language=eng \
           -metadata:s:s:1 language=ger -metadata:s:s:2 language=fre -metadata:s:s:2 title=forcés \
           -disposition:a:0 default -disposition:a:1 0 -disposition:a:2 comment -disposition:s:0 hearing_impaired \
           -disposition:s:2 forced X264 -c:a:0 aac -c:a:1 ac3 -c:a:2 libopus -c:s:0 srt -c:s:1 ass -c:s:2 srt OUT",
        ],
    ),
    source(
        "phone-like.mp4",
        &[
            "V A -i DIR/s.srt -i DIR/s.srt -f ffmetadata -i DIR/chapters.txt -map 0:v -map 1:a -map 1:a -map 2:s \
           -map 3:s -map_chapters 4 -metadata title=Holiday -metadata:s:a:0 language=eng -metadata:s:a:1 language=ita \
           -metadata:s:s:0 language=eng -metadata:s:s:1 language=ita X264 -c:a aac -c:s mov_text OUT",
        ],
    ),
    source(
        "pgs.mkv",
        &["V A -i DIR/s.sup -map 0 -map 1 -map 2 -metadata:s:s language=eng X264 -c:a aac -c:s copy OUT"],
    ),
    source("webvtt.mkv", &["V A -i DIR/s.srt -map 0 -map 1 -map 2 X264 -c:a aac -c:s webvtt OUT"]),
    source("two-pictures.mkv", &["V V A -map 0 -map 1 -map 2 -metadata:s:v:1 title=angle X264 -c:a aac OUT"]),
    source(
        "cover.mp4",
        &[
            "V A -i DIR/cover.png -map 0 -map 1 -map 2 X264 -c:a aac -c:v:1 copy -disposition:v:1 attached_pic OUT",
        ],
    ),
    source(
        "cover.mkv",
        &["V A -map 0 -map 1 X264 -c:a aac -attach DIR/cover.jpg -metadata:s:t mimetype=image/jpeg \
           -metadata:s:t filename=cover.jpg OUT"],
    ),
    source("data.mov", &["V A -timecode 01:00:00:00 X264 -c:a pcm_s16le OUT"]),
    source("klv.ts", &["V A -f data -i DIR/s.srt -map 0 -map 1 -map 2 -c:d copy X264 -c:a aac OUT"]),
    // Shapes.
    source("turned.mp4", &["V A X264 -c:a aac DIR/1.mp4", "-display_rotation 90 -i DIR/1.mp4 -c copy OUT"]),
    source("anamorphic.mkv", &["V A -vf setsar=64/45 X264 -c:a aac OUT"]),
    source("anamorphic.mp4", &["V -vf setsar=4/3 -c:v mpeg4 OUT"]),
    source("odd.mkv", &["-f lavfi -i testsrc=s=161x91:r=25:d=1 A -pix_fmt yuv420p -c:v ffv1 -c:a flac OUT"]),
    source("large.mkv", &["-f lavfi -i testsrc2=s=2048x1152:r=5:d=1 X264 OUT"]),
    source(
        "interlaced.mkv",
        &[
            "-f lavfi -i testsrc2=s=160x96:r=50:d=1 A -vf tinterlace=interleave_top X264 -flags +ilme+ildct -c:a aac OUT",
        ],
    ),
    source(
        "interlaced.ts",
        &[
            "-f lavfi -i testsrc2=s=160x96:r=50:d=1 A -vf tinterlace=interleave_top -c:v mpeg2video -flags +ilme+ildct \
           -c:a mp2 OUT",
        ],
    ),
    // Colour.
    source(
        "hdr10.mkv",
        &[
            "V A -vf setparams=color_primaries=bt2020:color_trc=smpte2084:colorspace=bt2020nc -pix_fmt yuv420p10le -c:v libx265 -preset ultrafast -color_primaries bt2020 -color_trc smpte2084 \
           -colorspace bt2020nc -x265-params log-level=error:hdr10=1:repeat-headers=1:colorprim=bt2020:\
           transfer=smpte2084:colormatrix=bt2020nc:master-display=G(13250,34500)B(7500,3000)R(34000,16000)\
           WP(15635,16450)L(10000000,50):max-cll=1000,400 -c:a aac OUT",
        ],
    ),
    source(
        "hdr10.mp4",
        &["V A -pix_fmt yuv420p10le -c:v libx265 -preset ultrafast -tag:v hvc1 -color_primaries bt2020 \
           -color_trc smpte2084 -colorspace bt2020nc -x265-params log-level=error:hdr10=1:repeat-headers=1:\
           colorprim=bt2020:transfer=smpte2084:colormatrix=bt2020nc:master-display=G(13250,34500)B(7500,3000)\
           R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400 -c:a aac OUT"],
    ),
    source(
        "hlg.mkv",
        &[
            "V -vf setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc -pix_fmt yuv420p10le -c:v libx265 -preset ultrafast -color_primaries bt2020 -color_trc arib-std-b67 \
           -colorspace bt2020nc -x265-params log-level=error:colorprim=bt2020:transfer=arib-std-b67:\
           colormatrix=bt2020nc OUT",
        ],
    ),
    source("ten-bit.mkv", &["V -pix_fmt yuv420p10le -c:v libx264 -preset ultrafast OUT"]),
    source(
        "pal.mkv",
        &["V -vf setparams=color_primaries=bt470bg:color_trc=smpte170m:colorspace=bt470bg:range=tv X264 OUT"],
    ),
    source("full-range.mov", &["V -pix_fmt yuvj420p -c:v mjpeg OUT"]),
    source("full-colour.mkv", &["V -pix_fmt yuv444p -c:v libx264 -preset ultrafast OUT"]),
    source("prores.mov", &["V A -pix_fmt yuv422p10le -c:v prores_ks -profile:v 2 -c:a pcm_s24le OUT"]),
    source("alpha.mov", &["V -vf format=yuva444p10le -c:v prores_ks -profile:v 4444 OUT"]),
    source("alpha.mkv", &["V -vf format=yuva420p -c:v ffv1 OUT"]),
    source("rgb.avi", &["V -vf format=bgr24 -c:v rawvideo OUT"]),
    source("palette.gif", &["V -vf fps=5 OUT"]),
    // Time.
    source("vfr.mp4", &["V A -vf select=not(eq(mod(n\\,7)\\,3)) -fps_mode vfr X264 -c:a aac OUT"]),
    source("vfr.mkv", &["V A -vf setpts=N/25/TB+0.02*mod(N\\,3)/TB -fps_mode passthrough X264 -c:a aac OUT"]),
    source(
        "edit-list.mp4",
        &[
            "-f lavfi -i testsrc2=s=160x90:r=25:d=2 -f lavfi -i sine=d=2 X264 -g 25 -bf 2 -c:a aac DIR/1.mp4",
            "-ss 0.5 -i DIR/1.mp4 -c copy OUT",
        ],
    ),
    source("huge-times.ts", &["V A X264 -c:a aac -output_ts_offset 90000 OUT"]),
    source("huge-times.mkv", &["V A X264 -c:a aac -output_ts_offset 90000 OUT"]),
    source(
        "negative-start.mov",
        &["V A X264 -bf 2 -c:a aac -output_ts_offset -0.2 -avoid_negative_ts disabled OUT"],
    ),
    source("late-sound.mkv", &["V -itsoffset 0.5 A -map 0 -map 1 X264 -c:a aac OUT"]),
    source("late-picture.mkv", &["-itsoffset 0.5 V A -map 0 -map 1 X264 -c:a aac OUT"]),
    // Sound.
    source(
        "surround.mkv",
        &["V -f lavfi -i anoisesrc=d=1:a=0.1 -filter:a aformat=channel_layouts=5.1(side) X264 -c:a ac3 OUT"],
    ),
    source(
        "surround-aac.mp4",
        &["V -f lavfi -i anoisesrc=d=1:a=0.1 -filter:a aformat=channel_layouts=5.1 X264 -c:a aac OUT"],
    ),
    source(
        "surround-71.mkv",
        &["V -f lavfi -i anoisesrc=d=1:a=0.1 -filter:a aformat=channel_layouts=7.1 X264 -c:a flac OUT"],
    ),
    source("mono.mov", &["V A -ar 22050 -ac 1 X264 -c:a pcm_s16le OUT"]),
    source("silent.mp4", &["V X264 OUT"]),
    source(
        "sound.m4a",
        &[
            "A -i DIR/cover.jpg -map 0 -map 1 -c:a aac -c:v copy -disposition:v attached_pic -metadata title=Song OUT",
        ],
    ),
    source("sound.flac", &["A -metadata title=Song OUT"]),
    source(
        "sound.mka",
        &["A A -map 0 -map 1 -metadata:s:a:1 language=ger -c:a:0 libopus -c:a:1 libvorbis OUT"],
    ),
    // Old and other containers.
    source("old.avi", &["V A -c:v mpeg4 -c:a libmp3lame OUT"]),
    source("old.mpg", &["V A -c:v mpeg2video -c:a mp2 OUT"]),
    source("old.wmv", &["V A -c:v wmv2 -c:a wmav2 OUT"]),
    source("old.flv", &["V A -c:v flv1 -ar 44100 -c:a libmp3lame OUT"]),
    source("old.ogv", &["V A -pix_fmt yuv420p -c:v libtheora -c:a libvorbis OUT"]),
    source(
        "web.webm",
        &[
            "V A -i DIR/s.srt -map 0 -map 1 -map 2 -c:v libvpx-vp9 -cpu-used 8 -deadline realtime -c:a libopus -c:s webvtt OUT",
        ],
    ),
];

impl Source {
    /// Its file's name.
    pub(crate) fn file(&self) -> &'static str {
        self.name
    }

    /// Makes it, or tells why this ffmpeg cannot.
    pub(crate) fn make(&self, tools: &Tools, path: &Path) -> Result<(), String> {
        let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
        parts(tools, folder.path())?;
        let dir = folder.path().display().to_string();
        for run in self.runs {
            let words: Vec<String> = run
                .split_ascii_whitespace()
                .map(|word| match word {
                    "V" => V.to_owned(),
                    "A" => A.to_owned(),
                    "X264" => X264.to_owned(),
                    "OUT" => path.display().to_string(),
                    word => word.replace("DIR/", &format!("{dir}/")),
                })
                .collect();
            ffmpeg(tools, &words.join(" "))?;
        }
        Ok(())
    }
}

const SRT: &str = "1\n00:00:00,200 --> 00:00:00,500\nhello\n\n2\n00:00:00,600 --> 00:00:00,900\nworld\n";
const ASS: &str = "[Script Info]\nScriptType: v4.00+\nPlayResX: 160\nPlayResY: 90\n\n[V4+ Styles]\nFormat: Name, Fontname, \
                   Fontsize, PrimaryColour, Bold, Italic, Alignment\nStyle: Default,Sans,12,&H00FFFFFF,0,0,2\n\n[Events]\n\
                   Format: Layer, Start, End, Style, Text\nDialogue: 0,0:00:00.20,0:00:00.80,Default,{\\b1}hello\n";
const CHAPTERS: &str = ";FFMETADATA1\ntitle=Ein Film\n[CHAPTER]\nTIMEBASE=1/1000\nSTART=0\nEND=500\ntitle=one\n[CHAPTER]\n\
                        TIMEBASE=1/1000\nSTART=500\nEND=1000\ntitle=two\n";

/// What is carried along.
fn parts(tools: &Tools, folder: &Path) -> Result<(), String> {
    let write =
        |name: &str, text: &str| fs::write(folder.join(name), text).map_err(|error| error.to_string());
    write("s.srt", SRT)?;
    write("s.ass", ASS)?;
    write("chapters.txt", CHAPTERS)?;
    write("font.ttf", "not really a font")?;
    write("other.otf", "nor is this one")?;
    subtitles::pictures(&folder.join("s.sup")).map_err(|error| error.to_string())?;
    for name in ["cover.png", "cover.jpg"] {
        let file = folder.join(name);
        ffmpeg(tools, &format!("-f lavfi -i testsrc=s=32x32:d=1 -frames:v 1 {}", file.display()))?;
    }
    Ok(())
}
