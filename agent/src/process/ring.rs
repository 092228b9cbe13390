//! A log bounded in bytes: its first and last part are kept, what is missing between them is marked.

use std::collections::VecDeque;

/// Bytes of a log, bounded. The first part holds the cause, the last part holds the end; both matter.
#[derive(Debug, Clone)]
pub struct Ring {
    head: Vec<u8>,
    head_max: usize,
    tail: VecDeque<u8>,
    tail_max: usize,
    lost: u64,
}

impl Ring {
    /// A log of at most about this many bytes: a quarter for its beginning, the rest for its end.
    pub fn new(bytes_max: usize) -> Ring {
        let head_max = bytes_max / 4;
        Ring { head: Vec::new(), head_max, tail: VecDeque::new(), tail_max: bytes_max - head_max, lost: 0 }
    }

    /// Adds bytes as they come.
    pub fn push(&mut self, bytes: &[u8]) {
        let to_head = bytes.len().min(self.head_max - self.head.len());
        let (head, mut rest) = bytes.split_at(to_head);
        self.head.extend_from_slice(head);
        if rest.len() > self.tail_max {
            let skipped = rest.len() - self.tail_max;
            self.lost += skipped as u64;
            rest = &rest[skipped..];
        }
        let over = (self.tail.len() + rest.len()).saturating_sub(self.tail_max);
        self.lost += over as u64;
        self.tail.drain(..over);
        self.tail.extend(rest);
    }

    /// The log as text without anything that steers a terminal, at most `bytes_max` long.
    pub fn text(&self, bytes_max: usize) -> String {
        let mut text = printable(&self.head);
        if self.lost > 0 {
            text.push_str(&format!("\n[{} bytes left out]\n", self.lost));
        }
        let (front, back) = self.tail.as_slices();
        text.push_str(&printable(&[front, back].concat()));
        text.truncate(text.floor_char_boundary(bytes_max));
        text
    }
}

fn printable(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes)
        .chars()
        .map(|c| if c != '\n' && vc_protocol::path::is_unprintable(c) { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_and_last_part_stay_and_the_gap_is_marked() {
        let mut ring = Ring::new(40);
        for n in 0..100 {
            ring.push(format!("line {n}\n").as_bytes());
        }
        let text = ring.text(1000);
        assert!(text.starts_with("line 0\n"), "{text}");
        assert!(text.ends_with("line 98\nline 99\n"), "{text}");
        assert!(text.contains("bytes left out]"), "{text}");
    }

    #[test]
    fn one_huge_push_is_bounded() {
        let mut ring = Ring::new(40);
        ring.push(&[b'x'; 10_000]);
        ring.push(b"end");
        let text = ring.text(1000);
        assert!(text.len() < 100 && text.ends_with("xend"), "{text}");
        assert!(text.contains("[9963 bytes left out]"), "{text}");
    }

    #[test]
    fn what_steers_a_terminal_is_blanked() {
        let mut ring = Ring::new(100);
        ring.push(b"a\x1b[2Jb\r\xff\nc");
        assert_eq!(ring.text(100), "a [2Jb \u{fffd}\nc");
    }
}
