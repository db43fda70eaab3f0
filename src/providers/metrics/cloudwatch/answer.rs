//! Answers of CloudWatch's API: bytes in, numbers out. Pure.
//!
//! Sources: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html> and
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_ListMetrics.html>

use std::collections::BTreeMap;

use anyhow::{Result, bail};
use serde::Deserialize;

use super::super::http::quote;

/// One page of numbers.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Page {
    metric_data_results: Vec<Found>,
    pub(super) next_token: Option<String>,
    #[serde(default)]
    messages: Vec<Message>,
}

/// The numbers of one query.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Found {
    id: String,
    #[serde(default)]
    timestamps: Vec<f64>,
    #[serde(default)]
    values: Vec<f64>,
    status_code: Option<String>,
    #[serde(default)]
    messages: Vec<Message>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Message {
    code: Option<String>,
    value: Option<String>,
}

/// What was found for each query so far, over all pages.
#[derive(Debug, Default)]
pub(super) struct Results {
    /// Numbers by where their period begins.
    points: BTreeMap<String, Vec<(f64, f64)>>,
    /// Which are not complete, and what CloudWatch says of it.
    wanting: BTreeMap<String, String>,
}

/// One page of what there is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Listed {
    #[serde(default)]
    pub(super) metrics: Vec<Known>,
}

/// A metric that there is.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Known {
    pub(super) metric_name: String,
    #[serde(default)]
    pub(super) dimensions: Vec<Dimension>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Dimension {
    pub(super) name: String,
    pub(super) value: String,
}

impl Results {
    /// Adds a page. `PartialData` is allowed while there is another page.
    ///
    /// # Errors
    ///
    /// CloudWatch could not answer a part of it, or not in the documented form.
    pub(super) fn add(&mut self, page: Page) -> Result<()> {
        if let Some(message) = page.messages.iter().find_map(Message::text) {
            bail!("it answered with a part of the data only: {message}");
        }
        for found in page.metric_data_results {
            let said = found.messages.iter().find_map(Message::text);
            let Found {
                id,
                timestamps,
                values,
                status_code,
                messages: _,
            } = found;
            if timestamps.len() != values.len() {
                bail!(
                    "{id} has {} times and {} values, expected as many",
                    timestamps.len(),
                    values.len()
                );
            }
            let status = status_code.unwrap_or_default();
            let text = said.map_or_else(|| status.clone(), |said| format!("{status}: {said}"));
            match status.as_str() {
                "Complete" => self.wanting.remove(&id),
                "PartialData" => self.wanting.insert(id.clone(), text),
                _ => bail!("it could not answer query {id} ({text})"),
            };
            self.points
                .entry(id)
                .or_default()
                .extend(timestamps.into_iter().zip(values));
        }
        Ok(())
    }

    /// The numbers of all queries, once there is no further page.
    ///
    /// # Errors
    ///
    /// A query was not answered, or not in full.
    pub(super) fn complete(mut self, ids: &[String]) -> Result<Vec<Vec<(f64, f64)>>> {
        if let Some((id, text)) = self.wanting.first_key_value() {
            bail!("it answered query {id} with a part of the data only ({text})");
        }
        ids.iter()
            .map(|id| match self.points.remove(id) {
                Some(points) => Ok(points),
                None => bail!("it did not answer query {id}"),
            })
            .collect()
    }
}

impl Message {
    fn text(&self) -> Option<String> {
        let parts: Vec<_> = [&self.code, &self.value]
            .into_iter()
            .flatten()
            .map(String::as_str)
            .collect();
        (!parts.is_empty()).then(|| quote(parts.join(": ").as_bytes()))
    }
}

/// What a refusal says, in one line.
pub(super) fn complaint(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        #[serde(rename = "__type")]
        kind: String,
        #[serde(alias = "Message")]
        message: Option<String>,
    }
    match serde_json::from_slice::<Refusal>(body) {
        Ok(Refusal { kind, message }) => {
            let kind = kind.rsplit('#').next().unwrap_or_default();
            let message = message.map(|message| format!(": {message}")).unwrap_or_default();
            quote(format!("{kind}{message}").as_bytes())
        }
        Err(_) => quote(body),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pages: &[&str]) -> Result<Vec<Vec<(f64, f64)>>> {
        let mut results = Results::default();
        for page in pages {
            results.add(serde_json::from_str(page).unwrap())?;
        }
        results.complete(&["a".to_owned()])
    }

    #[test]
    fn pages_are_put_together_and_the_last_one_must_be_complete() {
        let partial =
            r#"{"MetricDataResults":[{"Id":"a","Timestamps":[60],"Values":[1],"StatusCode":"PartialData"}]}"#;
        let rest = r#"{"MetricDataResults":[{"Id":"a","Timestamps":[120.0],"Values":[2.5],"StatusCode":"Complete"}]}"#;
        assert_eq!(read(&[partial, rest]).unwrap(), [[(60.0, 1.0), (120.0, 2.5)]]);
        for (pages, expected) in [
            (
                &[partial][..],
                "it answered query a with a part of the data only (PartialData)",
            ),
            (&[r#"{"MetricDataResults":[]}"#], "it did not answer query a"),
            (
                &[r#"{"MetricDataResults":[{"Id":"a","StatusCode":"InternalError",
                      "Messages":[{"Code":"Oops","Value":"try\nagain"}]}]}"#],
                "it could not answer query a (InternalError: Oops: try again)",
            ),
            (
                &[
                    r#"{"MetricDataResults":[{"Id":"a","StatusCode":"Complete","Timestamps":[1],"Values":[]}]}"#,
                ],
                "a has 1 times and 0 values, expected as many",
            ),
            (
                &[
                    r#"{"MetricDataResults":[],"Messages":[{"Value":"Maximum number of allowed metrics exceeded"}]}"#,
                ],
                "it answered with a part of the data only: Maximum number of allowed metrics exceeded",
            ),
        ] {
            assert_eq!(read(pages).unwrap_err().to_string(), expected);
        }
    }

    #[test]
    fn a_refusal_is_quoted_from_json_and_from_anything_else() {
        assert_eq!(
            complaint(br#"{"__type":"com.amazonaws.cloudwatch.v2010_08_01#InvalidParameterValue","message":"no\nway"}"#),
            "InvalidParameterValue: no way"
        );
        assert_eq!(
            complaint(br#"{"__type":"ThrottlingException"}"#),
            "ThrottlingException"
        );
        assert_eq!(complaint(b"gone"), "gone");
    }
}
