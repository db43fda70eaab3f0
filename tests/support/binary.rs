//! The binaries as a workflow or a shell calls them.

use assert_cmd::Command;

/// `name` with nothing inherited that could change its mind: no `GITHUB_*`, no `CI`, no HOME.
pub(crate) fn binary(name: &str) -> Command {
    let mut command = Command::new(assert_cmd::cargo::cargo_bin(name));
    command.env_clear().env("PATH", "");
    command
}

/// Exit code, stdout and stderr.
pub(crate) fn answer(command: &mut Command) -> (i32, String, String) {
    let output = command.output().expect("a binary that starts");
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    (
        output.status.code().expect("an exit code"),
        text(output.stdout),
        text(output.stderr),
    )
}
