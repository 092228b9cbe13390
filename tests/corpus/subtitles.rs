//! Subtitles as pictures: ffmpeg reads those of Blu-rays and writes none, so a few bytes of them are made here.

use std::fs;
use std::io;
use std::path::Path;

/// Ticks of a second.
const CLOCK: u32 = 90_000;

fn segment(out: &mut Vec<u8>, at: u32, kind: u8, body: &[u8]) {
    out.extend(b"PG");
    out.extend(at.to_be_bytes());
    out.extend(0_u32.to_be_bytes());
    out.push(kind);
    out.extend(u16::try_from(body.len()).unwrap().to_be_bytes());
    out.extend(body);
}

/// A white square that is shown from 0.2 to 0.8 seconds, as a `.sup` file.
pub(crate) fn pictures(path: &Path) -> io::Result<()> {
    let mut out = Vec::new();
    let side = 8_u16.to_be_bytes();
    let (width, height) = (160_u16.to_be_bytes(), 90_u16.to_be_bytes());
    let screen = [width, height].concat();
    for (n, at, shows) in [(0_u8, CLOCK / 5, true), (1, CLOCK * 4 / 5, false)] {
        // A new picture (0x80) with one object of window 0, or an empty one.
        let mut composition =
            [&screen[..], &[0x10, 0, n, if shows { 0x80 } else { 0 }, 0, 0, u8::from(shows)]].concat();
        if shows {
            composition.extend([0, 0, 0, 0, 0, 10, 0, 10]);
        }
        segment(&mut out, at, 0x16, &composition);
        segment(&mut out, at, 0x17, &[&[1, 0, 0, 10, 0, 10][..], &side, &side].concat());
        if shows {
            // Colour 1: white, opaque.
            segment(&mut out, at, 0x14, &[0, 0, 1, 0xeb, 0x80, 0x80, 0xff]);
            // Each line: eight pixels of colour 1, end of line.
            let lines = [0, 0x88, 1, 0, 0].repeat(8);
            let length = u32::try_from(lines.len() + 4).unwrap().to_be_bytes();
            let object = [&[0, 0, 0, 0xc0][..], &length[1..], &side, &side, &lines].concat();
            segment(&mut out, at, 0x15, &object);
        }
        segment(&mut out, at, 0x80, &[]);
    }
    fs::write(path, out)
}
