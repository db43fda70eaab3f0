//! An answer of NerdGraph to some NRQL queries: bytes in, rows out. Pure.
//!
//! Source: <https://docs.newrelic.com/docs/apis/nerdgraph/examples/nerdgraph-nrql-tutorial/>

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde::Deserialize;
use serde_json::Value;

use super::super::http::quote;

/// What NerdGraph answers: an error comes with status 200, and beside half of the data.
#[derive(Debug, Deserialize)]
pub(super) struct Answer {
    data: Option<Data>,
    #[serde(default)]
    errors: Vec<Trouble>,
}

#[derive(Debug, Deserialize)]
struct Data {
    actor: Option<Actor>,
}

#[derive(Debug, Deserialize)]
struct Actor {
    account: Option<BTreeMap<String, Option<Nrql>>>,
}

#[derive(Debug, Deserialize)]
struct Nrql {
    results: Option<Vec<Row>>,
}

#[derive(Debug, Deserialize)]
struct Trouble {
    message: String,
    #[serde(default)]
    extensions: Extensions,
}

#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Extensions {
    error_class: Option<String>,
}

/// One interval of one group.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Row {
    #[serde(default)]
    facet: Value,
    pub(super) begin_time_seconds: Option<f64>,
    pub(super) end_time_seconds: Option<f64>,
    pub(super) event_type: Option<String>,
    #[serde(flatten)]
    numbers: BTreeMap<String, Value>,
}

/// The field by which a query's answer is found.
pub(super) fn field(place: usize) -> String {
    format!("q{place}")
}

/// The rows of each of `queries` queries.
///
/// # Errors
///
/// There is an error beside the data, or a query has no answer.
pub(super) fn rows(answer: Answer, queries: usize) -> Result<Vec<Vec<Row>>> {
    let Answer { data, errors } = answer;
    if let Some(Trouble { message, extensions }) = errors.into_iter().next() {
        let class = extensions
            .error_class
            .map(|class| format!(" ({class})"))
            .unwrap_or_default();
        bail!("it answered with an error{class}: {}", quote(message.as_bytes()));
    }
    let Some(mut account) = data.and_then(|data| data.actor).and_then(|actor| actor.account) else {
        bail!(
            "it answered without the account; check metrics.new-relic.account, and that the key may read it"
        );
    };
    (0..queries)
        .map(|place| match account.remove(&field(place)).flatten() {
            Some(Nrql { results: Some(rows) }) => Ok(rows),
            _ => bail!("it answered without results"),
        })
        .collect()
}

/// What a refusal says, in one line.
pub(super) fn complaint(body: &[u8]) -> String {
    match serde_json::from_slice::<Answer>(body) {
        Ok(Answer { errors, .. }) if !errors.is_empty() => quote(errors[0].message.as_bytes()),
        _ => quote(body),
    }
}

impl Row {
    /// The values by which its group is told apart, in the order asked for; nothing where an event has none.
    pub(super) fn facets(&self) -> Vec<&str> {
        match &self.facet {
            Value::Array(values) => values
                .iter()
                .map(|value| value.as_str().unwrap_or_default())
                .collect(),
            Value::String(value) => vec![value],
            _ => Vec::new(),
        }
    }

    /// A number that was asked for; nothing where there is none.
    ///
    /// # Errors
    ///
    /// It is no number, or not there at all.
    pub(super) fn number(&self, column: &str) -> Result<Option<f64>> {
        match self.numbers.get(column) {
            Some(Value::Null) => Ok(None),
            Some(Value::Number(number)) => Ok(number.as_f64()),
            Some(other) => bail!("{column} is {other}, expected a number"),
            None => bail!("a row has no {column}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(body: &str) -> Result<Vec<Vec<Row>>> {
        rows(serde_json::from_str(body).unwrap(), 1)
    }

    #[test]
    fn an_error_with_status_200_is_an_error() {
        for (body, expected) in [
            (
                r#"{"data":{"actor":{"account":{"q0":null}}},"errors":[{"message":"NRQL Syntax Error: Error at line 1",
                    "extensions":{"errorClass":"INVALID_INPUT"}}]}"#,
                "it answered with an error (INVALID_INPUT): NRQL Syntax Error: Error at line 1",
            ),
            (
                r#"{"data":{"actor":{"account":null}}}"#,
                "it answered without the account; check metrics.new-relic.account, and that the key may read it",
            ),
            (
                r#"{"data":{"actor":{"account":{"q0":{"results":null}}}}}"#,
                "it answered without results",
            ),
        ] {
            assert_eq!(read(body).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_row_has_its_group_and_its_numbers() {
        let body = r#"{"data":{"actor":{"account":{"q0":{"results":[
            {"beginTimeSeconds":15,"endTimeSeconds":30,"n0":4,"n1":null,"facet":["v1",null],"host":null}]}}}}}"#;
        let rows = read(body).unwrap();
        let row = &rows[0][0];
        assert_eq!(row.facets(), ["v1", ""]);
        assert_eq!(
            (row.number("n0").unwrap(), row.number("n1").unwrap()),
            (Some(4.0), None)
        );
        assert_eq!(row.number("n2").unwrap_err().to_string(), "a row has no n2");
    }
}
