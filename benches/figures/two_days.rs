//! The memory of one `shift-traffic run` in the course of a whole canary of 48 h, and what it writes.
//!
//! Every duration of the plan is a thousandth of the usual one, so that one process makes all 11,520 looks in three
//! minutes; what a look fetches, counts, judges and writes is what it is at 15 s.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rollgate::plan::Plan;
use rollgate_domain::rollout::ladder::Step;

use crate::memory::of_sleep;
use crate::metrics_server;
use crate::programs::{bare, resident};
use crate::rollout;
use crate::router::Proxy;
use crate::table::Table;

/// 48 h at 15 s.
pub(crate) const LOOKS: usize = 48 * 240;

/// A thousandth of 15 s.
pub(crate) const LOOK: Duration = Duration::from_millis(15);

/// The steps of the canary, each for a quarter of it.
const WEIGHTS: [u8; 4] = [1, 5, 10, 25];

/// 40 MB.
const GOAL: u64 = 40 * 1024;

/// The judge keeps all looks, to judge them anew when a step changes what stable is: 11,520 of 56 bytes, in a list
/// that doubles, are less than 1 MB. As much again for the allocator, and series of pods that are no more.
const MORE: u64 = 2 * 1024;

/// Between two readings of the memory.
const PAUSE: Duration = Duration::from_millis(100);

pub(crate) async fn measure(table: &mut Table) {
    let now = Timestamp::now();
    let server = metrics_server::start(now);
    let proxy = Proxy::start();
    let step = LOOK.mul_f64(LOOKS as f64 / WEIGHTS.len() as f64);
    let steps: Vec<_> = WEIGHTS
        .iter()
        .map(|weight| format!("{{ weight: {weight}%, for: {}ms }}", step.as_millis()))
        .collect();
    let metrics = format!("  prometheus: {{ url: \"{}\" }}", server.url);
    let judgement = "look: 15ms, grace: 300ms, forgive: 15ms, delay: 2ms, cluster-size: 1.5";
    let path = proxy.plan_with(&metrics, judgement, &steps.join(", "));
    let plan = Plan::read(&path).expect("a plan");
    let steps = WEIGHTS.map(|weight| Step {
        weight: weight.to_string().parse().expect("a weight"),
        duration: SignedDuration::try_from(step).expect("a duration"),
    });
    rollout::begin(&proxy.router(), &plan, ["blue", "green"], steps.into(), now).await;

    let folder = proxy.folder.path().join("out");
    let summary = proxy.folder.path().join("summary.md");
    let mut command = bare(env!("CARGO_BIN_EXE_shift-traffic"));
    command
        .args(["run", "--budget", "30m", "--plan"])
        .arg(&path)
        .arg("--out")
        .arg(&folder)
        .env("GITHUB_STEP_SUMMARY", &summary);
    let course = followed(&mut command, &folder);

    let looks = lines(&folder.join("samples.jsonl"));
    assert!(looks >= LOOKS - 2, "{looks} looks of {LOOKS}");
    let peak = course.iter().copied().max().unwrap_or(0);
    let what = format!("peak memory of one `shift-traffic run` that makes {looks} looks (48 h)");
    table.memory(&what, peak, Some(GOAL), of_sleep());
    let quarter = |number: usize| course[(course.len() * number / 4).min(course.len() - 1)];
    table.course(
        "… after 1/4, 2/4 and 3/4 of them and at the end",
        &[1, 2, 3, 4].map(quarter),
        MORE,
    );
    let asked = server.seen().len();
    let text = sizes(&folder, &summary, &proxy.map());
    table.told(&format!("… wrote, in {asked} answers of the source"), &text);
}

/// Runs `command` to its end; its memory in KiB, at even times.
fn followed(command: &mut std::process::Command, folder: &Path) -> Vec<u64> {
    let mut child = command.spawn().expect("shift-traffic");
    let longest = LOOK.mul_f64(2.0 * LOOKS as f64);
    let began = Instant::now();
    let mut course = Vec::new();
    let status = loop {
        if let Some(status) = child.try_wait().expect("a child") {
            break status;
        }
        assert!(began.elapsed() < longest, "the run does not end");
        course.extend(resident(child.id()));
        std::thread::sleep(PAUSE);
    };
    let said = fs::read_to_string(folder.join("rollgate.log")).unwrap_or_default();
    assert!(status.success(), "{status}: {said}");
    course
}

fn lines(path: &Path) -> usize {
    fs::read_to_string(path).unwrap_or_default().lines().count()
}

fn sizes(folder: &Path, summary: &Path, map: &Path) -> String {
    let mut text = String::new();
    let files =
        ["samples.jsonl", "events.jsonl", "rollgate.log", "verdict.json"].map(|name| folder.join(name));
    for file in files
        .iter()
        .map(std::path::PathBuf::as_path)
        .chain([summary, map])
    {
        let bytes = fs::metadata(file).map_or(0, |file| file.len());
        let name = file.file_name().unwrap_or_default().to_string_lossy();
        let (kib, lines) = (bytes as f64 / 1024.0, lines(file));
        let _ = write!(text, "{name} {kib:.1} KiB in {lines} lines, ");
    }
    text.trim_end_matches(", ").to_owned()
}
