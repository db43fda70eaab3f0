//! Requests of our own: what is sent, what counts as an error, and when it ends.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rollgate::providers::metrics::{Expect, HttpProbe, Measures, Metrics as _, Tries};
use rollgate_domain::analysis::{Samples, Side};

use super::{at, said};
use crate::support::http::{Http, Reply, nobody};

const EVERY: Duration = Duration::from_millis(50);

fn source(stable: &str, candidate: &str, expect: &Expect) -> HttpProbe {
    settling(stable, candidate, expect, Tries { good: 1, of: 1 })
}

fn settling(stable: &str, candidate: &str, expect: &Expect, tries: Tries) -> HttpProbe {
    let targets: BTreeMap<_, _> = [("blue", stable), ("green", candidate)]
        .map(|(backend, url)| (backend.to_owned(), vec![url.to_owned()]))
        .into();
    let (measures, sides) = (Measures::default(), ("blue", "green"));
    let timeout = Duration::from_millis(300);
    HttpProbe::new(&targets, EVERY, (expect, tries), &measures, sides, timeout).expect("a source")
}

/// Requests and errors of one side.
fn counts(samples: &Samples, side: Side) -> [f64; 2] {
    [&samples.requests, &samples.errors].map(|series| {
        let series = series
            .iter()
            .find(|series| series.side == side)
            .expect("a series");
        series.points.last().expect("a sample").1
    })
}

#[tokio::test]
async fn each_target_is_asked_on_and_on_and_what_is_wrong_is_an_error() {
    let good = Http::always(Reply::ok("ok"));
    let asked = AtomicUsize::new(0);
    let every_second = Http::start(move |_| {
        let status = if asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(2) {
            200
        } else {
            500
        };
        Reply::status(status, "so so")
    });
    let source = source(&good.url, &every_second.url, &Expect::default());
    let first = source.samples(at(0), at(15)).await.unwrap();
    assert_eq!(
        counts(&first, Side::Candidate),
        [0.0, 0.0],
        "nothing was sent before"
    );
    tokio::time::sleep(EVERY * 20).await;

    let samples = source.samples(at(15), at(30)).await.unwrap();
    let [requests, errors] = counts(&samples, Side::Stable);
    assert!(requests >= 5.0, "{requests}");
    assert_eq!(errors, 0.0);
    let [requests, errors] = counts(&samples, Side::Candidate);
    assert!(
        requests >= 5.0 && errors == (requests / 2.0).floor(),
        "{errors} of {requests}"
    );
    let took = &samples.latency[0].points[0].1;
    assert_eq!(took.total(), counts(&samples, Side::Stable)[0]);
    assert!(took.bounds().any(|bound| bound == 0.25) && took.at_most(10.0) == Some(took.total()));

    drop(source);
    tokio::time::sleep(EVERY * 4).await;
    let sent = good.seen().len();
    tokio::time::sleep(EVERY * 4).await;
    assert_eq!(good.seen().len(), sent, "who is not asked any more sends nothing");
}

#[tokio::test]
async fn a_probe_of_several_requests_is_one_and_good_if_enough_of_them_are() {
    let good = Http::always(Reply::ok("ok"));
    let asked = AtomicUsize::new(0);
    let every_second = Http::start(move |_| {
        let bad = asked.fetch_add(1, Ordering::SeqCst).is_multiple_of(2);
        Reply::status(if bad { 500 } else { 200 }, "so so")
    });
    let source = settling(
        &good.url,
        &every_second.url,
        &Expect::default(),
        Tries { good: 1, of: 2 },
    );
    source.samples(at(0), at(15)).await.unwrap();
    tokio::time::sleep(EVERY * 20).await;
    let samples = source.samples(at(15), at(30)).await.unwrap();
    let [probes, errors] = counts(&samples, Side::Candidate);
    let sent = every_second.seen().len() as f64;
    assert!(probes >= 5.0 && errors == 0.0, "{errors} of {probes}");
    assert!(
        (2.0 * probes..=2.0 * probes + 2.0).contains(&sent),
        "{sent} for {probes}"
    );
    // Enough is enough: the second is not asked for where the first is good.
    let [probes, _] = counts(&samples, Side::Stable);
    assert!((probes..=probes + 1.0).contains(&(good.seen().len() as f64)));
}

#[tokio::test]
async fn silence_and_nobody_are_errors() {
    let silent = Http::always(Reply::Hang);
    let gone = format!("http://{}", nobody());
    let source = source(&silent.url, &gone, &Expect::default());
    source.samples(at(0), at(15)).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let samples = source.samples(at(15), at(30)).await.unwrap();
    for side in [Side::Stable, Side::Candidate] {
        let [requests, errors] = counts(&samples, side);
        assert!(
            requests >= 2.0 && requests == errors,
            "{side:?}: {errors} of {requests}"
        );
    }
}

#[tokio::test]
async fn a_rollout_does_not_begin_while_stable_is_not_as_expected() {
    let server = Http::always(Reply::Answer {
        status: 200,
        headers: vec!["x-version: v1".into()],
        body: b"{\"db\": \"up\"}".to_vec(),
    });
    let header = |value: &str| BTreeMap::from([("x-version".to_owned(), value.to_owned())]);
    let body = |text: &str| Some(text.to_owned());
    let none = Expect::default;
    for (expect, wrong) in [
        (none(), None),
        (
            Expect {
                status: Some(200),
                header: header("v1"),
                body_contains: body("\"up\""),
            },
            None,
        ),
        (
            Expect {
                status: Some(204),
                ..none()
            },
            Some("it answered 200 OK: {\"db\": \"up\"}"),
        ),
        (
            Expect {
                header: header("v2"),
                ..none()
            },
            Some("its header x-version is v1, expected v2"),
        ),
        (
            Expect {
                body_contains: body("down"),
                ..none()
            },
            Some("its body does not contain \"down\": {\"db\": \"up\"}"),
        ),
    ] {
        let source = source(&server.url, "http://127.0.0.1:9", &expect);
        let answer = source
            .probe(at(0))
            .await
            .map_err(|error| said(&error, &server.url));
        let expected = wrong.map(|wrong| format!("probe http://SERVER, of stable: {wrong}"));
        assert_eq!(answer.err(), expected);
    }
}
