//! Where the numbers come from: raw samples of counters, histograms and gauges, of both versions.
//!
//! In: the plan's source and what it measures, in the source's own words. Out: samples as the source has them; nothing is divided, summed
//! or extrapolated here, the analysis takes the differences. An answer that is late, cut off, partial
//! or not of the documented form is an error, never an empty answer: silence is not health.

mod access;
mod ahead;
mod cloudwatch;
mod datadog;
mod histogram;
mod hosted;
mod http;
mod http_probe;
mod intervals;
mod measured;
mod new_relic;
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
use jiff::{SignedDuration, Timestamp};
use rollgate_domain::analysis::Samples;
use secrecy::SecretString;

pub use access::{Access, Credentials};
pub use ahead::Ahead;
pub use cloudwatch::{CloudWatch, Credentials as AwsCredentials, Place as CloudWatchPlace};
pub use datadog::{Datadog, Keys as DatadogKeys, Tags as DatadogTags};
pub use http_probe::{Expect, HttpProbe, Tries};
pub use new_relic::{NewRelic, Place as NewRelicPlace};
pub use pretended::Pretended;
pub use prometheus::Prometheus;
pub use recorded::Recorded;
pub use scrape::Scrape;
pub use selector::{BadSelector, Selector};

/// So much is asked for at once, 1,440 samples a series at 15 s: a bound on memory, and on what a server must answer
/// (Prometheus' `query.max-samples` is 50 million by default).
pub const PIECE: SignedDuration = SignedDuration::from_hours(6);

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

    /// The length of the intervals in which the source itself counts; a look is a multiple of it. None for a source that
    /// gives the numbers as it read them.
    fn grain(&self) -> Option<SignedDuration> {
        None
    }

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
    /// A region's CloudWatch (its endpoint), and what its metrics are told apart by.
    CloudWatch {
        url: String,
        region: String,
        namespace: String,
        version: String,
        latency_bounds: Vec<f64>,
        access_key_id: SecretString,
        secret_access_key: SecretString,
        session_token: Option<SecretString>,
    },
    /// A New Relic region (its API's address), and what its events are told apart by.
    NewRelic {
        url: String,
        account: i64,
        event: String,
        version: String,
        instance: String,
        duration: String,
        latency_bounds: Vec<f64>,
        key: SecretString,
    },
    /// A Datadog site, and how its series tell versions and instances apart.
    Datadog {
        site: String,
        version_tag: String,
        instance_tag: String,
        latency_bounds: Vec<f64>,
        api_key: SecretString,
        app_key: SecretString,
    },
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
        tries: Tries,
    },
}

/// How a hosted source keeps time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// The length of its intervals; 0 where it gives the numbers as it read them.
    pub grain: SignedDuration,
    /// How late the last numbers of an interval may come: it is not judged before.
    pub lag: SignedDuration,
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
        Source::CloudWatch {
            url,
            region,
            namespace,
            version,
            latency_bounds,
            access_key_id,
            secret_access_key,
            session_token,
        } => Box::new(CloudWatch::new(
            url,
            AwsCredentials {
                access_key_id: access_key_id.clone(),
                secret_access_key: secret_access_key.clone(),
                session_token: session_token.clone(),
            },
            CloudWatchPlace {
                region: region.clone(),
                namespace: namespace.clone(),
                version: version.clone(),
            },
            latency_bounds,
            measures,
            [stable.version, candidate.version],
            cloudwatch::TIMEOUT,
        )?),
        Source::NewRelic {
            url,
            account,
            event,
            version,
            instance,
            duration,
            latency_bounds,
            key,
        } => Box::new(NewRelic::new(
            url,
            key,
            NewRelicPlace {
                account: *account,
                event: event.clone(),
                version: version.clone(),
                instance: instance.clone(),
                duration: duration.clone(),
            },
            latency_bounds,
            measures,
            [stable.version, candidate.version],
            new_relic::TIMEOUT,
        )?),
        Source::Datadog {
            site,
            version_tag,
            instance_tag,
            latency_bounds,
            api_key,
            app_key,
        } => Box::new(Datadog::new(
            &format!("https://api.{site}"),
            datadog::Keys {
                api: api_key.clone(),
                app: app_key.clone(),
            },
            datadog::Tags {
                version: version_tag.clone(),
                instance: instance_tag.clone(),
            },
            latency_bounds,
            measures,
            [stable.version, candidate.version],
            datadog::TIMEOUT,
        )?),
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
            tries,
        } => Box::new(HttpProbe::new(
            targets,
            *every,
            (expect, *tries),
            measures,
            (stable.backend, candidate.backend),
            http_probe::TIMEOUT,
        )?),
    })
}
