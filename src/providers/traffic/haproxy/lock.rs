//! The lock that HAProxy does not have: one writer at a time on this machine.

use std::{
    fs::{File, TryLockError},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::time::Instant;

/// How long a writer may take from the lock to its write; a write takes a few milliseconds.
pub(crate) const LEASE: Duration = Duration::from_secs(1);

/// How long others wait for it: longer than [`LEASE`], so that whoever stops waiting meets nobody.
const WAIT: Duration = Duration::from_secs(2);

/// How often they ask.
const AGAIN: Duration = Duration::from_millis(5);

/// Held until dropped, or until the process dies.
pub(crate) struct Lock {
    _file: File,
    since: std::time::Instant,
}

impl Lock {
    /// Whether this process must not write any more.
    pub(crate) fn is_stale(&self) -> bool {
        self.since.elapsed() > LEASE
    }
}

/// Takes the lock `MAP.lock`.
///
/// # Errors
///
/// The file cannot be made, or another writer holds it for longer than [`WAIT`].
pub(crate) async fn take(map: &Path) -> anyhow::Result<Lock> {
    let mut name = map.as_os_str().to_owned();
    name.push(".lock");
    let path = Path::new(&name);
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path)
        .with_context(|| {
            format!(
                "open the lock file {} (rollgate must be allowed to write to this folder)",
                path.display()
            )
        })?;
    let deadline = Instant::now() + WAIT;
    loop {
        match file.try_lock() {
            Ok(()) => {
                return Ok(Lock {
                    _file: file,
                    since: std::time::Instant::now(),
                });
            }
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => tokio::time::sleep(AGAIN).await,
            Err(TryLockError::WouldBlock) => {
                bail!(
                    "another process has held {} for {} s: is a driver hanging?",
                    path.display(),
                    WAIT.as_secs()
                )
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("lock {}", path.display()));
            }
        }
    }
}
