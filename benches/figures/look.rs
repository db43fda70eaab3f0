//! One look over 48 h: `verify-health check` on a real Prometheus, beside curl that throws the same away.

use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;

use crate::programs::{cpu, program};
use crate::router::Proxy;
use crate::support::servers::Prometheus;
use crate::table::{Goal, Table, Times};

const RUNS: usize = 50;
const GOAL: Goal = Goal::Below(95, Duration::from_millis(100));

/// 48 h at 15 s.
const LOOKS: i64 = 48 * 240;

/// So that the source is fresh until the last figure is measured.
const AHEAD: i64 = 240;

/// A Prometheus that holds two days.
pub(crate) struct History {
    pub(crate) server: Prometheus,
    pub(crate) begin: Timestamp,
}

impl History {
    pub(crate) fn begin() -> Self {
        let begin = Timestamp::now().as_second() / 15 * 15 - LOOKS * 15;
        Self {
            server: Prometheus::holding(
                program("prometheus").as_ref(),
                program("promtool").as_ref(),
                &openmetrics(begin),
            ),
            begin: Timestamp::from_second(begin).expect("a time"),
        }
    }
}

pub(crate) fn measure(table: &mut Table, History { server, begin }: &History) {
    let begin = begin.as_second();
    let proxy = Proxy::start();
    let plan = proxy.plan(&format!("  prometheus: {{ url: \"{}\" }}", server.url), "15s");
    let at = |second: i64| Timestamp::from_second(second).expect("a time").to_string();
    let folder = proxy.folder.path();

    let words = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
    let mut curl = words(&[&program("curl"), "--silent", "--fail", "--compressed"]);
    for selector in ["", ",code=~\"5..\""] {
        let query = format!("http_requests_total{{service=\"shop-api\"{selector}}}[48h]");
        curl.push(format!("{}/api/v1/query?query={}", server.url, escaped(&query)));
        curl.extend(words(&["--output", "/dev/null"]));
    }
    let check = |end: i64| {
        let mut check = words(&[
            env!("CARGO_BIN_EXE_verify-health"),
            "check",
            "--candidate-version",
            "v2",
            "--stable-version",
            "v1",
            "--plan",
        ]);
        check.extend([plan.display().to_string(), "--since".to_owned(), at(begin)]);
        check.extend(["--now".to_owned(), at(end)]);
        check
    };
    let (whole, hour) = (check(begin + LOOKS * 15 + 5), check(begin + 240 * 15 + 5));
    let mut times: [Vec<Duration>; 3] = Default::default();
    for _ in 0..RUNS {
        for (arguments, times) in [&curl, &whole, &hour].into_iter().zip(&mut times) {
            times.push(cpu(arguments, folder));
        }
    }
    let [fetched, whole, hour] = times.map(|times| times.into_iter().collect::<Times>());
    table.baseline("CPU of curl: two queries over 48 h, thrown away", &fetched);
    let what = "CPU of one look over 48 h (`verify-health check`)";
    table.promise(what, &whole, &[GOAL], &fetched);
    table.figure("… over 1 h", &hour, &fetched);
}

/// Two versions with two instances each, nine of ten requests to stable, one of 1,000 fails in both.
fn openmetrics(begin: i64) -> String {
    let mut random = fastrand::Rng::with_seed(3);
    let mut text = "# TYPE http_requests counter\n".to_owned();
    for (version, rate) in [("v1", 450.0), ("v2", 50.0)] {
        for instance in ["10.0.0.1:80", "10.0.0.2:80"] {
            for (code, share) in [("200", 0.999), ("500", 0.001)] {
                let mut count = 0;
                for look in 0..=LOOKS + AHEAD {
                    let _ = writeln!(
                        text,
                        "http_requests_total{{service=\"shop-api\",version=\"{version}\",\
                         instance=\"{instance}\",code=\"{code}\"}} {count} {}",
                        begin + look * 15
                    );
                    count += drawn(&mut random, rate * 15.0 * share);
                }
            }
        }
    }
    text.push_str("# EOF\n");
    text
}

/// Poisson, near enough for a load.
fn drawn(random: &mut fastrand::Rng, mean: f64) -> u64 {
    if mean < 20.0 {
        let (mut count, mut product) = (0, random.f64());
        while product > (-mean).exp() {
            count += 1;
            product *= random.f64();
        }
        return count;
    }
    let spread: f64 = (0..12).map(|_| random.f64()).sum::<f64>() - 6.0;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a count far from both ends"
    )]
    let count = (mean + spread * mean.sqrt()).max(0.0) as u64;
    count
}

fn escaped(query: &str) -> String {
    query
        .bytes()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'_' => char::from(byte).to_string(),
            _ => format!("%{byte:02X}"),
        })
        .collect()
}
