//! ffmpeg's `-progress` output: key=value lines in blocks, read however the pipe cuts them.

/// What one block says; `None` where ffmpeg said nothing or `N/A`.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Block {
    /// Frames written so far.
    pub frames: Option<u64>,
    /// Bytes written so far.
    pub total_size: Option<u64>,
    /// Output time in microseconds; below zero before the first frame of some sources.
    pub out_time_us: Option<i64>,
    /// The last block of the run. It also comes after a stop: no proof of anything.
    pub is_end: bool,
}

/// Longest line kept; ffmpeg's are under 40 bytes, so a longer one is not its progress.
const LINE_BYTES_MAX: usize = 1024;

/// Turns bytes into blocks.
#[derive(Debug, Default)]
pub struct ProgressParser {
    line: Vec<u8>,
    is_overlong: bool,
    block: Block,
}

impl ProgressParser {
    /// Takes the next bytes, gives each block that they complete.
    pub fn push(&mut self, bytes: &[u8], mut completed: impl FnMut(Block)) {
        for piece in bytes.split_inclusive(|b| *b == b'\n') {
            let is_whole = piece.last() == Some(&b'\n');
            if self.line.len() + piece.len() > LINE_BYTES_MAX {
                self.is_overlong = true;
                self.line.clear();
            } else {
                self.line.extend_from_slice(piece);
            }
            if is_whole {
                if !std::mem::take(&mut self.is_overlong) && self.take_line() {
                    completed(std::mem::take(&mut self.block));
                }
                self.line.clear();
            }
        }
    }

    /// Reads one line into the block; true if it was the block's last.
    fn take_line(&mut self) -> bool {
        let Ok(line) = std::str::from_utf8(&self.line) else { return false };
        let Some((key, value)) = line.trim().split_once('=') else { return false };
        let value = value.trim();
        match key.trim() {
            "frame" => self.block.frames = value.parse().ok(),
            "total_size" => self.block.total_size = value.parse().ok(),
            "out_time_us" => self.block.out_time_us = value.parse().ok(),
            "progress" => {
                self.block.is_end = value == "end";
                return true;
            }
            _ => {}
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &str = "frame=12\nfps=0.00\nstream_0_0_q=28.0\nbitrate=N/A\ntotal_size=48\nout_time_us=N/A\n\
        out_time_ms=N/A\nout_time=N/A\ndup_frames=0\ndrop_frames=0\nspeed=   0x\nprogress=continue\n\
        frame=75\nfps= 267\nbitrate= 181.2kbits/s\ntotal_size=67456\nout_time_us=2977959\nspeed= 267x\nprogress=end\n";

    fn blocks(pieces: &[&[u8]]) -> Vec<Block> {
        let (mut parser, mut all) = (ProgressParser::default(), Vec::new());
        for piece in pieces {
            parser.push(piece, |block| all.push(block));
        }
        all
    }

    #[test]
    fn any_cut_gives_the_same_blocks() {
        let whole = blocks(&[REAL.as_bytes()]);
        assert_eq!(
            whole,
            [
                Block { frames: Some(12), total_size: Some(48), out_time_us: None, is_end: false },
                Block { frames: Some(75), total_size: Some(67456), out_time_us: Some(2977959), is_end: true },
            ]
        );
        for at in 0..REAL.len() {
            let (a, b) = REAL.as_bytes().split_at(at);
            assert_eq!(blocks(&[a, b]), whole, "cut at {at}");
        }
        let bytes: Vec<&[u8]> = REAL.as_bytes().chunks(1).collect();
        assert_eq!(blocks(&bytes), whole);
    }

    #[test]
    fn junk_and_endless_lines_are_passed_over() {
        let flood = vec![b'x'; 1 << 20];
        let got = blocks(&[&flood, b"\n\xff\xfe=1\nframe=1\n", b"==\nprogress=continue\n"]);
        assert_eq!(got, [Block { frames: Some(1), ..Block::default() }]);
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..4096)) {
            blocks(&[&bytes]);
        }
    }
}
