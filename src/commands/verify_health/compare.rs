//! `compare`: both versions side by side, and what the step asks for.

use std::fmt::Write as _;

use clap::ValueEnum;
use jiff::Timestamp;
use rollgate_domain::{
    analysis::{Compared, Criterion, Totals, Verdict, compared, criteria},
    exit::Outcome,
};
use serde_json::json;

use super::{outcome, subject::Subject};
use crate::{
    commands::{judging::judge_settings, print, shared::PlanFlag},
    providers::clock::Clock,
};

/// Show both versions side by side, and what the step asks for, one by one
#[derive(clap::Args, Debug)]
#[command(after_help = "\
Examples:
  verify-health compare                                     this step, until now
  verify-health compare --from 2026-11-23T14:00:00Z --output json | jq .compared
  verify-health compare --output markdown >> \"$GITHUB_STEP_SUMMARY\"

The exit code is that of check. Quantiles are read between the bounds of a histogram: they are for people, no test
uses them.")]
pub(crate) struct Args {
    /// Compare from this time of the rollout on; default: since the step began
    #[arg(long, value_name = "TIME")]
    from: Option<Timestamp>,
    /// Compare and judge up to this time; nothing later is asked for
    #[arg(long, value_name = "TIME")]
    now: Option<Timestamp>,
    #[command(flatten)]
    subject: Subject,
    /// Text for people, JSON for programs, Markdown for a run's summary or a pull request
    #[arg(long, value_enum, default_value_t)]
    output: Form,
}

/// In which form the comparison goes to stdout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
enum Form {
    #[default]
    Text,
    Json,
    Markdown,
}

/// Everything there is to show.
struct Comparison {
    from: Timestamp,
    to: Timestamp,
    versions: [String; 2],
    lines: Vec<Compared>,
    criteria: Vec<Criterion>,
    verdict: Verdict,
}

pub(crate) async fn run(plan: &PlanFlag, args: &Args) -> anyhow::Result<Outcome> {
    let plan = plan.read()?;
    let Args {
        from,
        now,
        subject,
        output,
    } = args;
    let (record, metrics) = subject.past(&plan, "compare").await?;
    let to = now.unwrap_or_else(|| Clock::system().now());
    let from = from.unwrap_or_else(|| record.tried_at(to).0);
    let settings = judge_settings(&plan, &record, true);
    let mut watcher = subject.watcher(&plan, &record, metrics.as_ref(), to);
    let verdict = watcher.look(to).await;
    // What was judged is what is shown.
    let [mut stable, mut candidate] = [Totals::default(), Totals::default()];
    for sample in watcher.take_samples(&record, to) {
        if sample.look.end - settings.look >= from {
            stable.add(&sample.look.stable);
            candidate.add(&sample.look.candidate);
        }
    }
    let comparison = Comparison {
        from,
        to,
        versions: [record.stable.version.clone(), record.candidate.version.clone()],
        lines: compared(&settings, &stable, &candidate),
        criteria: criteria(&verdict),
        verdict,
    };
    print(&match output {
        Form::Text => comparison.text(),
        Form::Json => comparison.json(),
        Form::Markdown => comparison.markdown(),
    });
    Ok(outcome(&comparison.verdict))
}

impl Comparison {
    fn rows(&self) -> Vec<[String; 4]> {
        let row = |line: &Compared| {
            let show =
                |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| line.unit.show(value));
            let change = line
                .change()
                .map_or_else(String::new, |change| format!("{:+.0} %", change * 100.0));
            [line.name.clone(), show(line.stable), show(line.candidate), change]
        };
        self.lines.iter().map(row).collect()
    }

    fn head(&self) -> [String; 4] {
        let [stable, candidate] = &self.versions;
        [
            String::new(),
            format!("stable {stable}"),
            format!("candidate {candidate}"),
            String::new(),
        ]
    }

    fn text(&self) -> String {
        let rows: Vec<_> = std::iter::once(self.head()).chain(self.rows()).collect();
        let width = |column: usize| {
            rows.iter()
                .map(|row| row[column].chars().count())
                .max()
                .unwrap_or(0)
        };
        let widths = [width(0), width(1), width(2), width(3)];
        let mut text = format!("{:.0} to {:.0}\n\n", self.from, self.to);
        for [name, stable, candidate, change] in &rows {
            let line = format!(
                "{name:<0$}  {stable:>1$}  {candidate:>2$}  {change:>3$}",
                widths[0], widths[1], widths[2], widths[3]
            );
            text += line.trim_end();
            text.push('\n');
        }
        text.push('\n');
        for criterion in &self.criteria {
            let Criterion { name, met, words, .. } = criterion;
            let _ = writeln!(text, "[{}] {name} ({words})", mark(*met, ["x", " ", "?"]));
        }
        let _ = writeln!(text, "\n{}", self.verdict.sentence);
        text
    }

    fn markdown(&self) -> String {
        let mut text = String::new();
        let [_, stable, candidate, _] = self.head();
        let _ = writeln!(text, "| | {stable} | {candidate} | |\n|---|--:|--:|--:|");
        for row in self.rows() {
            let _ = writeln!(
                text,
                "| {} |",
                row.map(|cell| cell.replace('|', "\\|")).join(" | ")
            );
        }
        text.push('\n');
        for criterion in &self.criteria {
            let Criterion { name, met, words, .. } = criterion;
            let _ = writeln!(text, "- {} {name} ({words})", mark(*met, ["✅", "❌", "⏳"]));
        }
        let _ = writeln!(text, "\n{}", self.verdict.sentence);
        text
    }

    fn json(&self) -> String {
        let Self {
            from,
            to,
            versions: [stable, candidate],
            lines,
            criteria,
            verdict,
        } = self;
        let object = json!({
            "from": from, "to": to, "stable": stable, "candidate": candidate,
            "compared": lines, "criteria": criteria, "verdict": verdict,
        });
        format!("{object}\n")
    }
}

/// Met, not met, not known yet.
fn mark(met: Option<bool>, [yes, no, unknown]: [&str; 3]) -> &str {
    match met {
        Some(true) => yes,
        Some(false) => no,
        None => unknown,
    }
}
