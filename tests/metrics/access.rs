//! How a Prometheus is reached: who asks, through which tenant, whose certificates are trusted, and how often.

use std::path::Path;
use std::time::Duration;

use rollgate::providers::metrics::{Access, Credentials, Metrics as _, Prometheus};

use super::{at, said, shop};
use crate::support::http::{Http, Reply};
use crate::support::{require, tls::Tls};

const EMPTY: &str = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;

fn source(url: &str, access: &Access) -> Prometheus {
    let source =
        Prometheus::new(url, "version", &shop(), "v1", "v2", Duration::from_secs(5)).expect("a source");
    source.reached_by(access).expect("a source that can be reached")
}

/// All that went wrong with a look.
async fn refused(url: &str, access: &Access) -> String {
    let error = source(url, access)
        .samples(at(60), at(75))
        .await
        .expect_err("an error");
    said(&error, url)
}

fn signed(credentials: Credentials) -> Access {
    Access {
        credentials: Some(credentials),
        ..Access::default()
    }
}

fn token() -> Credentials {
    Credentials::Token("s3cret".into())
}

fn user() -> Credentials {
    Credentials::User {
        name: "me".into(),
        password: "s3cret".into(),
    }
}

#[tokio::test]
async fn every_question_names_tenant_and_asker() {
    for (credentials, expected) in [(token(), "Bearer s3cret"), (user(), "Basic bWU6czNjcmV0")] {
        let server = Http::always(Reply::ok(EMPTY));
        let access = Access {
            headers: [("X-Scope-OrgID".to_owned(), "shop".to_owned())].into(),
            ..signed(credentials)
        };
        source(&server.url, &access)
            .samples(at(60), at(75))
            .await
            .unwrap();
        for request in server.seen() {
            assert_eq!(request.headers["x-scope-orgid"], "shop");
            assert_eq!(request.headers["authorization"], expected);
        }
    }
}

#[tokio::test]
async fn who_is_not_let_in_is_told_which_variable_to_check() {
    for (access, expected) in [
        (signed(token()), "check PROMETHEUS_TOKEN"),
        (signed(user()), "check PROMETHEUS_USER and PROMETHEUS_PASSWORD"),
        (
            Access::default(),
            "set PROMETHEUS_TOKEN, or PROMETHEUS_USER and PROMETHEUS_PASSWORD",
        ),
    ] {
        for (status, name) in [(401, "401 Unauthorized"), (403, "403 Forbidden")] {
            let server = Http::always(Reply::status(status, "no entry"));
            let text = refused(&server.url, &access).await;
            let end = format!("it answered {name}: no entry; {expected}");
            assert!(text.ends_with(&end), "{text}");
            assert!(!text.contains("s3cret"), "{text}");
        }
    }
}

#[tokio::test]
async fn a_login_page_gets_no_credentials() {
    let login = Http::always(Reply::ok("<html>Sign in</html>"));
    let moved = Reply::Answer {
        status: 302,
        headers: vec![format!("location: {}", login.url)],
        body: Vec::new(),
    };
    let server = Http::always(moved);
    let text = refused(&server.url, &signed(token())).await;
    assert!(
        text.ends_with(&format!("it answered 302 Found; it sends us to {}", login.url)),
        "{text}"
    );
    assert!(login.seen().is_empty());
}

#[tokio::test]
async fn a_server_that_asks_for_a_pause_gets_it() {
    let slow_down = Reply::Answer {
        status: 429,
        headers: vec!["retry-after: 3".into()],
        body: b"per-tenant limit".to_vec(),
    };
    let first = std::sync::atomic::AtomicUsize::new(0);
    let server = Http::start(move |_| {
        // Both questions of the first look.
        if first.fetch_add(1, std::sync::atomic::Ordering::SeqCst) < 2 {
            slow_down.clone()
        } else {
            Reply::ok(EMPTY)
        }
    });
    let source = source(&server.url, &Access::default());
    let begin = std::time::Instant::now();
    let error = source.samples(at(60), at(75)).await.unwrap_err();
    let text = format!("{error:#}");
    assert!(
        text.contains("it answered 429 Too Many Requests: per-tenant limit; it asks for a pause until 2"),
        "{text}"
    );
    tokio::time::sleep(Duration::from_millis(200)).await;
    let asked = server.seen().len();
    let text = format!("{:#}", source.samples(at(60), at(75)).await.unwrap_err());
    assert!(text.contains("it has asked for a pause until 2"), "{text}");
    assert_eq!(server.seen().len(), asked, "nothing is sent in the pause");
    tokio::time::sleep(Duration::from_millis(3100).saturating_sub(begin.elapsed())).await;
    // Whichever of the first two was never sent meets the server's old mood.
    let _ = source.samples(at(60), at(75)).await;
    assert!(server.seen().len() > asked, "it is asked again after the pause");
}

#[tokio::test]
async fn two_gigabytes_are_not_read() {
    let server = Http::always(Reply::Endless);
    let text = refused(&server.url, &Access::default()).await;
    assert!(text.ends_with("it answered more than 64 MiB"), "{text}");
}

fn trusting(ca: &Path) -> Access {
    Access {
        ca: Some(ca.to_owned()),
        ..Access::default()
    }
}

#[tokio::test]
async fn an_authority_of_ones_own_is_trusted_where_the_plan_names_it() {
    let Some(openssl) = require("openssl") else { return };
    let server = Tls::start(&openssl, "IP:127.0.0.1", EMPTY);
    let samples = source(&server.url, &trusting(&server.authority()))
        .samples(at(60), at(75))
        .await;
    assert!(samples.is_ok(), "{samples:?}");

    let unnamed = refused(&server.url, &Access::default()).await;
    assert!(
        unnamed.ends_with(
            "no connection: its certificate is not accepted (invalid peer certificate: UnknownIssuer); name its \
             authority with `ca` in the plan"
        ),
        "{unnamed}"
    );
    let other = Tls::start(&openssl, "IP:127.0.0.1", EMPTY);
    let wrong = refused(&server.url, &trusting(&other.authority())).await;
    let end = format!(
        "; only the authority in {} is trusted, check that it has signed it",
        other.authority().display()
    );
    assert!(
        wrong.contains("its certificate is not accepted (") && wrong.ends_with(&end),
        "{wrong}"
    );
}

#[tokio::test]
async fn a_certificate_for_another_host_is_refused_with_both_names() {
    let Some(openssl) = require("openssl") else { return };
    let server = Tls::start(&openssl, "DNS:prometheus.example.com", EMPTY);
    let text = refused(&server.url, &trusting(&server.authority())).await;
    assert!(
        text.contains("its certificate is not accepted (")
            && text.contains("127.0.0.1")
            && text.contains("prometheus.example.com")
            && text.ends_with("); check the host of the address"),
        "{text}"
    );
}
