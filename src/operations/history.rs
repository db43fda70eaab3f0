//! What a source knows of a past stretch of time, as looks.

use anyhow::{Context as _, Result, bail};
use jiff::{SignedDuration, Timestamp};
use rollgate_domain::analysis::{Look, Tally};

use crate::providers::metrics::{Metrics, PIECE};

/// Samples from before the stretch are baselines: twice Prometheus's longest usual interval.
pub(super) const BASELINE: SignedDuration = SignedDuration::from_mins(5);

/// The looks of this length that begin at `from` or later and have ended by `to`.
///
/// # Errors
///
/// The source has no past, or did not answer.
pub async fn looks(
    metrics: &dyn Metrics,
    length: SignedDuration,
    from: Timestamp,
    to: Timestamp,
) -> Result<Vec<Look>> {
    if !metrics.has_past() {
        bail!("the plan's metric source has no past");
    }
    let mut tally = Tally::new(from, length);
    let mut looks = Vec::new();
    let mut asked = from.saturating_sub(BASELINE)?;
    while asked < to {
        let end = asked.checked_add(PIECE).unwrap_or(to).min(to);
        let samples = metrics.samples(asked, end).await;
        tally.add(&samples.with_context(|| format!("read what was measured since {asked:.0}"))?);
        looks.extend(tally.close(end));
        asked = end;
    }
    Ok(looks)
}
