//! `verify-health` on everything that a real Prometheus holds of a service: durations, endpoints, memory, checks.

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;

use jiff::Timestamp;
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::METERED;
use crate::support::servers::Prometheus;
use crate::support::{answer, binary, require};

/// A full hour, so that looks and scrapes fall together.
const BEGIN: i64 = 1_790_002_800;

/// An hour and a half of looks of 15 s.
const LOOKS: i64 = 360;

/// From here on whoever is ill is ill.
const FAULT: i64 = 80;

const BOUNDS: [f64; 9] = [0.05, 0.08, 0.1, 0.12, 0.15, 0.18, 0.22, 0.3, 0.5];

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(BEGIN + second).expect("a time")
}

/// What is wrong with a version, from [`FAULT`] on.
#[derive(Clone, Copy, PartialEq)]
enum Illness {
    None,
    /// Half as slow again.
    Slow,
    /// Every request of one seldom endpoint fails.
    Endpoint,
    /// One instance grows over 700 MB.
    Leak,
    /// One login of ten fails.
    Login,
}

const VERSIONS: [(&str, u32, Illness); 6] = [
    ("v1", 3000, Illness::None),
    ("good", 300, Illness::None),
    ("slow", 300, Illness::Slow),
    ("dead", 300, Illness::Endpoint),
    ("leak", 300, Illness::Leak),
    ("locked", 300, Illness::Login),
];

/// The counters of one instance.
#[derive(Default)]
struct Instance {
    ok: [u32; 2],
    failed: [u32; 2],
    at_most: [u32; BOUNDS.len()],
    logins: u32,
    good_logins: u32,
    memory: f64,
}

impl Instance {
    /// `requests` more; one in 200 is an export.
    fn serve(&mut self, requests: u32, illness: Illness, random: &mut fastrand::Rng) {
        for _ in 0..requests {
            let handler = usize::from(random.u8(..200) == 0);
            let chance = if handler == 1 && illness == Illness::Endpoint {
                1.0
            } else {
                0.001
            };
            let count = if random.f64() < chance {
                &mut self.failed
            } else {
                &mut self.ok
            };
            count[handler] += 1;
            // p95 at 150 ms.
            let slower = if illness == Illness::Slow { 1.5 } else { 1.0 };
            let took = -(1.0 - random.f64()).ln() * 0.05 * slower;
            for (bound, count) in BOUNDS.iter().zip(&mut self.at_most) {
                *count += u32::from(took <= *bound);
            }
        }
        let logins = requests / 10;
        let failing = if illness == Illness::Login { 0.1 } else { 0.001 };
        self.logins += logins;
        self.good_logins += (0..logins)
            .map(|_| u32::from(random.f64() >= failing))
            .sum::<u32>();
        self.memory = match illness {
            Illness::Leak => self.memory + 4e6,
            _ => 400e6,
        };
    }
}

/// The text from which a Prometheus makes its past: each metric's lines together.
fn history() -> String {
    let mut random = fastrand::Rng::with_seed(11);
    let mut metrics: [String; 4] = Default::default();
    for (version, rate, illness) in VERSIONS {
        for number in 1..=2 {
            let labels =
                format!("service=\"shop-api\",version=\"{version}\",instance=\"10.0.0.{number}:80\"");
            let mut instance = Instance::default();
            for look in 0..=LOOKS {
                let ill = if look > FAULT && (number == 1 || illness != Illness::Leak) {
                    illness
                } else {
                    Illness::None
                };
                instance.serve(rate, ill, &mut random);
                write(&mut metrics, &instance, &labels, BEGIN + look * 15);
            }
        }
    }
    let [requests, latency, logins, memory] = metrics;
    format!(
        "# TYPE http_requests counter\n{requests}# TYPE http_seconds histogram\n{latency}# TYPE login counter\n{logins}\
         # TYPE memory gauge\n{memory}# EOF\n"
    )
}

fn write(metrics: &mut [String; 4], instance: &Instance, labels: &str, time: i64) {
    let [requests, latency, logins, memory] = metrics;
    for (handler, name) in ["/", "/export"].iter().enumerate() {
        for (code, count) in [("200", instance.ok[handler]), ("500", instance.failed[handler])] {
            let _ = writeln!(
                requests,
                "http_requests_total{{{labels},handler=\"{name}\",code=\"{code}\"}} {count} {time}"
            );
        }
    }
    for (bound, count) in BOUNDS.iter().zip(instance.at_most) {
        let _ = writeln!(
            latency,
            "http_seconds_bucket{{{labels},le=\"{bound}\"}} {count} {time}"
        );
    }
    let all = instance.ok.iter().chain(&instance.failed).sum::<u32>();
    let _ = writeln!(
        latency,
        "http_seconds_bucket{{{labels},le=\"+Inf\"}} {all} {time}"
    );
    let _ = writeln!(latency, "http_seconds_count{{{labels}}} {all} {time}");
    let _ = writeln!(latency, "http_seconds_sum{{{labels}}} {all} {time}");
    for (what, count) in [("all", instance.logins), ("good", instance.good_logins)] {
        let _ = writeln!(logins, "login_total{{{labels},what=\"{what}\"}} {count} {time}");
    }
    let _ = writeln!(memory, "memory{{{labels}}} {} {time}", instance.memory);
}

struct Health {
    _folder: TempDir,
    plan: PathBuf,
    /// Dropped, it ends.
    _server: Prometheus,
}

impl Health {
    fn begin() -> Option<Self> {
        let (program, promtool) = (require("prometheus")?, require("promtool")?);
        let server = Prometheus::holding(&program, &promtool, &history());
        let folder = TempDir::new().expect("a scratch folder");
        let plan = folder.path().join("plan.yml");
        let text = format!(
            "{METERED}  prometheus: {{ url: {:?} }}\n  latency: http_seconds\n  memory: memory\n\
             limits:\n  error-rate: {{ by: handler }}\n  memory: {{ critical: 700MB }}\n\
             checks:\n  - {{ name: login, good: 'login_total{{what=\"good\"}}', total: 'login_total{{what=\"all\"}}', \
             at-least: 98% }}\n",
            server.url
        );
        fs::write(&plan, text).expect("the plan");
        Some(Self {
            _folder: folder,
            plan,
            _server: server,
        })
    }

    /// The same with other words in the plan.
    fn with(&self, old: &str, new: &str) {
        let text = fs::read_to_string(&self.plan).expect("the plan");
        assert!(text.contains(old), "{text}");
        fs::write(&self.plan, text.replace(old, new)).expect("the plan");
    }

    fn preflight(&self) -> (i32, String) {
        let mut command = binary("verify-health");
        command.args([
            "preflight",
            "--stable-version",
            "v1",
            "--now",
            &at(5400).to_string(),
        ]);
        let (code, out, err) = answer(command.arg("--plan").arg(&self.plan));
        assert_eq!(err, "", "{out}");
        (code, out)
    }

    fn ask(&self, verb: &str, candidate: &str, more: &[&str]) -> (i32, String) {
        let mut command = binary("verify-health");
        command.args([verb, "--output", "json", "--stable-version", "v1"]);
        command.args(["--candidate-version", candidate, "--since", &at(0).to_string()]);
        let (code, out, err) = answer(command.args(more).arg("--plan").arg(&self.plan));
        assert_eq!(err, "", "{out}");
        (code, out)
    }

    fn check(&self, candidate: &str, second: i64) -> (i32, String) {
        self.ask("check", candidate, &["--now", &at(second).to_string()])
    }
}

#[test]
fn each_illness_is_found_by_its_own_test_and_the_good_version_is_proved() {
    let Some(health) = Health::begin() else { return };
    for (candidate, code, outcome, sentence) in [
        ("good", 0, "healthy", "HEALTHY - errors, latency. Candidate"),
        ("slow", 3, "rollback", "ROLLBACK - latency. Candidate"),
        ("dead", 3, "rollback", "ROLLBACK - errors of /export. Candidate"),
        (
            "leak",
            3,
            "rollback",
            "ROLLBACK - memory. Memory of 10.0.0.1:80 above 700 MB",
        ),
        ("locked", 3, "rollback", "ROLLBACK - login. Candidate"),
    ] {
        let (exit, out) = health.check(candidate, 15 * LOOKS);
        let verdict: Value = serde_json::from_str(&out).expect("a verdict");
        let said = verdict["sentence"].as_str().expect("a sentence");
        assert_eq!(
            (exit, verdict["outcome"].as_str()),
            (code, Some(outcome)),
            "{said}"
        );
        assert!(said.starts_with(sentence), "{said}");
    }
}

#[test]
fn a_replay_says_what_checks_said_along_the_way_to_the_byte() {
    let Some(health) = Health::begin() else { return };
    for candidate in ["good", "slow"] {
        let to = at(15 * LOOKS).to_string();
        let (code, replayed) = health.ask("replay", candidate, &["--to", &to]);
        let lines: Vec<&str> = replayed.lines().collect();
        assert_eq!(
            lines.len(),
            359,
            "the last look ends with the past, and is judged 2 s later"
        );
        for place in (0..20).map(|number| number * 17 + 3) {
            // A look is judged 2 s after its end.
            let second = i64::try_from(place + 1).expect("few") * 15 + 2;
            let (_, checked) = health.check(candidate, second);
            assert_eq!(checked.trim_end(), lines[place], "{candidate} at {second} s");
        }
        assert_eq!(code, if candidate == "good" { 0 } else { 3 });
    }
}

#[test]
fn stable_in_both_parts_is_never_rolled_back() {
    let Some(health) = Health::begin() else { return };
    let mut command = binary("verify-health");
    command.args([
        "aa",
        "--stable-version",
        "v1",
        "--over",
        "1h",
        "--now",
        &at(5400).to_string(),
    ]);
    let (code, out, err) = answer(command.arg("--plan").arg(&health.plan));
    assert_eq!(code, 0, "{out}{err}");
    assert!(
        err.ends_with("0 of 2 instances would have been rolled back over 1h\n"),
        "{err}"
    );
    assert!(
        out.lines().all(|line| line.contains("HEALTHY - errors, latency")),
        "{out}"
    );

    // An instance of a version that is ill is found.
    let mut command = binary("verify-health");
    command.args([
        "aa",
        "--stable-version",
        "leak",
        "--over",
        "1h",
        "--now",
        &at(5400).to_string(),
    ]);
    let (code, out, _) = answer(command.arg("--plan").arg(&health.plan));
    assert_eq!(code, 3, "{out}");
    assert!(out.contains("10.0.0.1:80  ROLLBACK - memory"), "{out}");
}

#[test]
fn preflight_says_what_is_measured_and_how_long_a_step_must_last() {
    let Some(health) = Health::begin() else { return };
    let (code, out) = health.preflight();
    assert_eq!(code, 0, "{out}");
    for line in [
        "ok   requests   stable has had 400 a second",
        "ok   endpoints  3 are told apart",
        "compared with stable's slower than 150 ms",
        "ok   memory     stable has had at most 400 MB",
        "ok   login      99.9",
        "canary 1 % for 6h: proved in about ",
        "; 1.00 % errors found in about ",
    ] {
        assert!(out.contains(line), "{line}: {out}");
    }

    health.with("critical: 700MB", "critical: 300MB");
    health.with("at-least: 98%", "at-least: 99.99%");
    let (code, out) = health.preflight();
    assert_eq!(code, 3, "{out}");
    assert!(
        out.contains("BAD  memory     the highest of stable is 400 MB, and the limit is 300 MB: stable breaks it already"),
        "{out}"
    );
    assert!(out.contains("BAD  login"), "{out}");
}

#[test]
fn a_comparison_shows_both_versions_and_ticks_what_the_step_asks_for() {
    let Some(health) = Health::begin() else { return };
    let (code, out) = health.ask("compare", "slow", &["--now", &at(5400).to_string()]);
    let shown: Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!(code, 3);
    let p95 = shown["compared"]
        .as_array()
        .and_then(|lines| lines.iter().find(|line| line["name"] == "p95"))
        .expect("p95");
    let [stable, candidate] = ["stable", "candidate"].map(|side| p95[side].as_f64().expect("a number"));
    assert!(
        (0.14..0.16).contains(&stable) && (0.18..0.25).contains(&candidate),
        "{p95}"
    );
    let unmet: Vec<&str> = shown["criteria"]
        .as_array()
        .expect("criteria")
        .iter()
        .filter(|criterion| criterion["met"] == false)
        .filter_map(|criterion| criterion["name"].as_str())
        .collect();
    assert_eq!(unmet.len(), 1, "{unmet:?}");
    assert!(
        unmet[0].starts_with("beside stable, slower than 180 ms in at most 4.9"),
        "{unmet:?}"
    );

    let mut command = binary("verify-health");
    command.args([
        "compare",
        "--output",
        "markdown",
        "--stable-version",
        "v1",
        "--candidate-version",
        "good",
    ]);
    command.args(["--since", &at(0).to_string(), "--now", &at(5400).to_string()]);
    let (code, out, _) = answer(command.arg("--plan").arg(&health.plan));
    assert_eq!(code, 0, "{out}");
    for line in [
        "| | stable v1 | candidate good | |\n|---|--:|--:|--:|\n| requests | 2,154,000 | 215,400 | -90 % |",
        "| memory (highest) | 400 MB | 400 MB | +0 % |",
        "- \u{2705} proved: error rate below 1.00 %",
        "\nHEALTHY - errors, latency.",
    ] {
        assert!(out.contains(line), "{line}: {out}");
    }
}
