//! Entry point only: everything is in `commands::verify_health`.

use std::process::ExitCode;

use clap::Parser as _;
use rollgate::commands::{finish, verify_health};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    finish(verify_health::run(verify_health::Args::parse())).await
}
