//! Alerting rules of Prometheus: the plan's limits as plain thresholds. Pure.
//!
//! Where both versions are known, a limit that stable breaks as well accuses nobody: the candidate's rule is silent, and
//! stable's says `rollgate: hold`. A label `rollgate` says what rollgate would make of a finding, so that a route may
//! start a rollback from `rollback` and from nothing else.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/configuration/alerting_rules/>

use std::collections::BTreeMap;

use anyhow::{Context as _, Result};
use serde::Serialize;

use super::{
    ABOVE_STABLE, Check, Finding, Gauge, Level, Limits, SLOW, Slow, TIMES_STABLE, Versions, promql,
    promql::Side,
    words::{literal, percent, quantity, rounded, seconds},
};
use crate::providers::metrics::Selector;

/// A burst that is over within a minute wakes nobody.
const SHARE_FOR: &str = "1m";
/// As the judgement: over the limit in a process for five minutes. Data may be missing for as long.
const LONG_FOR: &str = "5m";

/// A rules file.
#[derive(Serialize)]
struct File {
    groups: [Group; 1],
}

#[derive(Serialize)]
struct Group {
    name: String,
    rules: Vec<Rule>,
}

#[derive(Serialize)]
struct Rule {
    alert: String,
    expr: String,
    #[serde(rename = "for")]
    lasting: &'static str,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<&'static str, String>,
}

/// What all rules have in common.
struct Common<'a> {
    service: &'a str,
    versions: Versions<'a>,
    runbook: &'a str,
}

/// A limit that a version must not break.
struct Breach<'a> {
    alert: &'static str,
    level: Level,
    /// The label that tells rules of one name apart.
    which: Option<(&'static str, String)>,
    lasting: &'static str,
    /// What is seen, behind the version's name.
    seen: String,
    /// Which limit it is, and what else there is to know.
    limit: String,
    broken: &'a dyn Fn(Side<'_>) -> String,
}

/// The rules file.
///
/// # Errors
///
/// It cannot be written as YAML.
pub fn rules(limits: &Limits<Selector>, versions: Versions<'_>, runbook: &str) -> Result<String> {
    let common = Common {
        service: &limits.service,
        versions,
        runbook,
    };
    let mut rules = errors(&common, limits);
    if let Some(slow) = &limits.slow {
        rules.extend(latency(&common, slow));
    }
    rules.extend(limits.gauges.iter().flat_map(|each| gauge(&common, each)));
    rules.extend(limits.checks.iter().flat_map(|each| check(&common, each)));
    rules.push(silence(&common, limits));
    let name = format!("rollgate-{}", limits.service);
    let file = File {
        groups: [Group { name, rules }],
    };
    let text = serde_saphyr::to_string(&file).context("write the rules")?;
    Ok(format!(
        "# The limits of {}, made by `verify-health export prometheus-rules` of rollgate: make it anew rather than edit it.\n{text}",
        limits.service
    ))
}

fn errors(common: &Common<'_>, limits: &Limits<Selector>) -> Vec<Rule> {
    let share = |side: Side<'_>| side.share(&limits.errors, &limits.requests);
    let mut rules = Vec::new();
    for (level, limit) in limits.error_rate.levels() {
        rules.extend(common.breach(&Breach {
            alert: "RollgateErrorRate",
            level,
            which: None,
            lasting: SHARE_FOR,
            seen: format!(
                "answers {{{{ $value | humanizePercentage }}}} of its requests with an error, over {}",
                percent(limit)
            ),
            limit: format!("limits.error-rate.{} is {}", level.word(), percent(limit)),
            broken: &|side| format!("{}\n> {}", share(side), rounded(limit)),
        }));
    }
    rules.extend(common.beside_stable(
        "RollgateErrorsAboveStable",
        Level::Critical,
        None,
        "has more errors than stable allows",
        &share,
    ));
    rules
}

fn latency(common: &Common<'_>, slow: &Slow<Selector>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (level, limit) in slow.p95.levels() {
        let key = format!("limits.p95.{} is {}", level.word(), seconds(limit));
        rules.extend(common.breach(&Breach {
            alert: "RollgateSlow",
            level,
            which: None,
            lasting: SHARE_FOR,
            seen: format!(
                "answers {{{{ $value | humanizePercentage }}}} of its requests slower than {}, over {}",
                seconds(limit),
                percent(SLOW)
            ),
            limit: format!(
                "{key}. It is counted at that bound of the histogram: if there is none, this alert never fires, and \
                 RollgateSlowNoBound does"
            ),
            broken: &|side| format!("{}\n> {SLOW}", side.slower(&slow.latency, limit)),
        }));
        rules.push(common.rule(
            "RollgateSlowNoBound",
            promql::without_bound(&slow.latency, limit),
            LONG_FOR,
            (Level::Warning, Finding::Hold),
            Some(("bound", rounded(limit).to_string())),
            [
                format!("{} is not watched for slow requests", common.service),
                format!(
                    "{key}, which is no bound of the histogram. Give it such a bucket, or take one of its bounds for \
                     the limit"
                ),
            ],
        ));
    }
    rules
}

fn gauge(common: &Common<'_>, gauge: &Gauge<Selector>) -> Vec<Rule> {
    let mut rules = Vec::new();
    for (level, limit) in gauge.limits.levels() {
        let (name, shown) = (literal(&gauge.name), quantity(limit, gauge.unit));
        rules.extend(common.breach(&Breach {
            alert: "RollgateGauge",
            level,
            which: Some(("gauge", name.clone())),
            lasting: LONG_FOR,
            seen: format!("has {name} over {shown} in a process for 5 minutes"),
            limit: format!("the {} limit of {name} is {shown}", level.word()),
            broken: &|side| format!("{}\n> {}", side.largest(&gauge.query), rounded(limit)),
        }));
    }
    rules
}

fn check(common: &Common<'_>, check: &Check<Selector>) -> Vec<Rule> {
    let name = literal(&check.name);
    let which = Some(("check", name.clone()));
    match check.at_least {
        Some(limit) => common.breach(&Breach {
            alert: "RollgateCheck",
            level: check.level,
            which,
            lasting: SHARE_FOR,
            seen: format!(
                "has {name} at {{{{ $value | humanizePercentage }}}}, under {}",
                percent(limit)
            ),
            limit: format!("the check {name} needs at least {}", percent(limit)),
            broken: &|side| format!("{}\n< {}", side.share(&check.good, &check.total), rounded(limit)),
        }),
        None => common.beside_stable(
            "RollgateCheckBelowStable",
            check.level,
            which,
            &format!("fails {name} more often than stable allows"),
            &|side| side.rest(&check.good, &check.total),
        ),
    }
}

fn silence(common: &Common<'_>, limits: &Limits<Selector>) -> Rule {
    common.rule(
        "RollgateNoData",
        format!("absent({})", limits.requests),
        LONG_FOR,
        (Level::Warning, Finding::Hold),
        None,
        [
            format!("{} has no series of its requests", common.service),
            format!(
                "{} has no sample. Silence is neither health nor harm, and rollgate holds meanwhile",
                literal(&limits.requests.to_string())
            ),
        ],
    )
}

impl Common<'_> {
    fn side<'s>(&'s self, version: Option<&'s str>) -> Side<'s> {
        Side {
            label: self.versions.label,
            version,
        }
    }

    /// Each version's rule; where both are known the candidate's, which stable excuses, and stable's.
    fn breach(&self, breach: &Breach<'_>) -> Vec<Rule> {
        let Breach {
            alert,
            level,
            which,
            lasting,
            seen,
            limit,
            broken,
        } = breach;
        let rule = |name: &str, expr: String, finding: Finding| {
            let texts = [
                format!("{} {name} {seen}", self.service),
                format!("In the plan {limit}"),
            ];
            self.rule(alert, expr, lasting, (*level, finding), which.clone(), texts)
        };
        let Some([stable, candidate]) = self.versions.both() else {
            let name = format!("{{{{ $labels.{} }}}}", self.versions.label);
            return vec![rule(&name, broken(self.side(None)), Finding::from(*level))];
        };
        let [of_stable, of_candidate] = [stable, candidate].map(|version| broken(self.side(Some(version))));
        let mut rules = vec![
            rule(
                &literal(candidate),
                format!("{of_candidate}\nunless on ()\n({of_stable})"),
                Finding::from(*level),
            ),
            rule(&literal(stable), of_stable, Finding::Hold),
        ];
        for (rule, version) in rules.iter_mut().zip([candidate, stable]) {
            rule.of(self.versions.label, version);
        }
        rules
    }

    /// The candidate's rule against stable; none where one of them is not known.
    fn beside_stable(
        &self,
        alert: &'static str,
        level: Level,
        which: Option<(&'static str, String)>,
        seen: &str,
        failing: &dyn Fn(Side<'_>) -> String,
    ) -> Vec<Rule> {
        let Some([stable, candidate]) = self.versions.both() else {
            return Vec::new();
        };
        let [of_stable, of_candidate] = [stable, candidate].map(|version| failing(self.side(Some(version))));
        let mut rule = self.rule(
            alert,
            format!("({of_candidate})\n> on ()\n({TIMES_STABLE} * ({of_stable}) + {ABOVE_STABLE})"),
            SHARE_FOR,
            (level, Finding::from(level)),
            which,
            [
                format!(
                    "{} {} {seen}, {{{{ $value | humanizePercentage }}}}",
                    self.service,
                    literal(candidate)
                ),
                format!(
                    "More than {TIMES_STABLE} times that of {} and {} more",
                    literal(stable),
                    percent(ABOVE_STABLE)
                ),
            ],
        );
        rule.of(self.versions.label, candidate);
        vec![rule]
    }

    fn rule(
        &self,
        alert: &str,
        expr: String,
        lasting: &'static str,
        (level, finding): (Level, Finding),
        which: Option<(&'static str, String)>,
        [summary, description]: [String; 2],
    ) -> Rule {
        let mut labels = BTreeMap::from(
            [
                ("service", self.service),
                ("severity", level.word()),
                ("rollgate", finding.word()),
            ]
            .map(|(label, value)| (label.to_owned(), value.to_owned())),
        );
        labels.extend(which.map(|(label, value)| (label.to_owned(), value)));
        let annotations = BTreeMap::from([
            ("summary", summary),
            ("description", format!("{description}.")),
            ("runbook_url", literal(self.runbook)),
        ]);
        Rule {
            alert: alert.to_owned(),
            expr,
            lasting,
            labels,
            annotations,
        }
    }
}

impl Rule {
    /// One version's rule: its series are summed up, so its name comes back as a label.
    fn of(&mut self, label: &str, version: &str) {
        self.labels.insert(label.to_owned(), literal(version));
    }
}
