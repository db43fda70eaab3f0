use super::*;

const LOOK: SignedDuration = SignedDuration::from_secs(15);

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn series(side: Side, instance: &str, points: &[(i64, f64)]) -> Series {
    series_of(side, instance, instance, points)
}

fn series_of(side: Side, key: &str, instance: &str, points: &[(i64, f64)]) -> Series {
    Series {
        key: key.into(),
        instance: instance.into(),
        side,
        points: points
            .iter()
            .map(|&(second, value)| (at(second), value))
            .collect(),
        ..Series::default()
    }
}

fn requests(series: Vec<Series>) -> Samples {
    Samples {
        requests: series,
        ..Samples::default()
    }
}

/// Requests of the candidate in each look up to `until`.
fn candidate(tally: &mut Tally, until: i64) -> Vec<f64> {
    tally
        .close(at(until))
        .iter()
        .map(|look| look.candidate.requests)
        .collect()
}

#[test]
fn a_difference_belongs_to_the_look_of_its_later_sample() {
    let mut tally = Tally::new(at(0), LOOK);
    tally.add(&requests(vec![series(
        Side::Candidate,
        "a",
        &[(0, 100.0), (15, 103.0), (16, 104.0), (30, 110.0), (45, 110.0)],
    )]));

    assert_eq!(candidate(&mut tally, 50), [3.0, 7.0, 0.0]);
    assert_eq!(tally.newest(), Some(at(45)));
    assert_eq!(tally.first_request(Side::Candidate), Some(at(15)));
    assert_eq!(tally.first_request(Side::Stable), None);
}

#[test]
fn a_missing_scrape_makes_one_longer_difference() {
    let mut tally = Tally::new(at(0), LOOK);
    tally.add(&requests(vec![series(
        Side::Candidate,
        "a",
        &[(10, 5.0), (55, 65.0)],
    )]));

    assert_eq!(candidate(&mut tally, 60), [0.0, 0.0, 0.0, 60.0]);
}

#[test]
fn a_counter_that_falls_began_anew_and_is_counted_as_one_restart_of_its_process() {
    let mut tally = Tally::new(at(0), LOOK);
    let points = [(10, 500.0), (25, 7.0), (40, 9.0)];
    tally.add(&requests(vec![
        series_of(Side::Candidate, "a{handler=x}", "a", &points),
        series_of(Side::Candidate, "a{handler=y}", "a", &points),
    ]));

    assert_eq!(candidate(&mut tally, 45), [0.0, 14.0, 4.0]);
    assert_eq!(tally.restarts(Side::Candidate), 1);
    assert_eq!(tally.restarts(Side::Stable), 0);
}

#[test]
fn nan_and_negative_samples_are_dropped_and_counted() {
    let mut tally = Tally::new(at(0), LOOK);
    tally.add(&requests(vec![series(
        Side::Candidate,
        "a",
        &[
            (5, 5.0),
            (10, f64::NAN),
            (12, -1.0),
            (14, f64::INFINITY),
            (15, 9.0),
        ],
    )]));

    let looks = tally.close(at(15));
    assert_eq!((looks[0].candidate.requests, looks[0].dropped), (4.0, 3));
}

#[test]
fn the_first_sample_of_all_tells_nothing_about_the_past() {
    let mut tally = Tally::new(at(0), LOOK);
    let five_million = 5e6;
    tally.add(&Samples {
        requests: vec![
            series(Side::Stable, "a", &[(3, five_million)]),
            series(Side::Stable, "b", &[(14, five_million)]), // scraped at another moment
            series(Side::Stable, "c", &[(29, five_million)]), // one scrape was missing
        ],
        errors: vec![series_of(Side::Stable, "b5", "b", &[(14, 900.0)])],
        ..Samples::default()
    });

    assert!(
        tally
            .close(at(60))
            .iter()
            .all(|look| look.stable.counts() == Counts::default())
    );
}

#[test]
fn the_first_error_of_a_watched_process_counts() {
    let mut tally = Tally::new(at(0), LOOK);
    tally.add(&Samples {
        requests: vec![series(Side::Candidate, "a", &[(5, 40.0), (10, 50.0)])],
        errors: vec![series_of(Side::Candidate, "a5", "a", &[(10, 2.0)])],
        ..Samples::default()
    });

    assert_eq!(
        tally.close(at(15))[0].candidate.counts(),
        Counts {
            requests: 10.0,
            errors: 2.0
        }
    );
}

#[test]
fn a_process_that_appears_later_counts_from_zero() {
    let mut tally = Tally::new(at(0), LOOK);
    tally.add(&requests(vec![series(Side::Stable, "a", &[(5, 40.0)])]));
    tally.add(&requests(vec![series(Side::Candidate, "b", &[(50, 30.0)])]));

    assert_eq!(candidate(&mut tally, 60), [0.0, 0.0, 0.0, 30.0]);
}

#[test]
fn samples_before_the_origin_are_baselines() {
    let mut tally = Tally::new(at(0), LOOK);
    tally.add(&requests(vec![series(
        Side::Candidate,
        "a",
        &[(-20, 1.0), (-5, 10.0), (10, 12.0)],
    )]));

    assert_eq!(candidate(&mut tally, 15), [2.0]);
}

#[test]
fn an_absent_error_series_is_no_error() {
    let mut tally = Tally::new(at(0), LOOK);
    tally.add(&requests(vec![series(
        Side::Candidate,
        "a",
        &[(0, 0.0), (10, 12.0)],
    )]));

    assert_eq!(
        tally.close(at(15))[0].candidate.counts(),
        Counts {
            requests: 12.0,
            errors: 0.0
        }
    );
}

#[test]
fn a_sample_that_comes_late_is_held_by_the_next_open_look() {
    let mut tally = Tally::new(at(0), LOOK);
    tally.add(&requests(vec![series(Side::Candidate, "a", &[(0, 0.0)])]));
    assert_eq!(candidate(&mut tally, 15), [0.0]);
    tally.add(&requests(vec![series(Side::Candidate, "a", &[(14, 30.0)])]));
    tally.add(&requests(vec![series(
        Side::Candidate,
        "a",
        &[(14, 30.0), (29, 50.0)],
    )]));
    tally.add(&requests(vec![series(Side::Candidate, "a", &[(20, 40.0)])])); // older than the last

    assert_eq!(candidate(&mut tally, 30), [50.0]);
}

/// One batch or many: the samples of random series (restarts, gaps, late births, fractions) give
/// the same looks.
#[test]
fn pieces_of_any_size_give_the_same_looks() {
    let mut random = fastrand::Rng::with_seed(7);
    for _ in 0..200 {
        let all = random_samples(&mut random);
        let mut whole = Tally::new(at(0), LOOK);
        whole.add(&all);

        let mut pieces = Tally::new(at(0), LOOK);
        let mut looks = Vec::new();
        let mut from = -60;
        while from < 600 {
            let to = from + random.i64(1..60);
            pieces.add(&between(&all, from, to));
            looks.extend(pieces.close(at(to)));
            from = to;
        }
        looks.extend(pieces.close(at(660)));

        assert_eq!(looks, whole.close(at(660)));
        assert_eq!(pieces.restarts(Side::Candidate), whole.restarts(Side::Candidate));
        assert_eq!(pieces.newest(), whole.newest());
        assert_eq!(
            pieces.first_request(Side::Stable),
            whole.first_request(Side::Stable)
        );
    }
}

fn between(samples: &Samples, from: i64, to: i64) -> Samples {
    let cut = |all: &[Series]| {
        all.iter()
            .map(|series| Series {
                points: series
                    .points
                    .iter()
                    .filter(|(time, _)| at(from) < *time && *time <= at(to))
                    .copied()
                    .collect(),
                ..series.clone()
            })
            .collect()
    };
    Samples {
        requests: cut(&samples.requests),
        errors: cut(&samples.errors),
        ..Samples::default()
    }
}

fn random_samples(random: &mut fastrand::Rng) -> Samples {
    let mut samples = Samples::default();
    for number in 0..random.usize(1..8) {
        let side = if random.bool() {
            Side::Stable
        } else {
            Side::Candidate
        };
        let born = if random.bool() { -50 } else { random.i64(-50..500) };
        for errors in [false, true] {
            let (mut value, mut second) = (random.f64() * 1000.0, born + random.i64(0..15));
            let mut points = Vec::new();
            while second < 600 {
                points.push((second, value));
                second += random.i64(5..40);
                value = if random.u8(..) < 10 {
                    random.f64() * 10.0
                } else {
                    value + random.f64() * 50.0
                };
            }
            let all = if errors {
                &mut samples.errors
            } else {
                &mut samples.requests
            };
            all.push(series_of(
                side,
                &format!("{number}"),
                &format!("{}", number / 2),
                &points,
            ));
        }
    }
    samples
}

#[test]
fn a_version_that_fell_silent_is_not_hidden_by_the_other() {
    let mut tally = Tally::new(at(0), LOOK);
    tally.add(&Samples {
        requests: vec![
            series(Side::Stable, "stable", &[(15, 1.0), (30, 2.0), (45, 3.0)]),
            series(Side::Candidate, "candidate", &[(15, 1.0)]),
        ],
        ..Samples::default()
    });
    assert_eq!(tally.newest(), Some(at(15)));
}

#[test]
fn a_page_that_comes_back_does_not_bring_its_whole_past() {
    let late = |mut tally: Tally| {
        tally.add(&requests(vec![series(Side::Stable, "a", &[(0, 5.0)])]));
        tally.add(&requests(vec![series(
            Side::Candidate,
            "b",
            &[(90, 1_000_000.0)],
        )]));
        candidate(&mut tally, 90).iter().sum::<f64>()
    };
    assert_eq!(
        late(Tally::new(at(0), LOOK)),
        1_000_000.0,
        "a new process began at 0"
    );
    assert_eq!(late(Tally::new(at(0), LOOK).of_listed_targets()), 0.0);
}
