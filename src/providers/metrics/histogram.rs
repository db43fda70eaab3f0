//! The series of a classic histogram, one for each bucket, become one distribution at each moment. Pure.
//!
//! Source: <https://prometheus.io/docs/concepts/metric_types/#histogram>

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use jiff::Timestamp;
use rollgate_domain::analysis::{Distribution, Histogram, Side};

use super::series::{Labels, key};

/// The label of a bucket's upper bound.
const BOUND: &str = "le";

/// One bucket's series.
pub(super) struct Bucket {
    pub(super) labels: Labels,
    pub(super) instance: String,
    pub(super) side: Side,
    pub(super) points: Vec<(Timestamp, f64)>,
}

/// At one moment: all, where the bucket without a bound says so, and the counts up to each bound.
#[derive(Default)]
struct Moment {
    total: Option<f64>,
    at_most: Vec<(f64, f64)>,
}

/// Histograms in the order of their names. A moment at which the bucket without a bound has no sample tells nothing.
///
/// # Errors
///
/// A series has no bound, or one that is no number.
pub(super) fn histograms(buckets: Vec<Bucket>) -> Result<Vec<Histogram>> {
    let mut found: BTreeMap<String, (String, Side, BTreeMap<Timestamp, Moment>)> = BTreeMap::new();
    for bucket in buckets {
        let Bucket {
            mut labels,
            instance,
            side,
            points,
        } = bucket;
        let Some(bound) = labels.remove(BOUND) else {
            bail!(
                "{} has no label {BOUND}: it is no bucket of a histogram",
                key(&labels)
            );
        };
        let bound: f64 = match bound.as_str() {
            "+Inf" => f64::INFINITY,
            text => text
                .parse()
                .with_context(|| format!("{}: read the bound {text:?}", key(&labels)))?,
        };
        let (_, _, moments) = found
            .entry(key(&labels))
            .or_insert_with(|| (instance, side, BTreeMap::new()));
        for (time, count) in points {
            let moment = moments.entry(time).or_default();
            if bound.is_infinite() {
                moment.total = Some(count);
            } else {
                moment.at_most.push((bound, count));
            }
        }
    }
    let histogram = |(key, (instance, side, moments)): (String, (String, Side, BTreeMap<_, Moment>))| {
        let points = moments.into_iter().filter_map(|(time, moment)| {
            let total = moment.total.filter(|total| total.is_finite())?;
            Some((time, Distribution::new(total, moment.at_most)))
        });
        Histogram {
            key,
            instance,
            side,
            points: points.collect(),
            ..Histogram::default()
        }
    };
    Ok(found.into_iter().map(histogram).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn bucket(bound: Option<&str>, points: &[(i64, f64)]) -> Bucket {
        let labels = [("__name__", "t_bucket"), ("path", "/")];
        let labels = labels.into_iter().chain(bound.map(|bound| ("le", bound)));
        Bucket {
            labels: labels
                .map(|(label, value)| (label.to_owned(), value.to_owned()))
                .collect(),
            instance: "a".to_owned(),
            side: Side::Candidate,
            points: points
                .iter()
                .map(|(second, value)| (at(*second), *value))
                .collect(),
        }
    }

    #[test]
    fn buckets_become_one_distribution_at_each_moment() {
        let found = histograms(vec![
            bucket(Some("0.1"), &[(1, 3.0), (2, 4.0)]),
            bucket(Some("+Inf"), &[(1, 5.0), (2, 9.0), (3, 9.0)]),
            bucket(Some("0.5"), &[(1, 5.0), (2, 8.0)]),
        ])
        .unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].key.as_str(), found[0].instance.as_str()),
            (r#"t_bucket{path="/"}"#, "a")
        );
        assert_eq!(
            found[0].points,
            [
                (at(1), Distribution::new(5.0, [(0.1, 3.0), (0.5, 5.0)])),
                (at(2), Distribution::new(9.0, [(0.1, 4.0), (0.5, 8.0)])),
                (at(3), Distribution::new(9.0, [])),
            ]
        );
    }

    #[test]
    fn without_a_bound_it_is_no_histogram() {
        let refused = |bucket| format!("{:#}", histograms(vec![bucket]).unwrap_err());
        assert_eq!(
            refused(bucket(None, &[(1, 3.0)])),
            r#"t_bucket{path="/"} has no label le: it is no bucket of a histogram"#
        );
        assert_eq!(
            refused(bucket(Some("slow"), &[(1, 3.0)])),
            r#"t_bucket{path="/"}: read the bound "slow": invalid float literal"#
        );
        // Without the bucket of all a moment tells nothing.
        let found = histograms(vec![bucket(Some("0.1"), &[(1, 3.0)])]).unwrap();
        assert_eq!(found[0].points, []);
    }
}
