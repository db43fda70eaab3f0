//! What a watcher waits for, and what it does not.

use rollgate_domain::{
    analysis::{Baseline, Samples, Series},
    rollout::{
        ladder::{Ladder, Require},
        moves::{By, Course, Start},
        phase::Phase,
        record::{Evidence, Pin, Version},
    },
};

use super::*;

mod recorded;

/// Counts 1,000 requests a second, one of them an error; at [`LEFT`] the candidate gets those of stable too, and a
/// minute later stable is gone.
struct Shop {
    has_past: bool,
}

/// Seconds after the origin.
const LEFT: i64 = 7200;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

#[async_trait::async_trait]
impl Metrics for Shop {
    async fn samples(&self, from: Timestamp, to: Timestamp) -> anyhow::Result<Samples> {
        let begin = at(0).as_second();
        let series = |side, counted: fn(i64) -> f64, until| Series {
            key: format!("{side:?}"),
            instance: String::new(),
            side,
            points: (from.as_second().max(begin) - begin + 1..=(to.as_second() - begin).min(until))
                .map(|second| (at(second), counted(second)))
                .collect(),
            ..Series::default()
        };
        let both = |stable: fn(i64) -> f64, candidate: fn(i64) -> f64| {
            vec![
                series(Side::Stable, stable, LEFT + 60),
                series(Side::Candidate, candidate, i64::MAX),
            ]
        };
        Ok(Samples {
            requests: both(
                |second| 500.0 * second.min(LEFT) as f64,
                |second| 500.0 * (second + (second - LEFT).max(0)) as f64,
            ),
            errors: both(
                |second| (second.min(LEFT) / 2) as f64,
                |second| ((second + (second - LEFT).max(0)) / 2) as f64,
            ),
            ..Samples::default()
        })
    }

    fn has_past(&self) -> bool {
        self.has_past
    }
}

fn record() -> Record {
    let version = |name: &str| Version {
        backend: name.to_owned(),
        version: name.to_owned(),
        images: Vec::new(),
    };
    let start = Start {
        service: "shop".to_owned(),
        stable: version("blue"),
        candidate: version("green"),
        course: Course {
            phase: Phase::Production,
            ladder: Ladder::new(vec![half(), all()], Require::Proof).unwrap(),
            gates: Vec::new(),
            keep_old: SignedDuration::ZERO,
        },
        evidence: Evidence {
            origin: at(0),
            look: SignedDuration::from_secs(15),
            cluster_size: 1.0,
            ..Evidence::default()
        },
        pin: Pin {
            hash: String::new(),
            commit: None,
            tool: "0.1.0".to_owned(),
        },
    };
    let by = By {
        run: "test",
        actor: "test",
        at: at(0),
    };
    Record::start(start, None, by)
}

fn half() -> Step {
    Step {
        weight: Weight::new(50).unwrap(),
        duration: SignedDuration::from_hours(2),
    }
}

fn all() -> Step {
    Step {
        weight: Weight::FULL,
        duration: SignedDuration::from_hours(2),
    }
}

#[tokio::test]
async fn a_stable_that_is_gone_at_100_percent_is_not_waited_for() {
    let shop = Shop { has_past: true };
    let mut along = Watcher::new(&shop, Settings::default(), &record(), at(0));
    along.begin_step(at(0), Some(half()));
    along.look(at(LEFT + 2)).await;
    along.begin_step(at(LEFT), Some(all()));
    let verdict = along.look(at(LEFT + 3602)).await;

    assert_eq!(
        (verdict.outcome, verdict.baseline),
        (Outcome::Healthy, Baseline::Frozen),
        "{}",
        verdict.sentence
    );
    assert_eq!(along.blind_since(Weight::FULL), None);
    // It can be asked again, so nobody has to keep it.
    assert_eq!(along.baseline(), None);

    // Whoever begins in the middle says the same, by the shares in the record.
    let mut record = record();
    record.shares = vec![(at(0), half().weight), (at(LEFT), Weight::FULL)];
    let mut anew = Watcher::new(&shop, Settings::default(), &record, at(LEFT + 3602));
    anew.begin_step(at(LEFT), Some(all()));
    assert_eq!(anew.look(at(LEFT + 3602)).await, verdict);
}

#[tokio::test]
async fn a_stable_that_is_gone_below_100_percent_is_missed() {
    let shop = Shop { has_past: true };
    let mut watcher = Watcher::new(&shop, Settings::default(), &record(), at(0));
    watcher.begin_step(at(0), Some(half()));
    let verdict = watcher.look(at(LEFT + 3602)).await;

    assert_eq!(
        (verdict.outcome, verdict.baseline),
        (Outcome::Hold, Baseline::Live)
    );
}

#[tokio::test]
async fn a_run_without_a_past_goes_on_with_the_baseline_it_is_told() {
    let shop = Shop { has_past: false };
    let mut along = Watcher::new(&shop, Settings::default(), &record(), at(0));
    along.begin_step(at(0), Some(half()));
    along.look(at(2)).await;
    along.look(at(LEFT + 2)).await;
    assert!(along.baseline().unwrap().requests > 0.0);
    let told = Settings {
        frozen: Some(Counts {
            requests: 3.6e6,
            errors: 3600.0,
        }),
        warm_since: Some(at(0)),
        ..Settings::default()
    };
    for (settings, baseline) in [(told, Baseline::Frozen), (Settings::default(), Baseline::Missing)] {
        let mut watcher = Watcher::new(&shop, settings, &record(), at(LEFT + 600));
        watcher.begin_step(at(LEFT), Some(all()));
        watcher.look(at(LEFT + 600)).await;
        let verdict = watcher.look(at(LEFT + 1802)).await;
        assert_eq!(
            (verdict.outcome, verdict.baseline),
            (Outcome::Healthy, baseline),
            "{}",
            verdict.sentence
        );
    }
}

#[test]
fn stable_tells_how_many_requests_the_candidate_should_have_had() {
    let expected = |percent| expected(990.0, Weight::new(percent).unwrap());
    assert_eq!(expected(0), Some(0.0));
    assert_eq!(expected(1), Some(10.0));
    assert_eq!(expected(50), Some(990.0));
    assert_eq!(expected(100), None);
}

#[test]
fn a_look_has_ended_at_its_end() {
    let at = |millisecond| Timestamp::from_millisecond(millisecond).unwrap();
    let look = SignedDuration::from_secs(15);
    let ended = |now| ended(at(15_000), at(now), look);
    assert_eq!([14_999, 15_000, 29_999, 30_000].map(ended), [0, 1, 1, 2]);
}

/// Four pods of each version, scraped every 15 s at moments of their own; what was scraped is told so many seconds later.
struct Late {
    lag: i64,
    now: std::sync::Mutex<i64>,
}

#[async_trait::async_trait]
impl Metrics for Late {
    async fn samples(&self, from: Timestamp, to: Timestamp) -> anyhow::Result<Samples> {
        let told = *self.now.lock().expect("no panic") - self.lag;
        let pod = |side, number: i64, per_second: f64| Series {
            key: format!("{side:?} {number}"),
            instance: format!("{side:?} {number}"),
            side,
            points: (-20..1000)
                .map(|scrape| scrape * 15 + number * 4 + 1)
                .filter(|second| from < at(*second) && at(*second) <= to && *second <= told)
                .map(|second| (at(second), (1000 + second) as f64 * per_second))
                .collect(),
            ..Series::default()
        };
        let pods = (0..4).map(|number| pod(Side::Stable, number, 25.0));
        let requests = pods.chain((0..4).map(|number| pod(Side::Candidate, number, 25.0)));
        Ok(Samples {
            requests: requests.filter(|series| !series.points.is_empty()).collect(),
            ..Samples::default()
        })
    }

    fn has_past(&self) -> bool {
        true
    }
}

/// Everything that a source can tell: two processes of each version, one that begins anew, gets lost and comes back;
/// groups, latency, a check, a gauge, and a number that is none. The candidate gets bad in the end.
struct Everything;

impl Everything {
    fn series(side: Side, instance: &str, group: &str, points: Vec<(Timestamp, f64)>) -> Series {
        Series {
            key: format!("{instance} {group}"),
            instance: instance.to_owned(),
            side,
            group: group.to_owned(),
            points,
            ..Series::default()
        }
    }
}

#[async_trait::async_trait]
impl Metrics for Everything {
    async fn samples(&self, from: Timestamp, to: Timestamp) -> anyhow::Result<Samples> {
        let grid: Vec<i64> = (-20..1000)
            .map(|nth| nth * 15 - 4)
            .filter(|second| from < at(*second) && at(*second) <= to)
            .collect();
        let mut samples = Samples {
            checks: vec![rollgate_domain::analysis::CheckSamples::default()],
            gauges: vec![Vec::new()],
            ..Samples::default()
        };
        for (side, name) in [(Side::Stable, "s"), (Side::Candidate, "c")] {
            for nth in 0..2 {
                let instance = format!("{name}{nth}");
                let lost = |second: i64| nth == 1 && (3000..3100).contains(&second);
                let seen = grid.iter().copied().filter(|second| !lost(*second));
                // Counted since the process began; the second one began anew.
                let since = |second: i64| second - if nth == 1 && second > 4000 { 4000 } else { -900 };
                let count = |per_minute: i64| -> Vec<(Timestamp, f64)> {
                    let count = |second| (since(second) * per_minute / 60) as f64;
                    seen.clone().map(|second| (at(second), count(second))).collect()
                };
                for (group, rate) in [("cart", 900), ("search", 3000), ("", 60)] {
                    samples
                        .requests
                        .push(Self::series(side, &instance, group, count(rate)));
                    let bad = |second: i64| {
                        let late = (second - 5400).max(0) * i64::from(side == Side::Candidate);
                        ((since(second) * rate / 100 + late * rate) / 600) as f64
                    };
                    let errors = seen.clone().map(|second| (at(second), bad(second))).collect();
                    samples.errors.push(Self::series(side, &instance, group, errors));
                }
                samples.latency.push(rollgate_domain::analysis::Histogram {
                    key: instance.clone(),
                    instance: instance.clone(),
                    side,
                    points: count(3960)
                        .into_iter()
                        .map(|(time, all)| {
                            let known = [(0.1, (all * 0.5).floor()), (0.25, (all * 0.96).floor())];
                            (time, rollgate_domain::analysis::Distribution::new(all, known))
                        })
                        .collect(),
                    ..rollgate_domain::analysis::Histogram::default()
                });
                let check = &mut samples.checks[0];
                check.good.push(Self::series(side, &instance, "", count(99)));
                check.total.push(Self::series(side, &instance, "", count(100)));
                let gauge = seen.clone().map(|second| {
                    let odd = second == 26 * 15 - 4 && nth == 0;
                    (at(second), if odd { f64::NAN } else { (second % 7) as f64 })
                });
                samples.gauges[0].push(Self::series(side, &instance, "", gauge.collect()));
            }
        }
        Ok(samples)
    }

    fn has_past(&self) -> bool {
        true
    }
}

#[tokio::test]
async fn a_pod_that_is_always_told_late_is_counted_in_the_next_look() {
    let mut record = record();
    record.shares = vec![(at(0), "50%".parse().expect("a share"))];
    for lag in [0, 4, 6, 12] {
        let source = Late {
            lag,
            now: std::sync::Mutex::new(0),
        };
        let mut watcher = Watcher::new(&source, Settings::default(), &record, at(0));
        let mut now = at(0);
        for _ in 0..120 {
            now = watcher.next_look_at(now);
            *source.now.lock().expect("no panic") = now.as_second() - at(0).as_second();
            watcher.look(now).await;
        }
        let looks: Vec<Look> = watcher
            .take_samples(&record, now)
            .into_iter()
            .map(|sample| sample.look)
            .collect();
        let counted: f64 = looks.iter().map(|look| look.candidate.requests).sum();
        // But for the newest samples, which are not told yet.
        assert!(counted >= 100.0 * (1800.0 - 30.0), "{lag}: {counted}");
        let complete = looks.iter().filter(|look| look.candidate.complete).count();
        assert!(complete >= 115, "{lag}: {complete}");
    }
}
