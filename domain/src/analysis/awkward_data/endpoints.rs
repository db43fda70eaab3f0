//! One endpoint that is bad hides in the sum.

use super::*;

/// So many requests and errors of an endpoint.
fn group(measured: &mut Measured, name: &str, requests: f64, errors: f64) {
    measured
        .groups
        .insert(name.to_owned(), counts((requests, errors)));
    measured.requests += requests;
    measured.errors += errors;
}

fn by_group() -> Rollout {
    Rollout::new(Settings {
        by_group: true,
        ..without_warm_up()
    })
}

/// 0.05 % of the traffic: every few minutes a request.
#[test]
fn a_dead_endpoint_with_hardly_any_traffic_is_found_by_its_name() {
    let mut rollout = by_group();
    let mut look = 0;
    rollout.play_more(400, |beside, here| {
        look += 1;
        group(beside, "/export", 7.0, 0.0);
        let one = f64::from(u8::from(look % 13 == 0));
        group(here, "/export", one, one);
    });
    let verdict = rollout.verdict();
    let found = verdict.found.expect("a finding");
    assert_eq!(
        (found.test, found.subject.as_deref()),
        (TestId::Endpoint, Some("/export"))
    );
    assert!(
        verdict
            .sentence
            .starts_with("ROLLBACK - errors of /export. Candidate 100.00 % (9 of 9)"),
        "{}",
        verdict.sentence
    );
    assert!(
        found.bar > 200_000.0,
        "21 endpoints share a half of E's alpha: {}",
        found.bar
    );
}

#[test]
fn an_endpoint_that_fails_on_both_is_nobodys_fault() {
    let mut rollout = by_group();
    rollout.play_more(400, |beside, here| {
        group(beside, "/export", 50.0, 45.0);
        group(here, "/export", 1.0, 1.0);
    });
    let verdict = rollout.verdict();
    let endpoint = verdict
        .tests
        .iter()
        .find(|report| report.subject.as_deref() == Some("/export"))
        .expect("a report");
    assert!(endpoint.e < 1.0, "{endpoint:?}");
}

#[test]
fn without_a_label_the_bar_is_that_of_all_errors() {
    let bar = |rollout: &Rollout| report(&rollout.verdict(), TestId::ErrorRate).bar;
    assert!((bar(&Rollout::warm()) - 5000.0).abs() < 1e-9);
    assert!((bar(&by_group()) - 10_000.0).abs() < 1e-9);
}
