//! Short questions to a program at start (`-version`), before there is a runtime.

use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest wait for an answer; a healthy program needs a tenth of a second, a cold network disk a few.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// Most bytes of an answer; `ffmpeg -encoders` prints 20 KiB.
const ANSWER_BYTES_MAX: u64 = 1 << 20;
/// How often to look for the end of the program.
const POLL: Duration = Duration::from_millis(2);

/// What a program answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Quick {
    /// It ended by itself with status 0.
    pub is_ok: bool,
    /// Its standard output.
    pub stdout: String,
}

/// Runs a program for its standard output. Blocks: call it before the runtime starts, or from a blocking thread.
pub fn quick(program: &Path, args: &[&str]) -> io::Result<Quick> {
    let mut child = Command::new(program)
        .args(args)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()?;
    let pipe = child.stdout.take();
    let reader = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(pipe) = pipe {
            pipe.take(ANSWER_BYTES_MAX).read_to_end(&mut bytes)?;
        }
        io::Result::Ok(bytes)
    });
    let deadline = Instant::now() + ANSWER_MAX;
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if Instant::now() >= deadline {
            child.kill()?;
            child.wait()?;
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no answer in 20 s"));
        }
        std::thread::sleep(POLL);
    };
    let bytes = reader.join().map_err(|_| io::Error::other("reading its output panicked"))??;
    Ok(Quick { is_ok: status.success(), stdout: String::from_utf8_lossy(&bytes).into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_and_status_come_back() {
        let said = quick(Path::new("/bin/sh"), &["-c", "echo hello; exit 3"]).unwrap();
        assert_eq!(said, Quick { is_ok: false, stdout: "hello\n".into() });
        assert!(quick(Path::new("/nonexistent/program"), &[]).is_err());
    }
}
