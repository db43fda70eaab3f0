//! `decide`: which rollback the verdict and the signals call for, and how it is started. Starts nothing.

use std::{fmt::Write as _, fs, io, path::PathBuf};

use anyhow::Context as _;
use clap::ValueEnum as _;
use rollgate_domain::{
    analysis::{self, Verdict},
    decision::{Decision, Facts, Judged, Level, Report, decide},
    exit::Outcome,
    rollout::{
        phase::Severity,
        record::{Record, State},
    },
};
use serde_json::json;

use super::subject::Subject;
use crate::{
    commands::{
        print, say,
        shared::{Format, PlanFlag, SignalWord, write_outputs},
    },
    error::{Usage, chain},
    plan::{DEFAULT_PATH, Plan},
};

/// Say which rollback is called for, why, and how to start it; starts nothing
#[derive(clap::Args, Debug)]
#[command(after_help = "\
level   called for by
1       a rollback verdict, or a critical signal
2       a degradation signal, or worse for the plan's decisions.sustained
3       a corruption signal; a person starts it, nobody else

Examples:
  verify-health decide
  verify-health check --output json > verdict.json; verify-health decide --verdict verdict.json
  verify-health decide --signal 'degradation:slow since noon' --output json | jq .level

Exit codes:
  0 go on   1 error   2 usage or plan   3 a level is called for   4 hold: no level, and no rise")]
pub(crate) struct Args {
    /// A verdict of `check --output json`, `-` for stdin; default: judged now
    #[arg(
        long,
        value_name = "FILE",
        conflicts_with_all = ["since", "step_since", "candidate_version", "stable_version"]
    )]
    verdict: Option<PathBuf>,
    /// Something seen outside (critical, degradation, corruption, watch), besides the record's; repeatable
    #[arg(long = "signal", value_name = "SEVERITY:TEXT", env = "ROLLGATE_SIGNAL", value_parser = report)]
    signals: Vec<Report>,
    #[command(flatten)]
    subject: Subject,
    /// Text for people or JSON for programs
    #[arg(long, value_enum, default_value_t)]
    output: Format,
}

pub(crate) async fn run(flag: &PlanFlag, args: Args) -> anyhow::Result<Outcome> {
    let plan = flag.read()?;
    let Args {
        verdict,
        signals,
        subject,
        output,
    } = args;
    let given = verdict.map(|path| read(&path)).transpose()?;
    let record = subject.record(&plan).await;
    let judged = match (given, &record) {
        (Some(verdict), Err(error)) => {
            say(&format!(
                "warning: without the record's signals: {}",
                chain(error)
            ));
            Ok(verdict)
        }
        (Some(verdict), Ok(_)) => Ok(verdict),
        (None, Ok(record)) => subject.verdict(&plan, record, None).await,
        (None, Err(error)) => Err(anyhow::anyhow!(chain(error))),
    };
    let (judged, sentence) = match judged {
        Ok(verdict) => (weighed(&verdict), verdict.sentence),
        // What was reported calls for a rollback all the same.
        Err(error) if !signals.is_empty() => (Judged::Unclear, format!("no verdict: {}", chain(&error))),
        Err(error) => return Err(error),
    };
    let record = record.ok();
    let mut reports = record
        .as_ref()
        .map_or_else(Vec::new, |record| Report::open(&record.signals));
    reports.extend(signals);
    let taken_back = matches!(
        record,
        Some(Record {
            state: State::RolledBack { .. },
            ..
        })
    );
    let facts = Facts {
        judged,
        sentence,
        reports,
        taken_back,
    };
    let decision = decide(&facts, plan.decisions.sustained);
    let ways = ways(&decision, flag, taken_back);
    print(&match output {
        Format::Text => text(&plan, &decision, &ways),
        Format::Json => format!("{}\n", object(&decision, &ways)?),
    });
    let outcome = decision.outcome();
    let none = || "none".to_owned();
    write_outputs(&[
        ("outcome", outcome.word().to_owned()),
        (
            "level",
            decision
                .level
                .map_or_else(none, |level| level.number().to_string()),
        ),
        (
            "severity",
            decision
                .severity
                .map_or_else(none, |severity| severity.word().to_owned()),
        ),
    ]);
    Ok(outcome)
}

/// `SEVERITY:TEXT`.
fn report(text: &str) -> Result<Report, String> {
    let expected = "expected SEVERITY:TEXT, such as 'critical:orders are charged twice'";
    let (word, words) = text.split_once(':').ok_or(expected)?;
    let severity = SignalWord::from_str(word.trim(), false).map_err(|_| {
        format!("`{word}` is no severity (critical, degradation, corruption, watch); {expected}")
    })?;
    let severity = Severity::from(severity);
    match words.trim() {
        "" => Err(expected.to_owned()),
        words => Ok(Report {
            severity,
            words: format!("signal ({}): {words}", severity.word()),
        }),
    }
}

fn read(path: &PathBuf) -> anyhow::Result<Verdict> {
    let name = path.display();
    let text = if path.as_os_str() == "-" {
        io::read_to_string(io::stdin())
    } else {
        fs::read_to_string(path)
    };
    let text = text.with_context(|| format!("read the verdict in {name}"))?;
    serde_json::from_str(&text).map_err(|error| {
        let how = "write one with `verify-health check --output json`";
        Usage(format!("--verdict {name}: not a verdict: {error}; {how}")).into()
    })
}

/// The verdict as the decision weighs it.
fn weighed(verdict: &Verdict) -> Judged {
    match verdict.outcome {
        analysis::Outcome::Healthy | analysis::Outcome::Watch => Judged::Fine,
        analysis::Outcome::Warn => {
            let since = verdict.warnings.iter().map(|warning| warning.since).min();
            Judged::Worse(verdict.at.duration_since(since.unwrap_or(verdict.at)))
        }
        analysis::Outcome::Rollback => Judged::Harm,
        // The driver has paused it: whose fault it is, a person must find out.
        analysis::Outcome::Hold | analysis::Outcome::Precaution => Judged::Unclear,
    }
}

/// The commands that start what is called for: in a shell, and as a button of the team's workflows, by the names that
/// the examples give them.
fn ways(decision: &Decision, flag: &PlanFlag, taken_back: bool) -> Vec<String> {
    let reason = quoted(decision.reasons.first().map_or("", String::as_str));
    let plan = flag.plan.display().to_string();
    let plan = if plan == DEFAULT_PATH {
        String::new()
    } else {
        format!(" --plan {}", quoted(&plan))
    };
    match decision.level {
        None => Vec::new(),
        Some(Level::Emergency) => vec![
            format!("shift-traffic rollback{plan} --reason {reason}"),
            format!("gh workflow run rollback.yml -f reason={reason}"),
        ],
        Some(Level::Planned) => vec![
            format!("shift-traffic rollback --gradual{plan} --reason {reason}"),
            format!("gh workflow run planned-rollback.yml -f reason={reason}"),
        ],
        // The traffic first, and nothing that touches data.
        Some(Level::Rebuild) if !taken_back => {
            vec![format!("shift-traffic signal corruption{plan} --reason {reason}")]
        }
        Some(Level::Rebuild) => Vec::new(),
    }
}

/// One word for a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What a level 3 needs besides the traffic.
const BY_A_PERSON: &str =
    "by a person: whether writers are stopped and data is restored: docs/rollback.md of rollgate";

fn text(plan: &Plan, decision: &Decision, ways: &[String]) -> String {
    let service = &plan.service;
    let mut text = match (decision.level, decision.hold) {
        (Some(level), _) => {
            let severity = decision.severity.map_or("", Severity::word);
            format!(
                "{service}: level {}, {} ({severity})\n",
                level.number(),
                level.word()
            )
        }
        (None, true) => format!("{service}: hold, no rollback and no rise\n"),
        (None, false) => format!("{service}: no rollback\n"),
    };
    for reason in &decision.reasons {
        let _ = writeln!(text, "- {reason}");
    }
    for (way, word) in ways.iter().zip(["run:", "or: "]) {
        let _ = writeln!(text, "{word} {way}");
    }
    if decision.level == Some(Level::Rebuild) {
        let _ = writeln!(text, "{BY_A_PERSON}");
    }
    text
}

/// The decision for programs. Keys are API: they are added to, never changed.
fn object(decision: &Decision, ways: &[String]) -> anyhow::Result<serde_json::Value> {
    let mut object = serde_json::to_value(decision)?;
    object["commands"] = json!(ways);
    Ok(object)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_has_a_severity_and_a_text() {
        let given = report("critical: orders: charged twice").unwrap();
        assert_eq!(given.severity, Severity::Critical);
        assert_eq!(given.words, "signal (critical): orders: charged twice");
        for (text, expected) in [
            ("orders fail", "expected SEVERITY:TEXT"),
            ("bad:orders fail", "`bad` is no severity (critical, degradation"),
            ("critical: ", "expected SEVERITY:TEXT"),
        ] {
            let error = report(text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn every_button_is_one_that_the_examples_show() {
        let examples = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/workflows");
        let flag = PlanFlag {
            plan: DEFAULT_PATH.into(),
        };
        for (level, button) in [
            (Level::Emergency, Some("rollback.yml")),
            (Level::Planned, Some("planned-rollback.yml")),
            (Level::Rebuild, None),
        ] {
            let decision = Decision {
                level: Some(level),
                severity: None,
                hold: false,
                reasons: vec!["orders fail".to_owned()],
            };
            let ways = ways(&decision, &flag, false);
            let words: Vec<_> = ways.iter().flat_map(|way| way.split(' ')).collect();
            let named = words.iter().find(|word| word.ends_with(".yml")).copied();
            assert_eq!(named, button, "{ways:?}");
            assert!(button.is_none_or(|button| examples.join(button).exists()));
        }
    }

    #[test]
    fn a_reason_is_one_word_for_a_shell_whatever_is_in_it() {
        assert_eq!(quoted("it's $(bad)"), r"'it'\''s $(bad)'");
    }
}
