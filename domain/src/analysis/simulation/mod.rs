//! Whole rollouts by the thousand, seeded: how often a healthy candidate is rolled back (never), how
//! soon faults are found, how many requests a proof of health takes.

use jiff::{SignedDuration, Timestamp};

use super::judge::{Judge, Settings};
use super::look::{Counts, Look};

mod all_traffic;
mod everything;

fn origin() -> Timestamp {
    Timestamp::UNIX_EPOCH
}

/// A Poisson number: by Knuth's method, from 60 on the normal one nearest to it.
fn poisson(random: &mut fastrand::Rng, mean: f64) -> f64 {
    if mean >= 60.0 {
        let radius = (-2.0 * libm::log(1.0 - random.f64())).sqrt();
        let normal = radius * libm::cos(std::f64::consts::TAU * random.f64());
        return (mean + mean.sqrt() * normal).round().max(0.0);
    }
    let (limit, mut product, mut events) = (libm::exp(-mean), random.f64(), 0.0);
    while product > limit {
        events += 1.0;
        product *= random.f64();
    }
    events
}

/// Feeds looks of `counts(place)` = (candidate, stable) until a rollback or `looks` are over.
fn judge(
    settings: &Settings,
    looks: u64,
    mut counts: impl FnMut(u64) -> (Counts, Counts),
) -> (Judge, Option<u64>) {
    let mut judge = Judge::new(settings.clone(), origin());
    for index in 0..looks {
        let (candidate, stable) = counts(index);
        let end = origin() + settings.look * i32::try_from(index + 1).expect("few looks");
        judge.look(&Look::of_counts(index, end, stable, candidate));
        if judge.is_rollback() {
            return (judge, Some(index));
        }
    }
    (judge, None)
}

/// How stable, and with it a healthy candidate, behaves.
#[derive(Clone, Copy, Debug)]
enum Weather {
    /// 0.1 % errors all the time.
    Calm,
    /// The rate wanders between a third and three times 0.1 %, for both.
    Noisy,
    /// Four incidents of 10 minutes with 30 % errors in both; the first while it warms up.
    Incidents,
    /// Three looks apart from each other in which all candidate requests fail.
    Bursts,
}

/// The error rates (candidate, stable) of each look.
fn rates(weather: Weather, looks: u64, look_s: u64, random: &mut fastrand::Rng) -> Vec<(f64, f64)> {
    let mut rates = vec![(0.001, 0.001); looks as usize];
    match weather {
        Weather::Calm => {}
        Weather::Noisy => {
            let mut level: f64 = 0.0;
            for rate in &mut rates {
                level = (level + (random.f64() - 0.5) * 0.4).clamp(-1.1, 1.1);
                *rate = (0.001 * libm::exp(level), 0.001 * libm::exp(level));
            }
        }
        Weather::Incidents => {
            let length = (600 / look_s).max(1);
            let starts = [
                60 / look_s,
                random.u64(0..looks),
                random.u64(0..looks),
                random.u64(0..looks),
            ];
            for start in starts {
                for rate in rates.iter_mut().skip(start as usize).take(length as usize) {
                    *rate = (0.3, 0.3);
                }
            }
        }
        Weather::Bursts => {
            for part in 0..3 {
                rates[(part * looks / 3 + random.u64(0..looks / 4)) as usize].0 = 1.0;
            }
        }
    }
    rates
}

/// Plays `rollouts` healthy rollouts of 48 h; how many were rolled back.
fn false_rollbacks(weather: Weather, rollouts: u64, look_s: u64, per_second: f64) -> usize {
    let settings = Settings {
        look: SignedDuration::from_secs(look_s as i64),
        ..Settings::default()
    };
    let looks = 48 * 3600 / look_s;
    let requests = per_second * look_s as f64;
    (0..rollouts)
        .filter(|seed| {
            let mut random = fastrand::Rng::with_seed(1000 + seed);
            let rates = rates(weather, looks, look_s, &mut random);
            let (_, found) = judge(&settings, looks, |index| {
                let (candidate, stable) = rates[index as usize];
                (
                    Counts {
                        requests,
                        errors: poisson(&mut random, requests * candidate).min(requests),
                    },
                    Counts {
                        requests: 99.0 * requests,
                        errors: poisson(&mut random, 99.0 * requests * stable),
                    },
                )
            });
            found.is_some()
        })
        .count()
}

/// Healthy rollouts of 48 h at 10 and 1 requests/s beside 99 times as many. Many with looks of 4 min,
/// some with looks of 30 s: the whole must take seconds.
fn check_no_false_rollback(weather: Weather) {
    for (rollouts, look_s, per_second) in [(3, 30, 10.0), (3, 30, 1.0), (80, 240, 10.0), (80, 240, 1.0)] {
        let bad = false_rollbacks(weather, rollouts, look_s, per_second);
        assert_eq!(
            bad, 0,
            "of {rollouts} in {weather:?} weather, looks of {look_s} s, {per_second}/s"
        );
    }
}

/// Measured with about 25 times as many: 0 of 4,160.
#[test]
fn a_healthy_candidate_is_not_rolled_back() {
    check_no_false_rollback(Weather::Calm);
}

/// Measured with about 25 times as many: 0 of 4,160.
#[test]
fn a_noisy_stable_is_not_held_against_a_healthy_candidate() {
    check_no_false_rollback(Weather::Noisy);
}

/// Measured with about 25 times as many: 0 of 4,160.
#[test]
fn incidents_of_both_are_not_held_against_a_healthy_candidate() {
    check_no_false_rollback(Weather::Incidents);
}

/// Measured with about 25 times as many: 0 of 4,160.
#[test]
fn single_bursts_are_not_held_against_a_healthy_candidate() {
    check_no_false_rollback(Weather::Bursts);
}

/// Seconds of counted traffic until the rollback of a candidate that fails `rate` from the start: median
/// and 95th percentile. 10 requests/s beside 990, stable 0.1 %, looks of 15 s.
fn detection(rate: f64, rollouts: u64) -> (u64, u64) {
    let settings = Settings {
        grace: SignedDuration::ZERO,
        ..Settings::default()
    };
    let mut times: Vec<u64> = (0..rollouts)
        .map(|seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let (_, found) = judge(&settings, 2000, |_| {
                (
                    Counts {
                        requests: 150.0,
                        errors: poisson(&mut random, 150.0 * rate),
                    },
                    Counts {
                        requests: 14_850.0,
                        errors: poisson(&mut random, 14.85),
                    },
                )
            });
            (found.expect("found within 8 h") + 1) * 15
        })
        .collect();
    times.sort_unstable();
    (times[times.len() / 2], times[times.len() * 95 / 100])
}

/// Measured (1,500 rollouts each), median / 95th percentile: 0.5 % errors 12.25 / 23.75 min, 1 % 2.5 / 5 min,
/// 2 % 60 / 105 s, 5 % 45 / 45 s.
#[test]
fn faults_are_found_in_minutes() {
    for (rate, median, p95) in [
        (0.005, 6 * 60..=16 * 60, 30 * 60),
        (0.01, 90..=240, 360),
        (0.02, 45..=75, 135),
        (0.05, 30..=45, 60),
    ] {
        let measured = detection(rate, 200);
        assert!(
            median.contains(&measured.0) && measured.1 <= p95,
            "{rate}: {measured:?} s"
        );
    }
}

/// Looks of 10 candidate requests beside 990, both with 0.1 % errors.
///
/// Measured (400 rollouts): median 720, 95th percentile 2,070 candidate requests.
#[test]
fn health_is_proved_with_about_900_requests() {
    let settings = Settings {
        grace: SignedDuration::ZERO,
        ..Settings::default()
    };
    let mut needed: Vec<u64> = (0..400)
        .map(|seed| {
            let mut random = fastrand::Rng::with_seed(seed);
            let mut judge = Judge::new(settings.clone(), origin());
            let mut index = 0;
            while !judge.is_proved() {
                let candidate = Counts {
                    requests: 10.0,
                    errors: poisson(&mut random, 0.01),
                };
                let stable = Counts {
                    requests: 990.0,
                    errors: poisson(&mut random, 0.99),
                };
                let end = origin() + settings.look * i32::try_from(index + 1).expect("few looks");
                judge.look(&Look::of_counts(index, end, stable, candidate));
                index += 1;
            }
            index * 10
        })
        .collect();
    needed.sort_unstable();
    assert!((600..=1100).contains(&needed[200]), "median {}", needed[200]);
    assert!(
        (1200..=3000).contains(&needed[380]),
        "95th percentile {}",
        needed[380]
    );
}
