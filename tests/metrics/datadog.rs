//! After the documentation: <https://docs.datadoghq.com/api/latest/metrics/#query-timeseries-points>

use std::collections::BTreeMap;
use std::time::Duration;

use rollgate::providers::metrics::{
    CheckCounters, Datadog, DatadogKeys, DatadogTags, Measures, Metrics as _,
};
use rollgate_domain::analysis::{Distribution, Kind, Side};

use super::{at, counters, flat, said, shape};
use crate::support::http::{Http, Reply, Request};

const QUERY: &str = include_str!("../fixtures/datadog/query.json");
const EMPTY: &str = r#"{"status":"ok","res_type":"time_series","series":[],"group_by":[]}"#;
/// The fixture's beginning.
const T: i64 = 1_764_000_000;

fn shop() -> Measures {
    counters(
        "trace.rack.request.hits{service:shop-api}",
        "trace.rack.request.errors{service:shop-api}",
    )
}

fn source(url: &str, measures: &Measures) -> Datadog {
    let keys = DatadogKeys {
        api: "k-api".into(),
        app: "k-app".into(),
    };
    let tags = DatadogTags {
        version: "version".to_owned(),
        instance: "host".to_owned(),
    };
    let timeout = Duration::from_secs(2);
    Datadog::new(url, keys, tags, &[0.1, 0.25], measures, ["v1", "v2"], timeout).expect("a source")
}

/// What was asked for, by name.
fn asked(request: &Request) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://x{}", request.path)).expect("a path");
    url.query_pairs().into_owned().collect()
}

async fn refused(reply: Reply) -> String {
    let server = Http::always(reply);
    let error = source(&server.url, &shop())
        .samples(at(T), at(T + 20))
        .await
        .expect_err("an error");
    let text = said(&error, &server.url);
    assert!(!text.contains("k-a"), "{text}");
    let begin = "ask Datadog at http://SERVER for sum:trace.rack.request.hits{service:shop-api AND version IN (v1,v2)} \
                 by {version,host}.as_count().rollup(sum, 20),sum:trace.rack.request.errors{service:shop-api AND \
                 version IN (v1,v2)} by {version,host}.as_count().rollup(sum, 20) from 1764000000 to 1764000020: ";
    text.strip_prefix(begin).unwrap_or(&text).to_owned()
}

#[tokio::test]
async fn a_look_is_one_request_for_whole_intervals() {
    let server = Http::always(Reply::ok(QUERY));
    // Neither end lies on the grid: the intervals that end in it are asked for.
    let samples = source(&server.url, &shop())
        .samples(at(T + 5), at(T + 65))
        .await
        .unwrap();

    let seen = server.seen();
    let [request] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(request.method, "GET");
    assert!(request.path.starts_with("/api/v1/query?"), "{}", request.path);
    assert_eq!(
        (
            request.headers["dd-api-key"].as_str(),
            request.headers["dd-application-key"].as_str()
        ),
        ("k-api", "k-app")
    );
    let asked = asked(request);
    assert_eq!(
        (asked["from"].as_str(), asked["to"].as_str()),
        ("1764000000", "1764000060")
    );
    assert_eq!(
        shape(&samples, T),
        [
            (
                Side::Stable,
                "web-1".to_owned(),
                vec![(20, 900.0), (40, 910.0), (60, 920.0)]
            ),
            // Heard of stable, and nothing of the candidate: it had no request.
            (Side::Candidate, String::new(), vec![(20, 0.0)]),
            (Side::Candidate, "web-2".to_owned(), vec![(40, 10.0), (60, 11.0)]),
            (Side::Candidate, "web-2".to_owned(), vec![(60, 3.0)]),
        ]
    );
}

#[tokio::test]
async fn in_pieces_it_is_the_same() {
    let server = Http::always(Reply::ok(QUERY));
    let source = source(&server.url, &shop());
    let whole = source.samples(at(T), at(T + 60)).await.unwrap();
    let mut pieces = Vec::new();
    for (from, to) in [(0, 33), (33, 40), (40, 60)] {
        pieces.extend(shape(&source.samples(at(T + from), at(T + to)).await.unwrap(), T));
    }
    assert_eq!(flat(pieces), flat(shape(&whole, T)));
    // 33 to 40 holds the interval that ends at 40, and nothing that is not over.
    assert_eq!(server.seen().len(), 4);
    assert_eq!(asked(&server.seen()[1])["to"], "1764000020");
    let nothing = source.samples(at(T + 41), at(T + 59)).await.unwrap();
    assert!(nothing.requests.is_empty());
    assert_eq!(server.seen().len(), 4, "no whole interval, no question");
}

#[tokio::test]
async fn a_long_window_is_asked_for_in_pages_of_300_points() {
    let server = Http::always(Reply::ok(EMPTY));
    source(&server.url, &shop())
        .samples(at(T), at(T + 6 * 3600))
        .await
        .unwrap();
    let pages: Vec<_> = server
        .seen()
        .iter()
        .map(|request| (asked(request)["from"].clone(), asked(request)["to"].clone()))
        .collect();
    assert_eq!(pages.len(), 4);
    assert_eq!(pages[1], ("1764006000".to_owned(), "1764012000".to_owned()));
    assert_eq!(pages[3].1, "1764021600");
}

#[tokio::test]
async fn latency_checks_and_gauges_are_asked_for_in_their_own_way() {
    let measures = Measures {
        by: Some("resource_name".to_owned()),
        latency: Some("trace.rack.request{service:shop-api}".to_owned()),
        gauges: vec!["container.memory.usage{service:shop-api}".to_owned()],
        checks: vec![CheckCounters {
            good: "login.ok".to_owned(),
            total: "login.all".to_owned(),
        }],
        ..shop()
    };
    let row = |index: usize, tags: &str, value: f64| {
        format!(
            r#"{{"query_index":{index},"interval":20,"tag_set":[{tags}],"pointlist":[[{T}000,{value}]]}}"#
        )
    };
    let tags = r#""version:v2","host:a""#;
    let series = [
        row(0, r#""version:v2","host:a","resource_name:get_/cart""#, 5.0),
        row(2, tags, 3.0),
        row(3, tags, 4.0),
        row(4, tags, 1e8),
        row(5, tags, 5.0),
        row(6, tags, 2.0),
        row(7, tags, 5.0),
    ];
    let server = Http::always(Reply::ok(format!(
        r#"{{"status":"ok","series":[{}]}}"#,
        series.join(",")
    )));
    let samples = source(&server.url, &measures)
        .samples(at(T), at(T + 20))
        .await
        .unwrap();

    let query = asked(&server.seen()[0])["query"].clone();
    for part in [
        "sum:trace.rack.request.hits{service:shop-api AND version IN (v1,v2)} by {version,host,resource_name}.as_count()",
        ",sum:login.ok{version IN (v1,v2)} by {version,host}.as_count().rollup(sum, 20),",
        ",max:container.memory.usage{service:shop-api AND version IN (v1,v2)} by {version,host}.rollup(max, 20),",
        ",count:trace.rack.request{service:shop-api AND version IN (v1,v2)} by {version,host}.as_count().rollup(20),",
        ",count(v: v<=0.1):trace.rack.request{service:shop-api AND version IN (v1,v2)} by {version,host}.as_count().rollup(20),",
    ] {
        assert!(query.contains(part), "{part} in {query}");
    }
    let candidate = samples
        .requests
        .iter()
        .find(|series| !series.instance.is_empty())
        .unwrap();
    assert_eq!(candidate.group, "get_/cart");
    assert_eq!(samples.checks[0].good[0].points, [(at(T + 20), 3.0)]);
    assert_eq!(samples.checks[0].total[0].points, [(at(T + 20), 4.0)]);
    let gauge = &samples.gauges[0][0];
    assert_eq!(
        (gauge.kind, gauge.points.as_slice()),
        (Kind::Level, &[(at(T + 20), 1e8)][..])
    );
    let histogram = &samples.latency[0];
    assert_eq!(
        (histogram.kind, histogram.instance.as_str()),
        (Kind::Increment, "a")
    );
    assert_eq!(
        histogram.points,
        [(at(T + 20), Distribution::new(5.0, [(0.1, 2.0), (0.25, 5.0)]))]
    );
}

#[tokio::test]
async fn every_bad_answer_is_one_clear_error() {
    let moved = Reply::Answer {
        status: 302,
        headers: vec!["location: https://app.datadoghq.eu/account/login".into()],
        body: Vec::new(),
    };
    let series = |row: &str| Reply::ok(format!(r#"{{"status":"ok","series":[{row}]}}"#));
    for (reply, expected) in [
        (
            Reply::status(403, r#"{"errors":["Forbidden"]}"#),
            "it answered 403 Forbidden: Forbidden; check DD_API_KEY, DD_APP_KEY and the site",
        ),
        (
            Reply::status(
                400,
                r#"{"status":"error","error":"Rule 'scope_expr'\ndidn't match"}"#,
            ),
            "it answered 400 Bad Request: Rule 'scope_expr' didn't match",
        ),
        (
            moved,
            "it answered 302 Found; it sends us to https://app.datadoghq.eu/account/login",
        ),
        (
            Reply::ok("<html>Sign in</html>"),
            "it answered with a web page, not with JSON; check the address, and that no login or proxy stands before \
             it: <html>Sign in</html>",
        ),
        (Reply::ok(""), "it answered nothing"),
        (
            Reply::ok(r#"{"status":"error","error":"query timed out"}"#),
            "it answered with an error: query timed out",
        ),
        (
            Reply::Hang,
            "no answer within 2s; check that it is reachable and not overloaded",
        ),
        (
            Reply::Stall {
                body: QUERY.into(),
                at: 50,
            },
            "the answer was not complete within 2s (50 bytes came)",
        ),
        (
            Reply::ok(vec![b' '; (32 << 20) + 1]),
            "it answered more than 32 MiB",
        ),
        (
            series(r#"{"query_index":2,"tag_set":[],"pointlist":[]}"#),
            "Datadog at http://SERVER answered to query 2 of 2",
        ),
    ] {
        assert_eq!(refused(reply).await, expected);
    }
    for (row, end) in [
        (
            r#"{"tag_set":["host:a"],"pointlist":[]}"#,
            "a series has no tag version, only host; tag what the service sends with its version, or name its tag in \
             `metrics.datadog.version-tag`",
        ),
        (
            r#"{"tag_set":["version:v1"],"interval":60,"pointlist":[]}"#,
            "it answered in intervals of 60 s, expected 20 s: it keeps this metric, or this time, no finer",
        ),
        (
            r#"{"tag_set":["version:v1"],"pointlist":[[1764000003000,1]]}"#,
            "read a point: an interval begins at second 1764000003, expected a multiple of 20",
        ),
        (
            r#"{"tag_set":["version:v1"],"pointlist":[[1764000000000,-1]]}"#,
            "-1 is no value of a counter",
        ),
        (
            r#"{"tag_set":["version:v1"],"pointlist":[[1764000000000,1]]},{"tag_set":["version:v1"],"pointlist":[[1764000000000,2]]}"#,
            "two series for one version and instance (1 and 2 at 2025-11-24T16:00:20Z), expected one",
        ),
    ] {
        let said = refused(series(row)).await;
        assert!(said.ends_with(end), "{said}");
    }
}

#[tokio::test]
async fn nothing_is_asked_before_the_wait_is_over() {
    let server = Http::always(Reply::Answer {
        status: 429,
        headers: vec!["x-ratelimit-reset: 1200".into(), "x-ratelimit-limit: 1600".into()],
        body: br#"{"errors":["Rate limit of 1600 requests in 3600 seconds reached."]}"#.to_vec(),
    });
    let source = source(&server.url, &shop());
    let first = format!("{:#}", source.samples(at(T), at(T + 20)).await.unwrap_err());
    assert!(
        first.contains(
            ": it answered 429 Too Many Requests: Rate limit of 1600 requests in 3600 seconds reached.; nothing is \
             asked of it before 2"
        ),
        "{first}"
    );
    let second = format!("{:#}", source.samples(at(T), at(T + 20)).await.unwrap_err());
    assert!(second.contains(": it allows no request before 2"), "{second}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_probe_lists_what_there_is_instead() {
    let probed = |series: &'static str| async move {
        let server = Http::start(move |request| {
            if request.path.starts_with("/api/v1/metrics?from=") {
                Reply::ok(r#"{"from":"1764000000","metrics":["trace.rack.request.hit","system.cpu.user"]}"#)
            } else {
                Reply::ok(format!(r#"{{"status":"ok","series":[{series}]}}"#))
            }
        });
        let probed = source(&server.url, &shop()).probe(at(T + 3600)).await;
        let query = asked(&server.seen()[0])["query"].clone();
        assert_eq!(
            query,
            "sum:trace.rack.request.hits{service:shop-api} by {version}.as_count().rollup(sum, 20)"
        );
        probed.map_or_else(|error| said(&error, &server.url), |()| "fits".to_owned())
    };
    assert_eq!(
        probed(r#"{"tag_set":["version:v1"],"pointlist":[[1764000000000,1]]}"#).await,
        "fits"
    );
    assert_eq!(
        probed(r#"{"tag_set":["version:v7"],"pointlist":[[1764000000000,1]]}"#).await,
        "no series of trace.rack.request.hits{service:shop-api} has version v1, the stable version; version is v7"
    );
    assert_eq!(
        probed(r#"{"tag_set":["version:N/A"],"pointlist":[[1764000000000,1]]}"#).await,
        "no series of trace.rack.request.hits{service:shop-api} has the tag version; tag what the service sends with \
         its version, or name its tag in `metrics.datadog.version-tag`"
    );
    assert_eq!(
        probed("").await,
        "Datadog at http://SERVER: there is no metric trace.rack.request.hits; did you mean trace.rack.request.hit?"
    );
}
