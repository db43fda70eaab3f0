//! Entry point only: everything is in `commands::notify`.

use std::process::ExitCode;

use clap::Parser as _;
use rollgate::commands::{finish, notify};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    finish(notify::run(notify::Args::parse())).await
}
