//! The `vc-console` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(_) => return ExitCode::FAILURE,
    };
    let exit = runtime.block_on(vc_console::cli::main(std::env::args_os()));
    // Blocking work that nobody waits for any more, such as a read of stdin, must not keep the program.
    runtime.shutdown_background();
    ExitCode::from(exit as u8)
}
