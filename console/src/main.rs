//! The `vc-console` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // A shell that asks for words gets them, and nothing else is done.
    vc_console::cli::complete();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(_) => return ExitCode::FAILURE,
    };
    let exit = runtime.block_on(vc_console::cli::main(std::env::args_os()));
    // Blocking work that nobody waits for any more, such as a read of stdin, must not keep the program.
    runtime.shutdown_background();
    ExitCode::from(exit as u8)
}
