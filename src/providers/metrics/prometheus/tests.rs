use rollgate_domain::analysis::Side;

use super::super::series::key;
use super::answer::{Point, Range};
use super::collect::Collected;
use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).unwrap()
}

fn measures() -> Measures {
    Measures {
        requests: "up".into(),
        errors: "up{code=~\"5..\"}".into(),
        ..Measures::default()
    }
}

fn source(url: &str, label: &str, stable: &str, candidate: &str) -> Result<Prometheus> {
    Prometheus::new(url, label, &measures(), stable, candidate, TIMEOUT)
}

fn row(version: &str, values: &[(i64, f64)]) -> Range {
    let metric = [("__name__", "up"), ("version", version), ("instance", "a:1")];
    Range {
        metric: metric.map(|(label, value)| (label.into(), value.into())).into(),
        values: values
            .iter()
            .map(|(second, value)| Point(at(*second), *value))
            .collect(),
        histograms: None,
    }
}

#[test]
fn only_samples_of_the_two_versions_inside_the_window_count() {
    let source = source("http://h", "version", "v1", "v2").unwrap();
    let mut collected = Collected::new();
    for row in [
        row("v1", &[(10, 1.0), (11, 2.0), (20, 4.0), (21, 5.0)]),
        row("v2", &[(15, 7.0)]),
        row("v3", &[(15, 9.0)]),
    ] {
        source
            .collect(&mut collected, row, Sort::Counter, at(10), at(20))
            .unwrap();
    }
    // The next piece of the window goes on where this one ends.
    let rest = row("v1", &[(20, 4.0), (21, 5.0)]);
    source
        .collect(&mut collected, rest, Sort::Counter, at(20), at(30))
        .unwrap();

    let series: Vec<_> = collected
        .into_values()
        .map(|found| (key(&found.labels), found.side, found.points))
        .collect();
    assert_eq!(
        series,
        [
            (
                r#"up{instance="a:1",version="v1"}"#.to_owned(),
                Side::Stable,
                vec![(at(11), 2.0), (at(20), 4.0), (at(21), 5.0)],
            ),
            (
                r#"up{instance="a:1",version="v2"}"#.to_owned(),
                Side::Candidate,
                vec![(at(15), 7.0)],
            ),
        ]
    );
}

#[test]
fn samples_that_no_counter_has_are_refused() {
    let source = source("http://h", "version", "v1", "v2").unwrap();
    let collect = |row| {
        let error = source
            .collect(&mut Collected::new(), row, Sort::Counter, at(0), at(20))
            .unwrap_err();
        format!("{error:#}")
    };
    let series = r#"up{instance="a:1",version="v1"}"#;
    assert_eq!(
        collect(row("v1", &[(1, f64::INFINITY)])),
        format!("{series} at 1970-01-01T00:00:01Z: inf is no value of a counter")
    );
    assert_eq!(
        collect(row("v1", &[(2, 1.0), (2, 2.0)])),
        format!("{series}: the sample of 1970-01-01T00:00:02Z comes after that of 1970-01-01T00:00:02Z")
    );
    let histogram = Range {
        histograms: Some(Vec::new()),
        ..row("v1", &[])
    };
    assert_eq!(
        collect(histogram),
        format!("{series} is a native histogram, not a counter")
    );
}

#[test]
fn a_source_that_cannot_work_is_refused_at_once() {
    let refused = |url, label, stable, candidate| {
        source(url, label, stable, candidate)
            .map(|_| ())
            .map_err(|error| format!("{error:#}"))
            .unwrap_err()
    };
    for (found, expected) in [
        (
            refused("ftp://me:secret@h", "version", "a", "b"),
            "Prometheus: the address begins with ftp:, expected http:// or https://",
        ),
        (
            refused("http://h", "version", "a", "a"),
            r#"stable and candidate are both version "a": their series cannot be told apart"#,
        ),
        (
            refused("http://h", "version", "a", ""),
            "a version is empty: it would mean every series without the label version",
        ),
        (
            refused("http://h", "a.b", "a", "b"),
            r#"version label "a.b": column 2: found `.`, expected a label name"#,
        ),
        (
            refused("http://h", "code", "a", "b"),
            r#"errors (up{code=~"5.."}) selects by the version label code; rollgate adds that itself"#,
        ),
    ] {
        assert_eq!(found, expected);
    }
}

#[test]
fn a_path_prefix_is_kept() {
    for root in ["http://h/prom", "http://h/prom/", "http://h/prom?x=1#y"] {
        let source = source(root, "version", "a", "b").unwrap();
        assert_eq!(source.endpoint(&["query"]).as_str(), "http://h/prom/api/v1/query");
    }
    let source = source("http://h", "version", "a", "b").unwrap();
    assert_eq!(source.endpoint(&["query"]).as_str(), "http://h/api/v1/query");
}
