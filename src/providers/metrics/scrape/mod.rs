//! `/metrics` pages, one per instance: for a team without a metrics server.
//!
//! A page shows the present only. Its samples carry the end of the asked time, which the caller asks for
//! shortly after; the backend tells the version, the page's address the instance.
//!
//! **A page that fails.** A process that restarts has no page for a while: its series are absent from
//! those answers, and the next difference covers the gap. For [`PATIENCE`](patience::PATIENCE) after its last good answer a page
//! may fail. After that a missing page of the *candidate* fails every call (the rollout holds, and leaves
//! the candidate when it has been blind for too long), for what cannot be seen must not look healthy.
//! A missing page of the stable version only weakens the comparison, so there it takes all pages.
//!
//! **A page without the requests counter.** Labelled counters appear with their first request, so this is
//! no traffic yet, not an error, as long as a stable page has the counter.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

mod page;
mod patience;
mod seen;

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use reqwest::{Client, Url, header};
use rollgate_domain::analysis::{CheckSamples, Samples, Series, Side};
use tokio::task::JoinSet;

use self::patience::forgive;
use self::seen::{Chosen, Seen, seen};
use super::histogram::{Bucket, histograms};
use super::selectors::Selectors;
use super::series::{check_errors, key, nothing};
use super::{Measures, Metrics, Selector, http};

/// Pages are made in memory and near: slower is broken.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

/// Ten times a large page; a bound on memory.
const MAX_PAGE: usize = 16 << 20;

/// Counters, histograms and gauges on the pages of two backends.
pub struct Scrape {
    client: Client,
    pages: Vec<Page>,
    selectors: Selectors,
    timeout: Duration,
    /// When each page last answered well, or was first asked.
    good: Mutex<BTreeMap<String, Timestamp>>,
}

#[derive(Clone)]
struct Page {
    url: Url,
    /// The address as it may be printed; names the instance.
    shown: String,
    side: Side,
}

type Answers = Vec<(Page, Result<Seen>)>;

impl Scrape {
    /// A source that reads the pages of the backends `stable` and `candidate`, all at once, each within `timeout`.
    ///
    /// # Errors
    ///
    /// A backend has no pages, an address is none, or a page belongs to both.
    pub fn new(
        pages: &BTreeMap<String, Vec<String>>,
        measures: &Measures,
        stable: &str,
        candidate: &str,
        timeout: Duration,
    ) -> Result<Self> {
        let mut checked: Vec<Page> = Vec::new();
        for (backend, side) in [(stable, Side::Stable), (candidate, Side::Candidate)] {
            let urls = pages.get(backend).filter(|urls| !urls.is_empty());
            for url in urls.with_context(|| format!("backend {backend} has no page to scrape"))? {
                let url = http::address(url).with_context(|| format!("page of backend {backend}"))?;
                let shown = http::shown(&url);
                if checked.iter().any(|page| page.shown == shown) {
                    bail!("page {shown} is listed twice; each page must belong to one instance");
                }
                checked.push(Page { url, shown, side });
            }
        }
        Ok(Self {
            client: http::client(timeout)?,
            pages: checked,
            selectors: Selectors::read(measures)?,
            timeout,
            good: Mutex::default(),
        })
    }

    /// All pages at once, in the plan's order.
    async fn read_all(&self) -> Answers {
        let mut tasks = JoinSet::new();
        for (index, page) in self.pages.iter().cloned().enumerate() {
            let (client, selectors, timeout) = (self.client.clone(), self.selectors.clone(), self.timeout);
            tasks.spawn(async move {
                let seen = read(&client, &page, &selectors, timeout).await;
                let asked = || format!("scrape {}", page.shown);
                (index, seen.with_context(asked))
            });
        }
        let mut answers: Vec<_> = tasks.join_all().await;
        answers.sort_by_key(|(index, _)| *index);
        self.pages
            .iter()
            .cloned()
            .zip(answers.into_iter().map(|(_, seen)| seen))
            .collect()
    }
}

#[async_trait::async_trait]
impl Metrics for Scrape {
    async fn samples(&self, from: Timestamp, to: Timestamp) -> Result<Samples> {
        if from >= to {
            return Ok(Samples::default());
        }
        let answers = self.read_all().await;
        let answers = {
            let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
            forgive(answers, &mut good, to)?
        };
        check_requests(&answers, &self.selectors.requests)?;
        self.to_samples(answers, to)
    }

    fn has_past(&self) -> bool {
        false
    }

    /// Every page must answer now: what is misspelt in the plan never will.
    async fn probe(&self, _now: Timestamp) -> Result<()> {
        let answers = self.read_all().await;
        let answers: Vec<_> = answers
            .into_iter()
            .map(|(page, seen)| Ok((page, seen?)))
            .collect::<Result<_>>()?;
        check_requests(&answers, &self.selectors.requests)?;
        let labels = |(_, seen): &(Page, Seen)| {
            seen.requests
                .iter()
                .map(|(labels, _)| labels.clone())
                .collect::<Vec<_>>()
        };
        check_errors(
            &self.selectors.requests,
            &self.selectors.errors,
            &answers.iter().flat_map(labels).collect::<Vec<_>>(),
        )
    }
}

async fn read(client: &Client, page: &Page, selectors: &Selectors, timeout: Duration) -> Result<Seen> {
    let request = client
        .get(page.url.clone())
        .header(header::ACCEPT, "text/plain; version=0.0.4");
    let reply = http::fetch(request, MAX_PAGE, timeout).await?;
    if !reply.status.is_success() {
        return Err(reply.refusal(&http::quote(&reply.body)));
    }
    seen(&page::samples(&reply.body)?, selectors, &page.shown)
}

/// Refuses pages of which no stable one has the requests counter: a misspelt name looks like silence.
fn check_requests(answers: &[(Page, Seen)], requests: &Selector) -> Result<()> {
    if answers
        .iter()
        .any(|(page, seen)| page.side == Side::Stable && !seen.requests.is_empty())
    {
        return Ok(());
    }
    let stable = || answers.iter().filter(|(page, _)| page.side == Side::Stable);
    let other = stable().find_map(|(_, seen)| seen.other.as_ref());
    let names = stable().flat_map(|(_, seen)| &seen.names).cloned().collect();
    let pages: Vec<_> = stable().map(|(page, _)| page.shown.as_str()).collect();
    bail!("{}: {}", pages.join(", "), nothing(requests, other, &names));
}

impl Scrape {
    fn to_samples(&self, answers: Vec<(Page, Seen)>, to: Timestamp) -> Result<Samples> {
        let mut samples = Samples {
            checks: vec![CheckSamples::default(); self.selectors.checks.len()],
            gauges: vec![Vec::new(); self.selectors.gauges.len()],
            ..Samples::default()
        };
        let mut buckets = Vec::new();
        for (page, seen) in answers {
            let Seen {
                requests,
                errors,
                latency,
                gauges,
                checks,
                other: _,
                names: _,
            } = seen;
            let put = |found: Chosen, into: &mut Vec<Series>| {
                into.extend(
                    found
                        .into_iter()
                        .map(|(labels, value)| self.series(&page, &labels, (to, value))),
                );
            };
            put(requests, &mut samples.requests);
            put(errors, &mut samples.errors);
            for (found, into) in gauges.into_iter().zip(&mut samples.gauges) {
                put(found, into);
            }
            for ([good, total], into) in checks.into_iter().zip(&mut samples.checks) {
                put(good, &mut into.good);
                put(total, &mut into.total);
            }
            buckets.extend(latency.into_iter().map(|(labels, value)| Bucket {
                labels,
                instance: page.shown.clone(),
                side: page.side,
                points: vec![(to, value)],
            }));
        }
        samples.latency = histograms(buckets)?;
        Ok(samples)
    }

    fn series(&self, page: &Page, labels: &super::series::Labels, point: (Timestamp, f64)) -> Series {
        let group = self.selectors.by.as_ref().and_then(|by| labels.get(by));
        Series {
            key: key(labels),
            instance: page.shown.clone(),
            side: page.side,
            group: group.cloned().unwrap_or_default(),
            points: vec![point],
            ..Series::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measures(requests: &str, errors: &str) -> Measures {
        Measures {
            requests: requests.into(),
            errors: errors.into(),
            ..Measures::default()
        }
    }

    #[test]
    fn a_misspelt_counter_brings_its_neighbours() {
        let read = |text: &str, requests: &str| {
            seen(
                &page::samples(text.as_bytes()).unwrap(),
                &Selectors::read(&measures(requests, "e")).unwrap(),
                "http://s1",
            )
            .unwrap()
        };
        let page = |text: &str, requests: &str| {
            let page = Page {
                url: Url::parse("http://s1/metrics").unwrap(),
                shown: "http://s1/metrics".into(),
                side: Side::Stable,
            };
            let answers = [(page, read(text, requests))];
            check_requests(&answers, &requests.parse().unwrap()).map_err(|error| error.to_string())
        };
        let text = "http_requests_total{service=\"shop\"} 5\nup 1\n";
        assert_eq!(page(text, "http_requests_total"), Ok(()));
        assert_eq!(
            page(text, "http_request_total").unwrap_err(),
            "http://s1/metrics: there is no metric http_request_total; did you mean http_requests_total?"
        );
        assert_eq!(
            page(text, "http_requests_total{service=\"shop-api\"}").unwrap_err(),
            "http://s1/metrics: http_requests_total is there, but nothing matches http_requests_total{service=\"shop-api\"}; \
             one of its series is http_requests_total{instance=\"http://s1\",service=\"shop\"}"
        );
    }

    #[test]
    fn pages_that_do_not_tell_the_sides_apart_are_refused() {
        let new = |pages: &[(&str, &[&str])]| {
            let pages = pages.iter().map(|(backend, urls)| {
                (
                    (*backend).to_owned(),
                    urls.iter().map(|url| (*url).to_owned()).collect(),
                )
            });
            let measures = measures("n", "n{code=~\"5..\"}");
            let source = Scrape::new(&pages.collect(), &measures, "blue", "green", TIMEOUT);
            source
                .map(|_| ())
                .map_err(|error| format!("{error:#}"))
                .unwrap_err()
        };
        assert_eq!(
            new(&[("blue", &["http://a"])]),
            "backend green has no page to scrape"
        );
        assert_eq!(
            new(&[("blue", &["http://a"]), ("green", &[])]),
            "backend green has no page to scrape"
        );
        assert_eq!(
            new(&[("blue", &["http://a"]), ("green", &["http://x:y@a"])]),
            "page http://a is listed twice; each page must belong to one instance"
        );
        assert_eq!(
            new(&[("blue", &["a:1"]), ("green", &["http://b"])]),
            "page of backend blue: the address begins with a:, expected http:// or https://"
        );
    }
}
