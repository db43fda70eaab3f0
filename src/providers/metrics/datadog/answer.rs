//! An answer of Datadog's query API: bytes in, series out. Pure.
//!
//! Source: <https://docs.datadoghq.com/api/latest/metrics/#query-timeseries-points>

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use serde::Deserialize;

use super::super::http::quote;
use super::super::intervals::Stretch;

/// An answer to some queries.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    status: Option<String>,
    error: Option<String>,
    #[serde(default)]
    series: Vec<Row>,
}

/// One series.
#[derive(Debug, Deserialize)]
pub(super) struct Row {
    /// Which of the queries it answers.
    #[serde(default)]
    pub(super) query_index: usize,
    /// Seconds between points; the documentation says milliseconds.
    interval: Option<f64>,
    #[serde(default)]
    tag_set: Vec<String>,
    #[serde(default)]
    pub(super) pointlist: Vec<(f64, Option<f64>)>,
}

/// The names of metrics that had a point lately.
#[derive(Debug, Deserialize)]
pub(super) struct Names {
    pub(super) metrics: Vec<String>,
}

/// # Errors
///
/// Datadog says that it could not answer.
pub(super) fn rows(answer: Answer) -> Result<Vec<Row>> {
    let Answer {
        status,
        error,
        series,
    } = answer;
    if let Some(error) = error.filter(|error| !error.is_empty()) {
        bail!("it answered with an error: {}", quote(error.as_bytes()));
    }
    match status.as_deref() {
        Some("ok") => Ok(series),
        Some(other) => bail!("it answered with status {}", quote(other.as_bytes())),
        None => bail!("it answered without a status"),
    }
}

/// What a refusal says, in one line.
pub(super) fn complaint(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(default)]
        errors: Vec<String>,
        error: Option<String>,
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal { errors, .. }) if !errors.is_empty() => quote(errors.join("; ").as_bytes()),
        Ok(Refusal {
            error: Some(error), ..
        }) => quote(error.as_bytes()),
        _ => quote(body),
    }
}

impl Row {
    /// Its tags; a tag without a value has none, `N/A` is Datadog's word for no tag.
    ///
    /// # Errors
    ///
    /// A tag has two values.
    pub(super) fn tags(&self) -> Result<BTreeMap<&str, &str>> {
        let mut tags = BTreeMap::new();
        for tag in &self.tag_set {
            let (name, value) = tag.split_once(':').unwrap_or((tag, ""));
            if value.eq_ignore_ascii_case("n/a") {
                continue;
            }
            if let Some(other) = tags.insert(name, value).filter(|other| *other != value) {
                bail!("a series has the tag {name} twice ({other} and {value}), expected one value");
            }
        }
        Ok(tags)
    }

    /// # Errors
    ///
    /// Its intervals are others than what was asked for.
    pub(super) fn check_interval(&self, grain: i64) -> Result<()> {
        let seconds = grain as f64;
        match self.interval {
            Some(found) if found != seconds && found != seconds * 1000.0 => bail!(
                "it answered in intervals of {found} s, expected {grain} s: it keeps this metric, or this time, no finer"
            ),
            _ => Ok(()),
        }
    }

    /// The numbers of whole intervals inside of `stretch`, by their ends.
    ///
    /// # Errors
    ///
    /// The intervals lie otherwise than was asked for.
    pub(super) fn points(&self, stretch: Stretch) -> Result<Vec<(jiff::Timestamp, f64)>> {
        let mut points = Vec::new();
        for (ms, value) in &self.pointlist {
            let Some(value) = value else { continue };
            let second = (ms / 1000.0).round();
            #[expect(
                clippy::cast_possible_truncation,
                reason = "saturates, and is then outside of the stretch"
            )]
            let begin = second as i64;
            if let Some(end) = stretch.end_of(begin).context("read a point")? {
                points.push((end, *value));
            }
        }
        Ok(points)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Vec<Row>> {
        rows(serde_json::from_str(body).unwrap())
    }

    #[test]
    fn an_error_with_status_200_is_an_error() {
        for (body, expected) in [
            (
                r#"{"status":"error","error":"Rule 'query_expression' didn't match","series":[]}"#,
                "it answered with an error: Rule 'query_expression' didn't match",
            ),
            (r#"{"status":"timeout"}"#, "it answered with status timeout"),
            (r#"{"series":[]}"#, "it answered without a status"),
        ] {
            assert_eq!(read(body).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_refusal_is_quoted_from_json_and_from_anything_else() {
        assert_eq!(complaint(br#"{"errors":["Forbidden","no"]}"#), "Forbidden; no");
        assert_eq!(complaint(br#"{"error":"late"}"#), "late");
        assert_eq!(complaint(b"upstream\ngone"), "upstream gone");
    }

    #[test]
    fn other_intervals_and_tags_with_two_values_are_refused() {
        let rows =
            read(r#"{"status":"ok","series":[{"interval":300,"tag_set":["host:a","host:b"]}]}"#).unwrap();
        assert_eq!(
            rows[0].check_interval(20).unwrap_err().to_string(),
            "it answered in intervals of 300 s, expected 20 s: it keeps this metric, or this time, no finer"
        );
        assert_eq!(
            rows[0].tags().unwrap_err().to_string(),
            "a series has the tag host twice (a and b), expected one value"
        );
        let rows =
            read(r#"{"status":"ok","series":[{"interval":20000,"tag_set":["host:N/A","version:v1"]}]}"#)
                .unwrap();
        rows[0].check_interval(20).unwrap();
        assert_eq!(rows[0].tags().unwrap(), BTreeMap::from([("version", "v1")]));
    }
}
