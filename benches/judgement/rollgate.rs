//! Rollgate's own judge on the same looks, with the settings that a plan has when it says nothing.

use jiff::{SignedDuration, Timestamp};
use rollgate_domain::analysis::{self, Counts, Judge, Samples, Series, Settings, Side};

use super::weather::{Count, LOOK_S, Look, MEASURED};

pub(crate) struct Rollgate {
    judge: Judge,
}

impl Rollgate {
    /// Measures how errors cluster in `past`, as `start` does, and begins.
    pub(crate) fn begin(past: &[[Count; MEASURED]]) -> Self {
        let from = origin();
        let settings = Settings {
            look: look_length(),
            cluster_size: analysis::cluster_size(&samples(past), from, look_length()),
            ..Settings::default()
        };
        Self {
            judge: Judge::new(settings, from),
        }
    }

    /// Takes in a look; whether it takes the candidate back.
    pub(crate) fn rolls_back(&mut self, look: &Look) -> bool {
        self.judge.look(&seen(look));
        self.judge.is_rollback()
    }
}

/// What the judge is shown of a look: the one place that knows what it can take.
pub(crate) fn seen(look: &Look) -> analysis::Look {
    analysis::Look {
        index: look.index,
        end: end(look.index + 1),
        stable: counts(look.stable.total),
        candidate: counts(look.candidate.total),
    }
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
                side: Side::Stable,
                points,
            }
        };
        samples.requests.push(counter(|count| count.requests));
        samples.errors.push(counter(|count| count.errors));
    }
    samples
}
