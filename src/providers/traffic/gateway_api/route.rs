//! A HTTPRoute as a rollout sees it: which of its rules the two versions share, and how. Asks nobody.

use rollgate_domain::weight::Weight;
use serde_json::Value;

/// The two versions in the namespace of the route, by the names of their Services.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Roles {
    pub(super) namespace: String,
    pub(super) stable: String,
    pub(super) candidate: String,
}

/// One of two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    Stable,
    Candidate,
}

/// A rule that names one of the two versions, or both, and that is not one of [`super::rules`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Split {
    /// Its place among all rules, from 0.
    pub(super) at: usize,
    /// Places of ours among its backends, and their weights.
    pub(super) ours: Vec<Place>,
}

/// A backend of a rule that is one of the two versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) side: Side,
    /// Among all backends of the rule, from 0.
    pub(super) at: usize,
    /// A proportion, not a percentage.
    pub(super) weight: u64,
}

impl Roles {
    pub(super) fn name(&self, side: Side) -> &str {
        match side {
            Side::Stable => &self.stable,
            Side::Candidate => &self.candidate,
        }
    }

    /// Which version a backend of a rule is. A Service of another namespace is none, nor is anything but a Service.
    fn side(&self, backend: &Value) -> Option<Side> {
        let is = |key: &str, default: &str, wanted: &str| backend[key].as_str().unwrap_or(default) == wanted;
        let is_service = is("group", "", "") && is("kind", "Service", "Service");
        if !is_service || !is("namespace", &self.namespace, &self.namespace) {
            return None;
        }
        let sides = [Side::Stable, Side::Candidate];
        sides.into_iter().find(|side| backend["name"] == self.name(*side))
    }

    /// The rules that name one of the two versions.
    pub(super) fn splits(&self, route: &Value) -> Vec<Split> {
        let of = |(at, rule): (usize, &Value)| {
            let ours = self.places(rule);
            (!is_own(rule) && !ours.is_empty()).then_some(Split { at, ours })
        };
        rules(route).iter().enumerate().filter_map(of).collect()
    }

    /// Our backends in a rule.
    pub(super) fn places(&self, rule: &Value) -> Vec<Place> {
        let place = |(at, backend): (usize, &Value)| {
            // An omitted weight is 1: <https://gateway-api.sigs.k8s.io/reference/spec/#backendref>
            let weight = backend["weight"].as_u64().unwrap_or(1);
            self.side(backend).map(|side| Place { side, at, weight })
        };
        backends(rule).iter().enumerate().filter_map(place).collect()
    }
}

/// All rules of a route.
pub(super) fn rules(route: &Value) -> &[Value] {
    list(&route["spec"]["rules"])
}

/// All backends of a rule.
pub(super) fn backends(rule: &Value) -> &[Value] {
    list(&rule["backendRefs"])
}

pub(super) fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// Names of rules that only rollgate writes begin so.
pub(super) const OWN: &str = "rollgate-";

/// Whether a rule is one of ours, told without knowing the plan.
pub(super) fn is_own(rule: &Value) -> bool {
    rule["name"].as_str().is_some_and(|name| name.starts_with(OWN))
}

impl Split {
    fn sum(&self, side: Side) -> u64 {
        let of_side = self.ours.iter().filter(|place| place.side == side);
        of_side.map(|place| place.weight).sum()
    }

    /// The version that it does not name.
    pub(super) fn lacks(&self) -> Option<Side> {
        let has = |side| self.ours.iter().any(|place| place.side == side);
        [Side::Stable, Side::Candidate]
            .into_iter()
            .find(|side| !has(*side))
    }

    /// The candidate's share of the requests that one of the two versions gets: rounded so that it is 0 only if
    /// nobody meets the candidate and 100 only if nobody meets stable.
    pub(super) fn share(&self) -> Weight {
        let (stable, candidate) = (self.sum(Side::Stable), self.sum(Side::Candidate));
        let percent = match (stable, candidate) {
            (_, 0) => 0,
            (0, _) => 100,
            (stable, candidate) => (candidate * 100).div_ceil(stable + candidate).min(99),
        };
        u8::try_from(percent)
            .ok()
            .and_then(Weight::constant)
            .unwrap_or(Weight::FULL)
    }

    /// Whether the candidate has exactly this share.
    pub(super) fn gives(&self, share: Weight) -> bool {
        let (stable, candidate) = (self.sum(Side::Stable), self.sum(Side::Candidate));
        let percent = u64::from(share.percent());
        stable + candidate > 0 && candidate * 100 == (stable + candidate) * percent
    }

    /// The weights of one of its requests that give the candidate this share: each version's first backend gets all.
    pub(super) fn weights(&self, share: Weight) -> Vec<Place> {
        let mut seen = Vec::new();
        let weight = |place: &Place| {
            let first = !seen.contains(&place.side);
            seen.push(place.side);
            let weight = match place.side {
                _ if !first => 0,
                Side::Stable => u64::from(share.rest().percent()),
                Side::Candidate => u64::from(share.percent()),
            };
            Place { weight, ..*place }
        };
        self.ours.iter().map(weight).collect()
    }

    /// What is wrong with the rule itself, whatever the share is; in words.
    pub(super) fn fault(&self, route: &Value, roles: &Roles) -> Option<String> {
        let number = self.at + 1;
        if let Some(side) = self.lacks() {
            let lost = roles.name(side);
            let has = match side {
                Side::Stable => &roles.candidate,
                Side::Candidate => &roles.stable,
            };
            return Some(format!(
                "rule {number} names {has} and not {lost}: its users are out of reach of the rollout; name both in it, or move it to a HTTPRoute of its own"
            ));
        }
        let all = backends(&rules(route)[self.at]);
        let weight = |backend: &Value| backend["weight"].as_u64().unwrap_or(1);
        let total: u64 = all.iter().map(weight).sum();
        let ours = self.sum(Side::Stable) + self.sum(Side::Candidate);
        if total == 0 {
            return Some(format!(
                "rule {number} gives every backend weight 0: its requests are answered with 500"
            ));
        }
        // With weights of 100 in all the others' part would become another one.
        (ours != 100 && total > ours).then(|| {
            format!(
                "rule {number} has other backends too, and the weights of {} and {} add up to {ours}: make it 100 and the others' weights as much larger, so that their part stays",
                roles.stable, roles.candidate
            )
        })
    }
}
