//! `status`: what a person looks at during an incident.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    exit::Outcome,
    rollout::record::{Record, State},
    weight::Weight,
};
use serde_json::{Value, json};

use crate::{
    commands::{
        connect::{Outside, outside},
        print,
        shared::{Format, PlanFlag},
    },
    providers::{clock::Clock, traffic::Seen},
};

/// Show shares, state and driver of the rollout; nothing is changed
#[derive(clap::Args, Debug)]
#[command(after_help = "Example:\n  shift-traffic status --output json | jq .share")]
pub(crate) struct Args {
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

pub(crate) async fn run(plan: &PlanFlag, args: &Args) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    let Outside { router, stacks: _ } = outside(&plan).await?;
    let seen = router.read().await?;
    let now = Clock::system().now();
    match args.output {
        Format::Text => print(&screen(&seen, now)),
        Format::Json => print(&format!("{:#}\n", object(&seen))),
    }
    let in_order = seen.drift.is_none() && seen.unreachable.is_empty() && seen.record.is_ok();
    Ok(if in_order { Outcome::Done } else { Outcome::Hold })
}

fn object(seen: &Seen) -> Value {
    let Seen {
        candidate,
        share,
        record,
        drift,
        torn,
        unreachable,
        capacity,
        shares: _,
        token: _,
    } = seen;
    json!({
        "candidate": candidate,
        "share": share,
        "record": record.as_ref().ok(),
        "unreadable": record.as_ref().err().map(ToString::to_string),
        "drift": drift,
        "torn": torn,
        "unreachable": unreachable,
        "servers_up": capacity.map(|up| json!({ "stable": up.stable, "candidate": up.candidate })),
    })
}

fn screen(seen: &Seen, now: Timestamp) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<10} {value}");
    };
    match &seen.record {
        Ok(Some(record)) => rows_of(record, now, &mut row),
        Ok(None) => row("rollout", "none is recorded".to_owned()),
        Err(unreadable) => row("record", format!("UNREADABLE: {unreadable}")),
    }
    row(
        "router",
        seen.share
            .map_or_else(|| "?".to_owned(), |share| format!("{} {share}", bar(share))),
    );
    if let Some(up) = seen.capacity {
        row(
            "servers",
            format!("stable {} up, candidate {} up", up.stable, up.candidate),
        );
    }
    if seen.torn {
        row(
            "note",
            "a write was cut off in the middle; the next one finishes it".to_owned(),
        );
    }
    for problem in seen.drift.iter().chain(&seen.unreachable) {
        row("PROBLEM", problem.clone());
    }
    text
}

fn rows_of(record: &Record, now: Timestamp, row: &mut impl FnMut(&str, String)) {
    row(
        "rollout",
        format!(
            "{} (generation {}, write {})",
            record.rollout, record.generation, record.sequence
        ),
    );
    row(
        "stable",
        format!("{} ({})", record.stable.backend, record.stable.version),
    );
    row(
        "candidate",
        format!("{} ({})", record.candidate.backend, record.candidate.version),
    );
    row("state", record.state_in_words());
    if let State::Holding { step, since } = record.state
        && let Some(step) = record.ladder.step(step)
    {
        let left = step.duration.saturating_sub(now.duration_since(since));
        let left = if left > SignedDuration::ZERO {
            format!("{:#} left", whole_seconds(left))
        } else {
            "its time is over, a proof of health is missing".to_owned()
        };
        row("step", format!("since {since:.0}, {left}"));
    }
    let silence = whole_seconds(now.duration_since(record.driver.heartbeat));
    let driver = &record.driver;
    row(
        "driver",
        format!(
            "{} ({}) since {:.0}, last sign {silence:#} ago",
            driver.run, driver.actor, driver.since
        ),
    );
    row("recorded", format!("{} {}", bar(record.weight), record.weight));
}

fn whole_seconds(span: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs(span.as_secs())
}

/// Twenty cells; a share above 0 shows at least one.
fn bar(share: Weight) -> String {
    let percent = usize::from(share.percent());
    let full = percent.div_ceil(5);
    format!("[{}{}]", "#".repeat(full), ".".repeat(20 - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_percent_is_seen_and_a_hundred_fits() {
        let bar = |percent: u8| bar(Weight::try_from(percent).unwrap());
        assert_eq!(bar(0), "[....................]");
        assert_eq!(bar(1), "[#...................]");
        assert_eq!(bar(50), "[##########..........]");
        assert_eq!(bar(100), "[####################]");
    }
}
