//! The lock that HAProxy does not have: one writer at a time on this machine.

use std::{
    fs::{File, TryLockError},
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::time::Instant;

/// How long a writer may take from the lock to its write. A write takes a few milliseconds, and a process that
/// hangs costs a second before it.
const LEASE: Duration = Duration::from_millis(1500);

/// How long others wait for it: longer than [`LEASE`], so that whoever stops waiting meets nobody.
const WAIT: Duration = Duration::from_secs(2);

/// How often they ask.
const AGAIN: Duration = Duration::from_millis(5);

/// Held until dropped, or until the process dies.
pub(crate) struct Lock {
    _file: File,
    lease: Lease,
}

impl Lock {
    /// What is left of the time in which its holder may write.
    pub(crate) const fn lease(&self) -> Lease {
        self.lease
    }
}

/// The time in which a decision may still be written; a process that sleeps over it decides anew.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Lease {
    since: std::time::Instant,
}

impl Lease {
    pub(crate) fn begins_now() -> Self {
        Self {
            since: std::time::Instant::now(),
        }
    }

    /// Whether nothing must be written any more.
    pub(crate) fn is_over(self) -> bool {
        self.since.elapsed() > LEASE
    }
}

/// Nothing was written: somebody else may have done so since the decision.
#[derive(Debug, thiserror::Error)]
#[error("this process slept since it decided")]
pub(crate) struct LeaseIsOver;

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
                    lease: Lease::begins_now(),
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
