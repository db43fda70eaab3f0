//! The most memory that a driver ever holds (`VmHWM`), on two days of history and on scraped pages.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use jiff::Timestamp;
use rollgate::plan::Plan;

use crate::look::History;
use crate::programs::{bare, peak};
use crate::router::Proxy;
use crate::support::http::{Http, Reply};
use crate::support::servers::until;
use crate::table::Table;

/// 40 MB.
const GOAL: u64 = 40 * 1024;

pub(crate) async fn measure(table: &mut Table, history: &History) {
    let baseline = of_sleep();
    table.memory("memory of `/bin/sleep`", baseline, None, baseline);

    let metrics = format!("  prometheus: {{ url: \"{}\" }}", history.server.url);
    let kib = driven(&metrics, "15s", history.begin).await;
    let what = "peak memory of `shift-traffic run`, Prometheus, 48 h of history";
    table.memory(what, kib, Some(GOAL), baseline);

    let pages = [page("v1"), page("v2")];
    let bytes = pages[0].len() >> 10;
    let [blue, green] = pages.map(|page| Http::always(Reply::ok(page)));
    let metrics = format!(
        "  scrape: {{ pages: {{ blue: [\"{}/metrics\"], green: [\"{}/metrics\"] }} }}",
        blue.url, green.url
    );
    let kib = driven(&metrics, "1s", Timestamp::now()).await;
    let what = format!("peak memory of `shift-traffic run`, two scraped pages of {bytes} KiB");
    table.memory(&what, kib, Some(GOAL), baseline);
}

/// What a process needs that does nothing.
pub(crate) fn of_sleep() -> u64 {
    let mut sleep = bare("/bin/sleep").arg("10").spawn().expect("sleep");
    // Its first reading is of a process that has not begun.
    let begun = || peak(sleep.id()).filter(|kib| *kib > 500);
    let kib = until("sleep begins", Duration::from_secs(10), begun);
    sleep.kill().and_then(|()| sleep.wait()).expect("its end");
    kib
}

/// A driver on a rollout that began at `since`: its memory after it has judged.
async fn driven(metrics: &str, look: &str, since: Timestamp) -> u64 {
    let proxy = Proxy::start();
    let path = proxy.plan(metrics, look);
    let plan = Plan::read(&path).expect("a plan");
    proxy.holds_ten_percent(&plan, since).await;
    let out = proxy.folder.path().join("out");
    let mut command = bare(env!("CARGO_BIN_EXE_shift-traffic"));
    command.args(["run", "--budget", "8s", "--plan"]).arg(&path);
    let mut child = command.arg("--out").arg(&out).spawn().expect("shift-traffic");
    let mut most = 0;
    let status = until("the driver's budget ends", Duration::from_secs(60), || {
        most = most.max(peak(child.id()).unwrap_or(0));
        child.try_wait().expect("a child")
    });
    // The budget ended, nobody came: paused.
    assert_eq!(status.code(), Some(4), "{}", said(&out));
    let judged = fs::read_to_string(out.join("samples.jsonl")).unwrap_or_default();
    assert!(judged.lines().count() >= 2, "nothing was judged: {}", said(&out));
    most
}

fn said(out: &Path) -> String {
    fs::read_to_string(out.join("rollgate.log")).unwrap_or_default()
}

/// A page as a large service has it: 200 handlers with a histogram each, beside the two counters.
fn page(version: &str) -> String {
    let mut text = "# TYPE http_requests_total counter\n".to_owned();
    for (code, count) in [("200", 1_000_000), ("500", 1_000)] {
        let _ = writeln!(
            text,
            "http_requests_total{{service=\"shop-api\",version=\"{version}\",code=\"{code}\"}} {count}"
        );
    }
    text.push_str("# TYPE http_request_duration_seconds histogram\n");
    for handler in 0..200 {
        for bucket in 0..30 {
            let _ = writeln!(
                text,
                "http_request_duration_seconds_bucket{{handler=\"/api/v1/resource/{handler}\",le=\"{bucket}\"}} {}",
                bucket * 1000
            );
        }
    }
    text
}
