//! The status for people: one screen, the most important rows on top, what is wrong in capitals.

use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use rollgate_domain::{
    rollout::{
        record::{Record, State},
        standby,
    },
    weight::Weight,
};

use crate::operations::{
    capacity::Known,
    standing::{Measured, Standing},
};

/// All of it.
pub(super) fn screen(standing: &Standing) -> String {
    let mut text = String::new();
    // Writing to a String cannot fail.
    let mut row = |name: &str, value: String| {
        let _ = writeln!(text, "{name:<10} {value}");
    };
    let seen = &standing.seen;
    let record = match &seen.record {
        Ok(Some(record)) => {
            head(record, &mut row);
            row("recorded", share(record.weight));
            Some(record)
        }
        Ok(None) => {
            row("rollout", "none is recorded".to_owned());
            None
        }
        Err(unreadable) => {
            row("record", format!("UNREADABLE: {unreadable}"));
            row("", "shift-traffic rollback overwrites it and sets 0 %".to_owned());
            None
        }
    };
    row("router", seen.share.map_or_else(|| "?".to_owned(), share));
    if let Some(record) = record {
        row("measured", measured(&standing.measured, standing.now));
        servers(&standing.behind, &mut row);
        course(record, standing.now, &mut row);
        row("driver", driver(record, standing.now));
        verdict(standing, &mut row);
    }
    for why in &standing.hindered {
        row("NO RISE", why.clone());
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

/// The shortest: for a log that is added to.
pub(super) fn line(standing: &Standing) -> String {
    let seen = &standing.seen;
    let state = match &seen.record {
        Ok(Some(record)) => {
            let nobody = match standby::silence(record, standing.now) {
                Some(_) if is_driven(record) => ", NOBODY DRIVES",
                _ => "",
            };
            format!("{}{nobody}", record.state_in_words())
        }
        Ok(None) => "no rollout is recorded".to_owned(),
        Err(unreadable) => format!("UNREADABLE: {unreadable}"),
    };
    let router = seen
        .share
        .map_or_else(|| "?".to_owned(), |share| share.to_string());
    let measured = standing
        .measured
        .percent()
        .map_or_else(String::new, |percent| format!(", measured {percent:.1} %"));
    let said = standing
        .verdict
        .as_ref()
        .map_or_else(|_| String::new(), |verdict| format!("  {}", verdict.sentence));
    let problems: String = standing
        .hindered
        .iter()
        .chain(&seen.drift)
        .chain(&seen.unreachable)
        .map(|problem| format!("  {problem}"))
        .collect();
    format!(
        "{}  {router:>5}  {state}{measured}{said}{problems}\n",
        standing.now.strftime("%H:%M:%S")
    )
}

fn head(record: &Record, row: &mut impl FnMut(&str, String)) {
    row(
        "rollout",
        format!(
            "{} (generation {}, write {})",
            record.rollout, record.generation, record.sequence
        ),
    );
    for (role, version) in [("stable", &record.stable), ("candidate", &record.candidate)] {
        row(role, format!("{} ({})", version.backend, version.version));
    }
    row("state", record.state_in_words());
}

fn measured(measured: &Measured, now: Timestamp) -> String {
    let bar = |percent: f64| format!("{} {percent:.1} %", bar_of(percent));
    match (measured, measured.percent()) {
        (
            Measured::Counted {
                candidate,
                all,
                until,
            },
            Some(percent),
        ) => format!(
            "{}, {candidate:.0} of {all:.0} requests in 5 min up to {:#} ago",
            bar(percent),
            whole_seconds(now.duration_since(*until))
        ),
        (Measured::Sampled { candidate, all }, Some(percent)) => {
            format!("{}, {candidate} of {all} sampled requests", bar(percent))
        }
        (Measured::Unknown(why), _) => format!("? {why}"),
        (_, None) => "? no requests".to_owned(),
    }
}

fn servers(behind: &Known, row: &mut impl FnMut(&str, String)) {
    match behind {
        Known::Both(both) => row(
            "servers",
            format!(
                "stable {} up, candidate {} up",
                both.stable.ready, both.candidate.ready
            ),
        ),
        Known::Unread(why) => row("servers", format!("? {why}")),
        Known::Untold => {}
    }
}

fn course(record: &Record, now: Timestamp, row: &mut impl FnMut(&str, String)) {
    if let State::Holding { step, since } = record.state
        && let Some(step) = record.ladder.step(step)
    {
        let left = step.duration.saturating_sub(now.duration_since(since));
        let left = if left > SignedDuration::ZERO {
            format!("{:#} left", whole_seconds(left))
        } else {
            "its time is over".to_owned()
        };
        row("step", format!("since {since:.0}, {left}"));
    }
    if !record.is_active() {
        return;
    }
    match (record.open_gate(now), record.next_gate_at(now)) {
        (Some(gate), _) => row(
            "gate",
            format!(
                "the one at {:#} WAITS: shift-traffic approve go, or no-go",
                gate.at
            ),
        ),
        (None, Some(at)) => {
            let left = whole_seconds(at.duration_since(now));
            row("gate", format!("next at {at:.0}, in {left:#}"));
        }
        (None, None) => {}
    }
    for signal in &record.signals {
        let answer = match &signal.go {
            Some(go) => format!("go, said {}", go.by),
            None => "WAITS for a go".to_owned(),
        };
        row(
            "signal",
            format!("{:.0} {} ({answer})", signal.at, signal.in_words()),
        );
    }
}

/// Whether somebody has to drive it.
const fn is_driven(record: &Record) -> bool {
    record.is_active() && !matches!(record.state, State::Paused { .. })
}

fn driver(record: &Record, now: Timestamp) -> String {
    let driver = &record.driver;
    let silent = whole_seconds(now.duration_since(driver.heartbeat));
    let sign = if silent.is_negative() {
        format!("{:#} from now by this machine's clock", -silent)
    } else {
        format!("{silent:#} ago")
    };
    let who = format!(
        "{} ({}) since {:.0}, last sign {sign}",
        driver.run, driver.actor, driver.since
    );
    match standby::silence(record, now) {
        Some(_) if is_driven(record) => {
            format!("NOBODY DRIVES: start a driver with shift-traffic run, or roll back; it was {who}")
        }
        _ if !is_driven(record) => format!("nobody has to; it was {who}"),
        _ => who,
    }
}

fn verdict(standing: &Standing, row: &mut impl FnMut(&str, String)) {
    match &standing.verdict {
        Ok(verdict) if verdict.saw_nothing_yet() => row("verdict", "nothing was seen yet".to_owned()),
        Ok(verdict) => {
            let age = whole_seconds(standing.now.duration_since(verdict.at));
            let old = if age > SignedDuration::from_secs(5) {
                format!(" ({age:#} ago)")
            } else {
                String::new()
            };
            row("verdict", format!("{}{old}", verdict.sentence));
        }
        Err(why) => row("verdict", format!("? {why}")),
    }
}

fn whole_seconds(span: SignedDuration) -> SignedDuration {
    SignedDuration::from_secs(span.as_secs())
}

fn share(share: Weight) -> String {
    format!("{} {share}", bar_of(f64::from(share.percent())))
}

/// Twenty cells; a share above 0 shows at least one.
fn bar_of(percent: f64) -> String {
    let full = (0..20).filter(|cell| f64::from(*cell) * 5.0 < percent).count();
    format!("[{}{}]", "#".repeat(full), ".".repeat(20 - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_percent_is_seen_and_a_hundred_fits() {
        assert_eq!(bar_of(0.0), "[....................]");
        assert_eq!(bar_of(0.4), "[#...................]");
        assert_eq!(bar_of(1.0), "[#...................]");
        assert_eq!(bar_of(5.0), "[#...................]");
        assert_eq!(bar_of(50.0), "[##########..........]");
        assert_eq!(bar_of(100.0), "[####################]");
        assert_eq!(bar_of(120.0), "[####################]");
    }
}
