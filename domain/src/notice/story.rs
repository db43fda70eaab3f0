//! A rollout told line by line, and as a page for the run's summary.

use std::fmt::Write as _;

use crate::{
    notice::Notice,
    rollout::event::{Event, Line},
};

/// `12:04:31   5 %  raised from 1 %`: one line of the log.
#[must_use]
pub fn log_line(line: &Line) -> String {
    let share = line.weight.to_string();
    format!("{}  {share:>5}  {}", line.at.strftime("%H:%M:%S"), in_words(line))
}

/// What happened, in one sentence without an end mark.
#[must_use]
pub fn in_words(line: &Line) -> String {
    match &line.event {
        Event::Started => format!("{} started by {}", line.rollout, line.actor),
        Event::Taken => format!("driven by {}, generation {}", line.run, line.generation),
        Event::Raised { from } => format!("raised from {from}"),
        Event::Set { from, reason } => format!("set from {from} by {}: {reason}", line.actor),
        Event::Paused { from, reason } => format!("paused, was at {from}: {reason}"),
        Event::Precaution { from, sentence } => format!("paused as a precaution, was at {from}: {sentence}"),
        Event::RolledBack {
            from,
            reason,
            took_ms,
        } => format!("rolled back from {from} in {took_ms} ms: {reason}"),
        Event::Passed { from } => format!("{} passed, was at {from}: every step ended healthy", line.phase),
        Event::Entered => format!("{} began, asked for by {}", line.phase, line.actor),
        Event::Promoted => "promoted: the candidate is stable now".to_owned(),
        Event::Finished => format!("finished by {}: the old version may go", line.actor),
        Event::Resumed => format!("resumed by {}", line.actor),
        Event::GateReached { what } => format!("waits for a person: {what}"),
        Event::Approved { reason } => format!("go, says {}: {reason}", line.actor),
        Event::Signalled { severity, text } => {
            format!("signal ({}) from {}: {text}", severity.word(), line.actor)
        }
        Event::Lowered { from, reason } => format!("rolling back, from {from}: {reason}"),
        Event::Prepared { what } => what.clone(),
        Event::LeftOver { what } => format!("left to do: {what}"),
        Event::Unwatched { reason } => {
            format!(
                "NOBODY WATCHES the candidate, which has {}: {reason}",
                line.weight
            )
        }
        Event::Judged { sentence, .. } => sentence.clone(),
        Event::Hindered { obstacles } if obstacles.is_empty() => "nothing forbids a rise any more".to_owned(),
        Event::Hindered { obstacles } => format!("no rise: {}", obstacles.join("; ")),
        Event::Overdue { sentence } => {
            format!("twice the step's time is over, a person must decide: {sentence}")
        }
        Event::SuccessorCalled { run: Some(run) } => format!("successor called: run {run}"),
        Event::SuccessorCalled { run: None } => "successor called".to_owned(),
        Event::SuccessorFailed { error } => format!("successor not called: {error}"),
        Event::HandedOver { run } => format!("handed over to {run}"),
        Event::Fenced { by } => format!("fenced: {by}"),
        Event::RouterFailed { error } => format!("router: {error}"),
        Event::Stuck { error } => format!("ROLLBACK STUCK: {error}"),
        Event::NotTold { channel, error } => format!("{channel} was not told: {error}"),
    }
}

/// A run as a Markdown page: where it stands, then every event. At most `longest` bytes, the newest kept.
#[must_use]
pub fn markdown(lines: &[Line], longest: usize) -> String {
    let Some(last) = lines.last() else {
        return "## rollgate\n\nNothing happened in this run: its journal is empty. The step's log says why.\n".to_owned();
    };
    let end = lines
        .iter()
        .rev()
        .find(|line| !matches!(line.event, Event::NotTold { .. }))
        .unwrap_or(last);
    let head = format!(
        "## {}\n\n**{}** - candidate at **{}**\n\n| time (UTC) | share | what happened |\n|---|---:|---|\n",
        escaped(&last.rollout),
        escaped(&in_words(end)),
        last.weight,
    );
    let mut rows = Vec::new();
    let mut room = longest.saturating_sub(head.len() + 100);
    for line in lines.iter().rev() {
        let mut row = String::new();
        // Writing to a String cannot fail.
        let _ = writeln!(
            row,
            "| {} | {} | {} |",
            line.at.strftime("%F %T"),
            line.weight,
            escaped(&in_words(line))
        );
        let Some(left) = room.checked_sub(row.len()) else {
            rows.push("| | | … earlier lines are in events.jsonl |\n".to_owned());
            break;
        };
        room = left;
        rows.push(row);
    }
    rows.reverse();
    head + &rows.concat()
}

/// One notice as a paragraph of the page.
#[must_use]
pub fn notice_markdown(notice: &Notice) -> String {
    format!(
        "**{}** ({}): {}\n\n",
        escaped(&notice.title),
        notice.severity,
        escaped(&notice.text)
    )
}

/// Text from outside must not become markup, a mention or a second row.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\n' | '\r' => out.push(' '),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '|' | '`' | '*' | '_' | '[' | ']' | '\\' | '@' | '#' | '~' => {
                out.push('\\');
                out.push(character);
            }
            _ => out.push(character),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::record::{
        State,
        tests::{at, record},
    };

    fn line(event: Event) -> Line {
        Line::new(
            &record(State::Holding {
                step: 1,
                since: at(0),
            }),
            event,
            "run 7",
            "octocat",
            at(5),
        )
    }

    #[test]
    fn a_page_begins_with_the_end_and_keeps_every_event() {
        let lines = [
            line(Event::Taken),
            line(Event::Overdue {
                sentence: "WATCH | <b>".to_owned(),
            }),
        ];
        let page = markdown(&lines, 10_000);
        assert_eq!(
            page,
            "## shop-20270115T080000Z\n\n\
             **twice the step's time is over, a person must decide: WATCH \\| &lt;b&gt;** - candidate at **5 %**\n\n\
             | time (UTC) | share | what happened |\n|---|---:|---|\n\
             | 2027-01-15 08:00:05 | 5 % | driven by run 7, generation 1 |\n\
             | 2027-01-15 08:00:05 | 5 % | twice the step's time is over, a person must decide: WATCH \\| &lt;b&gt; |\n"
        );
    }

    #[test]
    fn a_page_is_never_longer_than_the_platform_takes() {
        let lines = vec![line(Event::Fenced { by: "x".repeat(300) }); 5000];
        let page = markdown(&lines, 100_000);
        assert!(page.len() <= 100_000 && page.contains("earlier lines are in events.jsonl"));
    }

    #[test]
    fn an_empty_journal_is_no_success() {
        assert!(markdown(&[], 1000).contains("Nothing happened"));
    }
}
