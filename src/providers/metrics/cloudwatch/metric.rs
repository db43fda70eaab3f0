//! What a plan says of a metric, and the query that becomes of it. Pure.
//!
//! Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_MetricStat.html>

use std::fmt;

use anyhow::{Context as _, Result, bail};
use serde_json::{Value, json};

/// A metric and all of its dimensions but the version's, as the plan has them: `Requests{Service=shop-api}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Metric {
    pub(super) name: String,
    pub(super) dimensions: Vec<(String, String)>,
}

/// What is asked of a metric in each period.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stat {
    /// A counter's events.
    Sum,
    /// A gauge's highest value.
    Maximum,
    /// How many values there are.
    SampleCount,
    /// How many percent of the values are at most so much.
    AtMost(f64),
}

/// CloudWatch allows no more; one is the version's.
const MOST_DIMENSIONS: usize = 29;

impl Metric {
    /// # Errors
    ///
    /// `text` is no metric with its dimensions.
    pub(super) fn read(text: &str) -> Result<Self> {
        const EXPECTED: &str = "expected a metric and all its dimensions but the version's, such as \
             Requests{Service=shop-api}";
        let text = text.trim();
        let (name, rest) = match text.split_once('{') {
            Some((name, rest)) => (name.trim(), Some(rest)),
            None => (text, None),
        };
        if name.is_empty() || !name.is_ascii() || name.len() > 255 {
            bail!("{text:?} names no metric, {EXPECTED}");
        }
        let mut dimensions = Vec::new();
        if let Some(rest) = rest {
            let inside = rest
                .strip_suffix('}')
                .with_context(|| format!("{text} does not end with a brace, {EXPECTED}"))?;
            for part in inside.split(',').map(str::trim).filter(|part| !part.is_empty()) {
                let (key, value) = part
                    .split_once('=')
                    .with_context(|| format!("{part} in {text} is no dimension, {EXPECTED}"))?;
                let (key, value) = (key.trim(), value.trim().trim_matches('"'));
                if key.is_empty() || value.is_empty() {
                    bail!("{part} in {text} is no dimension, {EXPECTED}");
                }
                if dimensions.iter().any(|(known, _)| known == key) {
                    bail!("{text} has the dimension {key} twice, {EXPECTED}");
                }
                dimensions.push((key.to_owned(), value.to_owned()));
            }
        }
        if dimensions.len() > MOST_DIMENSIONS {
            bail!("{text} has more than {MOST_DIMENSIONS} dimensions, {EXPECTED}");
        }
        Ok(Self {
            name: name.to_owned(),
            dimensions,
        })
    }

    pub(super) fn names(&self, dimension: &str) -> bool {
        self.dimensions.iter().any(|(name, _)| name == dimension)
    }

    /// One query of `GetMetricData`, for one version.
    pub(super) fn query(
        &self,
        id: &str,
        namespace: &str,
        version: (&str, &str),
        stat: Stat,
        period: i64,
    ) -> Value {
        let own = self
            .dimensions
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let dimensions: Vec<_> = own
            .chain([version])
            .map(|(name, value)| json!({ "Name": name, "Value": value }))
            .collect();
        json!({
            "Id": id,
            "MetricStat": {
                "Metric": { "Namespace": namespace, "MetricName": self.name, "Dimensions": dimensions },
                "Period": period,
                "Stat": stat.to_string(),
            },
            "ReturnData": true,
        })
    }
}

/// As CloudWatch writes it.
///
/// Source: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/Statistics-definitions.html>
impl fmt::Display for Stat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sum => f.write_str("Sum"),
            Self::Maximum => f.write_str("Maximum"),
            Self::SampleCount => f.write_str("SampleCount"),
            Self::AtMost(bound) => write!(f, "PR(:{bound})"),
        }
    }
}

impl fmt::Display for Metric {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let dimensions: Vec<_> = self
            .dimensions
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        write!(f, "{}{{{}}}", self.name, dimensions.join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_becomes_a_query_of_one_version() {
        let metric = Metric::read("Requests{Service=shop-api, Stage=\"prod\"}").unwrap();
        assert_eq!(metric.to_string(), "Requests{Service=shop-api,Stage=prod}");
        assert_eq!(
            metric.query("m0", "Shop", ("Version", "v1"), Stat::AtMost(0.25), 60),
            json!({
                "Id": "m0",
                "MetricStat": {
                    "Metric": {
                        "Namespace": "Shop", "MetricName": "Requests",
                        "Dimensions": [
                            { "Name": "Service", "Value": "shop-api" },
                            { "Name": "Stage", "Value": "prod" },
                            { "Name": "Version", "Value": "v1" },
                        ],
                    },
                    "Period": 60, "Stat": "PR(:0.25)",
                },
                "ReturnData": true,
            })
        );
        assert_eq!(Metric::read("5XX Errors").unwrap().dimensions, []);
    }

    #[test]
    fn what_is_no_metric_is_refused() {
        for (text, begin) in [
            ("{a=b}", "\"{a=b}\" names no metric, "),
            ("A{b=c} x", "A{b=c} x does not end with a brace, "),
            ("A{b}", "b in A{b} is no dimension, "),
            ("A{b=}", "b= in A{b=} is no dimension, "),
            ("A{b=c,b=d}", "A{b=c,b=d} has the dimension b twice, "),
        ] {
            let error = Metric::read(text).unwrap_err().to_string();
            assert!(error.starts_with(begin), "{error}");
        }
    }
}
