//! What no type can say: values of a plan that do not fit together. All of them are found at once.

use jiff::SignedDuration;

use super::Plan;
use super::place::Path;
use super::sections::{
    Channel, Driver, File, Haproxy, HaproxyFile, Judgement, Metrics, MetricsFile, Notify, Scrape, ScrapeFile,
    Source, Step, Traffic, TrafficFile,
};
use super::tree::Node;
use super::units::{Share, Unit as _, show};
use super::wrong::{Wrong, list};

/// The plan, when nothing is wrong with it.
pub(super) fn check(file: File, root: &Node, hash: String) -> Result<Plan, Vec<Wrong>> {
    // In full: a new section has to be thought of here.
    let File {
        service,
        traffic,
        sticky,
        metrics,
        limits,
        judgement,
        phases,
        notify,
        driver,
    } = file;
    let mut complaints = Complaints {
        root,
        wrongs: Vec::new(),
    };

    let traffic = traffic_of(traffic, &service, &mut complaints);
    let backends = traffic.as_ref().map(|traffic| &traffic.haproxy.backends);
    let metrics = metrics_of(metrics, backends, &mut complaints);
    check_steps(&phases.canary.steps, &judgement, &mut complaints);
    check_judgement(&judgement, &mut complaints);
    check_notify(&notify, &mut complaints);
    check_driver(&driver, &judgement, &mut complaints);

    match (traffic, metrics) {
        (Some(traffic), Some(metrics)) if complaints.wrongs.is_empty() => Ok(Plan {
            hash,
            service,
            traffic,
            sticky,
            metrics,
            limits,
            judgement,
            phases,
            notify,
            driver,
        }),
        _ => Err(complaints.wrongs),
    }
}

/// The router alone, for a rollback.
pub(super) fn check_traffic(file: TrafficFile, service: &str, root: &Node) -> Result<Traffic, Vec<Wrong>> {
    let mut complaints = Complaints {
        root,
        wrongs: Vec::new(),
    };
    match traffic_of(file, service, &mut complaints) {
        Some(traffic) if complaints.wrongs.is_empty() => Ok(traffic),
        _ => Err(complaints.wrongs),
    }
}

struct Complaints<'a> {
    root: &'a Node,
    wrongs: Vec<Wrong>,
}

impl Complaints<'_> {
    fn add(&mut self, path: Path, message: String) {
        self.push(Wrong {
            path: path.clone(),
            ..Wrong::at(self.root.place_of(&path), message)
        });
    }

    /// `shown`, and whether it is there to be seen.
    fn found(&self, path: &Path, shown: &str) -> String {
        let default = if self.root.has(path) { "" } else { " (the default)" };
        format!("found `{shown}`{default}")
    }

    fn push(&mut self, wrong: Wrong) {
        self.wrongs.push(wrong);
    }
}

fn traffic_of(file: TrafficFile, service: &str, complaints: &mut Complaints<'_>) -> Option<Traffic> {
    let TrafficFile {
        haproxy:
            HaproxyFile {
                sockets,
                map,
                key,
                backends,
            },
    } = file;
    let here = || Path::of("traffic.haproxy");

    let sockets: Vec<_> = sockets.into_iter().map(|socket| socket.0).collect();
    if sockets.is_empty() {
        complaints.add(
            here().key("sockets"),
            "found an empty list, expected the socket of each HAProxy process".to_owned(),
        );
    }
    for (index, socket) in sockets.iter().enumerate() {
        if sockets.iter().take(index).any(|other| other == socket) {
            let message = format!("found `{}` again, expected each socket once", socket.display());
            complaints.add(here().key("sockets").item(index), message);
        }
    }

    let backends: Vec<_> = backends.into_iter().map(|backend| backend.0).collect();
    let found = backends.len();
    let backends = match <[String; 2]>::try_from(backends) {
        Ok(backends) => {
            let [first, second] = &backends;
            if first == second {
                let message = format!("found `{second}` again, expected two different backends");
                complaints.add(here().key("backends").item(1), message);
            }
            Some(backends)
        }
        Err(_) => {
            let message = format!("found {found}, expected two backends, stable and candidate");
            complaints.add(here().key("backends"), message);
            None
        }
    };

    let key = key.map_or_else(|| service.to_owned(), |key| key.0);
    backends.map(|backends| Traffic {
        haproxy: Haproxy {
            sockets,
            map,
            key,
            backends,
        },
    })
}

/// `backends` is none when they are wrong themselves: then pages are not compared with them.
fn metrics_of(
    file: MetricsFile,
    backends: Option<&[String; 2]>,
    complaints: &mut Complaints<'_>,
) -> Option<Metrics> {
    let MetricsFile {
        prometheus,
        scrape,
        requests,
        errors,
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
            let message = format!(
                "no backend of `traffic.haproxy`, expected {}",
                list(&known, "and")
            );
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

fn check_steps(steps: &[Step], judgement: &Judgement, complaints: &mut Complaints<'_>) {
    let here = || Path::of("phases.canary.steps");
    if steps.is_empty() {
        complaints.add(
            here(),
            "found an empty list, expected at least one step".to_owned(),
        );
    }
    for (index, pair) in steps.windows(2).enumerate() {
        let [before, step] = pair else { continue };
        if step.weight <= before.weight {
            let (found, before) = (Share::write(&step.weight), Share::write(&before.weight));
            let message = format!(
                "found `{found}` after `{before}`, expected more than `{before}`: weights rise with each step"
            );
            complaints.add(here().item(index + 1).key("weight"), message);
        }
    }
    for (index, step) in steps.iter().enumerate() {
        // One look may fall on the change itself; a second one sees the step as it is.
        check_two_looks(
            step.duration,
            here().item(index).key("for"),
            judgement,
            complaints,
        );
    }
}

fn check_two_looks(
    duration: SignedDuration,
    path: Path,
    judgement: &Judgement,
    complaints: &mut Complaints<'_>,
) {
    let look = judgement.look;
    if duration < look * 2 {
        let found = complaints.found(&path, &show(duration));
        let (two, look) = (show(look * 2), show(look));
        let message = format!("{found}, expected at least two looks, `{two}` (`judgement.look` is `{look}`)");
        complaints.add(path, message);
    }
}

fn check_judgement(judgement: &Judgement, complaints: &mut Complaints<'_>) {
    // As in the JSON Schema. NaN and infinity are none of them either.
    if let Some(size) = judgement
        .cluster_size
        .filter(|size| !(1.0..=100.0).contains(size))
    {
        complaints.add(
            Path::of("judgement.cluster-size"),
            format!("found `{size}`, expected a number from 1 to 100"),
        );
    }
}

fn check_notify(notify: &Notify, complaints: &mut Complaints<'_>) {
    let Notify {
        critical,
        warning,
        info,
    } = notify;
    for (severity, channels) in [("critical", critical), ("warning", warning), ("info", info)] {
        for (index, channel) in channels.iter().enumerate() {
            if channels.iter().take(index).any(|other| other == channel) {
                let name = match channel {
                    Channel::Slack => "slack",
                    Channel::Summary => "summary",
                };
                let message = format!("found `{name}` again, expected each channel once");
                complaints.add(Path::of("notify").key(severity).item(index), message);
            }
        }
    }
}

fn check_driver(driver: &Driver, judgement: &Judgement, complaints: &mut Complaints<'_>) {
    let Driver {
        budget,
        successor_within,
        blind,
    } = driver;
    if successor_within > budget {
        let path = Path::of("driver.successor-within");
        let found = complaints.found(&path, &show(*successor_within));
        let message = format!(
            "{found}, expected at most `driver.budget`, which is `{}`",
            show(*budget)
        );
        complaints.add(path, message);
    }
    check_two_looks(*blind, Path::of("driver.blind"), judgement, complaints);
}
