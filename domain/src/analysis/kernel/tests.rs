use super::*;

const PLANNED: u64 = 5760;

/// Feeds pairs of errors with 300 and 29,700 requests a look; compares to the digits given.
fn check(mut evidence: Evidence, errors: &[(f64, f64)], expect: &[&str]) {
    let mut seen = Vec::new();
    for (place, &(candidate, stable)) in errors.iter().enumerate() {
        evidence.add(
            Counts {
                requests: 300.0,
                errors: candidate,
            },
            Counts {
                requests: 29_700.0,
                errors: stable,
            },
        );
        let decimals = expect[place]
            .split_once('.')
            .map_or(0, |(_, digits)| digits.len());
        seen.push(format!("{:.decimals$}", evidence.value()));
    }
    assert_eq!(seen, expect);
}

fn at_most(multiple: f64, plus: f64) -> Claim {
    Claim {
        multiple,
        plus,
        bound: Bound::AtMost,
    }
}

#[test]
fn golden_relative_errors() {
    let evidence = Evidence::restarting(at_most(1.5, 0.0005), 1.0, PLANNED, CAP);
    check(
        evidence,
        &[(3.0, 30.0), (4.0, 28.0), (2.0, 31.0), (5.0, 29.0)],
        &["1.98867", "62.36", "102.907", "9566.19"],
    );
}

#[test]
fn golden_one_look_is_capped() {
    let evidence = Evidence::restarting(at_most(1.5, 0.0005), 1.0, PLANNED, CAP);
    check(evidence, &[(15.0, 30.0); 3], &["48.5749", "4794.09", "479259"]);
}

#[test]
fn golden_clusters_weigh_less() {
    let evidence = Evidence::restarting(at_most(1.5, 0.0005), 5.0, PLANNED, CAP);
    check(
        evidence,
        &[(15.0, 30.0), (0.0, 25.0), (15.0, 30.0)],
        &["2.11951", "1.45662", "6.50132"],
    );
}

#[test]
fn golden_strict_without_a_cap() {
    let evidence = Evidence::restarting(at_most(1.0, 0.0), 1.0, PLANNED, f64::INFINITY);
    check(
        evidence,
        &[(0.0, 30.0), (1.0, 28.0), (3.0, 31.0)],
        &["0.612141", "0.65756", "2.50527"],
    );
}

#[test]
fn golden_absolute_errors() {
    let evidence = Evidence::restarting(at_most(0.0, 0.01), 1.0, PLANNED, CAP);
    check(
        evidence,
        &[(6.0, 0.0), (7.0, 0.0), (5.0, 0.0)],
        &["0.779245", "1.8611", "2.27347"],
    );
}

#[test]
fn looks_without_requests_say_nothing() {
    let mut evidence = Evidence::restarting(at_most(1.5, 0.0005), 1.0, PLANNED, CAP);
    let some = Counts {
        requests: 10.0,
        errors: 10.0,
    };

    assert!(evidence.add(Counts::default(), some).is_none());
    assert!(evidence.add(some, Counts::default()).is_none());
    assert_eq!(evidence.value().to_bits(), 1.0f64.to_bits());

    let mut absolute = Evidence::restarting(at_most(0.0, 0.1), 1.0, PLANNED, CAP);
    assert!(absolute.add(some, Counts::default()).is_some());
}

#[test]
fn short_looks_share_the_cap_of_the_burst_that_is_forgiven() {
    let s = SignedDuration::from_secs;
    assert!((cap(s(5), s(15)) - 4.641_588_8).abs() < 1e-6);
    assert!((cap(s(15), s(15)) - 100.0).abs() < 1e-12);
    assert!((cap(s(60), s(15)) - 100.0).abs() < 1e-12);
    assert!((cap(s(1), s(0)) - 100.0).abs() < 1e-12);
}

#[test]
fn no_new_starts_after_the_planned_looks() {
    let mut evidence = Evidence::restarting(at_most(1.5, 0.0005), 1.0, 3, CAP);
    let (none, stable) = (
        Counts {
            requests: 300.0,
            errors: 0.0,
        },
        Counts {
            requests: 29_700.0,
            errors: 30.0,
        },
    );
    for _ in 0..3 {
        evidence.add(none, stable);
    }
    assert!((evidence.started - 1.0).abs() < 1e-12);
    let before = evidence.started;
    evidence.add(none, stable);
    assert!(evidence.started <= 1.0 && evidence.started >= before);
}

#[test]
fn endless_evidence_stays_a_number_and_can_be_taken_back() {
    let mut evidence = Evidence::once(at_most(0.0, 0.01), 1.0);
    let (bad, good) = (
        Counts {
            requests: 1e6,
            errors: 1e6,
        },
        Counts {
            requests: 1e6,
            errors: 0.0,
        },
    );
    for _ in 0..50 {
        evidence.add(bad, bad);
    }
    assert!(evidence.value().is_finite() && evidence.value() > 1e300);
    for _ in 0..50 {
        evidence.add(good, good);
    }
    assert!(evidence.value() < 1e-6);
    for _ in 0..50 {
        evidence.add(bad, bad);
    }
    assert!(
        evidence.value() > 1e300,
        "bad weather in the past must not blind it"
    );
}

#[test]
fn evidence_can_be_kept_at_a_bound() {
    let mut evidence = Evidence::restarting(at_most(0.0, 0.01), 1.0, PLANNED, CAP);
    let bad = Counts {
        requests: 300.0,
        errors: 90.0,
    };
    for _ in 0..2 {
        evidence.add(bad, bad);
    }
    let before = evidence.value();
    evidence.keep_at_most(5000.0);
    assert_eq!(evidence.value().to_bits(), before.to_bits());

    for _ in 0..200 {
        evidence.add(bad, bad);
        evidence.keep_at_most(5000.0);
    }
    assert!((evidence.value() - 5000.0).abs() < 1e-6, "{}", evidence.value());
}

#[test]
fn a_claim_that_holds_gains_no_evidence_on_average() {
    // Exactly at the limit of "at least 1 %": the mean of e over all outcomes of one look is at most 1.
    let mut mean = 0.0;
    let mut chance = libm::exp(-3.0); // Poisson with mean 3 = 1 % of 300
    for errors in 0..60 {
        let mut evidence = Evidence::once(
            Claim {
                multiple: 0.0,
                plus: 0.01,
                bound: Bound::AtLeast,
            },
            1.0,
        );
        evidence.add(
            Counts {
                requests: 300.0,
                errors: f64::from(errors),
            },
            Counts::default(),
        );
        mean += chance * evidence.value();
        chance *= 3.0 / f64::from(errors + 1);
    }
    assert!((mean - 1.0).abs() < 1e-9, "{mean}");
}
