//! New Relic's events, by NRQL through NerdGraph.
//!
//! New Relic keeps events and counts them when it is asked, so its counts are increments, in intervals of 15 s. All
//! measures share a request, each as a field of its own; a query has at most 366 intervals.
//!
//! Sources: <https://docs.newrelic.com/docs/apis/nerdgraph/examples/nerdgraph-nrql-tutorial/> and, for the limits,
//! <https://docs.newrelic.com/docs/nrql/nrql-syntax-clauses-functions/#sel-timeseries>

mod answer;
mod nrql;
mod probe;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::{SignedDuration, Timestamp};
use reqwest::header::HeaderValue;
use rollgate_domain::analysis::{Samples, Side};
use secrecy::SecretString;
use serde_json::{Value, json};

use self::answer::{Answer, Row, complaint, field, rows};
use self::nrql::{Events, Gauge, Scope, between, column};
use super::hosted::{Hosted, secret};
use super::intervals::{Counted, Grain, Stretch, Who, count, note};
use super::measured::Measured;
use super::{Measures, Metrics, Pace};

/// A query may take [`PATIENCE`]; the rest is the way.
pub(super) const TIMEOUT: Duration = Duration::from_secs(25);

/// How long New Relic may look for an answer, in seconds; 5 if it is not told.
const PATIENCE: u32 = 20;

const GRAIN: Grain = Grain::of_seconds(15);

/// So many intervals a query may have.
const MOST: i64 = 366;

/// So many queries share a request: New Relic wants no more than a few at a time.
const ABREAST: usize = 5;

/// So many groups there are at most in an answer; others are left out without a word.
const GROUPS: usize = 5000;

/// Where the events are, and what they are told apart by.
pub struct Place {
    /// The account's number.
    pub account: i64,
    /// The type of events of a condition that names none.
    pub event: String,
    /// The attribute of the version.
    pub version: String,
    /// The attribute of the process, or what comes close.
    pub instance: String,
    /// The attribute of how long it took, in seconds.
    pub duration: String,
}

/// Events at New Relic.
pub struct NewRelic {
    hosted: Hosted,
    key: HeaderValue,
    account: i64,
    duration: String,
    scope: Scope,
    by: Option<String>,
    bounds: Vec<f64>,
    measured: Measured<Events, Gauge>,
}

/// One query, and what its numbers are.
struct Asked {
    query: String,
    /// How many numbers a row has.
    numbers: usize,
    counts: bool,
}

impl NewRelic {
    /// How New Relic keeps time. Two minutes are what it waits by default before it judges events itself.
    ///
    /// Source: <https://docs.newrelic.com/docs/alerts/create-alert/fine-tune/streaming-alerts-key-terms-concepts/>
    pub const PACE: Pace = Pace {
        grain: GRAIN.span(),
        lag: SignedDuration::from_secs(120),
    };

    /// A source that finds the two `versions`, stable's and the candidate's, by an attribute.
    ///
    /// `url` is the region's API; a request takes at most `timeout`.
    ///
    /// # Errors
    ///
    /// A measure is no condition, or the versions cannot be told apart.
    pub fn new(
        url: &str,
        key: &SecretString,
        place: Place,
        latency_bounds: &[f64],
        measures: &Measures,
        versions: [&str; 2],
        timeout: Duration,
    ) -> Result<Self> {
        let Place {
            account,
            event,
            version,
            instance,
            duration,
        } = place;
        let [stable, candidate] = versions;
        if stable.is_empty() || candidate.is_empty() {
            bail!("a version is empty: no event has an empty {version}");
        }
        if stable == candidate {
            bail!("stable and candidate are both version {stable:?}: their events cannot be told apart");
        }
        Ok(Self {
            hosted: Hosted::new(
                "New Relic",
                url,
                "NEW_RELIC_API_KEY (a user key) and the region",
                timeout,
            )?,
            key: secret("NEW_RELIC_API_KEY", key)?,
            account,
            measured: Measured::read(
                measures,
                &|text| {
                    let events = Events::read(text, &event)?;
                    check_free(&events, &version).map(|()| events)
                },
                &|text| {
                    let gauge = Gauge::read(text)?;
                    check_free(gauge.events(), &version).map(|()| gauge)
                },
            )?,
            by: measures.by.clone(),
            scope: Scope {
                by: vec![version.clone(), instance],
                version,
                versions: versions.map(str::to_owned),
            },
            duration,
            bounds: latency_bounds.to_vec(),
        })
    }

    /// All numbers of each query, in order: those of its first column, then of the second, and so on.
    async fn counted(&self, asked: &[Asked], from: Timestamp, to: Timestamp) -> Result<Vec<Vec<Counted>>> {
        let mut counted: Vec<_> = asked
            .iter()
            .map(|asked| vec![Counted::new(); asked.numbers])
            .collect();
        for stretch in GRAIN.pieces(from, to, MOST) {
            for (asked, counted) in asked.chunks(ABREAST).zip(counted.chunks_mut(ABREAST)) {
                let queries: Vec<_> = asked
                    .iter()
                    .map(|asked| between(&asked.query, stretch.begin, stretch.end))
                    .collect();
                let answers = self.ask(&queries).await?;
                for (((asked, into), query), rows) in asked.iter().zip(counted).zip(&queries).zip(answers) {
                    self.collect(into, asked, &rows, stretch)
                        .with_context(|| format!("read what {} answered to {query}", self.hosted.name))?;
                }
            }
        }
        Ok(counted)
    }

    /// Adds the numbers of all rows of the two versions.
    fn collect(&self, into: &mut [Counted], asked: &Asked, rows: &[Row], stretch: Stretch) -> Result<()> {
        let mut groups = BTreeSet::new();
        for row in rows {
            let facets = row.facets();
            let [version, instance, rest @ ..] = facets.as_slice() else {
                bail!("a row is of no version and instance, expected both in `facet`");
            };
            groups.insert(facets.clone());
            if groups.len() >= GROUPS {
                bail!(
                    "it has {GROUPS} versions, instances and groups or more, and may have left some out; tell fewer apart"
                );
            }
            let [stable, candidate] = &self.scope.versions;
            let side = match *version {
                version if version == stable => Side::Stable,
                version if version == candidate => Side::Candidate,
                _ => continue,
            };
            let who = Who {
                side,
                instance: (*instance).to_owned(),
                group: rest.first().copied().unwrap_or_default().to_owned(),
            };
            let Some(end) = interval(row, stretch)? else {
                continue;
            };
            for (place, counted) in into.iter_mut().enumerate() {
                match row.number(&column(place))? {
                    Some(value) if asked.counts => count(counted, who.clone(), end, value)?,
                    Some(value) => note(counted, who.clone(), end, value)?,
                    None => {}
                }
            }
        }
        Ok(())
    }

    /// The rows of each query.
    async fn ask(&self, queries: &[String]) -> Result<Vec<Vec<Row>>> {
        let asked = || format!("ask {} for {}", self.hosted.name, queries.join("; "));
        let request = self
            .hosted
            .client
            .post(self.hosted.endpoint(&["graphql"]))
            .header("API-Key", self.key.clone())
            .json(&body(self.account, queries));
        let answer: Answer = self.hosted.ask(request, complaint).await.with_context(asked)?;
        rows(answer, queries.len()).with_context(asked)
    }

    /// Everything that is measured, as queries: requests, errors, checks, gauges, then the latency.
    fn asked(&self) -> Vec<Asked> {
        let Measured {
            requests,
            errors,
            latency,
            gauges,
            checks,
        } = &self.measured;
        let grain = GRAIN.seconds();
        let grouped = Scope {
            by: self.scope.by.iter().cloned().chain(self.by.clone()).collect(),
            ..self.scope.clone()
        };
        let counted = |events: &Events, scope: &Scope| Asked {
            query: events.counted(scope, grain),
            numbers: 1,
            counts: true,
        };
        let highest = |gauge: &Gauge| Asked {
            query: gauge.highest(&self.scope, grain),
            numbers: 1,
            counts: false,
        };
        let up_to = |events: &Events| Asked {
            query: events.up_to(&self.duration, &self.bounds, &self.scope, grain),
            numbers: 1 + self.bounds.len(),
            counts: true,
        };
        [counted(requests, &grouped), counted(errors, &grouped)]
            .into_iter()
            .chain(checks.iter().flatten().map(|events| counted(events, &self.scope)))
            .chain(gauges.iter().map(highest))
            .chain(latency.iter().map(up_to))
            .collect()
    }
}

#[async_trait::async_trait]
impl Metrics for NewRelic {
    async fn samples(&self, from: Timestamp, to: Timestamp) -> Result<Samples> {
        let counted = self.counted(&self.asked(), from, to).await?;
        let counted = counted.into_iter().flatten().collect();
        self.measured
            .samples(counted, &self.bounds, |_, _, at_most| Ok(at_most))
    }

    fn has_past(&self) -> bool {
        true
    }

    fn grain(&self) -> Option<SignedDuration> {
        Some(GRAIN.span())
    }

    async fn probe(&self, now: Timestamp) -> Result<()> {
        self.fits(now).await
    }
}

/// Refuses a condition on the version.
fn check_free(events: &Events, version: &str) -> Result<()> {
    if events.names(version) {
        bail!("{events} has a condition on {version}; rollgate adds that itself");
    }
    Ok(())
}

/// The end of a row's interval; none if it is outside of what was asked for.
fn interval(row: &Row, stretch: Stretch) -> Result<Option<Timestamp>> {
    let (Some(begin), Some(end)) = (row.begin_time_seconds, row.end_time_seconds) else {
        bail!("a row has no interval, expected beginTimeSeconds and endTimeSeconds");
    };
    let grain = GRAIN.seconds() as f64;
    if (end - begin - grain).abs() > 0.001 {
        bail!(
            "it answered in intervals of {} s, expected {grain} s: it keeps these events no finer",
            end - begin
        );
    }
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, and is then outside of the stretch"
    )]
    let second = begin.round() as i64;
    stretch.end_of(second)
}

/// All queries in one GraphQL document, each as a field of its own.
fn body(account: i64, queries: &[String]) -> Value {
    let (mut arguments, mut fields) = (String::new(), String::new());
    let mut variables = BTreeMap::from([
        ("account".to_owned(), json!(account)),
        ("patience".to_owned(), json!(PATIENCE)),
    ]);
    for (place, query) in queries.iter().enumerate() {
        let name = field(place);
        // Writing to a text cannot fail.
        let _ = write!(arguments, ", ${name}: Nrql!");
        let _ = write!(
            fields,
            " {name}: nrql(query: ${name}, timeout: $patience) {{ results }}"
        );
        variables.insert(name, json!(query));
    }
    json!({
        "query": format!(
            "query($account: Int!, $patience: Seconds!{arguments}) {{ actor {{ account(id: $account) {{{fields} }} }} }}"
        ),
        "variables": variables,
    })
}
