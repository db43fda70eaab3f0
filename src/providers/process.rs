//! Child processes: the only place that starts one.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use tokio::{process::Command, time::timeout};

/// What children find programs by.
const PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/// How a child ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) success: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Where `name` is: in the first of `folders` that has it. Not by `PATH`, which a job's earlier steps may have
/// changed.
///
/// # Errors
///
/// It is nowhere; the message names the places.
pub(crate) fn find(name: &str, folders: &[&str]) -> anyhow::Result<PathBuf> {
    folders
        .iter()
        .map(|folder| Path::new(folder).join(name))
        .find(|program| program.is_file())
        .with_context(|| format!("find the program {name}: it is in none of {}", folders.join(", ")))
}

/// Runs `program` to its end with nothing to read and nothing of our environment: secrets are not passed on. It is killed at `limit`, and when the caller is dropped.
///
/// # Errors
///
/// It cannot be started, or did not end in time.
pub(crate) async fn run(program: &Path, arguments: &[&OsStr], limit: Duration) -> anyhow::Result<Ended> {
    let shown = || {
        let words: Vec<_> = arguments.iter().map(|word| word.to_string_lossy()).collect();
        format!("{} {}", program.display(), words.join(" "))
    };
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .env("PATH", PATH)
        .stdin(Stdio::null())
        .kill_on_drop(true);
    let ended = timeout(limit, command.output())
        .await
        .map_err(|_| anyhow!("{} did not end within {} s", shown(), limit.as_secs()))?
        .with_context(|| format!("run {}", shown()))?;
    Ok(Ended {
        success: ended.status.success(),
        stdout: String::from_utf8_lossy(&ended.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&ended.stderr).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_child_gets_a_path_and_no_secrets_and_its_end_is_told() {
        let shell = find("sh", &["/bin"]).unwrap();
        let script = [
            "-c",
            "env | grep -v -e ^PATH= -e ^PWD= -e ^_= -e ^SHLVL=; echo to stderr >&2; exit 3",
        ];
        let ended = run(&shell, &script.map(OsStr::new), Duration::from_secs(20))
            .await
            .unwrap();
        assert_eq!(
            (ended.success, ended.stdout.as_str(), ended.stderr.as_str()),
            (false, "", "to stderr\n")
        );
    }

    #[tokio::test]
    async fn a_child_that_hangs_is_killed_and_named() {
        let shell = find("sh", &["/bin"]).unwrap();
        let error = run(
            &shell,
            &["-c", "sleep 600"].map(OsStr::new),
            Duration::from_millis(50),
        )
        .await
        .unwrap_err();
        assert!(
            error.to_string().contains("sleep 600 did not end within"),
            "{error}"
        );
    }

    #[test]
    fn a_program_that_is_nowhere_is_named_with_the_places() {
        let error = find("no-such-program", &["/usr/bin", "/usr/sbin"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "find the program no-such-program: it is in none of /usr/bin, /usr/sbin"
        );
    }
}
