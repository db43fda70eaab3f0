//! Who finds faults sooner at equal false alarms: each rule gets the smallest limit of its grid with which it took
//! back no more healthy candidates than rollgate did, of the same ones.

use super::contest::{Entrant, Played, Times};
use super::rivals::{Limits, Rule};
use super::weather::Fault;

/// What a rule looks at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Metric {
    Errors,
    Latency,
}

impl Metric {
    pub(crate) const ALL: [Self; 2] = [Self::Errors, Self::Latency];

    /// The metric that a fault shows in; nothing for what no rule looks at.
    pub(crate) fn of(fault: Fault) -> Option<Self> {
        match fault {
            Fault::Errors(_) | Fault::Ramp | Fault::Instance | Fault::Endpoint => Some(Self::Errors),
            Fault::Latency(_) => Some(Self::Latency),
            Fault::Throughput(_) | Fault::Leak => None,
        }
    }

    fn grid(self, rule: Rule) -> Vec<Limits> {
        match self {
            Self::Errors => rule.by_errors(),
            Self::Latency => rule.by_latency(),
        }
    }
}

/// Every rule as documented, and then with every limit, about each metric alone.
pub(crate) fn entrants() -> Vec<Entrant> {
    let documented = Rule::ALL.map(|rule| Entrant {
        rule,
        limits: rule.documented(),
    });
    let tuned = Metric::ALL.into_iter().flat_map(|metric| {
        Rule::ALL.into_iter().flat_map(move |rule| {
            let of = move |limits| Entrant { rule, limits };
            metric.grid(rule).into_iter().map(of)
        })
    });
    documented.into_iter().chain(tuned).collect()
}

/// A rule with the limit that it got.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tuned {
    pub(crate) rule: Rule,
    pub(crate) metric: Metric,
    pub(crate) limit: f64,
    /// Its place among the entrants.
    place: usize,
}

/// Each rule with a limit that is quiet enough in `healthy`, if it has one.
pub(crate) fn tune(entrants: &[Entrant], healthy: &[&[Played]]) -> Vec<Tuned> {
    let alarms = |found: &dyn Fn(&Played) -> Option<u64>| {
        let all = healthy.iter().flat_map(|played| played.iter());
        all.filter(|played| found(played).is_some()).count()
    };
    let allowed = alarms(&|played| played.rollgate);
    let mut tuned = Vec::new();
    let mut place = Rule::ALL.len();
    for metric in Metric::ALL {
        for rule in Rule::ALL {
            let places = place..place + metric.grid(rule).len();
            place = places.end;
            let quiet = |place: &usize| alarms(&|played| played.rivals[*place]) <= allowed;
            tuned.extend(places.into_iter().find(quiet).map(|place| {
                let limits = entrants[place].limits;
                Tuned {
                    rule,
                    metric,
                    limit: if metric == Metric::Errors {
                        limits.errors
                    } else {
                        limits.latency
                    },
                    place,
                }
            }));
        }
    }
    tuned
}

impl Tuned {
    pub(crate) fn times(&self, played: &[Played]) -> Times {
        Times::of(played.iter().map(|played| played.rivals[self.place]))
    }
}

/// Rollgate's times.
pub(crate) fn rollgates(played: &[Played]) -> Times {
    Times::of(played.iter().map(|played| played.rollgate))
}

/// When rollgate first told people.
pub(crate) fn warnings(played: &[Played]) -> Times {
    Times::of(played.iter().map(|played| played.warned))
}

/// Whether `one` finds most faults sooner than `other`.
pub(crate) fn is_sooner(one: &Times, other: &Times) -> bool {
    let median = |times: &Times| times.percentile(50).unwrap_or(u64::MAX);
    median(one) < median(other)
}
