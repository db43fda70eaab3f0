//! A signal at one call to the outside, by strace: what dies or stops exactly there.

use std::{ffi::OsStr, os::unix::process::ExitStatusExt as _, process::Command};

use super::require;

/// `command` under strace, which sends it `signal` as it makes its `when`-th call of `call`, before the call is done.
/// What it saw goes to `log`. None where strace is missing.
pub(crate) fn struck(
    command: &Command,
    call: &str,
    signal: &str,
    when: u32,
    log: impl AsRef<OsStr>,
) -> Option<Command> {
    let mut traced = Command::new(require("strace")?);
    traced
        .args(["-f", "-qqq", "-o"])
        .arg(log)
        .arg(format!("--trace={call}"))
        .arg(format!("--inject={call}:signal={signal}:when={when}"))
        .arg("--")
        .arg(command.get_program())
        .args(command.get_args())
        .env_clear();
    for (name, value) in command.get_envs() {
        if let Some(value) = value {
            traced.env(name, value);
        }
    }
    Some(traced)
}

/// Runs `command` and kills it before its `when`-th call of `call`; whether it was killed.
pub(crate) fn killed(command: &Command, call: &str, when: u32) -> Option<bool> {
    let ended = struck(command, call, "SIGKILL", when, "/dev/null")?.output();
    let status = ended.expect("strace").status;
    // strace ends as its child did.
    Some(status.signal() == Some(9) || status.code() == Some(137))
}
