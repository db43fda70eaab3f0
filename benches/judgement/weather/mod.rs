//! What a rollout of 48 h looks like from outside, look by look.
//!
//! In: a scenario and a seed. Out: for both versions requests, errors, latencies, errors of each endpoint and
//! the memory of each instance. Stable has 99 % of the traffic.

mod chance;
pub(crate) mod latency;
mod scenarios;

use chance::Chance;
use latency::{BUCKETS, Histogram};
pub(crate) use scenarios::{Fault, Scenario, Weather};

/// Rollgate's own: it finds nothing sooner with shorter ones.
pub(crate) const LOOK_S: u64 = 15;
/// As long as a canary is held.
pub(crate) const TWO_DAYS: u64 = 48 * 3600 / LOOK_S;
/// The candidate is healthy for so long before a fault begins: the warm-up of 5 min, in which nobody should judge.
pub(crate) const WARM_UP: u64 = 300 / LOOK_S;
/// Stable's share of the traffic beside the candidate's 1 %.
const TIMES_AS_MUCH: f64 = 99.0;
/// Processes of each version.
pub(crate) const INSTANCES: usize = 10;
/// Stable's instances whose errors are measured before the rollout, each with a part of its traffic.
pub(crate) const MEASURED: usize = 4;
/// Six hours.
const PAST: u64 = 6 * 3600 / LOOK_S;

/// Shares of the traffic, the rarest first; the rest goes to one more.
const RARER: [f64; 4] = [0.0005, 0.05, 0.1, 0.25];
/// Endpoints of the service.
pub(crate) const ENDPOINTS: usize = RARER.len() + 1;
/// Of a healthy service.
const ERROR_RATE: f64 = 0.001;
/// Of a healthy instance, MB.
const MEMORY: f64 = 400.0;

/// Requests and how many of them failed.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Count {
    pub(crate) requests: f64,
    pub(crate) errors: f64,
}

/// What one version did in one look.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Seen {
    pub(crate) total: Count,
    pub(crate) endpoints: [Count; ENDPOINTS],
    pub(crate) latency: Histogram,
    /// Of each instance, MB.
    pub(crate) memory: [f64; INSTANCES],
}

/// One look at both versions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Look {
    pub(crate) index: u64,
    /// All of stable.
    pub(crate) stable: Seen,
    /// A part of stable that has as much traffic as the candidate: what Kayenta asks for.
    pub(crate) baseline: Seen,
    pub(crate) candidate: Seen,
}

/// How one version is.
#[derive(Clone, Copy, Debug)]
struct State {
    errors: f64,
    /// Errors of the rarest endpoint.
    rarest: f64,
    /// Everything takes so many times as long as usual.
    slowness: f64,
    /// The share of its requests that it gets.
    arriving: f64,
    /// What its first instance has too much, MB.
    leaked: f64,
}

impl State {
    fn healthy(errors: f64) -> Self {
        Self {
            errors,
            rarest: errors,
            slowness: 1.0,
            arriving: 1.0,
            leaked: 0.0,
        }
    }
}

/// One rollout, endlessly the same for the same seed.
pub(crate) struct Rollout {
    scenario: Scenario,
    chance: Chance,
    course: scenarios::Course,
    /// The shares of the buckets at the slowness that was asked for last, of each version.
    shapes: [(f64, [f64; BUCKETS]); 2],
    index: u64,
}

impl Rollout {
    pub(crate) fn new(scenario: Scenario, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        Self {
            course: scenarios::Course::new(scenario, &mut chance),
            scenario,
            chance,
            shapes: [(1.0, latency::shares(1.0)); 2],
            index: 0,
        }
    }

    /// Requests and errors of some of stable's instances, look by look, in the six hours before.
    pub(crate) fn past(&mut self) -> Vec<[Count; MEASURED]> {
        let mean = self.per_look() * TIMES_AS_MUCH / MEASURED as f64;
        (0..PAST)
            .map(|_| {
                let rate = self.course.usual_rate(&mut self.chance);
                [(); MEASURED].map(|()| {
                    let requests = self.chance.poisson(mean);
                    let errors = self.errors(requests, rate);
                    Count { requests, errors }
                })
            })
            .collect()
    }

    pub(crate) fn look(&mut self) -> Look {
        let moment = self.course.moment(self.index, &mut self.chance);
        let mean = self.per_look() * moment.traffic;
        let baseline = self.draw(0, mean, moment.stable);
        let rest = self.draw(0, mean * (TIMES_AS_MUCH - 1.0), moment.stable);
        let look = Look {
            index: self.index,
            stable: sum(&baseline, &rest),
            baseline,
            candidate: self.draw(1, mean, moment.candidate),
        };
        self.index += 1;
        look
    }

    fn per_look(&self) -> f64 {
        self.scenario.per_second * LOOK_S as f64
    }

    fn draw(&mut self, side: usize, mean: f64, state: State) -> Seen {
        if self.shapes[side].0.to_bits() != state.slowness.to_bits() {
            self.shapes[side] = (state.slowness, latency::shares(state.slowness));
        }
        let mean = mean * state.arriving;
        // Poisson in each bucket is Poisson in all of them together: no request needs to be drawn alone.
        let shares = self.shapes[side].1;
        let latency = shares.map(|share| self.chance.poisson(mean * share) as u32);
        let requests = f64::from(latency.iter().sum::<u32>());

        let mut endpoints = [Count::default(); ENDPOINTS];
        let mut left = requests;
        for (place, endpoint) in endpoints.iter_mut().enumerate() {
            endpoint.requests = RARER
                .get(place)
                .map_or(left, |share| self.chance.poisson(requests * share).min(left));
            left -= endpoint.requests;
            let rate = if place == 0 { state.rarest } else { state.errors };
            endpoint.errors = self.errors(endpoint.requests, rate);
        }
        let errors = endpoints.iter().map(|endpoint| endpoint.errors).sum();

        let mut memory = [(); INSTANCES].map(|()| MEMORY + 40.0 * (self.chance.share() - 0.5));
        memory[0] += state.leaked;
        Seen {
            total: Count { requests, errors },
            endpoints,
            latency,
            memory,
        }
    }

    /// How many of `requests` fail.
    fn errors(&mut self, requests: f64, rate: f64) -> f64 {
        if rate >= 1.0 {
            return requests;
        }
        let together = self.scenario.weather.cluster();
        (together * self.chance.poisson(requests * rate / together)).min(requests)
    }
}

fn sum(one: &Seen, other: &Seen) -> Seen {
    let add = |one: Count, other: Count| Count {
        requests: one.requests + other.requests,
        errors: one.errors + other.errors,
    };
    Seen {
        total: add(one.total, other.total),
        endpoints: std::array::from_fn(|place| add(one.endpoints[place], other.endpoints[place])),
        latency: std::array::from_fn(|place| one.latency[place] + other.latency[place]),
        memory: one.memory,
    }
}
