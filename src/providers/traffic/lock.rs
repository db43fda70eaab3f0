//! The lock that HAProxy and nginx do not have: one writer at a time on this machine.

use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::MetadataExt as _,
    path::Path,
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::time::Instant;

/// How much longer than a lease others wait for it, so that whoever stops waiting meets nobody.
const MARGIN: Duration = Duration::from_millis(500);

/// How often they ask.
const AGAIN: Duration = Duration::from_millis(5);

/// How often a lock may be lost to somebody who was faster.
const TRIES: u32 = 3;

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
    length: Duration,
}

impl Lease {
    pub(crate) fn begins_now(length: Duration) -> Self {
        Self {
            since: std::time::Instant::now(),
            length,
        }
    }

    /// Whether nothing must be written any more.
    pub(crate) fn is_over(self) -> bool {
        self.since.elapsed() > self.length
    }
}

/// Nothing was written: somebody else may have done so since the decision.
#[derive(Debug, thiserror::Error)]
#[error("this process slept since it decided")]
pub(crate) struct LeaseIsOver;

/// Takes the lock `FILE.lock`, whose holder may write for `length`; from a holder that has kept it for longer, by
/// a new file in its place. That holder's [`Lease`] is over: it writes no more.
///
/// # Errors
///
/// The file cannot be made, or many wait for it.
pub(crate) async fn take(file: &Path, length: Duration) -> anyhow::Result<Lock> {
    let mut name = file.as_os_str().to_owned();
    name.push(".lock");
    let path = Path::new(&name);
    for _ in 0..TRIES {
        let file = open(path)?;
        if !locked(&file, length + MARGIN)
            .await
            .with_context(|| format!("lock {}", path.display()))?
        {
            // Unless somebody else was faster.
            if is_at(&file, path) {
                fs::remove_file(path).with_context(|| format!("replace {}", path.display()))?;
            }
        } else if is_at(&file, path) {
            return Ok(Lock {
                _file: file,
                lease: Lease::begins_now(length),
            });
        }
    }
    bail!("{} is never free: are many drivers at work?", path.display())
}

fn open(path: &Path) -> anyhow::Result<File> {
    let opened = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(path);
    opened.with_context(|| {
        format!(
            "open the lock file {} (rollgate must be allowed to write to this folder)",
            path.display()
        )
    })
}

/// Waits for the lock of `file`, at most `patience`.
async fn locked(file: &File, patience: Duration) -> std::io::Result<bool> {
    let deadline = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => tokio::time::sleep(AGAIN).await,
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(error)) => return Err(error),
        }
    }
}

/// Whether `file` is still the one that others find.
fn is_at(file: &File, path: &Path) -> bool {
    let (Ok(ours), Ok(theirs)) = (file.metadata(), fs::metadata(path)) else {
        return false;
    };
    (ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_holder_that_hangs_is_not_waited_for_and_may_not_write() {
        let folder = tempfile::tempdir().unwrap();
        let map = folder.path().join("r.map");
        let hanging = take(&map, Duration::from_millis(500)).await.unwrap();
        let next = take(&map, Duration::from_millis(500)).await.unwrap();
        assert!(hanging.lease().is_over() && !next.lease().is_over());
    }
}
