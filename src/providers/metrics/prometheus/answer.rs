//! An answer of Prometheus' query API: bytes in, series out. Pure.
//!
//! Typed, and without a copy of the numbers' text: 48 h of samples are megabytes.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/api/#format-overview>

use std::fmt;

use anyhow::{Result, anyhow, bail};
use jiff::Timestamp;
use serde::de::{DeserializeOwned, Error as _, IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::super::http::{is_web_page, quote};
use super::super::series::Labels;
use super::native::Native;

/// One series of a range vector.
#[derive(Debug, Deserialize)]
pub(super) struct Range {
    pub(super) metric: Labels,
    #[serde(default)]
    pub(super) values: Vec<Point>,
    /// Present if the series holds native histograms, which are no counters.
    pub(super) histograms: Option<Vec<NativePoint>>,
}

/// One series of an instant vector; only its labels are wanted.
#[derive(Debug, Deserialize)]
pub(super) struct Instant {
    pub(super) metric: Labels,
}

/// A sample of a native histogram, at seconds since 1970.
#[derive(Debug, Deserialize)]
pub(super) struct NativePoint(pub(super) f64, pub(super) Native);

/// A sample as it came, NaN included.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Point(pub(super) Timestamp, pub(super) f64);

/// A kind of result that we ask for.
pub(super) trait Row: DeserializeOwned {
    /// What the API calls a list of them.
    const RESULT_TYPE: &'static str;
}

impl Row for Range {
    const RESULT_TYPE: &'static str = "matrix";
}

impl Row for Instant {
    const RESULT_TYPE: &'static str = "vector";
}

/// An answer, whatever its data are.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer<D> {
    status: String,
    data: Option<D>,
    error_type: Option<String>,
    error: Option<String>,
    warnings: Option<Vec<String>>,
    /// VictoriaMetrics' word for an answer that lacks the data of a node.
    is_partial: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Found<R> {
    #[serde(default)]
    result_type: String,
    result: Vec<R>,
}

/// The rows of a successful answer.
///
/// # Errors
///
/// The body is not of the documented form, says `status: error`, has another type of result, or lacks a
/// part of the data.
pub(super) fn rows<R: Row>(body: &[u8]) -> Result<Vec<R>> {
    let found: Found<R> = data(body).map_err(|error| not_rows::<R>(body).unwrap_or(error))?;
    if found.result_type != R::RESULT_TYPE {
        return Err(other_type::<R>(&found.result_type));
    }
    Ok(found.result)
}

/// The names in a successful answer of `label/<label>/values`.
pub(super) fn names(body: &[u8]) -> Result<Vec<String>> {
    data(body)
}

/// What a body of any status says went wrong, in one line.
pub(super) fn complaint(body: &[u8]) -> String {
    match serde_json::from_slice::<Answer<IgnoredAny>>(body) {
        Ok(Answer {
            error: Some(error),
            error_type,
            ..
        }) => quote(format!("{}: {error}", error_type.as_deref().unwrap_or("error")).as_bytes()),
        _ => quote(body),
    }
}

fn data<D: DeserializeOwned>(body: &[u8]) -> Result<D> {
    if body.trim_ascii().is_empty() {
        bail!("it answered nothing; check that the address is that of a Prometheus");
    }
    if is_web_page(body) {
        bail!(
            "it answered with a web page, not with JSON; check that the address is the root of a Prometheus \
             and that no login stands before it: {}",
            quote(body)
        );
    }
    let answer: Answer<D> = serde_json::from_slice(body).map_err(|error| {
        anyhow!(
            "it answered in a form that is not Prometheus' ({error}): {}",
            quote(body)
        )
    })?;
    if answer.status != "success" {
        bail!("it answered with status {}: {}", answer.status, complaint(body));
    }
    // Remarks on the query itself begin with its language's name; every other warning tells of data that
    // could not be had, and a part of the data is not to be judged.
    let missing = answer
        .warnings
        .unwrap_or_default()
        .into_iter()
        .find(|text| !text.starts_with("PromQL "));
    if let Some(warning) = missing {
        bail!(
            "it answered with a part of the data only: {}",
            quote(warning.as_bytes())
        );
    }
    if answer.is_partial == Some(true) {
        bail!("it answered with a part of the data only (isPartial)");
    }
    answer
        .data
        .ok_or_else(|| anyhow!("it answered without data: {}", quote(body)))
}

/// A clearer word for a body that did not fit: it may be a good answer of another type.
fn not_rows<R: Row>(body: &[u8]) -> Option<anyhow::Error> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Typed {
        result_type: String,
    }
    let answer: Answer<Typed> = serde_json::from_slice(body).ok()?;
    let found = answer.data?.result_type;
    (found != R::RESULT_TYPE).then(|| other_type::<R>(&found))
}

fn other_type<R: Row>(found: &str) -> anyhow::Error {
    anyhow!(
        "it answered with a result of type {found:?}, expected {:?}",
        R::RESULT_TYPE
    )
}

impl<'de> Deserialize<'de> for Point {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pair;

        impl<'de> Visitor<'de> for Pair {
            type Value = Point;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("[seconds, \"value\"]")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut pair: A) -> Result<Point, A::Error> {
                let short = || A::Error::custom("a sample of less than two parts");
                let seconds: f64 = pair.next_element()?.ok_or_else(short)?;
                let Number(value) = pair.next_element()?.ok_or_else(short)?;
                if pair.next_element::<IgnoredAny>()?.is_some() {
                    return Err(A::Error::custom("a sample of more than two parts"));
                }
                Ok(Point(time(seconds).map_err(A::Error::custom)?, value))
            }
        }

        deserializer.deserialize_seq(Pair)
    }
}

/// Prometheus counts in milliseconds; rounding takes the noise of binary fractions away.
pub(super) fn time(seconds: f64) -> Result<Timestamp, jiff::Error> {
    #[expect(
        clippy::cast_possible_truncation,
        reason = "saturates, and is then out of range"
    )]
    Timestamp::from_millisecond((seconds * 1000.0).round() as i64)
}

/// A number that comes as text, since JSON has neither NaN nor infinity.
#[derive(Debug)]
pub(super) struct Number(pub(super) f64);

impl<'de> Deserialize<'de> for Number {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Text;

        impl Visitor<'_> for Text {
            type Value = Number;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a number as text")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Number, E> {
                text.parse()
                    .map(Number)
                    .map_err(|_| E::custom(format_args!("{text:?} is no number")))
            }
        }

        deserializer.deserialize_str(Text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MATRIX: &[u8] = include_bytes!("../../../../tests/fixtures/prometheus/matrix.json");
    const BAD_QUERY: &[u8] = include_bytes!("../../../../tests/fixtures/prometheus/bad-query.json");

    fn refused(body: &str) -> String {
        rows::<Range>(body.as_bytes()).unwrap_err().to_string()
    }

    #[test]
    fn a_real_answer_is_read_to_the_millisecond() {
        let rows = rows::<Range>(MATRIX).unwrap();
        let [first, ..] = rows.as_slice() else {
            panic!("no rows")
        };
        assert_eq!(first.metric["version"], "v1");
        assert!(first.values.len() > 1);
        let text = std::str::from_utf8(MATRIX).unwrap();
        for Point(time, value) in &first.values {
            let ms = time.as_millisecond();
            let fraction = format!(".{:03}", ms % 1000);
            let fraction = fraction.trim_end_matches('0').trim_end_matches('.');
            assert!(
                text.contains(&format!("[{}{fraction},\"{value}\"]", ms / 1000)),
                "{ms} {value}"
            );
        }
    }

    #[test]
    fn numbers_are_read_in_all_their_forms() {
        let body = r#"{"status":"success","data":{"resultType":"matrix","result":[{"metric":{},
            "values":[[1,"1"],[2.5,"1.5e+06"],[3,"+Inf"],[4,"NaN"],[1700000000.123,"-0"]]}]},"warnings":null}"#;
        let rows = rows::<Range>(body.as_bytes()).unwrap();
        let values: Vec<_> = rows[0]
            .values
            .iter()
            .map(|Point(time, value)| (time.as_millisecond(), *value))
            .collect();
        assert_eq!(
            values[..3],
            [(1000, 1.0), (2500, 1_500_000.0), (3000, f64::INFINITY)]
        );
        assert!(values[3].1.is_nan());
        assert_eq!(values[4].0, 1_700_000_000_123);
    }

    #[test]
    fn what_is_not_an_answer_is_one_clear_error() {
        for (body, expected) in [
            (
                "",
                "it answered nothing; check that the address is that of a Prometheus",
            ),
            (
                " <!doctype html>\n<title>Sign in</title>",
                "it answered with a web page, not with JSON; check that the address is the root of a Prometheus \
                 and that no login stands before it: <!doctype html> <title>Sign in</title>",
            ),
            (
                "nonsense",
                "it answered in a form that is not Prometheus' (expected ident at line 1 column 2): nonsense",
            ),
            (
                r#"{"status":"success"}"#,
                r#"it answered without data: {"status":"success"}"#,
            ),
            (
                r#"{"status":"error","errorType":"timeout","error":"query timed out"}"#,
                "it answered with status error: timeout: query timed out",
            ),
            (
                r#"{"status":"success","data":{"resultType":"vector","result":[{"metric":{},"value":[1,"1"]}]}}"#,
                r#"it answered with a result of type "vector", expected "matrix""#,
            ),
            (
                r#"{"status":"success","data":{"resultType":"scalar","result":[1,"1"]}}"#,
                r#"it answered with a result of type "scalar", expected "matrix""#,
            ),
            (
                r#"{"status":"success","data":{"result":[],"resultType":"matrix"},"warnings":["store 2: timeout"]}"#,
                "it answered with a part of the data only: store 2: timeout",
            ),
            (
                r#"{"status":"success","isPartial":true,"data":{"result":[],"resultType":"matrix"}}"#,
                "it answered with a part of the data only (isPartial)",
            ),
        ] {
            assert_eq!(refused(body), expected, "{body}");
        }
    }

    #[test]
    fn a_number_that_is_none_is_named() {
        for (point, expected) in [
            (r#"[1,"x"]"#, "\"x\" is no number"),
            ("[1,2]", "expected a number as text"),
            (r#"["1","2"]"#, "expected f64"),
            (r#"[1e300,"2"]"#, "not in the required range"),
            (r#"[1,"2",3]"#, "more than two parts"),
            ("[1]", "less than two parts"),
        ] {
            let body = format!(
                r#"{{"status":"success","data":{{"resultType":"matrix","result":[{{"metric":{{}},"values":[{point}]}}]}}}}"#
            );
            let error = refused(&body);
            assert!(error.contains(expected), "{point}: {error}");
        }
    }

    #[test]
    fn a_remark_on_the_query_is_no_missing_data() {
        let body = r#"{"status":"success","data":{"resultType":"matrix","result":[]},
            "warnings":["PromQL warning: encountered a mix"],"infos":["PromQL info: might not be a counter"]}"#;
        assert!(rows::<Range>(body.as_bytes()).unwrap().is_empty());
    }

    #[test]
    fn a_complaint_is_quoted_from_json_and_from_anything_else() {
        assert!(
            complaint(BAD_QUERY).starts_with("bad_data: "),
            "{}",
            complaint(BAD_QUERY)
        );
        assert_eq!(complaint(b"upstream\ngone"), "upstream gone");
        assert_eq!(complaint(b""), "");
    }
}
