//! After the documentation: <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_GetMetricData.html> and
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/making-api-requests.html>

mod trouble;

use std::time::Duration;

use rollgate::providers::metrics::{AwsCredentials, CloudWatch, CloudWatchPlace, Measures, Metrics as _};
use rollgate_domain::analysis::{Distribution, Kind, Samples, Side};
use serde_json::{Value, json};

use super::{at, counters};
use crate::support::http::{Http, Reply, Request};
use crate::support::{answer as answered, binary};

const PAGES: [&str; 2] = [
    include_str!("../../fixtures/cloudwatch/page-1.json"),
    include_str!("../../fixtures/cloudwatch/page-2.json"),
];
/// The fixture's beginning.
const T: i64 = 1_764_000_000;

fn shop() -> Measures {
    counters("Requests{Service=shop-api}", "Errors{Service=shop-api}")
}

fn made(url: &str, measures: &Measures) -> anyhow::Result<CloudWatch> {
    let credentials = AwsCredentials {
        access_key_id: "AKIDEXAMPLE".into(),
        secret_access_key: "s3cret".into(),
        session_token: Some("t0ken".into()),
    };
    let place = CloudWatchPlace {
        region: "eu-west-1".to_owned(),
        namespace: "Shop".to_owned(),
        version: "Version".to_owned(),
    };
    let timeout = Duration::from_secs(2);
    CloudWatch::new(
        url,
        credentials,
        place,
        &[0.1, 0.25],
        measures,
        ["v1", "v2"],
        timeout,
    )
}

fn source(url: &str, measures: &Measures) -> CloudWatch {
    made(url, measures).expect("a source")
}

fn body(request: &Request) -> Value {
    serde_json::from_str(&request.body).expect("JSON")
}

/// Both pages of the fixture, each for its token.
fn pages(request: &Request) -> Reply {
    Reply::ok(PAGES[usize::from(body(request)["NextToken"] == "page-2")])
}

/// The same points for each query whose statistic has some.
fn answer(request: &Request, points: impl Fn(&str, &str) -> Vec<(i64, f64)>) -> Reply {
    let asked = body(request);
    let results = asked["MetricDataQueries"]
        .as_array()
        .expect("queries")
        .iter()
        .map(|query| {
            let stat = &query["MetricStat"];
            let dimensions = stat["Metric"]["Dimensions"].as_array().expect("dimensions");
            let version = dimensions.last().expect("a version")["Value"]
                .as_str()
                .expect("a text");
            let (times, values): (Vec<_>, Vec<_>) = points(stat["Stat"].as_str().expect("a text"), version)
                .into_iter()
                .unzip();
            json!({ "Id": query["Id"], "StatusCode": "Complete", "Timestamps": times, "Values": values })
        });
    Reply::ok(json!({ "MetricDataResults": results.collect::<Vec<_>>() }).to_string())
}

fn shape(samples: &Samples) -> Vec<(Side, Vec<(i64, f64)>)> {
    let series = samples.requests.iter().chain(&samples.errors);
    series
        .map(|series| {
            assert_eq!((series.kind, series.instance.as_str()), (Kind::Increment, ""));
            let points = series
                .points
                .iter()
                .map(|(time, value)| (time.as_second() - T, *value));
            (series.side, points.collect())
        })
        .collect()
}

#[tokio::test]
async fn a_look_is_one_signed_request_and_all_of_its_pages() {
    let server = Http::start(pages);
    let samples = source(&server.url, &shop())
        .samples(at(T + 5), at(T + 170))
        .await
        .unwrap();

    let seen = server.seen();
    let [first, second] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!((first.method.as_str(), first.path.as_str()), ("POST", "/"));
    for (name, value) in [
        ("x-amz-target", "GraniteServiceVersion20100801.GetMetricData"),
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("content-encoding", "amz-1.0"),
        ("x-amz-security-token", "t0ken"),
        ("host", server.address()),
    ] {
        assert_eq!(first.headers[name], value, "{name}");
    }
    let date = &first.headers["x-amz-date"];
    assert!(date.len() == 16 && date.ends_with('Z'), "{date}");
    let authorization = &first.headers["authorization"];
    let expected = format!(
        "AWS4-HMAC-SHA256 Credential=AKIDEXAMPLE/{}/eu-west-1/monitoring/aws4_request, SignedHeaders=content-encoding;\
         content-type;host;x-amz-date;x-amz-security-token;x-amz-target, Signature=",
        &date[..8]
    );
    assert!(authorization.starts_with(&expected), "{authorization}");

    let query = |id: &str, metric: &str, version: &str| {
        json!({
            "Id": id, "ReturnData": true,
            "MetricStat": {
                "Metric": {
                    "Namespace": "Shop", "MetricName": metric,
                    "Dimensions": [{ "Name": "Service", "Value": "shop-api" }, { "Name": "Version", "Value": version }],
                },
                "Period": 60, "Stat": "Sum",
            },
        })
    };
    let mut expected = json!({
        "MetricDataQueries": [
            query("m0", "Requests", "v1"), query("m1", "Requests", "v2"),
            query("m2", "Errors", "v1"), query("m3", "Errors", "v2"),
        ],
        "StartTime": T, "EndTime": T + 120, "ScanBy": "TimestampAscending",
    });
    assert_eq!(body(first), expected);
    expected["NextToken"] = "page-2".into();
    assert_eq!(body(second), expected);
    assert_eq!(
        shape(&samples),
        [
            // The period that begins at 120 is not over at 170.
            (Side::Stable, vec![(60, 900.0), (120, 910.0)]),
            (Side::Candidate, vec![(60, 0.0), (120, 10.0)]),
            (Side::Candidate, vec![(120, 3.0)]),
        ]
    );
}

#[tokio::test]
async fn in_pieces_it_is_the_same() {
    let server = Http::start(pages);
    let source = source(&server.url, &shop());
    let flat = |samples: &Samples| {
        let mut points: Vec<_> = shape(samples)
            .into_iter()
            .flat_map(|(side, points)| points.into_iter().map(move |point| format!("{side:?} {point:?}")))
            .collect();
        points.sort();
        points
    };
    let whole = flat(&source.samples(at(T), at(T + 180)).await.unwrap());
    let mut pieces = Vec::new();
    for (from, to) in [(0, 119), (119, 121), (121, 180)] {
        pieces.extend(flat(&source.samples(at(T + from), at(T + to)).await.unwrap()));
    }
    pieces.sort();
    assert_eq!(pieces, whole);
}

#[tokio::test]
async fn latency_is_counted_from_percentile_ranks_and_gauges_are_the_highest() {
    let measures = Measures {
        latency: Some("Duration{Service=shop-api}".to_owned()),
        gauges: vec!["Memory{Service=shop-api}".to_owned()],
        ..shop()
    };
    let server = Http::start(|request| {
        answer(request, |stat, version| match (stat, version) {
            ("SampleCount", "v2") => vec![(T, 200.0)],
            ("PR(:0.1)", "v2") => vec![(T, 0.0)],
            ("PR(:0.25)", "v2") => vec![(T, 99.5)],
            ("Maximum", "v2") => vec![(T, 1e8)],
            ("Sum", _) => vec![(T, 200.0)],
            _ => Vec::new(),
        })
    });
    let samples = source(&server.url, &measures)
        .samples(at(T), at(T + 60))
        .await
        .unwrap();
    assert_eq!(samples.latency.len(), 1);
    let latency = &samples.latency[0];
    assert_eq!((latency.side, latency.kind), (Side::Candidate, Kind::Increment));
    assert_eq!(
        latency.points,
        [(at(T + 60), Distribution::new(200.0, [(0.1, 0.0), (0.25, 199.0)]))]
    );
    assert_eq!(
        (samples.gauges[0][0].kind, samples.gauges[0][0].points[0].1),
        (Kind::Level, 1e8)
    );

    // Statistic sets have a count and no ranks: nothing is known, and nothing looks slow.
    let server = Http::start(|request| {
        answer(request, |stat, _| {
            if stat.starts_with("PR") {
                Vec::new()
            } else {
                vec![(T, 200.0)]
            }
        })
    });
    let error = source(&server.url, &measures)
        .samples(at(T), at(T + 60))
        .await
        .unwrap_err();
    assert_eq!(
        error.to_string(),
        "Duration{Service=shop-api} has 200 values at 2025-11-24T16:01:00Z, and CloudWatch knows no percentile rank of \
         them: publish single values, not statistic sets"
    );
}

#[tokio::test]
async fn more_than_500_queries_are_asked_in_several_requests() {
    let measures = Measures {
        gauges: (0..300).map(|place| format!("G{place}")).collect(),
        ..shop()
    };
    let server = Http::start(|request| answer(request, |_, _| vec![(T, 1.0)]));
    let samples = source(&server.url, &measures)
        .samples(at(T), at(T + 60))
        .await
        .unwrap();
    let sizes: Vec<_> = server
        .seen()
        .iter()
        .map(|request| body(request)["MetricDataQueries"].as_array().unwrap().len())
        .collect();
    assert_eq!(sizes, [500, 104]);
    assert!(samples.gauges.len() == 300 && samples.gauges.iter().all(|gauge| gauge.len() == 2));
}

/// `verify-health check` of a rollout since `T` + 17 s, as of so many seconds after that.
fn checked(url: &str, after: i64, keys: &[(&str, &str)]) -> (i32, String, String) {
    let plan = tempfile::NamedTempFile::new().expect("a file");
    let text = include_str!("../../../examples/plans/cloudwatch.yml");
    let text = text.replace(
        "region: eu-west-1",
        &format!("region: eu-west-1\n    endpoint: {url}"),
    );
    std::fs::write(plan.path(), text).expect("write the plan");
    answered(
        binary("verify-health")
            .arg("check")
            .arg("--plan")
            .arg(plan.path())
            .args([
                "--candidate-version",
                "v2",
                "--stable-version",
                "v1",
                "--output",
                "json",
            ])
            .args([
                "--since",
                &at(T + 17).to_string(),
                "--now",
                &at(T + 17 + after).to_string(),
            ])
            .envs(keys.iter().copied()),
    )
}

#[test]
fn a_look_is_a_minute_and_waits_for_what_comes_late() {
    let server = Http::start(|request| {
        let asked = body(request);
        let (from, to) = (
            asked["StartTime"].as_i64().expect("a time"),
            asked["EndTime"].as_i64().expect("a time"),
        );
        answer(request, |stat, _| {
            let value = if stat.starts_with("PR") { 99.0 } else { 50.0 };
            (from..to).step_by(60).map(|begin| (begin, value)).collect()
        })
    });
    let keys = [
        ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE"),
        ("AWS_SECRET_ACCESS_KEY", "s3cret"),
    ];
    for (after, end) in [(600 + 179, T + 540), (600 + 180, T + 600)] {
        let (_, out, err) = checked(&server.url, after, &keys);
        let verdict: Value = serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {out}{err}"));
        assert_eq!(verdict["at"], at(T + 17 + after).to_string(), "{verdict}");
        let last = server
            .seen()
            .last()
            .map(|request| body(request)["EndTime"].clone());
        assert_eq!(last, Some(end.into()));
    }
    let limit = "PR(:0.4)";
    assert!(
        server.seen()[0].body.contains(limit),
        "the plan's limit is one of the bounds"
    );
}

#[test]
fn a_plan_without_the_keys_is_a_usage_error() {
    let (code, out, err) = checked(
        "http://127.0.0.1:9",
        600,
        &[("AWS_ACCESS_KEY_ID", "a"), ("AWS_SECRET_ACCESS_KEY", "")],
    );
    assert_eq!((code, out.as_str()), (2, ""));
    assert_eq!(
        err,
        "error: AWS_SECRET_ACCESS_KEY is not set, and metrics.cloudwatch in the plan needs it\n"
    );
}
