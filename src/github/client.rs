//! How the API is asked: with the run's token, never for long, and with answers that people understand.

use std::time::Duration;

use anyhow::{Context as _, anyhow};
use octocrab::Octocrab;
use secrecy::ExposeSecret as _;

use super::run::Run;

/// GitHub answers within a second or two; a driver that waits longer is not looking at its candidate.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// A client with the run's token.
///
/// # Errors
///
/// The run has none.
pub(super) fn client(run: &Run) -> anyhow::Result<Octocrab> {
    let token = run.token.as_ref().context(
        "GITHUB_TOKEN is not set: give the step `env: GITHUB_TOKEN: ${{ github.token }}`, or a token that may do it",
    )?;
    Octocrab::builder()
        .base_uri(&run.api_url)
        .with_context(|| format!("GITHUB_API_URL {}", run.api_url))?
        .personal_token(token.expose_secret())
        .build()
        .context("prepare the GitHub client")
}

/// octocrab's own text is only "GitHub". `hint`: what to do about a status.
pub(super) fn explained(error: octocrab::Error, hint: impl Fn(u16) -> &'static str) -> anyhow::Error {
    match error {
        octocrab::Error::GitHub { source, .. } => anyhow!(
            "GitHub answered {} ({}){}",
            source.status_code,
            source.message,
            hint(source.status_code.as_u16())
        ),
        other => other.into(),
    }
}
