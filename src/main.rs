//! The `deputy` program: parse, run, exit.

use std::io::Write as _;
use std::process::ExitCode;

use clap::Parser as _;
use deputy::Cli;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    let cli = Cli::parse();
    // Installs the one crypto provider before another could be chosen. An error means that it is installed already.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "deputy: cannot start: {error}");
            return ExitCode::FAILURE;
        }
    };
    let code = runtime.block_on(cli.run());
    // What still runs has no one to answer, and must not keep the process.
    runtime.shutdown_background();
    ExitCode::from(code)
}
