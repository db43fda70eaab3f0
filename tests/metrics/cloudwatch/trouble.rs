//! Answers that are none, a service that wants to be left alone, and plans that fit nothing.

use rollgate::providers::metrics::{Measures, Metrics as _};
use serde_json::json;

use super::super::{at, said};
use super::{T, answer, body, made, shop, source};
use crate::support::http::{Http, Reply};

async fn refused(reply: Reply) -> String {
    let server = Http::always(reply);
    let error = source(&server.url, &shop())
        .samples(at(T), at(T + 60))
        .await
        .expect_err("an error");
    let text = said(&error, &server.url);
    assert!(
        !text.contains("s3cret") && !text.contains("t0ken") && !text.contains("AKID"),
        "{text}"
    );
    let begin = "ask CloudWatch at http://SERVER for 4 metrics of Shop from 1764000000 to 1764000060: ";
    text.strip_prefix(begin).unwrap_or(&text).to_owned()
}

#[tokio::test]
async fn every_bad_answer_is_one_clear_error() {
    let result = |result: &str| Reply::ok(format!(r#"{{"MetricDataResults":[{result}]}}"#));
    let moved = Reply::Answer {
        status: 302,
        headers: vec!["location: https://portal.example.com/login".into()],
        body: Vec::new(),
    };
    for (reply, expected) in [
        (
            Reply::status(
                403,
                r#"{"__type":"com.amazon.coral.service#ExpiredTokenException","message":"The security token included in the request is expired"}"#,
            ),
            "it answered 403 Forbidden: ExpiredTokenException: The security token included in the request is expired; \
             check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, whether they have expired, and that \
             they may cloudwatch:GetMetricData and cloudwatch:ListMetrics",
        ),
        (
            Reply::status(
                400,
                r#"{"__type":"InvalidParameterValue","message":"The value for\nperiod"}"#,
            ),
            "it answered 400 Bad Request: InvalidParameterValue: The value for period",
        ),
        (
            moved,
            "it answered 302 Found; it sends us to https://portal.example.com/login",
        ),
        (
            Reply::ok("<html>Sign in</html>"),
            "it answered with a web page, not with JSON; check the address, and that no login or proxy stands before \
             it: <html>Sign in</html>",
        ),
        (
            Reply::Hang,
            "no answer within 2s; check that it is reachable and not overloaded",
        ),
        (
            Reply::ok(vec![b' '; (32 << 20) + 1]),
            "it answered more than 32 MiB",
        ),
        (
            result(r#"{"Id":"m0","StatusCode":"InternalError","Timestamps":[],"Values":[]}"#),
            "it could not answer query m0 (InternalError)",
        ),
        (
            result(r#"{"Id":"m0","StatusCode":"Forbidden","Timestamps":[],"Values":[]}"#),
            "it could not answer query m0 (Forbidden)",
        ),
        (
            result(r#"{"Id":"m0","StatusCode":"PartialData","Timestamps":[],"Values":[]}"#),
            "it answered query m0 with a part of the data only (PartialData)",
        ),
        (
            result(r#"{"Id":"m0","StatusCode":"Complete","Timestamps":[],"Values":[]}"#),
            "it did not answer query m1",
        ),
        (
            Reply::ok(r#"{"MetricDataResults":[],"NextToken":"again"}"#),
            "ask CloudWatch at http://SERVER for 4 metrics of Shop from 1764000000 to 1764000060: it has more than 100 pages",
        ),
    ] {
        let said = refused(reply).await;
        assert!(expected.ends_with(&said), "{said}\nexpected: {expected}");
    }
    let measures = Measures {
        by: Some("handler".to_owned()),
        ..shop()
    };
    let Err(error) = made("http://h", &measures) else {
        panic!("accepted")
    };
    assert_eq!(
        error.to_string(),
        "limits.error-rate.by cannot be judged with CloudWatch, which finds a metric by exactly its dimensions"
    );
}

#[tokio::test]
async fn nothing_is_asked_before_the_wait_is_over() {
    let server = Http::always(Reply::status(
        400,
        r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#,
    ));
    let source = source(&server.url, &shop());
    let first = format!("{:#}", source.samples(at(T), at(T + 60)).await.unwrap_err());
    assert!(
        first.contains(": it answered 400 Bad Request: ThrottlingException: Rate exceeded; nothing is asked of it before 2"),
        "{first}"
    );
    let second = format!("{:#}", source.samples(at(T), at(T + 60)).await.unwrap_err());
    assert!(second.contains(": it allows no request before 2"), "{second}");
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_probe_lists_what_there_is_instead() {
    let probed = |points: Vec<(i64, f64)>, known: &'static str, all: &'static str| async move {
        let server = Http::start(move |request| match request.headers["x-amz-target"].as_str() {
            "GraniteServiceVersion20100801.ListMetrics" => {
                let asked = body(request);
                assert_eq!(
                    (&asked["Namespace"], &asked["RecentlyActive"]),
                    (&json!("Shop"), &json!("PT3H"))
                );
                let listed = if asked["MetricName"] == "Requests" {
                    known
                } else {
                    all
                };
                Reply::ok(format!(r#"{{"Metrics":[{listed}]}}"#))
            }
            _ => answer(request, |_, _| points.clone()),
        });
        let probed = source(&server.url, &shop()).probe(at(T + 10800)).await;
        probed.map_or_else(|error| said(&error, &server.url), |()| "fits".to_owned())
    };
    let gone = "Requests{Service=shop-api} with Version=v1 had no number in the last three hours";
    assert_eq!(probed(vec![(T, 1.0)], "", "").await, "fits");
    assert_eq!(
        probed(
            Vec::new(),
            r#"{"MetricName":"Requests","Dimensions":[{"Name":"Service","Value":"shop-api"},{"Name":"Version","Value":"v7"}]},
               {"MetricName":"Requests","Dimensions":[{"Name":"Service","Value":"other"},{"Name":"Version","Value":"v1"}]}"#,
            ""
        )
        .await,
        format!("{gone}; Version is v7")
    );
    assert_eq!(
        probed(
            Vec::new(),
            r#"{"MetricName":"Requests","Dimensions":[{"Name":"Service","Value":"shop-api"},{"Name":"Host","Value":"a"},
               {"Name":"Version","Value":"v1"}]}"#,
            ""
        )
        .await,
        format!("{gone}: no Requests has exactly these dimensions; one has Service=shop-api,Host=a,Version=v1")
    );
    assert_eq!(
        probed(Vec::new(), "", r#"{"MetricName":"Request"}"#).await,
        "CloudWatch at http://SERVER, namespace Shop: there is no metric Requests; did you mean Request?"
    );
}
