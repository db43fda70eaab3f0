//! From a text to what users get: the file, nginx's test of it, the reload, and the proof.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context as _;
use tokio::time::Instant;

use super::{
    Nginx,
    include::{File, Served},
    program::{self, Broken},
    served,
};
use crate::providers::traffic::{
    WriteError,
    replace::{beside, replace, sync},
};

/// How long a reload may take: the master reads the configuration, resolves names, and starts workers.
const RELOAD: Duration = Duration::from_secs(15);

impl Nginx {
    fn before(&self) -> PathBuf {
        beside(&self.include, ".before")
    }

    /// Writes the file; the one before stays beside it where nginx has to take the new one.
    pub(super) fn put(&self, text: &str, old: Option<&File>, is_tested: bool) -> anyhow::Result<()> {
        if let Some(old) = old.filter(|_| is_tested) {
            replace(&self.before(), &old.text)
                .with_context(|| format!("keep the old file as {}", self.before().display()))?;
        }
        replace(&self.include, text).with_context(|| format!("write {}", self.include.display()))
    }

    /// Puts the file before back, unless somebody else has written meanwhile. What went wrong, in words.
    fn put_back(&self, text: &str, old: Option<&File>) -> String {
        let ours = |path: &Path| fs::read(path).is_ok_and(|here| here == text.as_bytes());
        if !ours(&self.include) {
            return String::new();
        }
        let done = match old {
            Some(old) => replace(&self.include, &old.text),
            None => fs::remove_file(&self.include),
        };
        match done {
            Ok(()) => " (the file is put back)".to_owned(),
            Err(error) => format!(
                " (and the old file cannot be put back: {error}; it is {})",
                self.before().display()
            ),
        }
    }

    /// Makes nginx serve the file that was just written.
    pub(super) async fn activate(
        &self,
        text: &str,
        served: &Served,
        old: Option<&File>,
        takes_back: bool,
    ) -> Result<(), WriteError> {
        let include = self.include.display();
        if let Err(Broken { said, file }) = program::test(&self.config)
            .await
            .map_err(WriteError::Unreachable)?
        {
            let foreign = file.filter(|file| *file != self.include);
            return Err(WriteError::Rejected(match foreign {
                Some(foreign) if takes_back => format!(
                    "nginx cannot reload, because {} is broken: {said}. {include} says {} to {} already, and any \
                     reload or restart of nginx will be on that: repair {} now",
                    foreign.display(),
                    served.share,
                    served.candidate,
                    foreign.display()
                ),
                _ => format!(
                    "nginx does not take {include}: {said}{}",
                    self.put_back(text, old)
                ),
            }));
        }
        let client = self.client().map_err(WriteError::Unreachable)?;
        program::reload(&self.config)
            .await
            .with_context(|| format!("{include} is written and tested, but nobody serves it yet"))
            .map_err(WriteError::Unreachable)?;
        let deadline = Instant::now() + RELOAD;
        // nginx takes its time too.
        let flushed = self.flush();
        let waited = served::wait(client, &self.served, served, deadline).await;
        match waited
            .with_context(|| format!("{include} is written and nginx was told to reload"))
            .map_err(WriteError::Unreachable)?
        {
            Ok(()) => flushed.map_err(WriteError::Unreachable),
            Err(newer) if newer.write > served.write => Ok(()),
            Err(still) => Err(WriteError::Rejected(format!(
                "nginx was told to reload and still serves {} to {} after {} s: look at its error log; {include} has \
                 {} to {}",
                still.share,
                still.candidate,
                RELOAD.as_secs(),
                served.share,
                served.candidate
            ))),
        }
    }

    pub(super) fn flush(&self) -> anyhow::Result<()> {
        sync(&self.include).with_context(|| format!("bring {} to disk", self.include.display()))
    }
}
