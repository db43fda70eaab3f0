//! After the documentation: <https://docs.newrelic.com/docs/apis/nerdgraph/examples/nerdgraph-nrql-tutorial/>

use std::time::Duration;

use rollgate::providers::metrics::{CheckCounters, Measures, Metrics as _, NewRelic, NewRelicPlace};
use rollgate_domain::analysis::{Distribution, Kind, Samples, Side};
use serde_json::{Value, json};

use super::{at, counters, said};
use crate::support::http::{Http, Reply, Request};

const TIMESERIES: &str = include_str!("../fixtures/new-relic/timeseries.json");
const SYNTAX_ERROR: &str = include_str!("../fixtures/new-relic/syntax-error.json");
/// The fixture's beginning.
const T: i64 = 1_764_000_000;

fn shop() -> Measures {
    counters("appName = 'shop-api'", "appName = 'shop-api' AND error IS true")
}

fn source(url: &str, measures: &Measures) -> NewRelic {
    let place = NewRelicPlace {
        account: 1_234_567,
        event: "Transaction".to_owned(),
        version: "service.version".to_owned(),
        instance: "host".to_owned(),
        duration: "duration".to_owned(),
    };
    let timeout = Duration::from_secs(2);
    NewRelic::new(
        url,
        &"NRAK-1".into(),
        place,
        &[0.1, 0.25],
        measures,
        ["v1", "v2"],
        timeout,
    )
    .expect("a source")
}

fn variables(request: &Request) -> Value {
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    body["variables"].clone()
}

fn answer(fields: &Value) -> Reply {
    Reply::ok(json!({ "data": { "actor": { "account": fields } } }).to_string())
}

fn shape(samples: &Samples) -> Vec<(Side, String, Vec<(i64, f64)>)> {
    let series = samples.requests.iter().chain(&samples.errors);
    series
        .map(|series| {
            assert_eq!(series.kind, Kind::Increment);
            let points = series
                .points
                .iter()
                .map(|(time, value)| (time.as_second() - T, *value));
            (series.side, series.instance.clone(), points.collect())
        })
        .collect()
}

async fn refused(reply: Reply) -> String {
    let server = Http::always(reply);
    let error = source(&server.url, &shop())
        .samples(at(T), at(T + 15))
        .await
        .expect_err("an error");
    let text = said(&error, &server.url);
    assert!(!text.contains("NRAK"), "{text}");
    let end = "FACET `service.version`, `host` TIMESERIES 15 seconds SINCE 1764000000000 UNTIL 1764000015000 LIMIT MAX: ";
    let (_, said) = text.rsplit_once(end).unwrap_or(("", &text));
    said.to_owned()
}

#[tokio::test]
async fn a_look_is_one_request_for_whole_intervals() {
    let server = Http::always(Reply::ok(TIMESERIES));
    let samples = source(&server.url, &shop())
        .samples(at(T + 5), at(T + 40))
        .await
        .unwrap();

    let seen = server.seen();
    let [request] = seen.as_slice() else {
        panic!("{seen:?}")
    };
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("POST", "/graphql")
    );
    assert_eq!(
        (
            request.headers["api-key"].as_str(),
            request.headers["content-type"].as_str()
        ),
        ("NRAK-1", "application/json")
    );
    let body: Value = serde_json::from_str(&request.body).unwrap();
    assert_eq!(
        body["query"],
        "query($account: Int!, $patience: Seconds!, $q0: Nrql!, $q1: Nrql!) { actor { account(id: $account) { \
         q0: nrql(query: $q0, timeout: $patience) { results } q1: nrql(query: $q1, timeout: $patience) { results } } } }"
    );
    let end = "AND `service.version` IN ('v1', 'v2') FACET `service.version`, `host` TIMESERIES 15 seconds SINCE \
               1764000000000 UNTIL 1764000030000 LIMIT MAX";
    assert_eq!(
        body["variables"],
        json!({
            "account": 1_234_567, "patience": 20,
            "q0": format!("FROM `Transaction` SELECT count(*) AS 'n0' WHERE (appName = 'shop-api') {end}"),
            "q1": format!("FROM `Transaction` SELECT count(*) AS 'n0' WHERE (appName = 'shop-api' AND error IS true) {end}"),
        })
    );
    assert_eq!(
        shape(&samples),
        [
            (Side::Stable, "web-1".to_owned(), vec![(15, 900.0), (30, 910.0)]),
            // 0 and nothing are the same: heard of stable, it had no request.
            (Side::Candidate, String::new(), vec![(15, 0.0)]),
            (Side::Candidate, "web-2".to_owned(), vec![(30, 10.0)]),
            (Side::Candidate, "web-2".to_owned(), vec![(30, 3.0)]),
        ]
    );
}

#[tokio::test]
async fn in_pieces_it_is_the_same() {
    let server = Http::always(Reply::ok(TIMESERIES));
    let source = source(&server.url, &shop());
    let flat = |samples: &Samples| {
        let mut points: Vec<_> = shape(samples)
            .into_iter()
            .flat_map(|(side, name, points)| {
                points
                    .into_iter()
                    .map(move |point| format!("{side:?} {name} {point:?}"))
            })
            .collect();
        points.sort();
        points
    };
    let whole = flat(&source.samples(at(T), at(T + 45)).await.unwrap());
    let mut pieces = Vec::new();
    for (from, to) in [(0, 29), (29, 31), (31, 45)] {
        pieces.extend(flat(&source.samples(at(T + from), at(T + to)).await.unwrap()));
    }
    pieces.sort();
    assert_eq!(pieces, whole);
}

#[tokio::test]
async fn a_long_window_is_asked_for_in_pages_of_366_intervals() {
    let server = Http::always(answer(
        &json!({ "q0": { "results": [] }, "q1": { "results": [] } }),
    ));
    source(&server.url, &shop())
        .samples(at(T), at(T + 6 * 3600))
        .await
        .unwrap();
    let seen = server.seen();
    assert_eq!(seen.len(), 4);
    let second = variables(&seen[1])["q0"].as_str().unwrap().to_owned();
    assert!(
        second.contains(" SINCE 1764005490000 UNTIL 1764010980000 LIMIT MAX"),
        "{second}"
    );
    let last = variables(&seen[3])["q0"].as_str().unwrap().to_owned();
    assert!(last.contains(" UNTIL 1764021600000 "), "{last}");
}

#[tokio::test]
async fn latency_checks_and_gauges_are_asked_for_in_their_own_way() {
    let measures = Measures {
        by: Some("request.uri".to_owned()),
        latency: Some("FROM Span WHERE a = 1".to_owned()),
        gauges: vec!["cpuPercent FROM ProcessSample".to_owned()],
        checks: vec![CheckCounters {
            good: "FROM Login WHERE ok IS true".to_owned(),
            total: "FROM Login".to_owned(),
        }],
        ..shop()
    };
    let server = Http::start(|request| {
        let asked = variables(request);
        let row = |numbers: Value, facet: Value| {
            let mut row = json!({ "beginTimeSeconds": T, "endTimeSeconds": T + 15, "facet": facet });
            row.as_object_mut()
                .unwrap()
                .extend(numbers.as_object().unwrap().clone());
            json!({ "results": [row] })
        };
        let mut fields = serde_json::Map::new();
        for place in 0..5 {
            let Some(query) = asked[format!("q{place}")].as_str() else {
                break;
            };
            let rows = if query.contains("request.uri") {
                row(json!({ "n0": 5 }), json!(["v2", "a", "/cart"]))
            } else if query.starts_with("FROM `Span`") {
                row(json!({ "n0": 5, "n1": 2, "n2": 5 }), json!(["v2", "a"]))
            } else {
                row(json!({ "n0": 7.5 }), json!(["v2", "a"]))
            };
            fields.insert(format!("q{place}"), rows);
        }
        answer(&Value::Object(fields))
    });
    let samples = source(&server.url, &measures)
        .samples(at(T), at(T + 15))
        .await
        .unwrap();

    let seen = server.seen();
    assert_eq!(seen.len(), 2, "five queries, then one");
    let (first, second) = (variables(&seen[0]), variables(&seen[1]));
    assert!(
        first["q0"]
            .as_str()
            .unwrap()
            .contains(" FACET `service.version`, `host`, `request.uri` "),
        "{first}"
    );
    assert!(
        first["q4"]
            .as_str()
            .unwrap()
            .starts_with("FROM `ProcessSample` SELECT max(`cpuPercent`) AS 'n0' WHERE ")
    );
    assert!(
        second["q0"].as_str().unwrap().starts_with(
            "FROM `Span` SELECT count(*) AS 'n0', filter(count(*), WHERE `duration` <= 0.1) AS 'n1', "
        ),
        "{second}"
    );
    let candidate = samples
        .requests
        .iter()
        .find(|series| !series.instance.is_empty())
        .unwrap();
    assert_eq!(candidate.group, "/cart");
    assert_eq!(samples.checks[0].total[0].points, [(at(T + 15), 7.5)]);
    assert_eq!(
        (samples.gauges[0][0].kind, samples.gauges[0][0].points[0].1),
        (Kind::Level, 7.5)
    );
    assert_eq!(
        samples.latency[0].points,
        [(at(T + 15), Distribution::new(5.0, [(0.1, 2.0), (0.25, 5.0)]))]
    );
}

#[tokio::test]
async fn every_bad_answer_is_one_clear_error() {
    let moved = Reply::Answer {
        status: 302,
        headers: vec!["location: https://login.newrelic.com/".into()],
        body: Vec::new(),
    };
    let rows = |row: Value| answer(&json!({ "q0": { "results": [row] }, "q1": { "results": [] } }));
    for (reply, expected) in [
        (
            Reply::ok(SYNTAX_ERROR),
            "it answered with an error (INVALID_INPUT): NRQL Syntax Error: Error at line 1 position 12, unexpected 'WHER'",
        ),
        (
            Reply::status(
                401,
                r#"{"errors":[{"message":"The API key you provided is invalid"}]}"#,
            ),
            "it answered 401 Unauthorized: The API key you provided is invalid; check NEW_RELIC_API_KEY (a user key) and \
             the region",
        ),
        (
            moved,
            "it answered 302 Found; it sends us to https://login.newrelic.com/",
        ),
        (
            Reply::ok("<html>Sign in</html>"),
            "it answered with a web page, not with JSON; check the address, and that no login or proxy stands before \
             it: <html>Sign in</html>",
        ),
        (Reply::ok(""), "it answered nothing"),
        (
            Reply::ok(r#"{"data":{"actor":{"account":null}}}"#),
            "it answered without the account; check metrics.new-relic.account, and that the key may read it",
        ),
        (
            answer(&json!({ "q0": { "results": [] } })),
            "it answered without results",
        ),
        (
            Reply::Hang,
            "no answer within 2s; check that it is reachable and not overloaded",
        ),
        (
            Reply::Cut {
                body: TIMESERIES.into(),
                at: 0,
            },
            "the answer broke off after 0 bytes (end of file before message length reached)",
        ),
        (
            Reply::ok(vec![b' '; (32 << 20) + 1]),
            "it answered more than 32 MiB",
        ),
        (
            rows(json!({ "n0": 1, "facet": "v1" })),
            "a row is of no version and instance, expected both in `facet`",
        ),
        (
            rows(json!({ "n0": 1, "facet": ["v1", "a"] })),
            "a row has no interval, expected beginTimeSeconds and endTimeSeconds",
        ),
        (
            rows(json!({ "n0": 1, "facet": ["v1", "a"], "beginTimeSeconds": T, "endTimeSeconds": T + 60 })),
            "it answered in intervals of 60 s, expected 15 s: it keeps these events no finer",
        ),
        (
            rows(
                json!({ "n0": 1, "facet": ["v1", "a"], "beginTimeSeconds": T + 3, "endTimeSeconds": T + 18 }),
            ),
            "an interval begins at second 1764000003, expected a multiple of 15",
        ),
        (
            rows(
                json!({ "count": 1, "facet": ["v1", "a"], "beginTimeSeconds": T, "endTimeSeconds": T + 15 }),
            ),
            "a row has no n0",
        ),
    ] {
        assert_eq!(refused(reply).await, expected);
    }
}

#[tokio::test]
async fn nothing_is_asked_before_the_wait_is_over() {
    let server = Http::always(Reply::Answer {
        status: 429,
        headers: vec!["retry-after: 30".into()],
        body: b"Too many requests".to_vec(),
    });
    let source = source(&server.url, &shop());
    let first = format!("{:#}", source.samples(at(T), at(T + 15)).await.unwrap_err());
    assert!(
        first.contains(
            ": it answered 429 Too Many Requests: Too many requests; nothing is asked of it before 2"
        ),
        "{first}"
    );
    let second = format!("{:#}", source.samples(at(T), at(T + 15)).await.unwrap_err());
    assert!(second.contains(": it allows no request before 2"), "{second}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_probe_lists_what_there_is_instead() {
    let probed = |versions: Value, all: i64, types: Value| async move {
        let server = Http::start(move |request| {
            let query = variables(request)["q0"].as_str().unwrap_or_default().to_owned();
            assert!(
                query.contains(" SINCE 1764000000000 UNTIL 1764003600000"),
                "{query}"
            );
            let rows = if query.contains("FACET") {
                versions.clone()
            } else if query.starts_with("SHOW EVENT TYPES") {
                types.clone()
            } else {
                json!([{ "n0": all }])
            };
            answer(&json!({ "q0": { "results": rows } }))
        });
        let probed = source(&server.url, &shop()).probe(at(T + 3600)).await;
        probed.map_or_else(|error| said(&error, &server.url), |()| "fits".to_owned())
    };
    let none = || json!([]);
    assert_eq!(
        probed(json!([{ "n0": 5, "facet": "v1" }]), 5, none()).await,
        "fits"
    );
    assert_eq!(
        probed(
            json!([{ "n0": 5, "facet": "v0" }, { "n0": 1, "facet": "v9" }]),
            6,
            none()
        )
        .await,
        "no event FROM Transaction WHERE appName = 'shop-api' of the last hour has service.version \"v1\", the stable \
         version; it is v0 or v9"
    );
    assert_eq!(
        probed(none(), 7, none()).await,
        "no event FROM Transaction WHERE appName = 'shop-api' of the last hour has the attribute service.version; let \
         the agent send it (NEW_RELIC_METADATA_SERVICE_VERSION), or name another in `metrics.new-relic.version-attribute`"
    );
    assert_eq!(
        probed(
            none(),
            0,
            json!([{ "eventType": "Transactions" }, { "eventType": "Span" }])
        )
        .await,
        "New Relic at http://SERVER: there is no type of events Transaction; did you mean Transactions?"
    );
    assert_eq!(
        probed(none(), 0, json!([{ "eventType": "Transaction" }])).await,
        "there was no event FROM Transaction WHERE appName = 'shop-api' in the last hour, but there were others of \
         Transaction"
    );
}
