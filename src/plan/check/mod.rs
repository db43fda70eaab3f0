//! What no type can say: values of a plan that do not fit together. All of them are found at once.

mod limits;
mod metrics;
mod phases;
mod traffic;

use jiff::SignedDuration;

use super::Plan;
use super::place::Path;
use super::sections::{
    Channel, Driver, File, Judgement, Notify, Rollback, Traffic, TrafficFile, Windows, WindowsFile,
};
use super::tree::Node;
use super::units::show;
use super::wrong::Wrong;

/// The plan, when nothing is wrong with it.
pub(super) fn check(file: File, root: &Node, hash: String) -> Result<Plan, Vec<Wrong>> {
    // In full: a new section has to be thought of here.
    let File {
        service,
        url,
        version_header,
        traffic,
        backends,
        sticky,
        preview,
        metrics,
        limits,
        gauges,
        checks,
        judgement,
        phases,
        windows: WindowsFile { rises },
        approvers,
        decisions,
        rollback,
        notify,
        driver,
    } = file;
    let mut complaints = Complaints {
        root,
        wrongs: Vec::new(),
    };

    let traffic = traffic::traffic_of(traffic, &service, &mut complaints);
    let backends = traffic::backends_of(backends, traffic.as_ref(), &mut complaints);
    let sticky = sticky.and_then(|sticky| traffic::sticky_of(sticky, traffic.as_ref(), &mut complaints));
    let names = traffic.as_ref().map(Traffic::backends);
    let metrics = metrics::metrics_of(metrics, names, &mut complaints);
    let phases = phases::phases_of(phases, traffic.as_ref(), &judgement, &mut complaints);
    if let Some(metrics) = &metrics {
        limits::check_limits(&limits, metrics, &mut complaints);
    }
    limits::check_gauges(&gauges, &mut complaints);
    limits::check_checks(&checks, &mut complaints);
    check_judgement(&judgement, &mut complaints);
    check_rollback(&rollback, &mut complaints);
    check_notify(&notify, &mut complaints);
    check_driver(&driver, &judgement, &mut complaints);

    match (traffic, metrics) {
        (Some(traffic), Some(metrics)) if complaints.wrongs.is_empty() => Ok(Plan {
            hash,
            service,
            url: url.map(|url| url.0),
            version_header: version_header.map(|name| name.0),
            traffic,
            backends,
            sticky,
            preview,
            metrics,
            limits,
            gauges,
            checks,
            judgement,
            phases,
            windows: Windows {
                rises: rises.map(|hours| hours.0),
            },
            approvers: approvers.into_iter().map(|person| person.0).collect(),
            decisions,
            rollback,
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
    match traffic::traffic_of(file, service, &mut complaints) {
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

/// The job of an emergency rollback ends after five minutes, so that the next one need not wait for a runner that
/// hangs. One of them is for checkout, download, router and words.
const EMERGENCY: SignedDuration = SignedDuration::from_mins(4);

fn check_rollback(rollback: &Rollback, complaints: &mut Complaints<'_>) {
    let Rollback {
        scale_up: _,
        capacity_within,
        watch: _,
        drain,
    } = rollback;
    let (capacity, sessions) = (("capacity-within", *capacity_within), ("drain", *drain));
    if capacity.1.saturating_add(sessions.1) <= EMERGENCY {
        return;
    }
    let ((key, long), (other, rest)) = if capacity.1 > sessions.1 {
        (capacity, sessions)
    } else {
        (sessions, capacity)
    };
    let path = Path::of("rollback").key(key);
    let found = complaints.found(&path, &show(long));
    let message = format!(
        "{found}, expected at most `{}` together with `rollback.{other}` (`{}`): the job of an emergency rollback ends \
         after `5m`, and would be killed before the rollback is over",
        show(EMERGENCY),
        show(rest)
    );
    complaints.add(path, message);
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
