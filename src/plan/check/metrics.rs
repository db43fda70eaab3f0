//! Counters and their source.

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
        requests,
        errors,
        latency,
        memory,
    } = file;
    let source = match (prometheus, scrape) {
        (Some(prometheus), None) => Source::Prometheus(prometheus),
        (None, Some(scrape)) => Source::Scrape(scrape_of(scrape, backends, complaints)),
        (Some(_), Some(_)) => {
            complaints.add(
                Path::of("metrics.scrape"),
                "found `prometheus` and `scrape`, expected one of them".to_owned(),
            );
            return None;
        }
        (None, None) => {
            complaints.add(
                Path::of("metrics"),
                "found no source, expected `prometheus` or `scrape`".to_owned(),
            );
            return None;
        }
    };
    Some(Metrics {
        source,
        requests,
        errors,
        latency,
        memory,
    })
}

fn scrape_of(file: ScrapeFile, backends: Option<&[String; 2]>, complaints: &mut Complaints<'_>) -> Scrape {
    let here = || Path::of("metrics.scrape.pages");
    let pages: std::collections::BTreeMap<_, Vec<_>> = file
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
