//! The binaries by `assert_cmd`, for tests that only ask and compare.

use assert_cmd::Command;

/// [`super::tool::binary`], to be run to its end.
pub(crate) fn binary(name: &str) -> Command {
    super::tool::binary(name).into()
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
