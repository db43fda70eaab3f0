//! Programs with nothing inherited, and what they take.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::support::require;

/// A program that must be here.
pub(crate) fn program(name: &str) -> String {
    let path = require(name).unwrap_or_else(|| panic!("{name} is needed"));
    path.display().to_string()
}

/// `program` with no environment but a PATH.
pub(crate) fn bare(program: impl AsRef<std::ffi::OsStr>) -> Command {
    let mut command = Command::new(program);
    command
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command
}

/// From exec to exit.
pub(crate) fn wall(command: &mut Command) -> Duration {
    let began = Instant::now();
    let status = command.status().expect("a program that starts");
    let took = began.elapsed();
    assert!(status.success(), "{command:?}: {status}");
    took
}

/// User and system time of `arguments` and its children, by bash's `times`: exact to a millisecond.
pub(crate) fn cpu(arguments: &[String], folder: &Path) -> Duration {
    let mut command = bare("bash");
    command
        .current_dir(folder)
        .args(["-c", "\"$@\" >/dev/null || exit; times", "bash"])
        .args(arguments)
        .stdout(Stdio::piped());
    let done = command.output().expect("bash");
    assert!(done.status.success(), "{arguments:?}: {}", done.status);
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    // The shell's own times come first: "0m0.001s 0m0.000s".
    let children = text.lines().nth(1).expect("two lines");
    children.split(' ').map(span).sum()
}

fn span(text: &str) -> Duration {
    let (minutes, seconds) = text.trim_end_matches('s').split_once('m').expect("0m0.000s");
    let minutes: f64 = minutes.parse().expect("minutes");
    let seconds: f64 = seconds.parse().expect("seconds");
    Duration::from_secs_f64(minutes * 60.0 + seconds)
}

/// The memory that a process has now, in KiB.
pub(crate) fn resident(process: u32) -> Option<u64> {
    memory(process, "VmRSS:")
}

/// The most that it ever had.
pub(crate) fn peak(process: u32) -> Option<u64> {
    memory(process, "VmHWM:")
}

fn memory(process: u32, line: &str) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let number = status.lines().find_map(|found| found.strip_prefix(line))?;
    number.trim().strip_suffix(" kB")?.parse().ok()
}
