//! Counters and their source.

use std::collections::BTreeMap;

use reqwest::header::{
    AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE, COOKIE, HOST, HeaderName, HeaderValue, PROXY_AUTHORIZATION,
};

use super::Complaints;
use crate::plan::{
    place::Path,
    sections::{Metrics, MetricsFile, Scrape, ScrapeFile, Source},
    wrong::{Wrong, list},
};

/// `backends` is none when they are wrong themselves: then pages are not compared with them.
pub(super) fn metrics_of(
    file: MetricsFile,
    backends: Option<&[String; 2]>,
    complaints: &mut Complaints<'_>,
) -> Option<Metrics> {
    let MetricsFile {
        prometheus,
        scrape,
        recorded,
        requests,
        errors,
        latency,
        memory,
    } = file;
    let mut sources = Vec::new();
    if let Some(prometheus) = prometheus {
        check_headers(&prometheus.headers, complaints);
        sources.push(("prometheus", Source::Prometheus(prometheus)));
    }
    if let Some(scrape) = scrape {
        sources.push(("scrape", Source::Scrape(scrape_of(scrape, backends, complaints))));
    }
    if let Some(recorded) = recorded {
        sources.push(("recorded", Source::Recorded(recorded)));
    }
    let names: Vec<_> = sources.iter().map(|(name, _)| *name).collect();
    if let [_, second, ..] = names.as_slice() {
        let message = format!("found {}, expected one of them", list(&names, "and"));
        complaints.add(Path::of("metrics").key(second), message);
        return None;
    }
    let Some((_, source)) = sources.pop() else {
        let message = "found no source, expected `prometheus`, `scrape` or `recorded`";
        complaints.add(Path::of("metrics"), message.to_owned());
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
    let here = || Path::of("metrics.scrape.pages");
    let pages: BTreeMap<_, Vec<_>> = file
        .pages
        .into_iter()
        .map(|(backend, pages)| (backend, pages.into_iter().map(|page| page.0).collect()))
        .collect();

    for (backend, pages) in &pages {
        if pages.is_empty() {
            let message = "found an empty list, expected the page of each instance".to_owned();
            complaints.add(here().key(backend), message);
        }
    }
    if let Some([first, second]) = backends {
        let known = [first.as_str(), second.as_str()];
        for backend in pages.keys().filter(|backend| !known.contains(&backend.as_str())) {
            let path = here().key(backend);
            let message = format!("no backend of `traffic`, expected {}", list(&known, "and"));
            let place = complaints.root.key_place_of(&path);
            complaints.push(Wrong {
                path,
                ..Wrong::at(place, message).did_you_mean(backend, &known)
            });
        }
        for backend in known.iter().filter(|backend| !pages.contains_key(**backend)) {
            let message = "missing, expected the pages of both backends".to_owned();
            complaints.add(here().key(backend), message);
        }
    }
    Scrape { pages }
}
