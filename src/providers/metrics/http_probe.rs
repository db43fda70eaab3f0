//! Requests of our own, where nothing counts those of the users: sent all the time, each of them right or wrong.
//!
//! They have no past. They show that a version answers, and how fast, not that it does what its users want.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use reqwest::{Client, Url};
use rollgate_domain::analysis::{Distribution, Histogram, Samples, Series, Side};
use tokio::task::JoinSet;
use tokio::time::{Instant, MissedTickBehavior, interval};

use super::{Measures, Metrics, http};

/// Whoever waits longer has gone.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// Room for a large page; a bound on memory.
const MAX_ANSWER: usize = 4 << 20;

/// The bounds in each power of ten: those that people choose as limits are among them.
const STEPS: [f64; 11] = [1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0];

/// What a good answer is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expect {
    /// By default any 2xx.
    pub status: Option<u16>,
    /// Headers with their whole values.
    pub header: BTreeMap<String, String>,
    /// A part of the body.
    pub body_contains: Option<String>,
}

/// How many requests one probe may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tries {
    /// So many must be answered as expected, 1 or more.
    pub good: u32,
    /// Of so many, sent one after another; not fewer than `good`.
    pub of: u32,
}

/// Asks the addresses of two backends again and again.
pub struct HttpProbe {
    client: Client,
    targets: Vec<Target>,
    every: Duration,
    expect: Arc<Expect>,
    tries: Tries,
    timeout: Duration,
    /// One for each target as soon as somebody wants to know; they end with us.
    tasks: Mutex<JoinSet<()>>,
}

#[derive(Clone)]
struct Target {
    url: Url,
    /// The address as it may be printed; names the instance.
    shown: String,
    side: Side,
    seen: Arc<Mutex<Seen>>,
}

/// What one target did since we began.
#[derive(Default)]
struct Seen {
    sent: f64,
    failed: f64,
    at_most: BTreeMap<usize, f64>,
}

impl HttpProbe {
    /// A source that asks each of `targets` of the backends `stable` and `candidate` once `every` so often.
    ///
    /// # Errors
    ///
    /// A backend has no target, an address is none, or something is to be measured that an answer does not tell.
    pub fn new(
        targets: &BTreeMap<String, Vec<String>>,
        every: Duration,
        (expect, tries): (&Expect, Tries),
        measures: &Measures,
        (stable, candidate): (&str, &str),
        timeout: Duration,
    ) -> Result<Self> {
        if measures.by.is_some() || !measures.gauges.is_empty() || !measures.checks.is_empty() {
            bail!(
                "probes know neither gauges nor checks, nor errors by a label; that takes a source that has them"
            );
        }
        let mut checked = Vec::new();
        for (backend, side) in [(stable, Side::Stable), (candidate, Side::Candidate)] {
            let urls = targets.get(backend).filter(|urls| !urls.is_empty());
            for url in urls.with_context(|| format!("backend {backend} has no target to probe"))? {
                let url = http::address(url).with_context(|| format!("target of backend {backend}"))?;
                checked.push(Target {
                    shown: http::shown(&url),
                    url,
                    side,
                    seen: Arc::default(),
                });
            }
        }
        Ok(Self {
            client: http::client(timeout)?,
            targets: checked,
            every,
            expect: Arc::new(expect.clone()),
            tries,
            timeout,
            tasks: Mutex::default(),
        })
    }

    /// Sends on until we are dropped.
    fn begin(&self) {
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        if !tasks.is_empty() {
            return;
        }
        for target in self.targets.iter().cloned() {
            let (client, expect) = (self.client.clone(), Arc::clone(&self.expect));
            let (tries, timeout) = (self.tries, self.timeout);
            let mut ticks = interval(self.every);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
            tasks.spawn(async move {
                loop {
                    ticks.tick().await;
                    let (took, good) = tries
                        .settle(|| async {
                            let began = Instant::now();
                            let answer = ask(&client, &target.url, &expect, timeout).await;
                            (began.elapsed(), answer.is_ok())
                        })
                        .await;
                    let mut seen = target.seen.lock().unwrap_or_else(PoisonError::into_inner);
                    seen.add(took, good);
                }
            });
        }
    }
}

impl Tries {
    /// Asks until it is settled. The probe took as long as the request that settled it.
    async fn settle<F: Future<Output = (Duration, bool)>>(self, ask: impl Fn() -> F) -> (Duration, bool) {
        let (mut good, mut bad) = (0, 0);
        loop {
            let (took, right) = ask().await;
            if right {
                good += 1;
            } else {
                bad += 1;
            }
            if good >= self.good {
                return (took, true);
            }
            if bad > self.of.saturating_sub(self.good) {
                return (took, false);
            }
        }
    }
}

/// Nothing, if the answer is as it is expected.
async fn ask(client: &Client, url: &Url, expect: &Expect, timeout: Duration) -> Result<()> {
    let reply = http::fetch(client.get(url.clone()), MAX_ANSWER, timeout).await?;
    let right = match expect.status {
        Some(status) => reply.status.as_u16() == status,
        None => reply.status.is_success(),
    };
    if !right {
        bail!("it answered {}: {}", reply.status, http::quote(&reply.body));
    }
    for (name, value) in &expect.header {
        let found = reply
            .headers
            .get(name)
            .map(|found| String::from_utf8_lossy(found.as_bytes()));
        if found.as_deref() != Some(value) {
            let found = found.as_deref().unwrap_or("nothing");
            bail!(
                "its header {name} is {}, expected {value}",
                http::quote(found.as_bytes())
            );
        }
    }
    if let Some(part) = &expect.body_contains
        && !String::from_utf8_lossy(&reply.body).contains(part.as_str())
    {
        bail!("its body does not contain {part:?}: {}", http::quote(&reply.body));
    }
    Ok(())
}

/// Rising, in seconds, from a millisecond on.
fn bounds() -> impl Iterator<Item = f64> {
    [1000.0, 100.0, 10.0, 1.0]
        .into_iter()
        .flat_map(|part| STEPS.map(|step| step / part))
}

impl Seen {
    fn add(&mut self, took: Duration, good: bool) {
        self.sent += 1.0;
        self.failed += if good { 0.0 } else { 1.0 };
        for (place, bound) in bounds().enumerate() {
            if took.as_secs_f64() <= bound {
                *self.at_most.entry(place).or_default() += 1.0;
            }
        }
    }

    fn distribution(&self) -> Distribution {
        let count = |place: usize| self.at_most.get(&place).copied().unwrap_or_default();
        let known = bounds().enumerate().map(|(place, bound)| (bound, count(place)));
        Distribution::new(self.sent, known.collect::<Vec<_>>())
    }
}

#[async_trait::async_trait]
impl Metrics for HttpProbe {
    async fn samples(&self, from: Timestamp, to: Timestamp) -> Result<Samples> {
        let mut samples = Samples::default();
        if from >= to {
            return Ok(samples);
        }
        self.begin();
        for target in &self.targets {
            let seen = target.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let series = |count| Series {
                key: target.shown.clone(),
                instance: target.shown.clone(),
                side: target.side,
                points: vec![(to, count)],
                ..Series::default()
            };
            samples.requests.push(series(seen.sent));
            samples.errors.push(series(seen.failed));
            samples.latency.push(Histogram {
                key: target.shown.clone(),
                instance: target.shown.clone(),
                side: target.side,
                points: vec![(to, seen.distribution())],
                ..Histogram::default()
            });
        }
        Ok(samples)
    }

    fn has_past(&self) -> bool {
        false
    }

    /// Stable must be as it is expected now: what is misspelt in the plan never will.
    async fn probe(&self, _now: Timestamp) -> Result<()> {
        for target in self.targets.iter().filter(|target| target.side == Side::Stable) {
            ask(&self.client, &target.url, &self.expect, self.timeout)
                .await
                .with_context(|| format!("probe {}, of stable", target.shown))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// What follows when the answers are good (`+`) or not (`-`), and how many were asked for.
    async fn settled(good: u32, of: u32, answers: &str) -> (bool, usize) {
        let asked = AtomicUsize::new(0);
        let (took, good) = Tries { good, of }
            .settle(|| async {
                let place = asked.fetch_add(1, Ordering::Relaxed);
                let answer = answers.as_bytes()[place];
                (Duration::from_secs(place as u64), answer == b'+')
            })
            .await;
        let asked = asked.into_inner();
        assert_eq!(took.as_secs() as usize + 1, asked, "the last one says how long");
        (good, asked)
    }

    #[tokio::test]
    async fn so_many_of_so_many_answers_make_a_good_probe() {
        for (good, of, answers, expected) in [
            (1, 1, "+", (true, 1)),
            (1, 1, "-", (false, 1)),
            (1, 3, "--+", (true, 3)),
            (1, 3, "---", (false, 3)),
            (2, 3, "++", (true, 2)),
            (2, 3, "+-+", (true, 3)),
            (2, 3, "--", (false, 2)),
            (3, 3, "++-", (false, 3)),
        ] {
            assert_eq!(
                settled(good, of, answers).await,
                expected,
                "{good} of {of}: {answers}"
            );
        }
    }
}
