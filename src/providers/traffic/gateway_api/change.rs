//! What a write changes in a HTTPRoute, as a JSON Patch, and how it is taken back. Asks nobody.

use rollgate_domain::{rollout::record::Record, weight::Weight};
use serde_json::{Value, json};

use super::{
    own,
    route::{Place, Roles, Split, backends, is_own, rules},
};
use crate::providers::traffic::{
    Users,
    routed_object::{add, put_record, remove, test, text},
};

/// What a route is to have: everything that is ours.
pub(super) struct Change {
    record: Option<String>,
    /// For each rule that names one of us, the weights of ours in it.
    weights: Vec<(Split, Vec<Place>)>,
    /// Our own rules.
    own: Vec<Value>,
    /// Weights are written whatever was read, and only if they are as they were read if not.
    overwrites: bool,
}

impl Change {
    /// Gives the route `record` and its share. `seen_share`: what the candidate has as far as was read.
    ///
    /// # Errors
    ///
    /// Our own rules cannot be had on this route; in words.
    pub(super) fn to(
        route: &Value,
        roles: &Roles,
        users: &Users,
        record: &Record,
        seen_share: Option<Weight>,
    ) -> Result<Self, String> {
        let splits = roles.splits(route).into_iter();
        Ok(Self {
            own: own::wanted(route, roles, users, record)?,
            record: Some(record.encode()),
            weights: splits
                .map(|split| {
                    let weights = split.weights(record.weight);
                    (split, weights)
                })
                .collect(),
            overwrites: record.weight == Weight::ZERO || seen_share.is_none_or(|share| record.weight < share),
        })
    }

    /// The same with other rules of our own.
    pub(super) fn with_own(self, own: Vec<Value>) -> Self {
        Self { own, ..self }
    }

    /// Gives the route back what it had.
    pub(super) fn back_to(was: &Value, roles: &Roles) -> Self {
        Self {
            record: text(was).map(str::to_owned),
            weights: roles
                .splits(was)
                .into_iter()
                .map(|split| (split.clone(), split.ours))
                .collect(),
            own: rules(was).iter().filter(|rule| is_own(rule)).cloned().collect(),
            overwrites: true,
        }
    }

    /// The patch for a route that is as in `now`: tests first, then nothing but what is ours.
    pub(super) fn operations(&self, now: &Value, roles: &Roles) -> Vec<Value> {
        let mut record = put_record(now, self.record.as_deref());
        let (mut tests, mut changes) = (Vec::new(), Vec::new());
        for (split, weights) in &self.weights {
            self.weigh(now, roles, split, weights, &mut tests, &mut changes);
        }
        let have: Vec<_> = rules(now)
            .iter()
            .enumerate()
            .filter(|(_, rule)| is_own(rule))
            .collect();
        if !have.iter().map(|(_, rule)| *rule).eq(&self.own) {
            tests.extend(
                have.iter()
                    .map(|(at, rule)| test(&format!("/spec/rules/{at}/name"), &rule["name"])),
            );
            // From the last one on: the places of the others stay as they are.
            changes.extend(
                have.iter()
                    .rev()
                    .map(|(at, _)| remove(&format!("/spec/rules/{at}"))),
            );
            changes.extend(self.own.iter().map(|rule| add("/spec/rules/-", rule)));
        }
        let first_change = record.iter().position(|operation| operation["op"] != "test");
        let record_changes = record.split_off(first_change.unwrap_or(record.len()));
        [record, tests, record_changes, changes].concat()
    }

    /// One rule's weights, where they are to be others.
    fn weigh(
        &self,
        now: &Value,
        roles: &Roles,
        split: &Split,
        weights: &[Place],
        tests: &mut Vec<Value>,
        changes: &mut Vec<Value>,
    ) {
        let rule = format!("/spec/rules/{}/backendRefs", split.at);
        for place in weights {
            let path = format!("{rule}/{}", place.at);
            tests.push(test(&format!("{path}/name"), &json!(roles.name(place.side))));
            let weight = &now["spec"]["rules"][split.at]["backendRefs"][place.at]["weight"];
            if !self.overwrites {
                tests.push(test(&format!("{path}/weight"), weight));
            }
            if self.overwrites || *weight != place.weight {
                changes.push(add(&format!("{path}/weight"), &json!(place.weight)));
            }
        }
        // The version that the rule has lost comes back beside the other one, on its port.
        if let (Some(lost), Some(kept)) = (split.lacks(), weights.first()) {
            let mut backend = backends(&rules(now)[split.at])[kept.at].clone();
            backend["name"] = roles.name(lost).into();
            backend["weight"] = (100_u64.saturating_sub(kept.weight)).into();
            changes.push(add(&format!("{rule}/-"), &backend));
        }
    }
}
