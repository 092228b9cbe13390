//! The way to the terminal: what is written goes out on a thread of its own, so that a terminal that nobody reads stops
//! that thread and nothing else.
//!
//! Frames are drawn only when all before was taken, so a slow reader loses frames and never a part of one. Knows
//! nothing of what is written.

use std::fs::File;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use crossterm::terminal::{BeginSynchronizedUpdate, EndSynchronizedUpdate};
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::sync::Notify;

/// Bytes of one write: whether a terminal still takes anything shows after each.
const PIECE_BYTES: usize = 1024;
/// Most bytes that wait: a few frames and texts for the clipboard. What is said to a terminal that takes nothing for
/// longer is lost.
const WAITING_BYTES_MAX: usize = 1024 * 1024;
/// A terminal that takes no piece for this long and has no room for one is not read: the slowest lines take one in half
/// of it.
const STILL: Duration = Duration::from_millis(200);
/// How long a slow terminal is waited for altogether. Twice this must stay under the second in which a dashboard ends.
const SLOW: Duration = Duration::from_millis(400);
/// How long the thread is waited for while the terminal has room: the box is busy then, and nothing must be lost.
const BUSY: Duration = Duration::from_secs(10);

/// The way out; clones are the same one.
#[derive(Debug, Clone)]
pub(crate) struct Out {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: File,
    queue: Mutex<Queue>,
    changed: Condvar,
    /// Everything was taken.
    settled: Notify,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<u8>,
    writing: bool,
    /// Pieces taken so far.
    taken: u64,
    /// What is being written is not wanted any more.
    cut: bool,
    failed: Option<io::Error>,
    has_failed: bool,
    closed: bool,
}

impl Queue {
    fn is_idle(&self) -> bool {
        self.waiting.is_empty() && !self.writing
    }
}

impl Out {
    /// The way to this process's standard output.
    pub(crate) fn open() -> io::Result<Out> {
        // A handle of its own: whoever else prints must not wait for the lock of a write that does not return.
        Out::to(File::from(io::stdout().as_fd().try_clone_to_owned()?))
    }

    fn to(file: File) -> io::Result<Out> {
        let (queue, changed, settled) = Default::default();
        let shared = Arc::new(Shared { file, queue, changed, settled });
        let theirs = Arc::clone(&shared);
        std::thread::Builder::new().name("tty-writer".into()).spawn(move || write_all(&theirs))?;
        Ok(Out { shared })
    }

    /// Writes this behind all that waits.
    pub(crate) fn push(&self, bytes: &[u8]) {
        let mut queue = self.shared.lock();
        if !queue.has_failed && queue.waiting.len() + bytes.len() <= WAITING_BYTES_MAX {
            queue.waiting.extend_from_slice(bytes);
            self.shared.changed.notify_all();
        }
    }

    /// Drops what was not written yet, and writes this.
    pub(crate) fn push_instead(&self, bytes: &[u8]) {
        let mut queue = self.shared.lock();
        queue.waiting.clear();
        queue.cut = queue.writing;
        drop(queue);
        self.push(bytes);
    }

    /// Everything was taken.
    pub(crate) fn is_idle(&self) -> bool {
        self.shared.lock().is_idle()
    }

    /// Why nothing can be written any more; told once.
    pub(crate) fn failure(&self) -> Option<io::Error> {
        self.shared.lock().failed.take()
    }

    /// Returns when everything was taken, at once if that happened since it was last asked for. For one waiter.
    pub(crate) async fn settled(&self) {
        self.shared.settled.notified().await;
    }

    /// Waits until everything was taken; false for a terminal that is not read, or too slowly. Blocks.
    pub(crate) fn settle(&self) -> bool {
        let began = Instant::now();
        let mut queue = self.shared.lock();
        while !queue.is_idle() {
            let before = queue.taken;
            let moved = self
                .shared
                .changed
                .wait_timeout_while(queue, STILL, |queue| !queue.is_idle() && queue.taken == before);
            let (next, waited) = moved.unwrap_or_else(PoisonError::into_inner);
            queue = next;
            let has_room = self.shared.has_room();
            let limit = if has_room { BUSY } else { SLOW };
            if (waited.timed_out() && !has_room) || began.elapsed() >= limit {
                return queue.is_idle();
            }
        }
        true
    }

    /// Ends the thread once it has written everything.
    pub(crate) fn close(&self) {
        self.shared.lock().closed = true;
        self.shared.changed.notify_all();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The terminal would take something now.
    fn has_room(&self) -> bool {
        let mut ways = [PollFd::new(self.file.as_fd(), PollFlags::POLLOUT)];
        poll(&mut ways, PollTimeout::ZERO).is_ok_and(|ready| ready > 0)
    }
}

/// The thread: takes all that waits, and writes it piece by piece.
fn write_all(shared: &Shared) {
    let mut file = &shared.file;
    loop {
        let mut queue = shared.lock();
        while queue.waiting.is_empty() {
            if queue.closed {
                return;
            }
            queue = shared.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
        let bytes = std::mem::take(&mut queue.waiting);
        queue.writing = true;
        drop(queue);
        for piece in bytes.chunks(PIECE_BYTES) {
            let written = file.write_all(piece);
            let mut queue = shared.lock();
            queue.taken += 1;
            if let Err(error) = written {
                queue.waiting.clear();
                (queue.has_failed, queue.failed) = (true, Some(error));
            }
            shared.changed.notify_all();
            if queue.cut || queue.has_failed {
                break;
            }
        }
        let mut queue = shared.lock();
        (queue.writing, queue.cut) = (false, false);
        shared.changed.notify_all();
        shared.settled.notify_one();
    }
}

/// Collects a frame and sends it off at once: as one update where the terminal knows such a thing, and nothing at all
/// when nothing changed.
pub(crate) struct Screenful {
    out: Out,
    frame: Vec<u8>,
    pub(crate) synchronized: bool,
}

impl Screenful {
    pub(crate) fn new(out: Out, synchronized: bool) -> Screenful {
        Screenful { out, frame: Vec::new(), synchronized }
    }
}

impl Write for Screenful {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.frame.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.frame.is_empty() {
            return Ok(());
        }
        let frame = std::mem::take(&mut self.frame);
        let mut bytes = Vec::with_capacity(frame.len() + 16);
        if self.synchronized {
            crossterm::queue!(bytes, BeginSynchronizedUpdate)?;
        }
        bytes.extend_from_slice(&frame);
        if self.synchronized {
            crossterm::queue!(bytes, EndSynchronizedUpdate)?;
        }
        self.out.push(&bytes);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::os::fd::OwnedFd;

    use super::*;

    fn pipe() -> (io::PipeReader, Out) {
        let (reader, writer) = io::pipe().unwrap();
        (reader, Out::to(File::from(OwnedFd::from(writer))).unwrap())
    }

    #[test]
    fn what_is_written_comes_out_in_order_and_is_waited_for() {
        let (mut reader, out) = pipe();
        out.push(b"one ");
        out.push(b"two");
        assert!(out.settle());
        assert!(out.is_idle());
        out.close();
        drop(out);
        let mut read = String::new();
        reader.read_to_string(&mut read).unwrap();
        assert_eq!(read, "one two");
    }

    #[test]
    fn one_who_does_not_read_holds_nobody_up_and_gets_the_last_word_when_he_reads() {
        let (mut reader, out) = pipe();
        // More than a pipe takes.
        out.push(&[b'x'; 500_000]);
        let began = Instant::now();
        assert!(!out.settle());
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        out.push(b"lost");
        out.push_instead(b"end");
        assert!(!out.is_idle());
        out.close();
        drop(out);
        let mut read = Vec::new();
        reader.read_to_end(&mut read).unwrap();
        assert!(read.ends_with(b"xend"), "{:?}", read.len());
        assert!(read.len() < 500_000, "the rest of what was being written was cut: {}", read.len());
    }

    #[test]
    fn a_way_that_is_gone_is_told_once_and_waited_for_by_nobody() {
        let (reader, out) = pipe();
        drop(reader);
        out.push(b"x");
        assert!(out.settle());
        assert!(out.failure().is_some());
        out.push(b"y");
        assert!(out.is_idle() && out.failure().is_none());
    }
}
