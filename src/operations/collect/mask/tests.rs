use serde_json::json;

use super::*;

/// The line without its secrets.
fn masked(line: &str) -> String {
    Mask::default().line(line).expect("a line")
}

#[test]
fn secrets_are_taken_out_of_a_line_and_the_rest_stays() {
    for (line, expected) in [
        (
            "GET / Authorization: Basic dXNlcjpwYXNz",
            "GET / Authorization: ***",
        ),
        (
            r#"{"authorization":"Bearer abc.def","status":500}"#,
            r#"{"authorization":"***","status":500}"#,
        ),
        (
            r#"{"msg":"{\"authorization\":\"Bearer abc.def\",\"host\":\"a\"}"}"#,
            r#"{"msg":"{\"authorization\":\"***\",\"host\":\"a\"}"}"#,
        ),
        (
            r#"Authorization: Digest username="u", response="6629fae4""#,
            "Authorization: ***",
        ),
        (
            "authorization=Bearer abcdef status=200",
            "authorization=*** status=200",
        ),
        ("sent bearer 0123456789abcdef to a", "sent bearer *** to a"),
        ("Cookie: sid=1; theme=dark", "Cookie: ***"),
        (
            "connect to postgres://shop:pa/ss@w@db:5432/shop failed",
            "connect to postgres://shop:***@db:5432/shop failed",
        ),
        (
            "connect to redis://:hunter2@cache:6379",
            "connect to redis://:***@cache:6379",
        ),
        (
            "dsn https://0123456789abcdef0123@sentry.io/7",
            "dsn https://***@sentry.io/7",
        ),
        (
            "POST https://hooks.slack.com/services/T0/B0/xyz",
            "POST https://hooks.slack.com/services/***",
        ),
        ("password=hunter2 user=anna", "password=*** user=anna"),
        ("DB_PASS: hunter2, then", "DB_PASS: *** then"),
        (
            r#"{"clientSecret": "a\"b c", "id": 7}"#,
            r#"{"clientSecret": "***", "id": 7}"#,
        ),
        (
            r#"{"m":"{\"api_key\":\"k 1\",\"n\":1}"}"#,
            r#"{"m":"{\"api_key\":\"***\",\"n\":1}"}"#,
        ),
        ("{'token' => 'a b', x: 1}", "{'token' => '***', x: 1}"),
        (
            "GET /reset?token=abc&mail=a%40b HTTP/1.1",
            "GET /reset?token=***&mail=a%40b HTTP/1.1",
        ),
        ("STRIPE_KEY=abc MODE=live", "STRIPE_KEY=*** MODE=live"),
        (
            "run --db-password hunter2 --port 80",
            "run --db-password *** --port 80",
        ),
        ("key AKIAIOSFODNN7EXAMPLE is over", "key *** is over"),
        (
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "aws_secret_access_key = ***",
        ),
        (
            "jwt eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl rejected",
            "jwt *** rejected",
        ),
        (
            "push with ghp_0123456789abcdefghij0123 done",
            "push with *** done",
        ),
    ] {
        assert_eq!(masked(line), expected, "{line}");
        assert_eq!(masked(expected), expected, "masked again");
    }
}

#[test]
fn what_is_no_secret_can_still_be_read() {
    for line in [
        "2026-11-23T14:02:00.123Z GET /orders/4711 500 12ms upstream=10.0.0.7:8080",
        "http://shop:8080/users?mail=anna@example.com answered 404",
        r#"MountVolume.SetUp failed for volume "db" : secret "db-creds" not found"#,
        r#"pods "web" is forbidden: User "ci" cannot get resource "pods/log" in API group """#,
        "cache_key=user:5 hit, primary_key: 7",
        "bypass=1 compass: north",
        "basic authentication is off; the bearer is gone",
        "java.lang.IllegalStateException: at com.shop.Order.place(Order.java:71)",
        "-----BEGIN CERTIFICATE-----",
    ] {
        assert_eq!(masked(line), line);
    }
}

#[test]
fn a_private_key_is_gone_whether_it_has_many_lines_or_one() {
    let log = "before\nkey: -----BEGIN RSA PRIVATE KEY-----\nMIIEpAIBAAKC\nAQEA7\n-----END RSA PRIVATE KEY----- loaded\nafter";
    assert_eq!(
        text(log),
        "before\nkey: *** a private key ***\n***-----END RSA PRIVATE KEY----- loaded\nafter"
    );
    assert_eq!(
        masked(r#"{"pem":"-----BEGIN PRIVATE KEY-----\nMIIE\n-----END PRIVATE KEY-----\n","n":1}"#),
        r#"{"pem":"*** a private key ***\n","n":1}"#
    );
}

#[test]
fn a_key_that_never_ends_does_not_swallow_the_rest_of_a_log() {
    let log = format!(
        "-----BEGIN PRIVATE KEY-----\n{}after",
        "line\n".repeat(LONGEST_KEY)
    );
    assert!(text(&log).ends_with("\nafter"), "{}", text(&log));
}

#[test]
fn variables_headers_annotations_and_arguments_lose_what_their_names_call_secret() {
    let mut pod = json!({
        "metadata": { "annotations": { "example.com/api-token": "abc", "team": "shop" } },
        "spec": { "containers": [{
            "name": "shop",
            "env": [
                { "name": "DB_PASSWORD", "value": "hunter2" },
                { "name": "DATABASE_URL", "value": "postgres://shop:hunter2@db/shop" },
                { "name": "API_TOKEN", "valueFrom": { "secretKeyRef": { "name": "shop", "key": "token" } } },
                { "name": "PORT", "value": "8080" },
            ],
            "args": ["--secret-key", "hunter2", "--token=hunter2", "--port", "80", "--token-file", "--verbose"],
            "readinessProbe": { "httpGet": { "httpHeaders": [{ "name": "X-Auth-Token", "value": "hunter2" }] } },
            "command": ["sh", "-c", "export PASSWORD=hunter2\nexec shop"],
        }] },
    });
    object(&mut pod);
    let expected = json!({
        "metadata": { "annotations": { "example.com/api-token": "***", "team": "shop" } },
        "spec": { "containers": [{
            "name": "shop",
            "env": [
                { "name": "DB_PASSWORD", "value": "***" },
                { "name": "DATABASE_URL", "value": "postgres://shop:***@db/shop" },
                { "name": "API_TOKEN", "valueFrom": { "secretKeyRef": { "name": "shop", "key": "token" } } },
                { "name": "PORT", "value": "8080" },
            ],
            "args": ["--secret-key", "***", "--token=***", "--port", "80", "--token-file", "--verbose"],
            "readinessProbe": { "httpGet": { "httpHeaders": [{ "name": "X-Auth-Token", "value": "***" }] } },
            "command": ["sh", "-c", "export PASSWORD=***\nexec shop"],
        }] },
    });
    assert_eq!(pod, expected);
}
