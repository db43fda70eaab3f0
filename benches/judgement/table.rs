//! The tables of docs/judgement.md, in Markdown.

use super::contest::{Played, Times};
use super::equal::{self, Metric, Tuned};
use super::rivals::Rule;
use super::speed::{CHECKS, Speed};
use super::weather::{Fault, Weather};

const REPLAY_GOAL_S: f64 = 2.0;
/// With [`CHECKS`] checks.
const CHECKS_GOAL_S: f64 = 0.3;

/// Healthy candidates that were taken back, `played[weather][traffic]`.
#[expect(clippy::print_stdout, reason = "the table is the result")]
pub(crate) fn healthy(traffic: &[f64], played: &[Vec<&[Played]>]) {
    let rates: Vec<String> = traffic.iter().map(f64::to_string).collect();
    let rollouts = played[0][0].len();
    println!(
        "Healthy candidates taken back within 48 h, of {rollouts}, at {} requests a second:\n",
        rates.join(" / ")
    );
    head("weather");
    for (weather, cells) in Weather::ALL.iter().zip(played) {
        let count = |found: &dyn Fn(&Played) -> bool| {
            let each = cells.iter().map(|played| {
                let taken_back = played.iter().filter(|one| found(one)).count();
                taken_back.to_string()
            });
            each.collect::<Vec<_>>().join(" / ")
        };
        let rollgate = count(&|one| one.rollgate.is_some());
        let rivals = (0..Rule::ALL.len()).map(|place| count(&|one| one.rivals[place].is_some()));
        row(weather.words(), std::iter::once(rollgate).chain(rivals));
    }
    println!();
}

/// Healthy candidates that rollgate took back, `played[weather][traffic]`, and of which it warned.
#[expect(clippy::print_stdout, reason = "the table is the result")]
pub(crate) fn alone(traffic: &[f64], played: &[Vec<&[Played]>]) {
    let rates: Vec<String> = traffic.iter().map(f64::to_string).collect();
    let rollouts = played[0][0].len();
    let all = played.len() * traffic.len() * rollouts;
    let rates = rates.join(" / ");
    println!("Of {rollouts} healthy candidates each, watched for 48 h, at {rates} requests a second:\n");
    println!("| weather | taken back | warned of |\n|---|---:|---:|");
    let mut sum = [0, 0];
    for (weather, cells) in Weather::ALL.iter().zip(played) {
        let mut count = |which: usize, found: &dyn Fn(&Played) -> bool| {
            let each = cells.iter().map(|played| {
                let found = played.iter().filter(|one| found(one)).count();
                sum[which] += found;
                found.to_string()
            });
            each.collect::<Vec<_>>().join(" / ")
        };
        let taken_back = count(0, &|one| one.rollgate.is_some());
        let warned = count(1, &|one| one.warned.is_some());
        println!("| {} | {taken_back} | {warned} |", weather.words());
    }
    println!(
        "\nTogether {} of {all} taken back, {} warned of.\n",
        sum[0], sum[1]
    );
}

/// How soon each fault was found by the rules as documented.
#[expect(clippy::print_stdout, reason = "the table is the result")]
pub(crate) fn faults(played: &[&[Played]]) {
    let rollouts = played[0].len();
    println!(
        "Median / 95th percentile of the time until the candidate is taken back, {rollouts} rollouts each:\n"
    );
    head("fault, 10 requests a second | rollgate tells people");
    for (fault, played) in Fault::ALL.iter().zip(played) {
        let rivals = (0..Rule::ALL.len()).map(|place| Times::of(played.iter().map(|one| one.rivals[place])));
        let all = [equal::warnings(played), equal::rollgates(played)]
            .into_iter()
            .chain(rivals);
        row(&fault.words(), all.map(|times| cell(&times)));
    }
    println!();
}

/// The same at equal false alarms; whether no rule was sooner than rollgate.
#[expect(clippy::print_stdout, reason = "the table is the result")]
pub(crate) fn at_equal_false_alarms(healthy: &str, tuned: &[Tuned], played: &[&[Played]]) -> bool {
    println!("With limits that took back no more healthy candidates than rollgate, {healthy}:\n");
    head("fault, 10 requests a second");
    for metric in Metric::ALL {
        let name = match metric {
            Metric::Errors => "*limit on the error rate*",
            Metric::Latency => "*limit on latency*",
        };
        let limits = Rule::ALL
            .map(|rule| find(tuned, rule, metric).map_or_else(|| "none".to_owned(), |tuned| limit(&tuned)));
        row(name, std::iter::once("its own".to_owned()).chain(limits));
    }
    let mut sooner = Vec::new();
    for (fault, played) in Fault::ALL.iter().zip(played) {
        let Some(metric) = Metric::of(*fault) else {
            continue;
        };
        let rollgate = equal::rollgates(played);
        let rivals = Rule::ALL.map(|rule| {
            let Some(tuned) = find(tuned, rule, metric) else {
                return "-".to_owned();
            };
            let times = tuned.times(played);
            if equal::is_sooner(&times, &rollgate) {
                sooner.push(format!("{} at {}", rule.words(), fault.words()));
                return format!("**{}**", cell(&times));
            }
            cell(&times)
        });
        row(&fault.words(), std::iter::once(cell(&rollgate)).chain(rivals));
    }
    println!();
    if sooner.is_empty() {
        println!("None is sooner than rollgate.\n");
    } else {
        println!("Sooner than rollgate: {}.\n", sooner.join("; "));
    }
    sooner.is_empty()
}

/// What the judge costs; whether the goal is kept.
#[expect(clippy::print_stdout, reason = "the table is the result")]
pub(crate) fn speed(speed: &Speed) -> bool {
    let replayed = speed.replay.as_secs_f64() < REPLAY_GOAL_S;
    let checked = speed.checks.as_secs_f64() < CHECKS_GOAL_S;
    let goal = |kept: bool| if kept { "kept" } else { "MISSED" };
    let us = |time: std::time::Duration| time.as_secs_f64() * 1e6;
    println!("| what | time | goal | ratio to the first row |");
    println!("|---|---:|---|---:|");
    println!(
        "| a look and its verdict, after 1 h of looks | {:.1} us |  | 1 |",
        us(speed.early)
    );
    println!(
        "| … after 47 h | {:.1} us |  | {:.2} |",
        us(speed.late),
        us(speed.late) / us(speed.early)
    );
    println!(
        "| a replay of 48 h, a verdict after each look | {:.2} s | < {REPLAY_GOAL_S} s: {} | {:.0} |",
        speed.replay.as_secs_f64(),
        goal(replayed),
        us(speed.replay) / us(speed.early)
    );
    println!(
        "| a look and its verdict with {CHECKS} checks, after 1 h | {:.2} ms | < {:.0} ms: {} | {:.1} |",
        us(speed.checks) / 1e3,
        CHECKS_GOAL_S * 1e3,
        goal(checked),
        us(speed.checks) / us(speed.early)
    );
    println!();
    replayed && checked
}

fn find(tuned: &[Tuned], rule: Rule, metric: Metric) -> Option<Tuned> {
    let wanted = |tuned: &&Tuned| tuned.rule == rule && tuned.metric == metric;
    tuned.iter().find(wanted).copied()
}

fn limit(tuned: &Tuned) -> String {
    match (tuned.rule, tuned.metric) {
        (Rule::Kayenta, _) => format!("{} x", tuned.limit),
        (_, Metric::Errors) => format!("{} %", (tuned.limit * 10_000.0).round() / 100.0),
        (_, Metric::Latency) => format!("{:.0} ms", tuned.limit),
    }
}

/// "45 s / 60 s", and how many were missed or taken back before there was a fault.
fn cell(times: &Times) -> String {
    let mut text = if times.missed() + times.early() == times.rollouts() {
        "never".to_owned()
    } else {
        let [median, most] = [50, 95].map(|percent| {
            let time = times.percentile(percent);
            time.map_or_else(|| "never".to_owned(), words)
        });
        format!("{median} / {most}")
    };
    if times.missed() > 0 && times.missed() < times.rollouts() {
        text += &format!(", {} missed", times.missed());
    }
    if times.early() > 0 {
        text += &format!(", {} before", times.early());
    }
    text
}

fn words(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7200 => format!("{} min", ((seconds as f64) / 6.0).round() / 10.0),
        _ => format!("{} h", ((seconds as f64) / 360.0).round() / 10.0),
    }
}

#[expect(clippy::print_stdout, reason = "the table is the result")]
fn head(first: &str) {
    let names = Rule::ALL.map(Rule::words).join(" | ");
    println!("| {first} | rollgate | {names} |");
    let more = first.matches('|').count();
    println!("|---|{}", "---:|".repeat(Rule::ALL.len() + 1 + more));
}

#[expect(clippy::print_stdout, reason = "the table is the result")]
fn row(first: &str, cells: impl Iterator<Item = String>) {
    println!("| {first} | {} |", cells.collect::<Vec<_>>().join(" | "));
}
