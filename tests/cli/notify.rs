//! `notify send`: who is told, what of it, and what is never printed.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::http::{Http, Reply, nobody};
use crate::support::{answer, binary};

/// The part of a webhook's address that is its password.
const SECRET: &str = "T000/B000/s3cr3t-t0ken";

fn send(webhook: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = binary("notify");
    command
        .env("SLACK_WEBHOOK_URL", webhook)
        // A library that panics, or an error that is printed with all it knows, must not tell either.
        .env("RUST_BACKTRACE", "full")
        .args(["send", "--title", "v2 is <out>", "--text", "errors & more"])
        .args(arguments);
    let (code, out, err) = answer(&mut command);
    assert!(
        !out.contains("s3cr3t") && !err.contains("s3cr3t"),
        "the webhook was printed: {out}{err}"
    );
    (code, out, err)
}

#[test]
fn without_a_channel_nobody_can_be_told_and_that_is_said() {
    for (arguments, expected) in [
        (
            &[][..],
            "error: no channel is set up here: set SLACK_WEBHOOK_URL, or run in a GitHub job\n",
        ),
        (
            &["--channel", "slack"],
            "error: --channel slack: set SLACK_WEBHOOK_URL\n",
        ),
        (
            &["--channel", "summary"],
            "error: --channel summary: GITHUB_STEP_SUMMARY is not set\n",
        ),
    ] {
        let mut command = binary("notify");
        let (code, out, err) = answer(command.args(["send", "--title", "x"]).args(arguments));
        assert_eq!((code, out.as_str(), err.as_str()), (2, "", expected));
    }
    let (code, _, err) = answer(binary("notify").arg("send"));
    assert_eq!(code, 2);
    assert!(err.contains("--title <TEXT>"), "{err}");
}

#[test]
fn slack_gets_the_documented_body() {
    let slack = Http::always(Reply::ok("ok"));
    let webhook = format!("{}/services/{SECRET}", slack.url);
    let (code, out, err) = send(&webhook, &["--severity", "critical"]);
    assert_eq!((code, out.as_str(), err.as_str()), (0, "", "told slack\n"));

    let seen = slack.seen();
    let [request] = seen.as_slice() else {
        panic!("one request, not {seen:?}")
    };
    assert_eq!(request.method, "POST");
    assert_eq!(request.path, format!("/services/{SECRET}"));
    assert_eq!(request.headers["content-type"], "application/json");
    // https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks/
    assert_eq!(
        serde_json::from_str::<Value>(&request.body).unwrap(),
        json!({
            "text": ":rotating_light: v2 is &lt;out&gt;",
            "blocks": [{
                "type": "section",
                "text": {
                    "type": "mrkdwn",
                    "text": ":rotating_light: *v2 is &lt;out&gt;*\nerrors &amp; more",
                },
            }],
        })
    );
}

#[test]
fn in_a_github_job_the_notice_links_to_the_run_and_stands_on_its_page() {
    let slack = Http::always(Reply::ok("ok"));
    let folder = TempDir::new().unwrap();
    let page = folder.path().join("summary.md");
    fs::write(&page, "# another tool\n").unwrap();
    let mut command = binary("notify");
    command
        .env("SLACK_WEBHOOK_URL", format!("{}/{SECRET}", slack.url))
        .env("GITHUB_STEP_SUMMARY", &page)
        .env("GITHUB_ACTIONS", "true")
        .env("GITHUB_RUN_ID", "7")
        .env("GITHUB_REPOSITORY", "shop/api")
        // As a workflow gives foreign text: never on the command line.
        .env("ROLLGATE_TITLE", "v2 | is out")
        .env("ROLLGATE_TEXT", "<b>to everybody</b>\n@here")
        .env("ROLLGATE_SEVERITY", "warning");
    let (code, _, err) = answer(command.arg("send"));
    assert_eq!((code, err.as_str()), (0, "told slack\ntold summary\n"));

    let body = &slack.seen()[0].body;
    assert!(
        body.contains("<https://github.com/shop/api/actions/runs/7|open the run>"),
        "{body}"
    );
    assert_eq!(
        fs::read_to_string(&page).unwrap(),
        "# another tool\n**v2 \\| is out** (warning): &lt;b&gt;to everybody&lt;/b&gt; \\@here\n\n"
    );
}

#[test]
fn a_slack_that_refuses_is_named_with_its_word_and_never_with_its_address() {
    for (status, why) in [(404, "no_service"), (500, "rollup_error"), (302, "")] {
        let slack = Http::always(Reply::status(status, why));
        let (code, _, err) = send(&format!("{}/{SECRET}", slack.url), &[]);
        assert_eq!(code, 1);
        assert!(
            err.contains("not everybody was told: slack: Slack answered "),
            "{err}"
        );
        assert!(err.contains(&status.to_string()) && err.contains(why), "{err}");
        assert!(err.contains("check SLACK_WEBHOOK_URL"), "{err}");
    }
}

#[test]
fn a_slack_that_cannot_be_reached_is_named_without_its_address() {
    let closes = Http::always(Reply::Close);
    let gone = format!("http://{}", nobody());
    for root in [&closes.url, &gone] {
        let (code, _, err) = send(&format!("{root}/{SECRET}"), &[]);
        assert_eq!(code, 1);
        assert!(
            err.contains("not everybody was told: slack: post to the Slack webhook: "),
            "{err}"
        );
    }
    let (code, _, err) = send(&format!("no address/{SECRET}"), &[]);
    assert_eq!(code, 1, "{err}");
    assert!(err.contains("slack: post to the Slack webhook: "), "{err}");
}

#[test]
fn a_slack_that_hangs_is_given_up_within_seconds() {
    let slack = Http::always(Reply::Hang);
    let began = Instant::now();
    let (code, _, err) = send(&format!("{}/{SECRET}", slack.url), &[]);
    assert_eq!(code, 1);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    assert!(err.contains("slack: post to the Slack webhook: "), "{err}");
}

#[test]
fn a_channel_that_fails_keeps_the_others_from_nothing() {
    let slack = Http::always(Reply::status(500, "x"));
    let folder = TempDir::new().unwrap();
    let page = folder.path().join("summary.md");
    let mut command = binary("notify");
    command
        .env("SLACK_WEBHOOK_URL", format!("{}/{SECRET}", slack.url))
        .env("GITHUB_STEP_SUMMARY", &page);
    let (code, _, err) = answer(command.args(["send", "--title", "v2 is out"]));
    assert_eq!(code, 1);
    assert!(err.contains("told summary\n"), "{err}");
    assert_eq!(fs::read_to_string(&page).unwrap(), "**v2 is out** (info): \n\n");
}

/// Two events as a driver writes them.
const EVENTS: &str = r#"{"at":"2027-01-15T08:00:00Z","rollout":"shop-20270115T080000Z","generation":1,"sequence":1,"weight":0,"phase":"canary","run":"run 7","actor":"octocat","event":"started"}
{"at":"2027-01-15T08:00:05Z","rollout":"shop-20270115T080000Z","generation":3,"sequence":9,"weight":0,"phase":"canary","run":"run 7","actor":"octocat","event":"rolled-back","from":1,"reason":"errors | 2 %","took_ms":12}
"#;

fn page_of(events: Option<&str>) -> (i32, String, String) {
    let folder = TempDir::new().expect("a scratch folder");
    if let Some(events) = events {
        fs::write(folder.path().join("events.jsonl"), events).expect("a journal");
    }
    let mut command = binary("notify");
    let (code, out, err) = answer(command.args(["send", "--journal"]).arg(folder.path()));
    let folder = folder.path().display().to_string();
    (code, out, err.replace(&folder, "JOURNAL"))
}

#[test]
fn a_runs_journal_becomes_its_page() {
    let page = "\
## shop-20270115T080000Z

**rolled back from 1 % in 12 ms: errors \\| 2 %** - candidate at **0 %**

| time (UTC) | share | what happened |
|---|---:|---|
| 2027-01-15 08:00:00 | 0 % | shop-20270115T080000Z started by octocat |
| 2027-01-15 08:00:05 | 0 % | rolled back from 1 % in 12 ms: errors \\| 2 % |
";
    assert_eq!(page_of(Some(EVENTS)), (0, page.to_owned(), String::new()));
    // A driver that was killed in the middle of a line.
    let cut = format!("{EVENTS}{{\"at\":\"2027-01-15T08:00");
    assert_eq!(page_of(Some(&cut)), (0, page.to_owned(), String::new()));

    let folder = TempDir::new().unwrap();
    fs::write(folder.path().join("events.jsonl"), EVENTS).unwrap();
    let summary = folder.path().join("summary.md");
    let mut command = binary("notify");
    command
        .env("GITHUB_STEP_SUMMARY", &summary)
        .env("ROLLGATE_JOURNAL", folder.path());
    assert_eq!(answer(command.arg("send")), (0, String::new(), String::new()));
    assert_eq!(fs::read_to_string(&summary).unwrap(), page);
}

#[test]
fn a_run_in_which_nothing_happened_says_so() {
    for events in [None, Some("")] {
        let (code, out, err) = page_of(events);
        assert_eq!((code, err.as_str()), (0, ""));
        assert!(out.contains("Nothing happened in this run"), "{out}");
    }
}

#[test]
fn a_broken_line_in_a_journal_is_named_by_its_place() {
    let broken = EVENTS.replacen("\"started\"", "\"begun\"", 1);
    let (code, out, err) = page_of(Some(&broken));
    assert_eq!((code, out.as_str()), (1, ""));
    assert!(
        err.starts_with("error: JOURNAL/events.jsonl:1: not an event: unknown variant `begun`"),
        "{err}"
    );
}
