//! What a page says of what is measured. Pure.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context as _, Result, bail};

use super::super::Selector;
use super::super::selector::NAME;
use super::super::selectors::Selectors;
use super::super::series::{Labels, check_count, key};
use super::page::Sample;

/// The values of the series that a selector means.
pub(super) type Chosen = Vec<(Labels, f64)>;

/// What a page said of interest.
#[derive(Debug, Default)]
pub(super) struct Seen {
    pub(super) requests: Chosen,
    pub(super) errors: Chosen,
    /// Each bucket of the histogram.
    pub(super) latency: Chosen,
    pub(super) gauges: Vec<Chosen>,
    pub(super) checks: Vec<[Chosen; 2]>,
    /// A sample of the requests' metric that the selector does not mean.
    pub(super) other: Option<Labels>,
    /// Names of all metrics, kept only if there are no requests: for the message.
    pub(super) names: BTreeSet<String>,
}

/// What `samples`, of the page of `instance`, say.
///
/// # Errors
///
/// A chosen sample of a counter is infinite or below zero, or one is there twice.
pub(super) fn seen(samples: &[Sample<'_>], selectors: &Selectors, instance: &str) -> Result<Seen> {
    let Selectors {
        requests,
        errors,
        by: _,
        latency,
        gauges,
        checks,
    } = selectors;
    let counter = |selector: &Selector| -> Result<Chosen> {
        let chosen = chosen(samples, selector, instance)?;
        for (labels, value) in &chosen {
            check_count(*value).with_context(|| key(labels))?;
        }
        Ok(chosen.into_iter().filter(|(_, value)| !value.is_nan()).collect())
    };
    let mut seen = Seen {
        requests: counter(requests)?,
        errors: counter(errors)?,
        latency: match latency {
            Some(latency) => counter(&latency.suffixed("_bucket"))?,
            None => Vec::new(),
        },
        gauges: gauges
            .iter()
            .map(|gauge| chosen(samples, gauge, instance))
            .collect::<Result<_>>()?,
        checks: checks
            .iter()
            .map(|[good, total]| Ok([counter(good)?, counter(total)?]))
            .collect::<Result<_>>()?,
        ..Seen::default()
    };
    if seen.requests.is_empty() {
        let other = samples
            .iter()
            .find(|sample| requests.metric() == Some(sample.name.as_ref()));
        seen.other = other.map(|sample| labels(sample, instance));
        seen.names = samples
            .iter()
            .map(|sample| sample.name.clone().into_owned())
            .collect();
    }
    Ok(seen)
}

fn chosen(samples: &[Sample<'_>], selector: &Selector, instance: &str) -> Result<Chosen> {
    let mut chosen = BTreeMap::new();
    for sample in samples {
        // Most lines of a page are other metrics.
        if selector.metric().is_some_and(|metric| metric != sample.name)
            || !selector.matches(|label| {
                if label == NAME {
                    Some(&*sample.name)
                } else {
                    sample.label(label)
                }
            })
        {
            continue;
        }
        let labels = labels(sample, instance);
        if let Some(twice) = chosen.insert(labels.clone(), sample.value) {
            bail!("{} stands there twice, once with {twice}", key(&labels));
        }
    }
    Ok(chosen.into_iter().collect())
}

/// As a Prometheus would store it: with the instance among the labels.
fn labels(sample: &Sample<'_>, instance: &str) -> Labels {
    let own = sample
        .labels
        .iter()
        .map(|(label, value)| (label.clone().into_owned(), value.clone().into_owned()));
    let known = [(NAME, sample.name.as_ref()), ("instance", instance)];
    own.chain(known.map(|(label, value)| (label.into(), value.into())))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::super::Measures;
    use super::super::page;
    use super::*;

    fn look(page: &str, requests: &str) -> Result<Seen> {
        seen(
            &page::samples(page.as_bytes())?,
            &Selectors::read(&Measures {
                requests: requests.into(),
                errors: "n{code=~\"5..\"}".into(),
                ..Measures::default()
            })?,
            "http://s1",
        )
    }

    #[test]
    fn series_are_chosen_and_named_after_their_page() {
        let seen = look(
            "n{code=\"200\"} 5\nn{code=\"500\"} 1\nn{code=\"404\"} NaN\nm 3\n",
            "n",
        )
        .unwrap();
        let keys: Vec<_> = seen
            .requests
            .iter()
            .map(|(labels, value)| (key(labels), *value))
            .collect();
        assert_eq!(
            keys,
            [
                (r#"n{code="200",instance="http://s1"}"#.to_owned(), 5.0),
                (r#"n{code="500",instance="http://s1"}"#.to_owned(), 1.0)
            ]
        );
        assert_eq!(seen.errors.len(), 1);
    }

    #[test]
    fn a_page_with_an_impossible_counter_is_refused() {
        for (page, expected) in [
            (
                "n{a=\"b\"} +Inf\n",
                r#"n{a="b",instance="http://s1"}: inf is no value of a counter"#,
            ),
            (
                "n{a=\"b\"} -1\n",
                r#"n{a="b",instance="http://s1"}: -1 is no value of a counter"#,
            ),
            (
                "n{a=\"b\"} 1\nn{a=\"b\"} 2\n",
                r#"n{a="b",instance="http://s1"} stands there twice, once with 1"#,
            ),
        ] {
            assert_eq!(format!("{:#}", look(page, "n").unwrap_err()), expected);
        }
        // Other metrics may be anything.
        look("m +Inf\nm +Inf\nn 1\n", "n").unwrap();
    }
}
