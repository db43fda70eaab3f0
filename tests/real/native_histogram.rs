//! A real Prometheus that scrapes native histograms: what it answers is read as what was counted.
//!
//! Only the protobuf format carries them, so the page is written in it here.
//! Source: <https://github.com/prometheus/client_model/blob/master/io/prometheus/client/metrics.proto>

use std::time::{Duration, Instant};

use jiff::Timestamp;
use rollgate::providers::metrics::{Measures, Metrics as _, Prometheus};
use rollgate_domain::analysis::{Distribution, Samples, Side};

use crate::metrics::shop;
use crate::support::http::{Http, Reply};
use crate::support::{require, servers};

const PROTOBUF: &str = "content-type: application/vnd.google.protobuf; proto=io.prometheus.client.MetricFamily; encoding=delimited";

/// A factor of two in eight buckets: bucket `i` ends at 2^(i/8).
const RESOLUTION: i64 = 3;

/// A message's fields, one after another.
#[derive(Default)]
struct Message(Vec<u8>);

impl Message {
    fn varint(&mut self, mut value: u64) {
        while value >= 0x80 {
            self.0.push(value as u8 | 0x80);
            value >>= 7;
        }
        self.0.push(value as u8);
    }

    fn number(mut self, field: u64, value: u64) -> Self {
        self.varint(field << 3);
        self.varint(value);
        self
    }

    fn signed(self, field: u64, value: i64) -> Self {
        self.number(field, ((value << 1) ^ (value >> 63)) as u64)
    }

    fn double(mut self, field: u64, value: f64) -> Self {
        self.varint(field << 3 | 1);
        self.0.extend(value.to_le_bytes());
        self
    }

    fn bytes(mut self, field: u64, value: &[u8]) -> Self {
        self.varint(field << 3 | 2);
        self.varint(value.len() as u64);
        self.0.extend(value);
        self
    }
}

fn label(name: &str, value: &str) -> Vec<u8> {
    Message::default()
        .bytes(1, name.as_bytes())
        .bytes(2, value.as_bytes())
        .0
}

/// How many requests of a version fell into which bucket, rising.
type Counted<'a> = (&'a str, &'a [(i64, u64)]);

fn histogram(buckets: &[(i64, u64)]) -> Vec<u8> {
    let count = buckets.iter().map(|(_, count)| count).sum();
    let mut message = Message::default()
        .number(1, count)
        .double(2, count as f64 * 0.15)
        .signed(5, RESOLUTION)
        .double(6, 1e-9);
    let (mut next, mut before) = (0, 0);
    for (place, (bucket, _)) in buckets.iter().enumerate() {
        // The first offset is the first bucket's number, the others are gaps.
        let offset = if place == 0 { *bucket } else { bucket - next };
        let span = Message::default().signed(1, offset).number(2, 1).0;
        message = message.bytes(12, &span);
        next = bucket + 1;
    }
    for (_, count) in buckets {
        message = message.signed(13, *count as i64 - before);
        before = *count as i64;
    }
    message.0
}

/// The field of a metric that holds its value, and the value.
type Metric = dyn Fn(&[(i64, u64)]) -> (u64, Vec<u8>);

/// The page of all versions: a counter of their requests and a histogram of their durations.
fn page(versions: &[Counted<'_>]) -> Vec<u8> {
    let family = |name: &str, kind: u64, metric: &Metric| {
        let mut family = Message::default().bytes(1, name.as_bytes()).number(3, kind);
        for (version, buckets) in versions {
            let (field, value) = metric(buckets);
            let mut metric = Message::default();
            for pair in [
                label("service", "shop-api"),
                label("version", version),
                label("code", "200"),
            ] {
                metric = metric.bytes(1, &pair);
            }
            family = family.bytes(4, &metric.bytes(field, &value).0);
        }
        let mut whole = Message::default();
        whole.varint(family.0.len() as u64);
        whole.0.extend(family.0);
        whole.0
    };
    let counter = |buckets: &[(i64, u64)]| {
        let count: u64 = buckets.iter().map(|(_, count)| count).sum();
        (3, Message::default().double(1, count as f64).0)
    };
    let mut page = family("http_requests_total", 0, &counter);
    page.extend(family("http_request_duration_seconds", 4, &|buckets| {
        (7, histogram(buckets))
    }));
    page
}

/// The last distribution of a version.
fn last(samples: &Samples, side: Side) -> Option<&Distribution> {
    let histogram = samples.latency.iter().find(|histogram| histogram.side == side)?;
    histogram.points.last().map(|(_, distribution)| distribution)
}

#[tokio::test]
async fn what_a_real_server_has_of_a_native_histogram_is_what_was_counted() {
    let Some(program) = require("prometheus") else {
        return;
    };
    let versions: [Counted<'_>; 2] = [
        ("v1", &[(-24, 400), (-20, 600)]),
        ("v2", &[(-24, 4), (-19, 1), (9, 2)]),
    ];
    let shown = page(&versions);
    let server = Http::start(move |_| Reply::Answer {
        status: 200,
        headers: vec![PROTOBUF.into()],
        body: shown.clone(),
    });
    let begin = Timestamp::now();
    let prometheus = servers::Prometheus::scraping(&program, &[server.address()]);
    let measures = Measures {
        latency: Some(r#"http_request_duration_seconds{service="shop-api"}"#.into()),
        ..shop()
    };
    let source = Prometheus::new(
        &prometheus.url,
        "version",
        &measures,
        "v1",
        "v2",
        Duration::from_secs(5),
    )
    .expect("a source");

    let end = Instant::now() + Duration::from_secs(30);
    let samples = loop {
        let samples = source.samples(begin, Timestamp::now()).await.expect("samples");
        if last(&samples, Side::Candidate).is_some() {
            break samples;
        }
        assert!(Instant::now() < end, "no histogram came: {samples:?}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let two_to = |eighths: i32| (f64::from(eighths) / 8.0).exp2();
    let stable = last(&samples, Side::Stable).expect("stable's");
    assert_eq!(stable.total(), 1000.0);
    assert_eq!(
        [-26, -24, -22, -20].map(|place| stable.at_most(two_to(place))),
        [Some(0.0), Some(400.0), Some(400.0), Some(1000.0)]
    );
    // A bucket that ends between two bounds is known at the next.
    let candidate = last(&samples, Side::Candidate).expect("the candidate's");
    assert_eq!(candidate.total(), 7.0);
    assert_eq!(
        [-20, -18, 8, 10].map(|place| candidate.at_most(two_to(place))),
        [Some(4.0), Some(5.0), Some(5.0), Some(7.0)]
    );
    assert_eq!(samples.requests.len(), 2);
    source
        .probe(Timestamp::now())
        .await
        .expect("a histogram that can be judged");
}
