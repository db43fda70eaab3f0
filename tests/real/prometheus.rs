use std::fmt::Write as _;
use std::fs;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rollgate::providers::metrics::{Metrics as _, Prometheus};
use rollgate_domain::analysis::{Samples, Series, Side};

use crate::metrics::{counters, said, shop};
use crate::support::http::{Http, Reply};
use crate::support::{require, servers};

/// A service whose counts the test sets: lines of labels, each with its count.
#[derive(Clone, Default)]
struct Shop(Arc<Mutex<Vec<(&'static str, u64)>>>);

impl Shop {
    fn counts(&self, counts: &[(&'static str, u64)]) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = counts.to_vec();
    }

    fn page(&self) -> String {
        let mut text = "# TYPE http_requests_total counter\n".to_owned();
        for (labels, count) in self.0.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            let _ = writeln!(
                text,
                "http_requests_total{{service=\"shop-api\",{labels}}} {count}"
            );
        }
        text
    }
}

const V1_OK: &str = r#"version="v1",code="200""#;
const V1_BAD: &str = r#"version="v1",code="500""#;
const V2_OK: &str = r#"version="v2",code="200""#;
const V3_OK: &str = r#"version="v3",code="200""#;

fn source(url: &str, stable: &str, candidate: &str) -> Prometheus {
    Prometheus::new(url, "version", &shop(), stable, candidate, Duration::from_secs(5)).expect("a source")
}

/// What one series counted from its first sample to its last; a fall is a restart.
fn counted(series: &Series) -> f64 {
    let step = |pair: &[(Timestamp, f64)]| {
        if pair[1].1 < pair[0].1 {
            pair[1].1
        } else {
            pair[1].1 - pair[0].1
        }
    };
    series.points.windows(2).map(step).sum()
}

fn counted_by(series: &[Series], side: Side) -> f64 {
    series
        .iter()
        .filter(|series| series.side == side)
        .map(counted)
        .sum()
}

/// The last value of the series whose key holds `part`.
fn last(samples: &Samples, part: &str) -> Option<f64> {
    let series = samples.requests.iter().find(|series| series.key.contains(part))?;
    series.points.last().map(|(_, value)| *value)
}

/// Everything since `from`, as soon as the series whose key holds `part` shows `value`.
async fn once(source: &Prometheus, from: Timestamp, part: &str, value: f64) -> Samples {
    let end = Instant::now() + Duration::from_secs(30);
    loop {
        let samples = source.samples(from, Timestamp::now()).await.expect("samples");
        if last(&samples, part) == Some(value) {
            return samples;
        }
        assert!(Instant::now() < end, "{part} never showed {value}: {samples:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

#[tokio::test]
async fn a_real_server_tells_the_true_counts_through_a_restart() {
    let Some(program) = require("prometheus") else {
        return;
    };
    let state = Shop::default();
    state.counts(&[(V1_OK, 1000), (V1_BAD, 10), (V2_OK, 50), (V3_OK, 5)]);
    let page = Http::start({
        let state = state.clone();
        move |_| Reply::ok(state.page())
    });
    let begin = Timestamp::now();
    let server = servers::Prometheus::scraping(&program, &[page.address()]);
    let source = source(&server.url, "v1", "v2");

    once(&source, begin, r#"code="200",instance="#, 1000.0).await;
    state.counts(&[(V1_OK, 1990), (V1_BAD, 13), (V2_OK, 61), (V3_OK, 6)]);
    once(&source, begin, r#"version="v1""#, 1990.0).await;
    // The stable process restarts and counts from nothing; the candidate counts on.
    state.counts(&[(V1_OK, 7), (V1_BAD, 1), (V2_OK, 64), (V3_OK, 6)]);
    let samples = once(&source, begin, r#"version="v1""#, 7.0).await;

    assert_eq!(
        counted_by(&samples.requests, Side::Stable),
        990.0 + 3.0 + 7.0 + 1.0
    );
    assert_eq!(counted_by(&samples.requests, Side::Candidate), 11.0 + 3.0);
    assert_eq!(counted_by(&samples.errors, Side::Stable), 3.0 + 1.0);
    // The candidate never had an error: it has requests and no series of errors.
    assert!(samples.errors.iter().all(|series| series.side == Side::Stable));
    assert!(samples.requests.iter().all(|series| !series.key.contains("v3")));
    assert!(
        samples
            .requests
            .iter()
            .all(|series| series.instance == page.address())
    );

    // The window is open at its beginning and closed at its end, whatever the server thinks.
    let points = &samples.requests[0].points;
    let [(first, _), .., (end, _)] = points.as_slice() else {
        panic!("{points:?}")
    };
    let inner = source.samples(*first, *end).await.unwrap();
    let moment = SignedDuration::from_millis(1);
    let outer = source.samples(*first - moment, *end - moment).await.unwrap();
    assert_eq!(inner.requests[0].points, points[1..]);
    assert_eq!(outer.requests[0].points, points[..points.len() - 1]);

    let url = server.url.clone();
    drop(server);
    // A source of its own, without a connection that was open and is not any more.
    let error = self::source(&url, "v1", "v2")
        .samples(*first, *end)
        .await
        .unwrap_err();
    assert!(
        said(&error, &url).contains("no connection (Connection refused"),
        "{error:#}"
    );
}

#[tokio::test]
async fn a_plan_that_does_not_fit_is_told_what_there_is() {
    let Some(program) = require("prometheus") else {
        return;
    };
    let state = Shop::default();
    state.counts(&[(V1_OK, 1000), (V3_OK, 5)]);
    let page = Http::start(move |_| Reply::ok(state.page()));
    let server = servers::Prometheus::scraping(&program, &[page.address()]);
    let begin = Timestamp::now() - SignedDuration::from_mins(1);
    once(&source(&server.url, "v1", "v2"), begin, "v1", 1000.0).await;

    let probe = async |label: &str, stable: &str, requests: &str, errors: &str| {
        let source = Prometheus::new(
            &server.url,
            label,
            &counters(requests, errors),
            stable,
            "next",
            Duration::from_secs(5),
        );
        let answer = source.expect("a source").probe(Timestamp::now()).await;
        answer.map_err(|error| said(&error, &server.url))
    };
    let (requests, errors) = ("http_requests_total", "http_requests_total{code=~'5..'}");
    assert_eq!(probe("version", "v1", requests, errors).await, Ok(()));
    assert_eq!(
        probe("version", "v2", requests, errors).await.unwrap_err(),
        r#"no series of http_requests_total has version "v2", the stable version; version is "v1" or "v3""#
    );
    assert_eq!(
        probe("release", "v1", requests, errors).await.unwrap_err(),
        "no series of http_requests_total has the version label release; they have __name__, code, instance, job, \
         service or 1 more"
    );
    assert_eq!(
        probe("version", "v1", "http_request_total", errors)
            .await
            .unwrap_err(),
        "http://SERVER: there is no metric http_request_total; did you mean http_requests_total?"
    );
    let other = probe("version", "v1", "http_requests_total{service='shop'}", errors)
        .await
        .unwrap_err();
    assert!(
        other.starts_with(
            "http://SERVER: http_requests_total is there, but nothing matches http_requests_total{service=\"shop\"}; \
             one of its series is http_requests_total{code=\"200\","
        ),
        "{other}"
    );
    let blind = probe("version", "v1", requests, "http_requests_total{status=~'5..'}")
        .await
        .unwrap_err();
    assert!(
        blind.contains("no series of http_requests_total has a label status, they have code"),
        "{blind}"
    );
}

/// Eight hours of CPU seconds of both versions and of a third, a process of each, every 15 s.
fn busy_processes(begin: i64) -> String {
    let mut text = "# TYPE cpu_seconds counter\n".to_owned();
    for (version, each) in [("v1", 3), ("v2", 6), ("v3", 9)] {
        for sample in 0..=8 * 240 {
            let (count, time) = (sample * each, begin + sample * 15);
            let _ = writeln!(
                text,
                "cpu_seconds_total{{version=\"{version}\",pod=\"{version}-a\"}} {count} {time}"
            );
        }
    }
    text + "# EOF\n"
}

#[tokio::test]
async fn a_gauge_may_be_an_expression_and_is_the_same_in_pieces() {
    let (Some(program), Some(promtool)) = (require("prometheus"), require("promtool")) else {
        return;
    };
    let begin = 1_790_000_000;
    let server = servers::Prometheus::holding(&program, &promtool, &busy_processes(begin));
    let source = |gauge: &str| {
        let measures = rollgate::providers::metrics::Measures {
            gauges: vec![gauge.to_owned()],
            ..shop()
        };
        let source = Prometheus::new(
            &server.url,
            "version",
            &measures,
            "v1",
            "v2",
            Duration::from_secs(5),
        );
        source.expect("a source")
    };
    let at = |second: i64| Timestamp::from_second(begin + second).expect("a time");
    let cpu = source("sum by (version, pod) (rate(cpu_seconds_total[1m]))");
    let (from, to) = (60, 8 * 3600);
    let whole = cpu.samples(at(from), at(to)).await.unwrap().gauges.remove(0);

    // One process of each of the two versions; the third version is nobody's.
    let shape: Vec<_> = whole
        .iter()
        .map(|series| (series.side, series.instance.as_str(), series.key.as_str()))
        .collect();
    assert_eq!(
        shape,
        [
            (Side::Stable, "v1-a", r#"{pod="v1-a",version="v1"}"#),
            (Side::Candidate, "v2-a", r#"{pod="v2-a",version="v2"}"#)
        ]
    );
    for (series, expected) in whole.iter().zip([0.2, 0.4]) {
        assert_eq!(series.points.len(), 8 * 240 - 4);
        assert!(
            series
                .points
                .iter()
                .all(|(time, value)| { time.as_second() % 15 == 0 && (value - expected).abs() < 1e-9 })
        );
    }

    // Pieces of odd lengths, among them some that hold no moment of the grid.
    let mut pieces = vec![Vec::new(); whole.len()];
    let mut start = from;
    for length in [7, 4, 15, 31, 3600, 12_345, 1, 86_400] {
        let end = (start + length).min(to);
        let samples = cpu.samples(at(start), at(end)).await.unwrap().gauges.remove(0);
        for series in samples {
            let place = whole
                .iter()
                .position(|known| known.key == series.key)
                .expect("a known one");
            pieces[place].extend(series.points);
        }
        start = end;
    }
    assert_eq!(
        pieces,
        whole.into_iter().map(|series| series.points).collect::<Vec<_>>()
    );

    let blind = source("sum(rate(cpu_seconds_total[1m]))");
    let text = said(&blind.samples(at(from), at(120)).await.unwrap_err(), &server.url);
    assert!(
        text.ends_with(
            "{} has no version label version; keep it, and what tells the processes apart: by (version, instance)"
        ),
        "{text}"
    );
    let broken = source("rate(cpu_seconds_total)");
    let text = said(&broken.samples(at(from), at(120)).await.unwrap_err(), &server.url);
    assert!(
        text.contains("ask http://SERVER for rate(cpu_seconds_total) from ")
            && text.contains("it answered 400 Bad Request: bad_data: "),
        "{text}"
    );
}

/// Nanoseconds that this thread has been on a processor.
fn cpu() -> Duration {
    let text = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    Duration::from_nanos(
        text.split(' ')
            .next()
            .and_then(|text| text.parse().ok())
            .unwrap_or_default(),
    )
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "the time that a long read takes is a result")]
async fn two_days_are_read_in_one_go() {
    let (Some(program), Some(promtool)) = (require("prometheus"), require("promtool")) else {
        return;
    };
    const LOOKS: i64 = 48 * 240;
    let begin = 1_790_000_000;
    let mut text = "# TYPE http_requests counter\n".to_owned();
    for version in ["v1", "v2"] {
        for instance in ["a:80", "b:80"] {
            for (code, rate) in [("200", 150), ("500", 2)] {
                for look in 0..=LOOKS {
                    let _ = writeln!(
                        text,
                        "http_requests_total{{service=\"shop-api\",version=\"{version}\",instance=\"{instance}\",\
                         code=\"{code}\"}} {} {}",
                        look * rate,
                        begin + look * 15
                    );
                }
            }
        }
    }
    text.push_str("# EOF\n");
    let server = servers::Prometheus::holding(&program, &promtool, &text);
    let source = source(&server.url, "v1", "v2");
    let at = |second| Timestamp::from_second(second).expect("a time");

    let (clock, busy) = (Instant::now(), cpu());
    let samples = source.samples(at(begin), at(begin + LOOKS * 15)).await.unwrap();
    let (clock, busy) = (clock.elapsed(), cpu() - busy);

    let (requests, errors) = (&samples.requests, &samples.errors);
    let points: usize = requests
        .iter()
        .chain(errors)
        .map(|series| series.points.len())
        .sum();
    eprintln!("48 h, {points} samples of 12 series: {clock:?}, of which {busy:?} on the processor");
    assert_eq!((requests.len(), errors.len()), (8, 4));
    for series in requests.iter().chain(errors) {
        assert_eq!(series.points.len(), usize::try_from(LOOKS).unwrap());
        let rate = if series.key.contains("500") { 2 } else { 150 };
        assert_eq!(counted(series), ((LOOKS - 1) * rate) as f64);
    }

    // The same in 15 s: what a running driver asks for.
    let (clock, busy) = (Instant::now(), cpu());
    let look = source
        .samples(at(begin + LOOKS * 15 - 15), at(begin + LOOKS * 15))
        .await
        .unwrap();
    eprintln!(
        "one look: {:?}, of which {:?} on the processor",
        clock.elapsed(),
        cpu() - busy
    );
    assert!(look.requests.iter().all(|series| series.points.len() == 1));
}
