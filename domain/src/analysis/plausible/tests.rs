use jiff::Timestamp;

use super::*;
use crate::analysis::{Check, Counts, Distribution, GaugeLimits, Level, SlowLimits};

fn settings() -> Settings {
    Settings {
        slow: Some(SlowLimits {
            critical: Some(0.2),
            ..SlowLimits::default()
        }),
        gauges: vec![GaugeLimits {
            name: "memory".into(),
            unit: GaugeUnit::Bytes,
            critical: Some(700e6),
            warning: None,
        }],
        checks: vec![Check {
            name: "login".into(),
            at_least: Some(0.98),
            level: Level::Rollback,
        }],
        ..Settings::default()
    }
}

fn good() -> Measured {
    Measured {
        requests: 1500.0,
        errors: 1.0,
        latency: Distribution::new(
            1500.0,
            [
                (0.1, 1300.0),
                (0.15, 1430.0),
                (0.18, 1470.0),
                (0.2, 1490.0),
                (0.5, 1500.0),
            ],
        ),
        checks: vec![Counts {
            requests: 100.0,
            errors: 1.0,
        }],
        gauges: vec![[("a".to_owned(), vec![500e6])].into()],
        ..Measured::default()
    }
}

/// What an hour like this is said to be, where it is not as it should be.
fn said(change: impl Fn(&mut Measured)) -> Vec<String> {
    let looks: Vec<Look> = (0..240)
        .map(|index| {
            let mut stable = good();
            change(&mut stable);
            Look {
                index,
                end: Timestamp::from_second(15 * (index as i64 + 1)).expect("a time"),
                stable,
                candidate: Measured::default(),
                dropped: 0,
            }
        })
        .collect();
    plausible(&settings(), &looks)
        .into_iter()
        .filter(|finding| finding.sign != Sign::Good)
        .map(|finding| format!("{:?} {}: {}", finding.sign, finding.name, finding.words))
        .collect()
}

#[test]
fn a_service_as_the_plan_says_has_nothing_odd() {
    assert_eq!(said(|_| {}), Vec::<String>::new());
}

#[test]
fn what_cannot_be_is_said_with_what_to_do() {
    let milliseconds = Distribution::new(
        1500.0,
        [(100.0, 1300.0), (150.0, 1430.0), (180.0, 1470.0), (500.0, 1500.0)],
    );
    assert_eq!(
        said(|stable| stable.latency = milliseconds.clone()),
        [
            "Bad latency: stable's p95 is about 147.68 s: is the histogram in milliseconds? It must be in seconds"
        ]
    );
    assert_eq!(
        said(|stable| stable.gauges[0] = [("a".to_owned(), vec![512.0])].into()),
        ["Bad memory: the highest of stable is 512: it must be in bytes"]
    );
    assert_eq!(
        said(|stable| stable.restarts = [("a".to_owned(), 1)].into()),
        [
            "Bad requests: it fell 240 times in one process: a counter falls only when its process begins anew; is it \
             a gauge, or a page that several processes answer in turn?"
        ]
    );
    assert_eq!(
        said(|stable| stable.errors = 9000.0),
        [
            "Bad errors: there are more errors (2,160,000) than requests (360,000): the errors must be a part of the \
             requests"
        ]
    );
}

#[test]
fn limits_that_stable_breaks_already_are_refused() {
    let all = said(|stable| {
        stable.errors = 30.0;
        stable.latency = Distribution::new(
            1500.0,
            [(0.15, 1300.0), (0.2, 1400.0), (0.24, 1450.0), (0.5, 1500.0)],
        );
        stable.checks[0].errors = 5.0;
        stable.gauges[0] = [("a".to_owned(), vec![712e6])].into();
    });
    assert_eq!(
        all,
        [
            "Bad errors: stable fails 2.00 % of its requests, and the critical rate is 1 %: no candidate could be \
             proved healthy",
            "Bad latency: 6.67 % of stable's requests are slower than the limit of 200 ms, and 5 % may be: no \
             candidate could be proved healthy",
            "Bad memory: the highest of stable is 712 MB, and the limit is 700 MB: stable breaks it already",
            "Bad login: 95.00 % of stable's are good, and 98 % must be: stable breaks it already",
        ]
    );
}

#[test]
fn a_clock_that_goes_wrong_is_told_from_a_source_without_data() {
    let looks: Vec<Look> = (0..240)
        .map(|index| Look {
            index,
            end: Timestamp::from_second(15 * (index as i64 + 1)).expect("a time"),
            stable: if index < 232 { good() } else { Measured::default() },
            candidate: Measured::default(),
            dropped: 0,
        })
        .collect();
    let bad: Vec<_> = plausible(&settings(), &looks)
        .into_iter()
        .filter(|finding| finding.sign == Sign::Bad)
        .map(|finding| finding.words)
        .collect();
    assert_eq!(
        bad,
        [
            "stable has had no request in the last 2 min: is this machine's clock ahead of the source's, or does the source \
             tell that late? A look is judged 2 s after its end (judgement.delay)"
        ]
    );
}

#[test]
fn what_is_not_measured_is_no_health() {
    let all = said(|stable| *stable = Measured::default());
    assert!(all.iter().all(|line| line.starts_with("Bad ")), "{all:?}");
    assert_eq!(all.len(), 5);
    let quiet = said(|stable| stable.errors = 0.0);
    assert_eq!(
        quiet,
        ["Odd errors: stable has had none: does the selector find them when there are some?"]
    );
}
