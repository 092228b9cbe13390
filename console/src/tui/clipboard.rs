//! The clipboard: the terminal's by OSC 52, and a tool's of this machine. What is too long for a terminal becomes a file.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use data_encoding::BASE64;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

/// Most encoded bytes in one OSC 52: the least that common terminals take in one sequence.
const OSC52_BYTES_MAX: usize = 74_994;
/// A tool that takes longer does not work here.
const TOOL_PATIENCE: Duration = Duration::from_secs(2);

/// The sequence that puts a text into the terminal's clipboard; none if it is too long.
pub(crate) fn osc52(text: &str) -> Option<String> {
    let encoded = BASE64.encode(text.as_bytes());
    (encoded.len() <= OSC52_BYTES_MAX).then(|| format!("\x1b]52;c;{encoded}\x07"))
}

/// Puts a text into a new file that only this user reads.
pub(crate) fn save(text: &str) -> io::Result<PathBuf> {
    static NUMBER: AtomicU32 = AtomicU32::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("vc-console-{}-{number}.txt", std::process::id()));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
    file.write_all(text.as_bytes())?;
    Ok(path)
}

/// Hands a text to the clipboard tool of this machine, if it has one. Over SSH its clipboard is not the operator's.
pub(crate) fn to_tool(text: String, var: impl Fn(&str) -> bool) {
    let tools: &[(&str, &[&str])] = if var("WAYLAND_DISPLAY") {
        &[("wl-copy", &[])]
    } else if var("DISPLAY") {
        &[("xclip", &["-selection", "clipboard"]), ("xsel", &["--clipboard", "--input"])]
    } else if cfg!(target_os = "macos") {
        &[("pbcopy", &[])]
    } else {
        return;
    };
    vc_agent::task::spawn("clipboard tool", async move {
        for (program, arguments) in tools {
            // Whether it worked is seen where it is pasted; the terminal has the text as well.
            if tokio::time::timeout(TOOL_PATIENCE, feed(program, arguments, &text))
                .await
                .is_ok_and(|r| r.is_ok())
            {
                return;
            }
        }
    });
}

async fn feed(program: &str, arguments: &[&str], text: &str) -> io::Result<()> {
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()?;
    if let Some(mut stdin) = child.stdin.take() {
        stdin.write_all(text.as_bytes()).await?;
    }
    if child.wait().await?.success() { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_takes_is_bounded() {
        assert_eq!(osc52("41902").as_deref(), Some("\x1b]52;c;NDE5MDI=\x07"));
        assert!(osc52(&"x".repeat(56_244)).is_some());
        assert!(osc52(&"x".repeat(56_246)).is_none());
    }

    #[test]
    fn a_long_text_becomes_a_file_of_this_user_alone() {
        use std::os::unix::fs::PermissionsExt;
        let path = save("long").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "long");
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        std::fs::remove_file(path).unwrap();
    }
}
