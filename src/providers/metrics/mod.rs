//! Where the numbers come from: raw samples of counters, histograms and gauges, of both versions.
//!
//! In: the plan's source and what it measures, in the source's own words. Out: samples as the source has them; nothing is divided, summed
//! or extrapolated here, the analysis takes the differences. An answer that is late, cut off, partial
//! or not of the documented form is an error, never an empty answer: silence is not health.

mod access;
mod ahead;
mod histogram;
mod http;
mod http_probe;
mod pause;
mod pretended;
mod prometheus;
mod recorded;
mod scrape;
mod selector;
mod selectors;
mod series;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Result;
use jiff::Timestamp;
use rollgate_domain::analysis::Samples;

pub use access::{Access, Credentials};
pub use ahead::Ahead;
pub use http_probe::{Expect, HttpProbe};
pub use pretended::Pretended;
pub use prometheus::Prometheus;
pub use recorded::Recorded;
pub use scrape::Scrape;
pub use selector::{BadSelector, Selector};

/// A source of raw samples.
#[async_trait::async_trait]
pub trait Metrics: Send + Sync {
    /// Raw samples of all that is measured, of both versions, with `from < t <= to`; an empty answer is empty.
    ///
    /// # Errors
    ///
    /// The source gave no answer that can be trusted; the message names what to check.
    async fn samples(&self, from: Timestamp, to: Timestamp) -> Result<Samples>;

    /// Whether the source can be asked about the time before now. Without a past every run starts its evidence anew.
    fn has_past(&self) -> bool;

    /// Whether the plan fits what the source has at `now`: asked once, before a rollout begins.
    ///
    /// # Errors
    ///
    /// The stable version has no series of the requests counter, or the errors selector can never match;
    /// the message lists what there is instead.
    async fn probe(&self, now: Timestamp) -> Result<()> {
        let _ = now;
        Ok(())
    }
}

/// Which source a plan names.
#[derive(Clone, Debug)]
pub enum Source {
    /// The server's root address, the label by which its series tell the versions apart, and how it is reached.
    Prometheus {
        url: String,
        version_label: String,
        access: Access,
    },
    /// Addresses of `/metrics` pages, one per instance, by backend.
    Scrape { pages: BTreeMap<String, Vec<String>> },
    /// The `samples.jsonl` of a run.
    Recorded { file: PathBuf },
    /// Addresses by backend, how often each is asked, and what it should answer.
    HttpProbe {
        targets: BTreeMap<String, Vec<String>>,
        every: Duration,
        expect: Expect,
    },
}

/// What is measured, in the source's own words.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Measures {
    /// The counter of requests.
    pub requests: String,
    /// The counter of requests that ended in an error.
    pub errors: String,
    /// The label of both by which errors are judged apart as well.
    pub by: Option<String>,
    /// The histogram of how long requests take, in seconds.
    pub latency: Option<String>,
    /// Gauges, in the order in which they are judged.
    pub gauges: Vec<String>,
    /// The team's own checks, in the order in which they are judged.
    pub checks: Vec<CheckCounters>,
}

/// The counters of one check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckCounters {
    /// What went well.
    pub good: String,
    /// All of it.
    pub total: String,
}

/// What runs on one side of a rollout.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Release<'a> {
    /// The router's name for where it runs.
    pub backend: &'a str,
    /// The value of the version label in its series.
    pub version: &'a str,
}

/// The source that a plan names; nothing is asked of it yet.
///
/// # Errors
///
/// An address is none, the two sides cannot be told apart, a backend has no page, or a recorded file is none.
pub fn connect(
    source: &Source,
    measures: &Measures,
    stable: Release<'_>,
    candidate: Release<'_>,
) -> Result<Box<dyn Metrics>> {
    Ok(match source {
        Source::Prometheus {
            url,
            version_label,
            access,
        } => {
            let source = Prometheus::new(
                url,
                version_label,
                measures,
                stable.version,
                candidate.version,
                prometheus::TIMEOUT,
            )?;
            Box::new(source.reached_by(access)?)
        }
        Source::Scrape { pages } => Box::new(Scrape::new(
            pages,
            measures,
            stable.backend,
            candidate.backend,
            scrape::TIMEOUT,
        )?),
        Source::Recorded { file } => Box::new(Recorded::read(file)?),
        Source::HttpProbe {
            targets,
            every,
            expect,
        } => Box::new(HttpProbe::new(
            targets,
            *every,
            expect,
            measures,
            (stable.backend, candidate.backend),
            http_probe::TIMEOUT,
        )?),
    })
}
