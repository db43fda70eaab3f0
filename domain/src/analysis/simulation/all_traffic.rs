//! Rollouts to the end: six hours beside stable, then 66 h with all of the traffic, judged by what stable was.

use super::*;
use crate::rollout::ladder::Step;
use crate::weight::Weight;

const BESIDE_S: u64 = 6 * 3600;
const ALONE_S: u64 = 66 * 3600;

/// One service: all its requests a second, and what its errors are like.
#[derive(Clone, Copy, Debug)]
struct Service {
    per_second: f64,
    /// Of stable, and of a candidate as good.
    rate: f64,
    /// Errors come so many at once.
    cluster: f64,
    look_s: u64,
}

impl Service {
    fn settings(&self) -> Settings {
        Settings {
            look: SignedDuration::from_secs(self.look_s as i64),
            planned: SignedDuration::from_hours(144),
            grace: SignedDuration::ZERO,
            cluster_size: self.cluster,
            ..Settings::default()
        }
    }

    fn counts(&self, share: f64, rate: f64, random: &mut fastrand::Rng) -> Counts {
        let requests = self.per_second * self.look_s as f64 * share;
        let errors = self.cluster * poisson(random, requests * rate / self.cluster);
        Counts {
            requests,
            errors: errors.min(requests),
        }
    }

    /// Half and half for six hours, then `rate_of(look)` at 100 %; in which of these looks it was rolled back.
    fn play(&self, seed: u64, mut rate_of: impl FnMut(u64) -> f64) -> Option<u64> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut judge = Judge::new(self.settings(), origin());
        let (beside, alone) = (BESIDE_S / self.look_s, ALONE_S / self.look_s);
        let since = origin() + SignedDuration::from_secs(BESIDE_S as i64);
        for index in 0..beside + alone {
            let (share, rate) = match index.checked_sub(beside) {
                None => (0.5, self.rate),
                Some(look) => (1.0, rate_of(look)),
            };
            if index == beside {
                let step = Step {
                    weight: Weight::FULL,
                    duration: SignedDuration::from_hours(66),
                };
                judge.begin_step(since, Some(step));
            }
            let end = origin() + SignedDuration::from_secs(((index + 1) * self.look_s) as i64);
            let stable = self.counts(1.0 - share, self.rate, &mut random);
            let candidate = self.counts(share, rate, &mut random);
            judge.look(&Look::of_counts(index, end, stable, candidate));
            if judge.is_rollback() {
                return Some(index.saturating_sub(beside));
            }
        }
        assert!(judge.is_proved(), "66 h prove a healthy candidate: {self:?}");
        None
    }
}

/// Measured with about 25 times as many: 0 of 3,850, at 0.1 to 1,000 requests/s and 0 to 0.8 % errors.
#[test]
fn a_healthy_candidate_keeps_all_of_the_traffic_for_66_hours() {
    for (per_second, cluster) in [(1000.0, 1.0), (10.0, 1.0), (1.0, 1.0), (10.0, 5.0)] {
        for (rollouts, look_s) in [(2, 30), (20, 240)] {
            let service = Service {
                per_second,
                rate: 0.001,
                cluster,
                look_s,
            };
            let bad = (0..rollouts)
                .filter(|seed| service.play(*seed, |_| service.rate).is_some())
                .count();
            assert_eq!(bad, 0, "of {rollouts}: {service:?}");
        }
    }
}

/// Seconds at 100 % until the rollback of a candidate that fails `rate` after `healthy` looks: median and 95th
/// percentile.
fn detection(rate: f64, healthy: u64, rollouts: u64) -> (u64, u64) {
    let service = Service {
        per_second: 100.0,
        rate: 0.001,
        cluster: 1.0,
        look_s: 15,
    };
    let mut times: Vec<u64> = (0..rollouts)
        .map(|seed| {
            let found = service.play(seed, |look| if look < healthy { 0.001 } else { rate });
            (found.expect("found within the step") + 1 - healthy) * 15
        })
        .collect();
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 95 / 100])
}

/// Measured (100 rollouts each, 100 requests/s), median / 95th percentile: from the start of the step 0.5 % errors
/// 105 / 210 s, 1 % 45 / 60 s; after a day of health 195 / 270 s, 75 / 90 s.
#[test]
fn faults_with_all_of_the_traffic_are_found_in_a_minute_or_some() {
    for (rate, healthy, median, p95) in [
        (0.005, 0, 60..=150, 300),
        (0.01, 0, 30..=60, 75),
        (0.01, 1000, 60..=90, 105),
    ] {
        let measured = detection(rate, healthy, 15);
        assert!(
            median.contains(&measured.0) && measured.1 <= p95,
            "{rate} after {healthy} looks: {measured:?} s"
        );
    }
}
