//! `/metrics` pages, one per instance: for a team without a metrics server.
//!
//! A page shows the present only. Its samples carry the end of the asked time, which the caller asks for
//! shortly after; the backend tells the version, the page's address the instance.
//!
//! **A page that fails.** A process that restarts has no page for a while: its series are absent from
//! those answers, and the next difference covers the gap. For [`PATIENCE`] after its last good answer a page
//! may fail. After that a missing page of the *candidate* fails every call (the rollout holds, and leaves
//! the candidate when it has been blind for too long), for what cannot be seen must not look healthy.
//! A missing page of the stable version only weakens the comparison, so there it takes all pages.
//!
//! **A page without the requests counter.** Labelled counters appear with their first request, so this is
//! no traffic yet, not an error, as long as a stable page has the counter.
//!
//! Source: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>

mod page;
mod seen;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result, anyhow, bail};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Client, Url, header};
use rollgate_domain::analysis::{Samples, Series, Side};
use tokio::task::JoinSet;

use self::seen::{Seen, seen};
use super::series::{check_errors, key, nothing};
use super::{Counters, Metrics, Selector, http};

/// Pages are made in memory and near: slower is broken.
pub(super) const TIMEOUT: Duration = Duration::from_secs(2);

/// Ten times a large page; a bound on memory.
const MAX_PAGE: usize = 16 << 20;

/// How long a page may fail before it counts: four looks, enough for a process to restart.
const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// Two counters on the pages of two backends.
pub struct Scrape {
    client: Client,
    pages: Vec<Page>,
    counters: Counters,
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
        counters: &Counters,
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
            counters: counters.clone(),
            timeout,
            good: Mutex::default(),
        })
    }

    /// All pages at once, in the plan's order.
    async fn read_all(&self) -> Answers {
        let mut tasks = JoinSet::new();
        for (index, page) in self.pages.iter().cloned().enumerate() {
            let (client, counters, timeout) = (self.client.clone(), self.counters.clone(), self.timeout);
            tasks.spawn(async move {
                let seen = read(&client, &page, &counters, timeout).await;
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
            return Ok(Samples {
                requests: Vec::new(),
                errors: Vec::new(),
            });
        }
        let answers = self.read_all().await;
        let answers = {
            let mut good = self.good.lock().unwrap_or_else(PoisonError::into_inner);
            forgive(answers, &mut good, to)?
        };
        check_requests(&answers, &self.counters.requests)?;
        to_samples(answers, to)
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
        check_requests(&answers, &self.counters.requests)?;
        let labels = |(_, seen): &(Page, Seen)| {
            seen.requests
                .iter()
                .map(|(labels, _)| labels.clone())
                .collect::<Vec<_>>()
        };
        check_errors(
            &self.counters.requests,
            &self.counters.errors,
            &answers.iter().flat_map(labels).collect::<Vec<_>>(),
        )
    }
}

async fn read(client: &Client, page: &Page, counters: &Counters, timeout: Duration) -> Result<Seen> {
    let request = client
        .get(page.url.clone())
        .header(header::ACCEPT, "text/plain; version=0.0.4");
    let reply = http::fetch(request, MAX_PAGE, timeout).await?;
    if !reply.status.is_success() {
        return Err(reply.refusal(&http::quote(&reply.body)));
    }
    seen(&page::samples(&reply.body)?, counters, &page.shown)
}

/// Leaves out pages that may fail for now.
///
/// # Errors
///
/// A candidate's page has failed for longer than [`PATIENCE`], or all pages of a side fail.
fn forgive(
    answers: Answers,
    good: &mut BTreeMap<String, Timestamp>,
    now: Timestamp,
) -> Result<Vec<(Page, Seen)>> {
    let mut well = Vec::new();
    let mut failed = Vec::new();
    let mut too_long = false;
    for (page, answer) in answers {
        let last = good.entry(page.shown.clone()).or_insert(now);
        match answer {
            Ok(seen) => {
                *last = now;
                well.push((page, seen));
            }
            Err(error) => {
                too_long |= page.side == Side::Candidate && now.duration_since(*last) > PATIENCE;
                failed.push((page, error));
            }
        }
    }
    let dark = [Side::Stable, Side::Candidate]
        .into_iter()
        .find(|side| well.iter().all(|(page, _)| page.side != *side));
    if dark.is_none() && !too_long {
        return Ok(well);
    }
    let side = dark.unwrap_or(Side::Candidate);
    failed.retain(|(page, _)| page.side == side);
    let of = well.iter().filter(|(page, _)| page.side == side).count() + failed.len();
    let side = if side == Side::Stable {
        "stable"
    } else {
        "candidate"
    };
    Err(failures(&failed, of, side))
}

/// One error for several pages: the first in full, the others by name.
fn failures(failed: &[(Page, anyhow::Error)], of: usize, side: &str) -> anyhow::Error {
    let Some((_, first)) = failed.first() else {
        return anyhow!("no page of the {side} version was read");
    };
    let mut text = format!(
        "{} of {of} pages of the {side} version cannot be read: {first:#}",
        failed.len()
    );
    for (index, (page, _)) in failed[1..].iter().enumerate() {
        let _ = write!(text, "{} {}", if index == 0 { "; also" } else { "," }, page.shown);
    }
    anyhow!(text)
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

fn to_samples(answers: Vec<(Page, Seen)>, to: Timestamp) -> Result<Samples> {
    let mut samples = Samples {
        requests: Vec::new(),
        errors: Vec::new(),
    };
    for (
        page,
        Seen {
            requests,
            errors,
            other: _,
            names: _,
        },
    ) in answers
    {
        for (found, series) in [(requests, &mut samples.requests), (errors, &mut samples.errors)] {
            series.extend(found.into_iter().map(|(labels, value)| Series {
                key: key(&labels),
                instance: page.shown.clone(),
                side: page.side,
                points: vec![(to, value)],
            }));
        }
    }
    Ok(samples)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STABLE: [&str; 2] = ["http://s1/metrics", "http://s2/metrics"];
    const CANDIDATE: [&str; 3] = ["http://c1/metrics", "http://c2/metrics", "http://c3/metrics"];

    fn counters(requests: &str, errors: &str) -> Counters {
        Counters {
            requests: requests.parse().unwrap(),
            errors: errors.parse().unwrap(),
        }
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Every page, those in `down` failing.
    fn answers(down: &[&str]) -> Answers {
        let sides = [(Side::Stable, &STABLE[..]), (Side::Candidate, &CANDIDATE[..])];
        let page = |side, url: &&str| Page {
            url: Url::parse(url).unwrap(),
            shown: (*url).into(),
            side,
        };
        let pages = sides
            .into_iter()
            .flat_map(|(side, urls)| urls.iter().map(move |url| page(side, url)));
        pages
            .map(|page| {
                let answer = if down.contains(&page.shown.as_str()) {
                    Err(anyhow!("gone").context(format!("scrape {}", page.shown)))
                } else {
                    Ok(Seen::default())
                };
                (page, answer)
            })
            .collect()
    }

    #[test]
    fn a_misspelt_counter_brings_its_neighbours() {
        let read = |text: &str, requests: &str| {
            seen(
                &page::samples(text.as_bytes()).unwrap(),
                &counters(requests, "e"),
                "http://s1",
            )
            .unwrap()
        };
        let page = |text: &str, requests: &str| {
            let page = Page {
                url: Url::parse(STABLE[0]).unwrap(),
                shown: STABLE[0].into(),
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
    fn a_candidate_page_may_fail_for_a_minute_and_no_longer() {
        let mut good = BTreeMap::new();
        let mut read = |second, down: &[&str]| {
            forgive(answers(down), &mut good, at(second))
                .map(|well| well.len())
                .map_err(|error| error.to_string())
        };
        assert_eq!(read(0, &[]), Ok(5));
        assert_eq!(read(15, &["http://c2/metrics"]), Ok(4));
        assert_eq!(read(60, &["http://c2/metrics"]), Ok(4));
        assert_eq!(
            read(61, &["http://c2/metrics", "http://c3/metrics"]).unwrap_err(),
            "2 of 3 pages of the candidate version cannot be read: scrape http://c2/metrics: gone; also http://c3/metrics"
        );
        assert_eq!(read(75, &[]), Ok(5));
        assert_eq!(read(135, &["http://c2/metrics"]), Ok(4));
        assert!(read(136, &["http://c2/metrics"]).is_err());
    }

    #[test]
    fn a_page_that_never_answered_is_forgiven_as_long() {
        let mut good = BTreeMap::new();
        assert!(forgive(answers(&["http://c1/metrics"]), &mut good, at(0)).is_ok());
        assert!(forgive(answers(&["http://c1/metrics"]), &mut good, at(60)).is_ok());
        assert!(forgive(answers(&["http://c1/metrics"]), &mut good, at(75)).is_err());
    }

    #[test]
    fn one_stable_page_is_enough_and_none_is_not() {
        let mut good = BTreeMap::new();
        for second in [0, 1000, 2000] {
            assert_eq!(
                forgive(answers(&["http://s1/metrics"]), &mut good, at(second))
                    .unwrap()
                    .len(),
                4
            );
        }
        assert_eq!(
            forgive(answers(&STABLE), &mut good, at(2001))
                .map(|_| ())
                .unwrap_err()
                .to_string(),
            "2 of 2 pages of the stable version cannot be read: scrape http://s1/metrics: gone; also http://s2/metrics"
        );
        assert!(forgive(answers(&CANDIDATE), &mut BTreeMap::new(), at(0)).is_err());
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
            let counters = counters("n", "n{code=~\"5..\"}");
            let source = Scrape::new(&pages.collect(), &counters, "blue", "green", TIMEOUT);
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
