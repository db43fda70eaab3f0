//! The summary page of a GitHub run: the file that `GITHUB_STEP_SUMMARY` names.
//!
//! Source: <https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands#adding-a-job-summary>

use std::{fs::File, io::Write as _, path::PathBuf};

use anyhow::{Context as _, ensure};
use rollgate_domain::notice::Notice;

use super::Channel;

/// GitHub drops the whole page of a step above 1 MiB.
pub const LONGEST: usize = 1024 * 1024;

/// Appends Markdown to one file.
pub struct Summary {
    path: PathBuf,
}

impl Summary {
    /// Appends to `path`.
    #[must_use]
    pub fn new(path: PathBuf) -> Self {
        Self { path }
    }

    /// Adds `markdown` below what is there.
    ///
    /// # Errors
    ///
    /// The file cannot be written, or the page would be too long for GitHub.
    pub fn append(&self, markdown: &str) -> anyhow::Result<()> {
        let context = || format!("write the run's summary {}", self.path.display());
        let mut file = File::options()
            .create(true)
            .append(true)
            .open(&self.path)
            .with_context(context)?;
        let before = usize::try_from(file.metadata().with_context(context)?.len()).unwrap_or(usize::MAX);
        ensure!(
            before.saturating_add(markdown.len()) < LONGEST,
            "the run's summary would pass 1 MiB and GitHub would drop all of it; the rest is in events.jsonl"
        );
        file.write_all(markdown.as_bytes()).with_context(context)
    }
}

#[async_trait::async_trait]
impl Channel for Summary {
    fn name(&self) -> &'static str {
        "summary"
    }

    async fn send(&self, notice: &Notice) -> anyhow::Result<()> {
        self.append(&rollgate_domain::notice::story::notice_markdown(notice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_grows_until_github_would_drop_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("summary.md");
        let summary = Summary::new(path.clone());
        summary.append("one\n").unwrap();
        summary.append("two\n").unwrap();
        assert!(summary.append(&"x".repeat(LONGEST)).is_err());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "one\ntwo\n");
    }
}
