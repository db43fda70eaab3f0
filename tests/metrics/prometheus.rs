use std::collections::BTreeMap;
use std::time::Duration;

use rollgate::providers::metrics::{Metrics as _, Prometheus};
use rollgate_domain::analysis::Side;

use super::{at, said, shop};
use crate::support::http::{Http, Reply, Request, nobody};

const MATRIX: &str = include_str!("../fixtures/prometheus/matrix.json");
const BAD_QUERY: &str = include_str!("../fixtures/prometheus/bad-query.json");
const EMPTY: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;

/// What every message about `requests` in these tests begins with.
const ASKED: &str = "ask http://SERVER for http_requests_total{service=\"shop-api\",version=~\"v1|v2\"}[15001ms] \
                     at 1970-01-01T00:01:15Z: ";

fn source(url: &str) -> Prometheus {
    within(url, Duration::from_secs(5))
}

fn within(url: &str, timeout: Duration) -> Prometheus {
    Prometheus::new(url, "version", &shop(), "v1", "v2", timeout).expect("a source")
}

/// A form as its fields.
fn fields(request: &Request) -> BTreeMap<String, String> {
    let url = reqwest::Url::parse(&format!("http://x/?{}", request.body)).expect("a form");
    url.query_pairs().into_owned().collect()
}

/// Gives requests `reply` and everything else an empty answer, and says what became of one look.
async fn refused(reply: Reply) -> String {
    let server = Http::start(move |request| {
        if fields(request)
            .get("query")
            .is_some_and(|query| query.contains("code"))
        {
            Reply::ok(EMPTY)
        } else {
            reply.clone()
        }
    });
    let source = within(&server.url, Duration::from_millis(2000));
    let error = source.samples(at(60), at(75)).await.expect_err("an error");
    said(&error, &server.url)
}

#[tokio::test]
async fn a_look_is_two_questions_for_raw_samples() {
    let server = Http::always(Reply::ok(EMPTY));
    let samples = source(&server.url).samples(at(60), at(75)).await.unwrap();
    assert!(samples.requests.is_empty() && samples.errors.is_empty());

    let mut seen = server.seen();
    seen.sort_by_key(|request| request.body.len());
    let [requests, errors] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    for request in [requests, errors] {
        assert_eq!(
            (request.method.as_str(), request.path.as_str()),
            ("POST", "/api/v1/query")
        );
        assert_eq!(
            request.headers["content-type"],
            "application/x-www-form-urlencoded"
        );
        assert!(!request.headers.contains_key("authorization"));
    }
    let expected = [
        (
            "query",
            r#"http_requests_total{service="shop-api",version=~"v1|v2"}[15001ms]"#,
        ),
        ("time", "1970-01-01T00:01:15Z"),
        ("timeout", "5000ms"),
        ("partial_response", "false"),
    ];
    assert_eq!(
        fields(requests),
        expected
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .into()
    );
    assert_eq!(
        fields(errors)["query"],
        r#"http_requests_total{service="shop-api",code=~"5..",version=~"v1|v2"}[15001ms]"#
    );
}

#[tokio::test]
async fn a_real_answer_becomes_series_of_both_sides() {
    let server = Http::always(Reply::ok(MATRIX));
    let (from, to) = (
        "2026-11-23T04:20:54.526Z".parse().unwrap(),
        "2026-11-23T04:20:56.526Z".parse().unwrap(),
    );
    let samples = source(&server.url).samples(from, to).await.unwrap();
    let shape: Vec<_> = samples
        .requests
        .iter()
        .map(|series| (series.side, series.instance.as_str(), series.points.len()))
        .collect();
    // The first of three samples is that of `from`, which belongs to the look before.
    let instance = "127.0.0.1:18999";
    assert_eq!(
        shape,
        [
            (Side::Stable, instance, 2),
            (Side::Candidate, instance, 2),
            (Side::Stable, instance, 2)
        ]
    );
    assert_eq!(
        samples.requests[0].key,
        r#"http_requests_total{code="200",instance="127.0.0.1:18999",job="shop",service="shop-api",version="v1"}"#
    );
    assert_eq!(
        samples.requests[0].points,
        [("2026-11-23T04:20:55.526Z".parse().unwrap(), 200.0), (to, 300.0)]
    );
}

#[tokio::test]
async fn a_long_window_is_asked_for_in_pieces() {
    let server = Http::always(Reply::ok(EMPTY));
    source(&server.url).samples(at(0), at(48 * 3600)).await.unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 16);
    assert!(
        seen.iter()
            .all(|request| fields(request)["query"].ends_with("[21600001ms]"))
    );
}

#[tokio::test]
async fn user_and_password_are_sent_and_never_said() {
    let server = Http::always(Reply::status(401, "Unauthorized"));
    let url = server.url.replace("http://", "http://me:s%C3%A9cret@");
    let error = source(&format!("{url}/prom"))
        .samples(at(60), at(75))
        .await
        .unwrap_err();
    let request = &server.seen()[0];
    assert_eq!(request.path, "/prom/api/v1/query");
    // "me:sécret"
    assert_eq!(request.headers["authorization"], "Basic bWU6c8OpY3JldA==");
    let text = format!("{error:?} {error:#}");
    assert!(!text.contains("cret"), "{text}");
    assert!(
        text.contains("401 Unauthorized: Unauthorized; check the user and password"),
        "{text}"
    );
}

#[tokio::test]
async fn every_bad_answer_is_one_clear_error() {
    let body = MATRIX.as_bytes();
    let moved = Reply::Answer {
        status: 302,
        headers: vec!["location: https://login.example.com/".into()],
        body: Vec::new(),
    };
    for (reply, expected) in [
        (
            Reply::status(400, BAD_QUERY),
            "it answered 400 Bad Request: bad_data: invalid parameter \"query\": 1:21: parse error: error parsing \
             regexp: missing closing ): `^(?:()$`",
        ),
        (
            Reply::status(404, "404 page not found\n"),
            "it answered 404 Not Found: 404 page not found; check the path of the address",
        ),
        (Reply::status(503, ""), "it answered 503 Service Unavailable"),
        (
            moved,
            "it answered 302 Found; it sends us to https://login.example.com/",
        ),
        (
            Reply::ok(""),
            "it answered nothing; check that the address is that of a Prometheus",
        ),
        (
            Reply::ok("<html>Sign in</html>"),
            "it answered with a web page, not with JSON; check that the address is the root of a Prometheus and \
             that no login stands before it: <html>Sign in</html>",
        ),
        (
            Reply::ok(r#"{"status":"error","errorType":"execution","error":"expanding series: timed out"}"#),
            "it answered with status error: execution: expanding series: timed out",
        ),
        (
            Reply::ok(EMPTY.replace("matrix", "vector")),
            r#"it answered with a result of type "vector", expected "matrix""#,
        ),
        (
            Reply::ok(EMPTY.replace("}}", r#"},"warnings":["no store matched"]}"#)),
            "it answered with a part of the data only: no store matched",
        ),
        (
            Reply::Hang,
            "no answer within 2s; check that it is reachable and not overloaded",
        ),
        (
            Reply::Stall {
                body: body.into(),
                at: 50,
            },
            "the answer was not complete within 2s (50 bytes came)",
        ),
    ] {
        assert_eq!(refused(reply).await, format!("{ASKED}{expected}"));
    }
}

#[tokio::test]
async fn a_connection_that_breaks_is_named() {
    let cut = refused(Reply::Cut {
        body: MATRIX.into(),
        at: 100,
    })
    .await;
    assert!(
        cut.starts_with(&format!("{ASKED}the answer broke off after 100 bytes (")),
        "{cut}"
    );
    let closed = refused(Reply::Close).await;
    assert!(
        closed.starts_with(&format!("{ASKED}the connection broke before an answer came (")),
        "{closed}"
    );
}

#[tokio::test]
async fn nobody_there_is_named() {
    let url = format!("http://{}", nobody());
    let error = source(&url).samples(at(60), at(75)).await.unwrap_err();
    let text = said(&error, &url);
    assert!(text.contains("no connection (Connection refused"), "{text}");
    assert!(text.ends_with("; check the address and that it runs"), "{text}");
}

#[tokio::test]
async fn an_answer_without_end_is_refused() {
    let huge = vec![b' '; (64 << 20) + 1];
    let server = Http::always(Reply::ok(huge));
    let error = source(&server.url).samples(at(60), at(75)).await.unwrap_err();
    assert!(
        format!("{error:#}").ends_with("it answered more than 64 MiB"),
        "{error:#}"
    );
}

/// A service may have grown since its rollout began.
#[tokio::test]
async fn an_answer_that_is_too_large_is_asked_for_in_halves() {
    let minutes = |request: &Request| {
        let query = fields(request).remove("query").unwrap_or_default();
        let range = query.rsplit_once('[').map_or("", |(_, range)| range);
        range.trim_end_matches("ms]").parse::<u64>().expect("a range") / 60_000
    };
    let server = Http::start(move |request| {
        if minutes(request) > 100 {
            Reply::Endless
        } else {
            Reply::ok(EMPTY)
        }
    });
    let source = source(&server.url);
    source.samples(at(0), at(6 * 3600)).await.expect("all of it");

    let mut asked: Vec<u64> = server
        .seen()
        .iter()
        .filter(|request| !request.body.contains("code"))
        .map(minutes)
        .collect();
    asked.sort_unstable();
    assert_eq!(asked, [90, 90, 90, 90, 180, 180, 360]);
}

#[tokio::test]
async fn a_number_that_no_counter_has_is_named_with_its_series() {
    let server = Http::always(Reply::ok(MATRIX.replace("\"300\"", "\"+Inf\"")));
    let (from, to) = (
        "2026-11-23T04:20:00Z".parse().unwrap(),
        "2026-11-23T04:21:00Z".parse().unwrap(),
    );
    let error = source(&server.url).samples(from, to).await.unwrap_err();
    let text = said(&error, &server.url);
    assert!(
        text.ends_with(
            "instance=\"127.0.0.1:18999\",job=\"shop\",service=\"shop-api\",version=\"v1\"} at \
             2026-11-23T04:20:56.526Z: inf is no value of a counter"
        ),
        "{text}"
    );
}
