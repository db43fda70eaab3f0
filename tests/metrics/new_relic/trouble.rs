//! Answers that are none, a service that wants to be left alone, and plans that fit nothing.

use rollgate::providers::metrics::Metrics as _;
use serde_json::{Value, json};

use super::super::{at, said};
use super::{T, TIMESERIES, answer, shop, source, variables};
use crate::support::http::{Http, Reply};

const SYNTAX_ERROR: &str = include_str!("../../fixtures/new-relic/syntax-error.json");

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
