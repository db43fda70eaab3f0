//! Rollgate's own judge on the same looks: the settings of a plan that names its histogram and the limit of its memory,
//! and where an endpoint is dead, the label by which errors are told apart.

use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    analysis::{
        self, ClusterSizes, Counts, Distribution, GaugeLimits, GaugeUnit, Judge, Level, Measured, Samples,
        Series, Settings, SlowLimits, Throughput,
    },
    weight::Weight,
};

use super::weather::{Count, LOOK_S, Look, MEASURED, Seen, latency};

pub(crate) struct Rollgate {
    judge: Judge,
}

impl Rollgate {
    /// Measures how errors cluster in `past`, as `start` does, and begins.
    pub(crate) fn begin(past: &[[Count; MEASURED]], by_endpoint: bool) -> Self {
        let from = origin();
        let settings = Settings {
            cluster_size: ClusterSizes::measured(&samples(past), from, look_length()).errors,
            by_group: by_endpoint,
            ..settings()
        };
        Self {
            judge: Judge::new(settings, from).with_shares(&[(from, share())]),
        }
    }

    /// Takes in a look; whether it takes the candidate back.
    pub(crate) fn rolls_back(&mut self, look: &Look) -> bool {
        self.judge.look(&seen(look));
        self.judge.is_rollback()
    }

    /// Whether people are warned after that look.
    pub(crate) fn warns(&self) -> bool {
        self.judge.is_warning()
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        look: look_length(),
        slow: Some(SlowLimits::default()),
        throughput: Some(Throughput {
            below_stable: 0.1,
            level: Level::Rollback,
        }),
        gauges: vec![GaugeLimits {
            name: "memory".to_owned(),
            unit: GaugeUnit::Bytes,
            critical: Some(700e6),
            warning: None,
        }],
        ..Settings::default()
    }
}

pub(crate) fn share() -> Weight {
    Weight::new(1).expect("a share")
}

/// What the judge is shown of a look.
pub(crate) fn seen(look: &Look) -> analysis::Look {
    analysis::Look {
        index: look.index,
        end: end(look.index + 1),
        stable: measured(&look.stable),
        candidate: measured(&look.candidate),
        dropped: 0,
    }
}

fn measured(seen: &Seen) -> Measured {
    let groups = seen.endpoints.iter().enumerate();
    let memory = seen.memory.iter().enumerate();
    Measured {
        complete: true,
        groups: groups
            .map(|(place, count)| (format!("/{place}"), counts(*count)))
            .collect(),
        latency: distribution(&seen.latency),
        gauges: vec![
            memory
                .map(|(place, mb)| (format!("{place}"), vec![mb * 1e6]))
                .collect(),
        ],
        ..Measured::from(counts(seen.total))
    }
}

fn distribution(histogram: &latency::Histogram) -> Distribution {
    let mut total = 0.0;
    let mut at_most = Vec::new();
    let bounds = latency::bounds();
    for (place, count) in histogram.iter().enumerate() {
        total += f64::from(*count);
        at_most.extend(bounds.get(place).map(|bound| (bound / 1000.0, total)));
    }
    Distribution::new(total, at_most)
}

pub(crate) fn origin() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

fn counts(count: Count) -> Counts {
    Counts {
        requests: count.requests,
        errors: count.errors,
    }
}

fn look_length() -> SignedDuration {
    SignedDuration::from_secs(LOOK_S as i64)
}

/// The moment at which so many looks are over.
fn end(looks: u64) -> Timestamp {
    origin() + SignedDuration::from_secs((looks * LOOK_S) as i64)
}

/// Counters as a source has them.
fn samples(past: &[[Count; MEASURED]]) -> Samples {
    let mut samples = Samples::default();
    for instance in 0..MEASURED {
        let counter = |of: fn(&Count) -> f64| {
            let mut total = 0.0;
            let mut points = vec![(origin(), 0.0)];
            for (look, counts) in past.iter().enumerate() {
                total += of(&counts[instance]);
                points.push((end(look as u64 + 1), total));
            }
            Series {
                key: format!("stable-{instance}"),
                instance: format!("stable-{instance}"),
                points,
                ..Series::default()
            }
        };
        samples.requests.push(counter(|count| count.requests));
        samples.errors.push(counter(|count| count.errors));
    }
    samples
}
