use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use rollgate::providers::metrics::{Metrics, Scrape, Source, connect};
use rollgate_domain::analysis::Side;

use super::{CANDIDATE, STABLE, at, counters, said, shop};
use crate::support::http::{Http, Reply, nobody};

const PAGE: &str = "# TYPE http_requests_total counter\n\
                    http_requests_total{service=\"shop-api\",code=\"200\"} 90\n\
                    http_requests_total{service=\"shop-api\",code=\"500\"} 10\n\
                    http_requests_total{service=\"other\",code=\"200\"} 7\n";

fn page(text: &str) -> Http {
    Http::always(Reply::ok(text))
}

fn source(blue: &[&str], green: &[&str]) -> Scrape {
    let urls = |urls: &[&str]| {
        urls.iter()
            .map(|url| format!("{url}/metrics"))
            .collect::<Vec<_>>()
    };
    let pages = BTreeMap::from([("blue".to_owned(), urls(blue)), ("green".to_owned(), urls(green))]);
    Scrape::new(&pages, &shop(), "blue", "green", Duration::from_secs(2)).expect("a source")
}

#[tokio::test]
async fn pages_become_series_of_their_backend_at_the_asked_time() {
    let (blue, green) = (page(PAGE), [page(PAGE), page("up 1\n")]);
    let source = source(&[&blue.url], &[&green[0].url, &green[1].url]);
    let samples = source.samples(at(60), at(75)).await.unwrap();

    let shape: Vec<_> = samples
        .requests
        .iter()
        .map(|series| (series.side, &series.instance, series.points.clone()))
        .collect();
    let (b, g) = (
        format!("{}/metrics", blue.url),
        format!("{}/metrics", green[0].url),
    );
    assert_eq!(
        shape,
        [
            (Side::Stable, &b, vec![(at(75), 90.0)]),
            (Side::Stable, &b, vec![(at(75), 10.0)]),
            (Side::Candidate, &g, vec![(at(75), 90.0)]),
            (Side::Candidate, &g, vec![(at(75), 10.0)]),
        ]
    );
    assert_eq!(samples.errors.len(), 2);
    assert_eq!(
        samples.errors[0].key,
        format!("http_requests_total{{code=\"500\",instance=\"{b}\",service=\"shop-api\"}}")
    );
    assert!(!source.has_past());
    let request = &blue.seen()[0];
    assert_eq!(
        (request.method.as_str(), request.path.as_str()),
        ("GET", "/metrics")
    );
    assert_eq!(request.headers["accept"], "text/plain; version=0.0.4");
}

#[tokio::test]
async fn a_candidate_without_a_request_is_silent_not_broken() {
    let (blue, green) = (page(PAGE), page("up 1\n"));
    let samples = source(&[&blue.url], &[&green.url])
        .samples(at(60), at(75))
        .await
        .unwrap();
    assert!(samples.requests.iter().all(|series| series.side == Side::Stable));
}

#[tokio::test]
async fn a_missing_candidate_page_is_forgiven_for_a_minute() {
    let (blue, green) = (page(PAGE), page(PAGE));
    let source = source(&[&blue.url], &[&green.url, &format!("http://{}", nobody())]);
    for second in [15, 30, 45, 60, 75] {
        assert_eq!(source.samples(at(0), at(second)).await.unwrap().requests.len(), 4);
    }
    let error = source.samples(at(0), at(90)).await.unwrap_err();
    let text = error.to_string();
    assert!(
        text.starts_with("1 of 2 pages of the candidate version cannot be read: scrape http://127.0.0.1:"),
        "{text}"
    );
    assert!(
        text.contains("/metrics: no connection (Connection refused"),
        "{text}"
    );
}

#[tokio::test]
async fn a_side_without_any_page_is_an_error_at_once() {
    let blue = page(PAGE);
    for (reply, expected) in [
        (
            Reply::status(500, "boom"),
            "it answered 500 Internal Server Error: boom",
        ),
        (Reply::ok(""), "the page is empty"),
        (
            Reply::ok("<html>hello</html>"),
            "it is a web page, not a page of metrics: <html>hello</html>",
        ),
        (Reply::ok("up 1\nup"), "line 2: up: expected a value"),
        (Reply::ok("up 1\nup_total 12"), "the page breaks off in line 2"),
        (
            Reply::Hang,
            "no answer within 2s; check that it is reachable and not overloaded",
        ),
        (
            Reply::ok(vec![b'#'; (16 << 20) + 1]),
            "it answered more than 16 MiB",
        ),
    ] {
        let green = Http::always(reply);
        let error = source(&[&blue.url], &[&green.url])
            .samples(at(60), at(75))
            .await
            .unwrap_err();
        let first = "1 of 1 pages of the candidate version cannot be read: scrape http://SERVER/metrics: ";
        assert_eq!(said(&error, &green.url), format!("{first}{expected}"));
    }
}

#[tokio::test]
async fn pages_are_read_side_by_side() {
    // Each answers when all have been asked: one after the other the first would never answer.
    let all_asked = Arc::new(Barrier::new(8));
    let page = || {
        let all_asked = Arc::clone(&all_asked);
        Http::start(move |_| {
            all_asked.wait();
            Reply::ok(PAGE)
        })
    };
    let pages: Vec<_> = (0..8).map(|_| page()).collect();
    let urls: Vec<_> = pages.iter().map(|page| page.url.as_str()).collect();
    let source = source(&urls[..4], &urls[4..]);
    source.samples(at(60), at(75)).await.unwrap();
}

#[tokio::test]
async fn a_misspelt_counter_is_refused_with_what_there_is() {
    let (blue, green) = (page(PAGE), page(PAGE));
    let pages = BTreeMap::from([
        ("blue".to_owned(), vec![blue.url.clone()]),
        ("green".to_owned(), vec![green.url.clone()]),
    ]);
    let probe = async |requests: &str, errors: &str| {
        let counters = counters(requests, errors);
        let source = connect(
            &Source::Scrape { pages: pages.clone() },
            &counters,
            STABLE,
            CANDIDATE,
        )
        .unwrap();
        source.probe(at(0)).await.map_err(|error| said(&error, &blue.url))
    };
    assert_eq!(
        probe("http_requests_total", "http_requests_total{code=~'5..'}").await,
        Ok(())
    );
    assert_eq!(
        probe("http_request_total", "up").await.unwrap_err(),
        "http://SERVER: there is no metric http_request_total; did you mean http_requests_total?"
    );
    assert_eq!(
        probe("http_requests_total", "http_requests_total{status=~'5..'}")
            .await
            .unwrap_err(),
        "errors (http_requests_total{status=~\"5..\"}) can never be found: no series of http_requests_total has a \
         label status, they have code, instance or service"
    );
}

#[tokio::test]
async fn each_look_reads_the_page_anew() {
    let count = Arc::new(AtomicU64::new(0));
    let blue = Http::start({
        let count = Arc::clone(&count);
        move |_| {
            let value = count.fetch_add(5, Ordering::SeqCst);
            Reply::ok(format!("http_requests_total{{service=\"shop-api\"}} {value}\n"))
        }
    });
    let green = page(PAGE);
    let source = source(&[&blue.url], &[&green.url]);
    let source: &dyn Metrics = &source;
    for (second, value) in [(15, 0.0), (30, 5.0)] {
        let samples = source.samples(at(second - 15), at(second)).await.unwrap();
        assert_eq!(samples.requests[0].points, [(at(second), value)]);
    }
    assert!(source.samples(at(30), at(30)).await.unwrap().requests.is_empty());
}
