//! From what was read and a record to the JSON Patch that makes the one of the other. Pure.

use rollgate_domain::{rollout::record::Record, weight::Weight};
use serde_json::{Value, json};

use super::{
    routes::{Names, Routes, Split, Target, is_ours},
    users,
};
use crate::providers::traffic::{
    Users,
    routed_object::{add, remove, test},
};

/// What `record` wants of the routes.
pub(super) struct Change<'a> {
    routes: &'a Routes,
    names: &'a Names,
    users: &'a Users,
    record: &'a Record,
    candidate: usize,
}

/// What becomes of one route: what is put before it, and itself.
struct Wanted {
    before: Vec<Value>,
    route: Value,
}

impl<'a> Change<'a> {
    /// None if the record's candidate is neither of the two backends.
    pub(super) fn new(
        routes: &'a Routes,
        names: &'a Names,
        users: &'a Users,
        record: &'a Record,
    ) -> Option<Self> {
        let candidate = &record.candidate.backend;
        Some(Self {
            candidate: names.backends.iter().position(|name| name == candidate)?,
            routes,
            names,
            users,
            record,
        })
    }

    /// Why this share cannot be given; nothing if it can. A share of 0 always can.
    pub(super) fn refusal(&self) -> Option<String> {
        if self.record.weight == Weight::ZERO {
            return None;
        }
        self.routes
            .splits
            .iter()
            .find_map(|split| split.obstacle(self.names))
    }

    /// The steps that change the routes, behind the `test`s of what they change.
    pub(super) fn steps(&self) -> Vec<Value> {
        let (mut tests, mut steps) = (Vec::new(), Vec::new());
        let keeps_copies = self.copies_stand();
        for (place, route) in self.routes.http.iter().enumerate().rev() {
            let here = format!("/spec/http/{place}");
            if is_ours(route) {
                if !keeps_copies {
                    tests.push(test(&format!("{here}/name"), &route["name"]));
                    steps.push(remove(&here));
                }
                continue;
            }
            let Some((number, split)) = self.split_at(place) else {
                continue;
            };
            let Wanted {
                before,
                route: wanted,
            } = self.wanted(number, split, route);
            self.replace(split, route, &wanted, &mut tests, &mut steps);
            if !keeps_copies {
                steps.extend(before.iter().rev().map(|copy| add(&here, copy)));
            }
        }
        tests.reverse();
        tests.extend(steps);
        tests
    }

    /// Whether exactly the wanted routes for single users stand, and where they should.
    pub(super) fn copies_stand(&self) -> bool {
        let mut wanted = Vec::new();
        for (place, route) in self.routes.http.iter().enumerate() {
            if is_ours(route) {
                continue;
            }
            if let Some((number, split)) = self.split_at(place) {
                wanted.extend(self.wanted(number, split, route).before.into_iter().map(Some));
            }
            wanted.push(None);
        }
        let here = self.routes.http.iter();
        let here: Vec<_> = here.map(|route| is_ours(route).then(|| route.clone())).collect();
        wanted == here
    }

    fn split_at(&self, place: usize) -> Option<(usize, &Split)> {
        let mut splits = self.routes.splits.iter().enumerate();
        let (index, split) = splits.find(|(_, split)| split.place == place)?;
        Some((index + 1, split))
    }

    fn wanted(&self, number: usize, split: &Split, route: &Value) -> Wanted {
        let mut route = route.clone();
        // A route that lost the candidate gives it nothing; one that lost stable gets it back.
        if self.routes.is_broken {
            if split.count(Some(self.candidate)) > 0 {
                route["route"] = self.mended(split, &route);
            }
            return Wanted {
                before: Vec::new(),
                route,
            };
        }
        for (index, weight) in self.weights(split).into_iter().enumerate() {
            if let Some(weight) = weight {
                route["route"][index]["weight"] = json!(weight);
            }
        }
        let before = users::copies(&route, split, number, self.candidate, self.users, self.record);
        Wanted { before, route }
    }

    /// The weight of each of our destinations; those of others stay.
    fn weights(&self, split: &Split) -> Vec<Option<u64>> {
        let foreign = split.targets.iter().filter(|target| target.backend.is_none());
        let foreign: u64 = foreign.map(|target| split.weight(target)).sum();
        let ours = 100_u64.saturating_sub(foreign);
        let candidates = ours * u64::from(self.record.weight.percent()) / 100;
        let mut left = [ours - candidates; 2];
        left[self.candidate] = candidates;
        // What is named twice gets it once.
        let mine = |target: &Target| target.backend.map(|backend| std::mem::take(&mut left[backend]));
        split.targets.iter().map(mine).collect()
    }

    /// The destinations of a route that only the candidate is left in: stable beside it, with what is not its.
    fn mended(&self, split: &Split, route: &Value) -> Value {
        let mut targets = route["route"].as_array().cloned().unwrap_or_default();
        let lost = targets
            .iter()
            .zip(&split.targets)
            .find(|(_, target)| target.backend == Some(self.candidate));
        let Some((lost, _)) = lost else {
            return route["route"].clone();
        };
        let mut stable = lost.clone();
        stable["destination"] = self.names.instead_of(&lost["destination"], 1 - self.candidate);
        stable["weight"] = json!(self.record.weight.rest().percent());
        for (value, target) in targets.iter_mut().zip(&split.targets) {
            if target.backend == Some(self.candidate) {
                value["weight"] = json!(self.record.weight.percent());
            }
        }
        targets.insert(0, stable);
        Value::Array(targets)
    }

    /// The steps from `route` to `wanted`, which differ in their destinations only.
    fn replace(
        &self,
        split: &Split,
        route: &Value,
        wanted: &Value,
        tests: &mut Vec<Value>,
        steps: &mut Vec<Value>,
    ) {
        let here = format!("/spec/http/{}/route", split.place);
        if self.routes.is_broken {
            if route != wanted {
                tests.push(test(&here, &route["route"]));
                steps.push(json!({ "op": "replace", "path": here, "value": wanted["route"] }));
            }
            return;
        }
        for (index, target) in split.targets.iter().enumerate().rev() {
            if target.backend.is_none() {
                continue;
            }
            let here = format!("{here}/{index}");
            let weight = |route: &Value| route["route"][index]["weight"].clone();
            // A share of 0 goes over whatever a hand has written; everything else waits for another look.
            if self.record.weight > Weight::ZERO {
                tests.push(test(&format!("{here}/weight"), &weight(route)));
            }
            tests.push(test(&format!("{here}/destination"), &target.destination));
            if weight(route) != weight(wanted) || self.record.weight == Weight::ZERO {
                steps.push(add(&format!("{here}/weight"), &weight(wanted)));
            }
        }
    }
}
