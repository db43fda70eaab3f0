//! Entry point only: everything is in `commands::shift_traffic`.

use std::process::ExitCode;

use clap::Parser as _;
use rollgate::commands::{finish, shift_traffic};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    finish(shift_traffic::run(shift_traffic::Args::parse())).await
}
