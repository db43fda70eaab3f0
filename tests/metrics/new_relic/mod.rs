//! After the documentation: <https://docs.newrelic.com/docs/apis/nerdgraph/examples/nerdgraph-nrql-tutorial/>

mod trouble;

use std::time::Duration;

use rollgate::providers::metrics::{CheckCounters, Measures, Metrics as _, NewRelic, NewRelicPlace};
use rollgate_domain::analysis::{Distribution, Kind, Side};
use serde_json::{Value, json};

use super::{at, counters, flat, shape};
use crate::support::http::{Http, Reply, Request};

const TIMESERIES: &str = include_str!("../../fixtures/new-relic/timeseries.json");
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
        shape(&samples, T),
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
    let whole = flat(shape(&source.samples(at(T), at(T + 45)).await.unwrap(), T));
    let mut pieces = Vec::new();
    for (from, to) in [(0, 29), (29, 31), (31, 45)] {
        let piece = source.samples(at(T + from), at(T + to)).await.unwrap();
        pieces.extend(flat(shape(&piece, T)));
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
