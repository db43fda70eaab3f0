//! What may happen: weather, which both versions share, and faults, which only the candidate has.

use std::f64::consts::TAU;

use super::chance::Chance;
use super::{ERROR_RATE, INSTANCES, LOOK_S, State, WARM_UP};

/// What a healthy candidate goes through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Weather {
    /// 0.1 % errors all the time.
    Calm,
    /// The error rate of both wanders between a third and three times 0.1 %.
    Noisy,
    /// Traffic between 0.2 and 1.8 times the mean, over 24 h.
    Diurnal,
    /// Both fail 30 % for 10 min, four times.
    Incidents,
    /// Errors come five at once, in both.
    Clusters,
    /// All requests of the candidate fail in one look, three times.
    Bursts,
    /// In their first 5 min both are three times as slow and fail 5 %.
    SlowStart,
    /// Stable alone is deployed in the middle, and fails 30 % for 2 min.
    StableDeploy,
}

impl Weather {
    pub(crate) const ALL: [Self; 8] = [
        Self::Calm,
        Self::Noisy,
        Self::Diurnal,
        Self::Incidents,
        Self::Clusters,
        Self::Bursts,
        Self::SlowStart,
        Self::StableDeploy,
    ];

    pub(crate) fn words(self) -> &'static str {
        match self {
            Self::Calm => "calm: 0.1 % errors",
            Self::Noisy => "noisy: both between 0.03 and 0.3 %",
            Self::Diurnal => "traffic of a day: 0.2 to 1.8 times the mean",
            Self::Incidents => "four incidents of 10 min, 30 % in both",
            Self::Clusters => "errors five at a time, in both",
            Self::Bursts => "three looks in which every request of the candidate fails",
            Self::SlowStart => "both slow, 5 % errors, in the first 5 min",
            Self::StableDeploy => "stable fails 30 % for 2 min",
        }
    }

    /// How many errors come together.
    pub(super) fn cluster(self) -> f64 {
        if self == Self::Clusters { 5.0 } else { 1.0 }
    }
}

/// What is wrong with the candidate once it is warm.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    /// This error rate.
    Errors(f64),
    /// Everything takes so many times as long.
    Latency(f64),
    /// It gets this share of its requests.
    Throughput(f64),
    /// One instance has 300 MB more after 6 h than before.
    Leak,
    /// 0.1 to 2 % errors within 6 h.
    Ramp,
    /// One instance of ten fails 10 %.
    Instance,
    /// One endpoint with 0.05 % of the traffic fails always.
    Endpoint,
}

impl Fault {
    pub(crate) const ALL: [Self; 14] = [
        Self::Errors(0.003),
        Self::Errors(0.005),
        Self::Errors(0.01),
        Self::Errors(0.02),
        Self::Errors(0.05),
        Self::Latency(1.2),
        Self::Latency(1.5),
        Self::Latency(2.0),
        Self::Throughput(0.7),
        Self::Throughput(0.0),
        Self::Leak,
        Self::Ramp,
        Self::Instance,
        Self::Endpoint,
    ];

    pub(crate) fn words(self) -> String {
        match self {
            Self::Errors(rate) => format!("{} % errors", rate * 100.0),
            Self::Latency(times) => format!("p95 + {:.0} %", (times - 1.0) * 100.0),
            Self::Throughput(share) => format!("{:.0} % of its traffic lost", (1.0 - share) * 100.0),
            Self::Leak => "memory: one instance over 700 MB after 6 h".to_owned(),
            Self::Ramp => "errors 0.1 to 2 % within 6 h".to_owned(),
            Self::Instance => "one instance of ten fails 10 %".to_owned(),
            Self::Endpoint => "a dead endpoint with 0.05 % of the traffic".to_owned(),
        }
    }

    fn harm(self, state: &mut State, since: u64) {
        let part_of_6_h = (since * LOOK_S) as f64 / (6.0 * 3600.0);
        match self {
            Self::Errors(rate) => (state.errors, state.rarest) = (rate, rate),
            Self::Latency(times) => state.slowness *= times,
            Self::Throughput(share) => state.arriving = share,
            Self::Leak => state.leaked = 310.0 * part_of_6_h,
            Self::Ramp => {
                let rate = ERROR_RATE + (0.02 - ERROR_RATE) * part_of_6_h.min(1.0);
                (state.errors, state.rarest) = (rate, rate);
            }
            // Requests are dealt evenly, so all together are Poisson at the mean rate.
            Self::Instance => {
                let rate = ERROR_RATE + (0.1 - ERROR_RATE) / INSTANCES as f64;
                (state.errors, state.rarest) = (rate, rate);
            }
            Self::Endpoint => state.rarest = 1.0,
        }
    }
}

/// One kind of rollout.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Scenario {
    pub(crate) weather: Weather,
    pub(crate) fault: Option<Fault>,
    /// The candidate's requests a second.
    pub(crate) per_second: f64,
    /// How long it is watched.
    pub(crate) looks: u64,
}

/// How both versions are in one look.
pub(super) struct Moment {
    pub(super) traffic: f64,
    pub(super) stable: State,
    pub(super) candidate: State,
}

/// What happens when, in one rollout.
pub(super) struct Course {
    scenario: Scenario,
    /// The logarithm of how much the error rate is off.
    level: f64,
    incidents: [u64; 4],
    bursts: [u64; 3],
}

impl Course {
    pub(super) fn new(scenario: Scenario, chance: &mut Chance) -> Self {
        let looks = scenario.looks;
        Self {
            scenario,
            level: 0.0,
            incidents: [(); 4].map(|()| chance.below(looks)),
            bursts: [0, 1, 2].map(|third| WARM_UP + third * looks / 3 + chance.below(looks / 4)),
        }
    }

    /// Errors of both when nothing in particular happens.
    pub(super) fn usual_rate(&mut self, chance: &mut Chance) -> f64 {
        if self.scenario.weather == Weather::Noisy {
            self.level = (self.level + (chance.share() - 0.5) * 0.3).clamp(-1.1, 1.1);
        }
        ERROR_RATE * libm::exp(self.level)
    }

    pub(super) fn moment(&mut self, index: u64, chance: &mut Chance) -> Moment {
        let mut stable = State::healthy(self.usual_rate(chance));
        let mut candidate = stable;
        let mut traffic = 1.0;
        let within = |start: u64, seconds: u64| (start..start + seconds / LOOK_S).contains(&index);
        let fail = |state: &mut State, rate: f64| (state.errors, state.rarest) = (rate, rate);
        match self.scenario.weather {
            Weather::Calm | Weather::Noisy | Weather::Clusters => {}
            Weather::Diurnal => {
                let day = (index * LOOK_S) as f64 / 86_400.0;
                traffic = 1.0 + 0.8 * libm::sin(TAU * day);
            }
            Weather::Incidents => {
                if self.incidents.iter().any(|start| within(*start, 600)) {
                    fail(&mut stable, 0.3);
                    fail(&mut candidate, 0.3);
                }
            }
            Weather::Bursts => {
                if self.bursts.contains(&index) {
                    fail(&mut candidate, 1.0);
                }
            }
            Weather::SlowStart => {
                if within(0, 300) {
                    for state in [&mut stable, &mut candidate] {
                        fail(state, 0.05);
                        state.slowness = 3.0;
                    }
                }
            }
            Weather::StableDeploy => {
                if within(self.scenario.looks / 2, 120) {
                    fail(&mut stable, 0.3);
                }
            }
        }
        if let Some(fault) = self.scenario.fault
            && index >= WARM_UP
        {
            fault.harm(&mut candidate, index - WARM_UP);
        }
        Moment {
            traffic,
            stable,
            candidate,
        }
    }
}
