//! Which rollback is called for: the verdict and the signals in, a level and its reasons out.
//!
//! Corruption comes before harm, harm before degradation. Nothing is done here: a level is what a person or a workflow
//! starts, and the last one is a person's alone.

use jiff::SignedDuration;
use serde::Serialize;

use crate::{
    exit::Outcome,
    rollout::phase::{Severity, Signal},
};

/// What the judge says, as far as it calls for a rollback.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Judged {
    /// Healthy, or no harm found yet.
    Fine,
    /// Worse than it should be for so long, and not proved to be harm.
    Worse(SignedDuration),
    /// Harm is proved.
    Harm,
    /// Nothing can be said.
    Unclear,
}

/// Something that was seen outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// How bad.
    pub severity: Severity,
    /// Who reported what.
    pub words: String,
}

impl Report {
    /// The signals of a record that nobody has answered with a `go`.
    #[must_use]
    pub fn open(signals: &[Signal]) -> Vec<Self> {
        let open = signals.iter().filter(|signal| signal.go.is_none());
        open.map(|signal| Self {
            severity: signal.severity,
            words: signal.in_words(),
        })
        .collect()
    }
}

/// Everything that is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The verdict.
    pub judged: Judged,
    /// The verdict in words.
    pub sentence: String,
    /// The signals that wait for an answer.
    pub reports: Vec<Report>,
    /// The candidate was taken back already, so that levels 1 and 2 have nothing left to do.
    pub taken_back: bool,
}

/// How the candidate is taken back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    /// 1: all traffic at once.
    Emergency,
    /// 2: step by step, watched.
    Planned,
    /// 3: the traffic, and data and environment with it; a person decides about that.
    Rebuild,
}

impl Level {
    /// 1 to 3.
    #[must_use]
    pub const fn number(self) -> u8 {
        match self {
            Self::Emergency => 1,
            Self::Planned => 2,
            Self::Rebuild => 3,
        }
    }

    /// Its name in the papers.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Emergency => "emergency",
            Self::Planned => "planned",
            Self::Rebuild => "rebuild",
        }
    }
}

impl Serialize for Level {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(self.number())
    }
}

/// What is called for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Decision {
    /// None: no rollback.
    pub level: Option<Level>,
    /// The worst of what was found or reported.
    pub severity: Option<Severity>,
    /// No level, and no rise either: the evidence says neither yes nor no, or a signal waits for a person.
    pub hold: bool,
    /// A sentence for each thing that was weighed, the worst first.
    pub reasons: Vec<String>,
}

impl Decision {
    /// The exit code that says it: go on, a level is called for, or hold.
    #[must_use]
    pub const fn outcome(&self) -> Outcome {
        match (self.level, self.hold) {
            (Some(_), _) => Outcome::Refused,
            (None, true) => Outcome::Hold,
            (None, false) => Outcome::Done,
        }
    }
}

/// The matrix. `sustained`: from how long on something worse is a degradation.
#[must_use]
pub fn decide(facts: &Facts, sustained: SignedDuration) -> Decision {
    let Facts {
        judged,
        sentence,
        reports,
        taken_back,
    } = facts;
    let found = match judged {
        Judged::Harm => Some(Severity::Critical),
        Judged::Worse(lasted) if *lasted >= sustained => Some(Severity::Degradation),
        Judged::Fine | Judged::Worse(_) | Judged::Unclear => None,
    };
    let verdict = match judged {
        Judged::Worse(lasted) if found.is_some() => {
            format!("worse for {lasted:#}, {sustained:#} is a degradation: {sentence}")
        }
        Judged::Worse(lasted) => {
            format!("worse for {lasted:#}, a degradation from {sustained:#} on: {sentence}")
        }
        Judged::Fine | Judged::Harm | Judged::Unclear => sentence.clone(),
    };
    let reported = reports
        .iter()
        .map(|report| (Some(report.severity), report.words.clone()));
    let mut weighed: Vec<_> = std::iter::once((found, verdict)).chain(reported).collect();
    weighed.sort_by_key(|(severity, _)| std::cmp::Reverse(severity.map(weight)));
    let severity = weighed.first().and_then(|(severity, _)| *severity);
    let mut reasons: Vec<_> = weighed.into_iter().map(|(_, words)| words).collect();

    let called = severity.and_then(level);
    let level = called.filter(|level| *level == Level::Rebuild || !taken_back);
    if let (Some(called), None) = (called, level) {
        let number = called.number();
        reasons.push(format!(
            "the candidate was taken back already: nothing is left for level {number}"
        ));
    }
    Decision {
        level,
        severity,
        hold: level.is_none() && (*judged == Judged::Unclear || severity == Some(Severity::Watch)),
        reasons,
    }
}

/// Which of two is worse.
const fn weight(severity: Severity) -> u8 {
    match severity {
        Severity::Watch => 0,
        Severity::Degradation => 1,
        Severity::Critical => 2,
        Severity::Corruption => 3,
    }
}

const fn level(severity: Severity) -> Option<Level> {
    match severity {
        Severity::Watch => None,
        Severity::Degradation => Some(Level::Planned),
        Severity::Critical => Some(Level::Emergency),
        Severity::Corruption => Some(Level::Rebuild),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUSTAINED: SignedDuration = SignedDuration::from_mins(15);

    const ALL: [Severity; 4] = [
        Severity::Watch,
        Severity::Degradation,
        Severity::Critical,
        Severity::Corruption,
    ];

    fn facts(judged: Judged, severities: &[Severity]) -> Facts {
        let report = |severity: &Severity| Report {
            severity: *severity,
            words: format!("somebody says {}", severity.word()),
        };
        Facts {
            judged,
            sentence: "what the judge says".to_owned(),
            reports: severities.iter().map(report).collect(),
            taken_back: false,
        }
    }

    #[test]
    fn every_verdict_with_every_set_of_signals_has_its_level() {
        const SHORT: Judged = Judged::Worse(SignedDuration::from_secs(15 * 60 - 1));
        // The columns: no signal, or the worst of them is watch, degradation, critical, corruption. `-` goes on, `h` holds.
        let rows = [
            (Judged::Fine, "-h213"),
            (SHORT, "-h213"),
            (Judged::Worse(SUSTAINED), "22213"),
            (Judged::Unclear, "hh213"),
            (Judged::Harm, "11113"),
        ];
        for (judged, expected) in rows {
            for set in 0..1_usize << ALL.len() {
                let is_in = |at: &usize| set & (1 << at) != 0;
                let chosen: Vec<_> = (0..ALL.len()).filter(is_in).collect();
                let severities: Vec<_> = chosen.iter().map(|at| ALL[*at]).collect();
                let column = chosen.last().map_or(0, |worst| worst + 1);

                let decision = decide(&facts(judged, &severities), SUSTAINED);

                let (sign, code) = match (decision.level, decision.hold) {
                    (Some(level), _) => (char::from(b'0' + level.number()), 3),
                    (None, true) => ('h', 4),
                    (None, false) => ('-', 0),
                };
                let expected = expected.chars().nth(column);
                assert_eq!(Some(sign), expected, "{judged:?} {severities:?}");
                assert_eq!(decision.outcome().code(), code);
                assert_eq!(decision.reasons.len(), severities.len() + 1);
            }
        }
    }

    #[test]
    fn what_was_taken_back_is_not_taken_back_again_and_damaged_data_still_is_damaged() {
        for (severity, level, code) in [
            (Severity::Degradation, None, 0),
            (Severity::Critical, None, 0),
            (Severity::Corruption, Some(Level::Rebuild), 3),
        ] {
            let facts = Facts {
                taken_back: true,
                ..facts(Judged::Fine, &[severity])
            };
            let decision = decide(&facts, SUSTAINED);
            assert_eq!((decision.level, decision.outcome().code()), (level, code));
            assert_eq!(decision.severity, Some(severity));
        }
    }

    #[test]
    fn how_long_it_was_worse_stands_in_the_reason() {
        let mut facts = facts(Judged::Worse(SignedDuration::from_mins(4)), &[]);
        let reasons = decide(&facts, SUSTAINED).reasons;
        assert_eq!(
            reasons,
            ["worse for 4m, a degradation from 15m on: what the judge says"]
        );
        facts.judged = Judged::Worse(SignedDuration::from_mins(20));
        let reasons = decide(&facts, SUSTAINED).reasons;
        assert_eq!(
            reasons,
            ["worse for 20m, 15m is a degradation: what the judge says"]
        );
    }

    #[test]
    fn programs_read_the_level_as_a_number() {
        let decision = decide(&facts(Judged::Harm, &[]), SUSTAINED);
        let json = serde_json::to_string(&decision).unwrap();
        assert_eq!(
            json,
            r#"{"level":1,"severity":"critical","hold":false,"reasons":["what the judge says"]}"#
        );
    }
}
