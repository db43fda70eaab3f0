//! `verify-health` against a real Prometheus with a past, and against everything that is none.

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use rollgate::operations::look::Watcher;
use rollgate::providers::metrics::Prometheus as Source;
use rollgate_domain::analysis::{Level, Settings, Throughput};
use rollgate_domain::rollout::ladder::{Ladder, Require, Step};
use rollgate_domain::rollout::moves::{By, Course, Start};
use rollgate_domain::rollout::phase::Phase;
use rollgate_domain::rollout::record::{Evidence, Pin, Record, Version};
use serde_json::Value;
use tempfile::TempDir;

use crate::cli::METERED;
use crate::metrics::shop;
use crate::support::http::{Http, Reply, nobody};
use crate::support::servers::Prometheus;
use crate::support::{answer, binary, require, tool};

/// A full hour, so that looks and scrapes fall together.
const BEGIN: i64 = 1_790_002_800;

/// Two hours of looks of 15 s.
const LOOKS: i64 = 480;

/// From here on the bad candidate fails 3 % of its requests.
const FAULT: i64 = 40 * 60;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(BEGIN + second).expect("a time")
}

/// `v1` is stable, `good` is as good, `bad` fails after a while; each on two instances.
fn two_hours() -> String {
    let mut random = fastrand::Rng::with_seed(7);
    let mut text = "# TYPE http_requests counter\n".to_owned();
    for (version, rate) in [("v1", 3000), ("good", 300), ("bad", 300)] {
        for instance in ["10.0.0.1:80", "10.0.0.2:80"] {
            let (mut ok, mut failed) = (1000, 7);
            let mut lines = [String::new(), String::new()];
            for look in 0..=LOOKS {
                let second = look * 15;
                for (line, (code, count)) in lines.iter_mut().zip([("200", ok), ("500", failed)]) {
                    let _ = writeln!(
                        line,
                        "http_requests_total{{service=\"shop-api\",version=\"{version}\",\
                         instance=\"{instance}\",code=\"{code}\"}} {count} {}",
                        BEGIN + second
                    );
                }
                let chance = if version == "bad" && second >= FAULT {
                    0.03
                } else {
                    0.001
                };
                for _ in 0..rate {
                    if random.f64() < chance {
                        failed += 1;
                    } else {
                        ok += 1;
                    }
                }
            }
            text.extend(lines);
        }
    }
    text.push_str("# EOF\n");
    text
}

struct Health {
    _folder: TempDir,
    plan: PathBuf,
}

impl Health {
    /// A plan with the source at `url`.
    fn of(url: &str) -> Self {
        let folder = TempDir::new().expect("a scratch folder");
        let plan = folder.path().join("plan.yml");
        fs::write(&plan, format!("{METERED}  prometheus: {{ url: {url:?} }}\n")).expect("the plan");
        Self {
            _folder: folder,
            plan,
        }
    }

    fn check(&self, candidate: &str, second: i64) -> (i32, String) {
        let mut command = binary("verify-health");
        command.args(["check", "--output", "json", "--stable-version", "v1"]);
        command.args(["--candidate-version", candidate]);
        command.args(["--since", &at(0).to_string(), "--now", &at(second).to_string()]);
        let (code, out, err) = answer(command.arg("--plan").arg(&self.plan));
        assert_eq!(err, "", "{out}");
        (code, out)
    }

    fn said(&self, candidate: &str, second: i64) -> (i32, String, String) {
        let (code, out) = self.check(candidate, second);
        let verdict: Value = serde_json::from_str(&out).expect("a verdict");
        let text = |key: &str| verdict[key].as_str().unwrap_or_default().to_owned();
        (code, text("outcome"), text("sentence"))
    }
}

/// The record that `verify-health check --since` judges by, out of the plan's defaults.
fn record(candidate: &str) -> Record {
    let version = |backend: &str, version: &str| Version {
        backend: backend.to_owned(),
        version: version.to_owned(),
        images: Vec::new(),
    };
    let step = |weight: &str, hours| Step {
        weight: weight.parse().expect("a weight"),
        duration: SignedDuration::from_hours(hours),
    };
    let start = Start {
        service: "shop-api".to_owned(),
        stable: version("blue", "v1"),
        candidate: version("green", candidate),
        course: Course {
            phase: Phase::Canary,
            ladder: Ladder::new(
                vec![step("1%", 6), step("5%", 6), step("10%", 36)],
                Require::Proof,
            )
            .expect("a ladder"),
            gates: Vec::new(),
            keep_old: SignedDuration::ZERO,
        },
        evidence: Evidence {
            origin: at(0),
            look: SignedDuration::from_secs(15),
            cluster_size: 1.0,
            ..Evidence::default()
        },
        pin: Pin {
            hash: String::new(),
            commit: None,
            tool: String::new(),
        },
    };
    let by = By {
        run: "test",
        actor: "test",
        at: at(0),
    };
    Record::start(start, None, by)
}

#[tokio::test]
async fn twenty_checks_along_the_way_say_what_one_watcher_says_all_along() {
    let (Some(program), Some(promtool)) = (require("prometheus"), require("promtool")) else {
        return;
    };
    let server = Prometheus::holding(&program, &promtool, &two_hours());
    let health = Health::of(&server.url);
    for (candidate, end) in [("good", 0), ("bad", 3)] {
        let timeout = Duration::from_secs(5);
        let source = Source::new(&server.url, "version", &shop(), "v1", candidate, timeout).unwrap();
        let record = record(candidate);
        let settings = Settings {
            // Twice the steps, and two weeks for gates, nights and pauses.
            planned: record.ladder.duration().saturating_mul(2) + SignedDuration::from_hours(14 * 24),
            throughput: Some(Throughput {
                below_stable: 0.1,
                level: Level::Rollback,
            }),
            ..Settings::default()
        };
        let mut watcher = Watcher::new(&source, settings, &record, at(0));
        watcher.begin_step(at(0), None);
        let (mut codes, mut outcomes) = (Vec::new(), Vec::new());
        for point in 1..=20 {
            // Not on the grid of looks: a run begins when it begins.
            let second = point * 351;
            let verdict = watcher.look(at(second)).await;
            let (code, out) = health.check(candidate, second);
            assert_eq!(out, format!("{}\n", serde_json::to_string(&verdict).unwrap()));
            codes.push(code);
            outcomes.push(verdict.outcome);
        }
        // Asked again, it says the same to the byte.
        assert_eq!(health.check(candidate, 3510), health.check(candidate, 3510));
        assert_eq!(codes.last(), Some(&end), "{outcomes:?}");
        let healthy = usize::try_from(FAULT / 351).unwrap();
        assert_eq!(codes[..healthy], vec![0; healthy], "{outcomes:?}");
    }

    let (code, outcome, sentence) = health.said("good", 3600);
    assert_eq!((code, outcome.as_str()), (0, "healthy"), "{sentence}");
    let (code, outcome, sentence) = health.said("bad", 2 * 3600);
    assert_eq!((code, outcome.as_str()), (3, "rollback"), "{sentence}");
    // For people, the sentence alone.
    let mut command = binary("verify-health");
    command.args(["check", "--candidate-version", "bad", "--stable-version", "v1"]);
    command.args(["--since", &at(0).to_string(), "--now", &at(7200).to_string()]);
    let told = answer(command.arg("--plan").arg(&health.plan));
    assert_eq!(told, (3, format!("{sentence}\n"), String::new()));
    // The series ended an hour ago.
    let (code, outcome, sentence) = health.said("good", 3 * 3600);
    assert_eq!((code, outcome.as_str()), (4, "hold"), "{sentence}");
    // Nobody has heard of this version.
    let (code, outcome, sentence) = health.said("v3", 3600);
    assert_eq!((code, outcome.as_str()), (4, "hold"), "{sentence}");
}

/// A matrix of both versions whose counts are all `count`.
fn matrix(count: &str) -> String {
    let series = |version: &str| {
        format!(
            r#"{{"metric":{{"__name__":"http_requests_total","version":"{version}","instance":"a:80"}},"values":[[{},"{count}"],[{},"{count}"]]}}"#,
            BEGIN + 15,
            BEGIN + 30
        )
    };
    format!(
        r#"{{"status":"success","data":{{"resultType":"matrix","result":[{},{}]}}}}"#,
        series("v1"),
        series("good")
    )
}

#[test]
fn a_source_that_gives_nothing_to_judge_by_holds_and_is_named() {
    let html = "<html><body>Please log in</body></html>";
    let error = r#"{"status":"error","errorType":"execution","error":"out of memory"}"#;
    let empty = r#"{"status":"success","data":{"resultType":"matrix","result":[]}}"#;
    for (reply, expected) in [
        (Reply::ok(html), "web page"),
        (Reply::ok(error), "out of memory"),
        (Reply::status(503, "overloaded"), "503"),
        (Reply::ok(""), "answered nothing"),
        (Reply::ok(&b"{\"status\":"[..]), "form"),
        (Reply::Close, "connection broke"),
        (
            Reply::Cut {
                body: matrix("1").into_bytes(),
                at: 50,
            },
            "broke off",
        ),
        (Reply::ok(empty), ""),
        (Reply::ok(matrix("NaN")), ""),
    ] {
        let server = Http::always(reply.clone());
        let health = Health::of(&server.url);
        let (code, outcome, sentence) = health.said("good", 40);
        assert_eq!((code, outcome.as_str()), (4, "hold"), "{reply:?}: {sentence}");
        assert!(sentence.contains(expected), "{reply:?}: {sentence}");
        if !expected.is_empty() {
            assert!(sentence.contains(&server.url), "{sentence}");
        }
    }
}

#[test]
fn a_source_that_is_down_or_hangs_holds_and_is_named() {
    let gone = format!("http://{}", nobody());
    let (code, outcome, sentence) = Health::of(&gone).said("good", 40);
    assert_eq!((code, outcome.as_str()), (4, "hold"), "{sentence}");
    assert!(
        sentence.contains(&gone) && sentence.contains("Connection refused"),
        "{sentence}"
    );

    let server = Http::always(Reply::Hang);
    let began = Instant::now();
    let (code, outcome, sentence) = Health::of(&server.url).said("good", 40);
    assert!(began.elapsed() < Duration::from_secs(30));
    assert_eq!((code, outcome.as_str()), (4, "hold"), "{sentence}");
    assert!(
        sentence.contains(&server.url) && sentence.contains("no answer within"),
        "{sentence}"
    );
}

/// A source that is asked as it is now: a page that counts on with every question.
fn counting(bad: bool) -> [Http; 2] {
    let page = move |version: &'static str, errors: u64| {
        let asked = std::sync::atomic::AtomicU64::new(1);
        Http::start(move |_| {
            let asked = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Reply::ok(format!(
                "http_requests_total{{service=\"shop-api\",version=\"{version}\",code=\"200\"}} {}\n\
                 http_requests_total{{service=\"shop-api\",version=\"{version}\",code=\"500\"}} {}\n",
                asked * 10_000,
                asked * errors
            ))
        })
    };
    [page("v1", 10), page("v2", if bad { 3000 } else { 10 })]
}

fn watched(folder: &Path, bad: bool) -> (i32, Vec<Value>, String) {
    let [blue, green] = counting(bad);
    let plan = folder.join("plan.yml");
    let text = format!(
        "{METERED}  scrape: {{ pages: {{ blue: [{:?}], green: [{:?}] }} }}\n\
         judgement: {{ look: 1s, grace: 1s, delay: 100ms, forgive: 1s }}\n",
        format!("{}/metrics", blue.url),
        format!("{}/metrics", green.url)
    );
    fs::write(&plan, text).expect("the plan");
    let mut command = binary("verify-health");
    command.args(["watch", "--for", "8s", "--output", "json"]);
    command.args(["--candidate-version", "v2", "--stable-version", "v1"]);
    command.args(["--since", &Timestamp::now().to_string()]);
    let (code, out, err) = answer(command.arg("--plan").arg(&plan));
    let verdicts = out
        .lines()
        .map(|line| serde_json::from_str(line).expect("a verdict"));
    (code, verdicts.collect(), err)
}

#[test]
fn watching_ends_at_once_when_it_is_bad_and_with_the_time_when_it_is_not() {
    let folder = TempDir::new().unwrap();
    let began = Instant::now();
    let (code, verdicts, err) = watched(folder.path(), true);
    let last = verdicts.last().unwrap();
    assert_eq!(code, 3, "{err}{last}");
    assert_eq!(last["outcome"], "rollback");
    assert!(
        verdicts[..verdicts.len() - 1]
            .iter()
            .all(|verdict| verdict["outcome"] != "rollback")
    );
    assert!(began.elapsed() < Duration::from_secs(8));

    let (code, verdicts, err) = watched(folder.path(), false);
    let last = verdicts.last().unwrap();
    assert_eq!(code, 0, "{err}{last}");
    assert_eq!(last["outcome"], "healthy", "{last}");
    assert!(verdicts.len() >= 5, "{}", verdicts.len());
}

/// Both versions on one page, counting as time goes by: 10,000 and 1,000 requests a second.
fn living(errors_of_candidate: f64) -> Http {
    let began = Instant::now();
    Http::start(move |_| {
        let time = began.elapsed().as_secs_f64();
        let mut page = "# TYPE http_requests_total counter\n".to_owned();
        for (version, rate, errors) in [("v1", 10_000.0, 0.001), ("v2", 1000.0, errors_of_candidate)] {
            for (code, part) in [("200", 1.0 - errors), ("500", errors)] {
                let _ = writeln!(
                    page,
                    "http_requests_total{{service=\"shop-api\",version=\"{version}\",code=\"{code}\"}} {:.0}",
                    time * rate * part
                );
            }
        }
        Reply::ok(page)
    })
}

/// The last verdict, without the moment at which it was given.
fn last_of(out: &[u8]) -> Value {
    let text = String::from_utf8_lossy(out);
    let line = text.lines().last().expect("a verdict");
    let mut verdict: Value = serde_json::from_str(line).expect("JSON");
    verdict.as_object_mut().expect("an object").remove("at");
    verdict
}

#[test]
fn a_watch_that_is_killed_and_begun_anew_says_what_one_says_that_never_was() {
    let Some(program) = require("prometheus") else {
        return;
    };
    let page = living(0.006);
    let server = Prometheus::scraping(&program, &[page.address()]);
    let folder = TempDir::new().unwrap();
    let plan = folder.path().join("plan.yml");
    let text = format!(
        "{METERED}  prometheus: {{ url: {:?} }}\njudgement: {{ look: 1s, grace: 1s, forgive: 1s, delay: 4s }}\n",
        server.url
    );
    fs::write(&plan, text).expect("the plan");
    let since = Timestamp::now().to_string();
    let watch = || {
        let mut command = tool::binary("verify-health");
        command.args(["watch", "--for", "60s", "--output", "json", "--since", &since]);
        command.args(["--candidate-version", "v2", "--stable-version", "v1"]);
        command.arg("--plan").arg(&plan).stdout(Stdio::piped());
        command.spawn().expect("verify-health")
    };
    let whole = watch();
    let mut killed = watch();
    let mut before = String::new();
    let said = killed.stdout.take().expect("a pipe");
    BufReader::new(said).read_line(&mut before).expect("a verdict");
    killed.kill().expect("SIGKILL");
    killed.wait().expect("its end");
    let before = last_of(before.as_bytes());
    assert_ne!(before["outcome"], "rollback", "it was killed before it knew");
    let anew = watch();

    let [whole, anew] = [whole, anew].map(|child| child.wait_with_output().expect("its end"));
    let [whole_verdict, anew_verdict] = [&whole, &anew].map(|output| last_of(&output.stdout));
    assert_eq!(whole_verdict["outcome"], "rollback", "{whole_verdict}");
    assert_eq!(whole_verdict, anew_verdict);
    assert_eq!([whole.status.code(), anew.status.code()], [Some(3), Some(3)]);
}

#[test]
fn there_must_be_something_to_judge() {
    let health = Health::of("http://127.0.0.1:1");
    let (code, out, err) = answer(
        binary("verify-health")
            .arg("check")
            .arg("--plan")
            .arg(&health.plan),
    );
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(err.contains("/nowhere/"), "{err}");
}
