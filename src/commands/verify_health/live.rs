//! A verdict as a screen that is drawn anew after each look.

use std::fmt::Write as _;

use rollgate_domain::analysis::{Criterion, Verdict, criteria};

/// Length of a full bar.
const LONG: usize = 20;

/// The sentence, and how far the evidence of each test has come: against the candidate, or for its proof.
pub(super) fn screen(verdict: &Verdict) -> String {
    let mut text = format!("{:.0}\n\n{}\n\n", verdict.at, verdict.sentence);
    let criteria = criteria(verdict);
    let width = criteria.iter().map(|criterion| criterion.name.chars().count());
    let width = width.max().unwrap_or(0);
    for criterion in &criteria {
        let Criterion {
            name,
            met,
            evidence,
            words,
        } = criterion;
        let mark = match met {
            Some(true) => "ok ",
            Some(false) => "NO ",
            None => " ? ",
        };
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{mark} {name:<width$}  {}  {words}", bar(*evidence));
    }
    for warning in &verdict.warnings {
        let _ = writeln!(text, "\nwarns since {:.0}: {}", warning.since, warning.sentence);
    }
    text
}

/// `####................`
fn bar(part: Option<f64>) -> String {
    let Some(part) = part else {
        return " ".repeat(LONG);
    };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "0 to 20")]
    let full = (part.clamp(0.0, 1.0) * LONG as f64).round() as usize;
    format!("{}{}", "#".repeat(full), ".".repeat(LONG - full))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_as_long_as_the_evidence_has_come() {
        assert_eq!(bar(Some(0.25)), "#####...............");
        assert_eq!(bar(Some(9.0)).len(), LONG);
        assert_eq!(bar(None), " ".repeat(LONG));
    }
}
