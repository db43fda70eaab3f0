//! What a write changes: what was read, and a record → one patch and two numbers. Asks nobody.

use std::collections::BTreeMap;

use rollgate_domain::{rollout::record::Record, weight::Weight};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::counts::{self, Counts};
use crate::providers::traffic::{WriteError, routed_object};

/// How many pods there are in all, and whether they are on their way: `4` or `4, moving`.
const PODS: &str = "rollgate.dev/pods";

/// Its place in the object, as JSON Patch writes it.
const PODS_PATH: &str = "/metadata/annotations/rollgate.dev~1pods";

/// What a write must still find.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Token {
    /// Of the Service, what is ours.
    pub(super) object: Value,
    /// How many pods of each Deployment are asked for.
    pub(super) wanted: BTreeMap<String, u32>,
    /// Why there is nothing between 0 and 100 %, in words.
    pub(super) fixed: Option<String>,
}

/// What a write does.
pub(super) struct Plan {
    pub(super) now: Counts,
    pub(super) target: Counts,
    pub(super) total: u32,
    /// Nothing has to be scaled.
    pub(super) is_still: bool,
    pub(super) patch: Vec<Value>,
}

impl Token {
    /// Out of [`Seen::token`](crate::providers::traffic::Seen).
    pub(super) fn read(token: &str) -> Result<Self, WriteError> {
        serde_json::from_str(token)
            .map_err(|error| WriteError::Rejected(format!("read what was seen: {error}")))
    }

    /// The change that `record` means to what was read.
    ///
    /// # Errors
    ///
    /// [`WriteError::Rejected`]: pods cannot give its share; in words.
    pub(super) fn plan(&self, service: &str, record: &Record) -> Result<Plan, WriteError> {
        let wanted = |name: &str| self.wanted.get(name).copied();
        let (Some(stable), Some(candidate)) =
            (wanted(&record.stable.backend), wanted(&record.candidate.backend))
        else {
            return Err(WriteError::Rejected(format!(
                "{} and {} are not the two Deployments of the plan",
                record.stable.backend, record.candidate.backend
            )));
        };
        let now = Counts { stable, candidate };
        let total = total(pods_text(&self.object), now);
        let refused = |why: String| WriteError::Rejected(why);
        if let Some(why) = &self.fixed
            && ![Weight::ZERO, Weight::FULL].contains(&record.weight)
        {
            return Err(refused(format!("{} cannot be given here: {why}", record.weight)));
        }
        let target = counts::target(record.weight, total, now).ok_or_else(|| {
            let why = counts::shares(total, service).refusal(record.weight);
            refused(why.unwrap_or_else(|| format!("{} cannot be given here", record.weight)))
        })?;
        let fits = counts::give(record.weight, total, now);
        // A heartbeat: nobody scales, and nobody else can be in the middle of it.
        let goes_on = |held: Record| (held.generation, held.weight) == (record.generation, record.weight);
        let held = routed_object::record(&self.object).ok().flatten();
        let is_still = fits && held.is_some_and(goes_on) && !is_moving(pods_text(&self.object));
        let pods = if is_still {
            total.to_string()
        } else {
            format!("{total}, moving")
        };
        Ok(Plan {
            now,
            target,
            total,
            is_still,
            patch: patch(&self.object, &pods, record),
        })
    }

    /// Becomes what is read when `plan` is done.
    ///
    /// # Errors
    ///
    /// Its patches do not fit.
    pub(super) fn follow(&mut self, plan: &Plan, record: &Record) -> anyhow::Result<()> {
        let object = routed_object::after(&self.object, &plan.patch)?;
        self.object = routed_object::after(&object, &patch(&object, &plan.total.to_string(), record))?;
        let Counts { stable, candidate } = plan.target;
        self.wanted.insert(record.stable.backend.clone(), stable);
        self.wanted.insert(record.candidate.backend.clone(), candidate);
        Ok(())
    }
}

/// The record with `pods` beside it, while both are as in `object`.
pub(super) fn patch(object: &Value, pods: &str, record: &Record) -> Vec<Value> {
    let mut patch = routed_object::put_record(object, Some(&record.encode()));
    // Behind the operation that makes the map of annotations where there was none.
    let before_the_record = patch.len() - 1;
    let before = json!(pods_text(object));
    patch.insert(before_the_record, routed_object::test(PODS_PATH, &before));
    patch.push(routed_object::add(PODS_PATH, &json!(pods)));
    patch
}

/// Of an object, what a write must still find.
pub(super) fn ours(object: &Value) -> Value {
    let Value::Object(annotations) = &object["metadata"]["annotations"] else {
        return json!({ "metadata": {} });
    };
    let is_ours = |name: &str| [routed_object::RECORD, PODS].contains(&name);
    let ours = annotations.iter().filter(|(name, _)| is_ours(name));
    let ours: serde_json::Map<_, _> = ours.map(|(name, text)| (name.clone(), text.clone())).collect();
    json!({ "metadata": { "annotations": ours, "resourceVersion": object["metadata"]["resourceVersion"] } })
}

/// The text beside the record.
pub(super) fn pods_text(object: &Value) -> Option<&str> {
    object["metadata"]["annotations"][PODS].as_str()
}

/// How many pods there are in all. Where one version has none, the other one's number is what there is.
pub(super) fn total(pods: Option<&str>, wanted: Counts) -> u32 {
    let sum = wanted.stable.saturating_add(wanted.candidate);
    if wanted.stable == 0 || wanted.candidate == 0 {
        return sum;
    }
    let written = pods
        .and_then(|text| text.split(',').next())
        .and_then(|text| text.parse().ok());
    written.unwrap_or(sum)
}

pub(super) fn is_moving(pods: Option<&str>) -> bool {
    pods.is_some_and(|text| text.ends_with(", moving"))
}
