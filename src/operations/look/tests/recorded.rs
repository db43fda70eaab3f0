//! What a run writes down is enough to judge it again.

use super::*;

fn everything_is_judged() -> Settings {
    Settings {
        by_group: true,
        slow: Some(rollgate_domain::analysis::SlowLimits {
            above_stable: 0.2,
            critical: Some(0.25),
            warning: None,
        }),
        gauges: vec![rollgate_domain::analysis::GaugeLimits {
            name: "pool".to_owned(),
            unit: rollgate_domain::analysis::GaugeUnit::Plain,
            critical: Some(90.0),
            warning: Some(5.0),
        }],
        checks: vec![rollgate_domain::analysis::Check {
            name: "login".to_owned(),
            at_least: None,
            level: rollgate_domain::analysis::Level::Warning,
        }],
        ..Settings::default()
    }
}

/// What is written down of each look while it is judged, and the verdicts.
async fn watched(metrics: &dyn Metrics) -> (Vec<Sample>, Vec<Verdict>) {
    let record = record();
    let mut watcher = Watcher::new(metrics, everything_is_judged(), &record, at(0));
    watcher.begin_step(at(0), Some(half()));
    let (mut samples, mut verdicts) = (Vec::new(), Vec::new());
    for look in 1..=400 {
        let now = at(look * 15 + 2);
        verdicts.push(watcher.look(now).await);
        samples.extend(watcher.take_samples(&record, now));
    }
    (samples, verdicts)
}

#[tokio::test]
async fn a_recorded_file_gives_the_verdicts_that_were_given() {
    let (samples, verdicts) = watched(&Everything).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("samples.jsonl");
    let lines = |samples: &[Sample]| -> String {
        let lines = samples
            .iter()
            .map(|sample| serde_json::to_string(sample).unwrap() + "\n");
        lines.collect()
    };
    // A second run counts the past anew, and is killed while it writes.
    let text = lines(&samples[..250]) + &lines(&samples) + "{\"rollout\":";
    std::fs::write(&file, text).unwrap();
    let recorded = crate::providers::metrics::Recorded::read(&file).unwrap();
    let (again, verdicts_again) = watched(&recorded).await;

    for (before, after) in samples.iter().zip(&again) {
        assert_eq!(before, after);
    }
    assert_eq!(samples.len(), again.len());
    assert_eq!(verdicts, verdicts_again);
    let outcomes: std::collections::BTreeSet<_> = verdicts
        .iter()
        .map(|verdict| format!("{:?}", verdict.outcome))
        .collect();
    assert!(outcomes.len() > 1, "{outcomes:?}");
    // What the source told was there to be lost.
    let looks = || samples.iter().map(|sample| &sample.look);
    assert!(looks().any(|look| !look.candidate.complete && look.candidate.requests > 0.0));
    assert!(looks().any(|look| look.dropped > 0));
    assert!(looks().any(|look| !look.stable.restarts.is_empty()));
    assert!(looks().any(|look| look.candidate.groups.contains_key("cart")));
    assert!(looks().all(|look| !look.candidate.latency.is_empty() && !look.candidate.checks.is_empty()));
}

#[test]
fn a_line_that_is_no_look_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("samples.jsonl");
    let line = |rollout: &str| {
        let look = Look::of_counts(0, at(15), Counts::default(), Counts::default());
        format!(
            "{{\"rollout\":\"{rollout}\",\"look\":{}}}\n",
            serde_json::to_string(&look).unwrap()
        )
    };
    let place = file.display();
    for (text, expected) in [
        (String::new(), format!("{place}: there is no look in it")),
        (
            line("a") + "nonsense\n" + &line("a"),
            format!("{place}:2: not a look: expected ident"),
        ),
        (
            line("a") + "{}\n",
            format!("{place}:2: not a look: missing field `rollout`"),
        ),
        (
            line("a") + &line("b"),
            format!("{place}:2: of rollout b, and the lines before are of a"),
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        let error = crate::providers::metrics::Recorded::read(&file)
            .err()
            .expect("an error");
        let error = format!("{error:#}");
        assert!(error.starts_with(&expected), "{error}");
    }
}
