//! The `vc-agent` program.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Fails only if a provider is there already, and ring is the only one that is built in.
    let _ = rustls::crypto::ring::default_provider().install_default();
    vc_agent::cli::main()
}
