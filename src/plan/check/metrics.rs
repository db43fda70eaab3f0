//! Counters and their source.

use std::collections::BTreeMap;
use std::iter;

use reqwest::Url;
use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue, PROXY_AUTHORIZATION,
};

use super::Complaints;
use crate::plan::{
    place::Path,
    sections::{
        CloudWatch, Datadog, Metrics, MetricsFile, Need, NewRelic, Probe, ProbeFile, Scrape, ScrapeFile,
        Source,
    },
    units::{Address, Written},
    wrong::{Wrong, list},
};

const SOURCES: [&str; 7] = [
    "prometheus",
    "scrape",
    "recorded",
    "probe",
    "datadog",
    "new-relic",
    "cloudwatch",
];

/// `backends` is none when they are wrong themselves: then pages are not compared with them.
pub(super) fn metrics_of(
    file: MetricsFile,
    backends: Option<&[String; 2]>,
    complaints: &mut Complaints<'_>,
) -> Option<Metrics> {
    let MetricsFile {
        prometheus,
        scrape,
        datadog,
        new_relic,
        cloudwatch,
        recorded,
        probe,
        requests,
        errors,
        latency,
        memory,
    } = file;
    if let Some(prometheus) = &prometheus {
        check_headers(&prometheus.headers, complaints);
    }
    let named = iter::empty()
        .chain(prometheus.map(|it| ("prometheus", Source::Prometheus(it))))
        .chain(scrape.map(|it| ("scrape", Source::Scrape(scrape_of(it, backends, complaints)))))
        .chain(recorded.map(|it| ("recorded", Source::Recorded(it))))
        .chain(probe.map(|it| ("probe", Source::Probe(probe_of(it, backends, complaints)))))
        .chain(datadog.map(|it| ("datadog", Source::Datadog(it))))
        .chain(new_relic.map(|it| ("new-relic", Source::NewRelic(it))))
        .chain(cloudwatch.map(|it| ("cloudwatch", Source::CloudWatch(it))));
    let mut named: Vec<(&str, Source)> = named.collect();
    let (name, source) = match named.as_slice() {
        [_] => named.remove(0),
        [] => {
            let message = format!("found no source, expected {}", list(&SOURCES, "or"));
            complaints.add(Path::of("metrics"), message);
            return None;
        }
        [(first, _), (second, _), ..] => {
            let message = format!("found `{first}` and `{second}`, expected one of them");
            complaints.add(Path::of("metrics").key(second), message);
            return None;
        }
    };
    match &source {
        Source::Prometheus(_) | Source::Scrape(_) | Source::Recorded(_) | Source::Probe(_) => {}
        Source::Datadog(Datadog { latency_bounds, .. })
        | Source::NewRelic(NewRelic { latency_bounds, .. })
        | Source::CloudWatch(CloudWatch { latency_bounds, .. }) => {
            check_bounds(name, latency_bounds, complaints);
        }
    }
    if let Source::Probe(_) = source {
        let given = [
            ("requests", &requests),
            ("errors", &errors),
            ("latency", &latency),
            ("memory", &memory),
        ];
        for (key, _) in given.into_iter().filter(|(_, text)| text.is_some()) {
            let message = "found it beside `probe`, which counts its own requests, expected none".to_owned();
            complaints.add(Path::of("metrics").key(key), message);
        }
        return Some(Metrics {
            source,
            requests: "probes".to_owned(),
            errors: "probes that failed".to_owned(),
            latency: Some("probes".to_owned()),
            memory: None,
        });
    }
    for (key, text) in [("requests", &requests), ("errors", &errors)] {
        if text.is_none() {
            complaints.add(
                Path::of("metrics").key(key),
                "missing, and it has no default".to_owned(),
            );
        }
    }
    let (Some(requests), Some(errors)) = (requests, errors) else {
        return None;
    };
    Some(Metrics {
        source,
        requests,
        errors,
        latency,
        memory,
    })
}

fn check_bounds(source: &str, bounds: &[f64], complaints: &mut Complaints<'_>) {
    let path = Path::of("metrics").key(source).key("latency-bounds");
    if bounds.is_empty() {
        let message = "found an empty list, expected bounds in seconds".to_owned();
        complaints.add(path, message);
        return;
    }
    let before = iter::once(0.0).chain(bounds.iter().copied());
    for (index, (before, bound)) in before.zip(bounds).enumerate() {
        if !(before < *bound && bound.is_finite()) {
            let message = format!("found `{bound}`, expected seconds above `{before}`: bounds rise");
            complaints.add(path.clone().item(index), message);
        }
    }
}

/// Headers that can be sent, and tell no secret.
fn check_headers(headers: &BTreeMap<String, String>, complaints: &mut Complaints<'_>) {
    for (name, value) in headers {
        let path = Path::of("metrics.prometheus.headers").key(name);
        let Ok(header) = name.parse::<HeaderName>() else {
            let place = complaints.root.key_place_of(&path);
            let message = "expected the name of a header, such as `X-Scope-OrgID`".to_owned();
            complaints.push(Wrong {
                path,
                ..Wrong::at(place, message)
            });
            continue;
        };
        if [AUTHORIZATION, PROXY_AUTHORIZATION, COOKIE].contains(&header) {
            let place = complaints.root.key_place_of(&path);
            let message = "found a secret, expected none in a plan".to_owned();
            let hint =
                "set `PROMETHEUS_TOKEN`, or `PROMETHEUS_USER` and `PROMETHEUS_PASSWORD`, in the environment";
            complaints.push(Wrong {
                path,
                ..Wrong::at(place, message).hint(hint)
            });
        } else if [HOST, CONTENT_TYPE, CONTENT_LENGTH].contains(&header) {
            complaints.add(path, "rollgate sets this header itself".to_owned());
        } else if HeaderValue::from_str(value).is_err() {
            complaints.add(
                path,
                "found a control character, expected one line of text".to_owned(),
            );
        }
    }
}

fn scrape_of(file: ScrapeFile, backends: Option<&[String; 2]>, complaints: &mut Complaints<'_>) -> Scrape {
    let ScrapeFile { pages } = file;
    Scrape {
        pages: addresses_of(pages, "metrics.scrape.pages", "page", backends, complaints),
    }
}

fn probe_of(file: ProbeFile, backends: Option<&[String; 2]>, complaints: &mut Complaints<'_>) -> Probe {
    let ProbeFile {
        targets,
        every,
        expect,
        need,
    } = file;
    let Need { good, of } = need;
    if !(1..=of).contains(&good) || of > 10 {
        complaints.add(
            Path::of("metrics.probe.need"),
            format!("found {good} of {of}, expected at least 1, of no fewer and at most 10"),
        );
    }
    if let Some(status) = expect.status.filter(|status| !(100..600).contains(status)) {
        complaints.add(
            Path::of("metrics.probe.expect.status"),
            format!("found `{status}`, expected a number from 100 to 599"),
        );
    }
    Probe {
        targets: addresses_of(targets, "metrics.probe.targets", "target", backends, complaints),
        every,
        expect,
        need,
    }
}

/// The addresses of both backends, each of them a `thing` of an instance.
fn addresses_of(
    urls: BTreeMap<String, Vec<Written<Address>>>,
    here: &str,
    thing: &str,
    backends: Option<&[String; 2]>,
    complaints: &mut Complaints<'_>,
) -> BTreeMap<String, Vec<Url>> {
    let here = || Path::of(here);
    let urls: BTreeMap<_, Vec<_>> = urls
        .into_iter()
        .map(|(backend, urls)| (backend, urls.into_iter().map(|url| url.0).collect()))
        .collect();

    for (backend, urls) in &urls {
        if urls.is_empty() {
            let message = format!("found an empty list, expected the {thing} of each instance");
            complaints.add(here().key(backend), message);
        }
    }
    if let Some([first, second]) = backends {
        let known = [first.as_str(), second.as_str()];
        for backend in urls.keys().filter(|backend| !known.contains(&backend.as_str())) {
            let path = here().key(backend);
            let message = format!("no backend of `traffic`, expected {}", list(&known, "and"));
            let place = complaints.root.key_place_of(&path);
            complaints.push(Wrong {
                path,
                ..Wrong::at(place, message).did_you_mean(backend, &known)
            });
        }
        for backend in known.iter().filter(|backend| !urls.contains_key(**backend)) {
            let message = format!("missing, expected the {thing}s of both backends");
            complaints.add(here().key(backend), message);
        }
    }
    urls
}
