//! What a plan says of a metric, and the query that becomes of it. Pure.
//!
//! Sources: <https://docs.datadoghq.com/metrics/advanced-filtering/>,
//! <https://docs.datadoghq.com/dashboards/functions/rollup/> and, for `count(v: v<=…)`,
//! <https://docs.datadoghq.com/metrics/distributions/#threshold-queries>

use anyhow::{Context as _, Result, bail};

/// A metric and the part of it that is meant, as the plan has it: `trace.rack.request.hits{service:shop-api}`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Query {
    pub(super) metric: String,
    /// What stands between the braces; empty for all of it.
    filter: String,
}

/// Versions and what is told apart by, for the queries of one source.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) version_tag: String,
    pub(super) versions: [String; 2],
    pub(super) by: Vec<String>,
}

/// What is asked of a metric.
#[derive(Clone, Copy, Debug)]
pub(super) enum Ask {
    /// A counter's events.
    Sum,
    /// A gauge's highest value.
    Max,
    /// All values of a distribution.
    Count,
    /// Those of them up to so many seconds.
    AtMost(f64),
}

/// Words by which a filter is more than a list.
const BOOLEAN: [&str; 4] = ["AND", "OR", "NOT", "IN"];

impl Query {
    /// # Errors
    ///
    /// `text` is more or less than a metric and its tags.
    pub(super) fn read(text: &str) -> Result<Self> {
        const EXPECTED: &str = "expected a metric and its tags alone, such as \
             trace.rack.request.hits{service:shop-api}; rollgate adds the rest";
        let text = text.trim();
        let (metric, rest) = match text.split_once('{') {
            Some((metric, rest)) => (metric, Some(rest)),
            None => (text, None),
        };
        if let Some((aggregator, _)) = metric.split_once(':') {
            bail!("{text} begins with the aggregator {aggregator}, {EXPECTED}");
        }
        let is_name = metric.starts_with(|first: char| first.is_ascii_alphabetic())
            && metric
                .chars()
                .all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter));
        if !is_name {
            bail!("{metric:?} is no name of a metric, {EXPECTED}");
        }
        let filter = match rest {
            None => "",
            Some(rest) => {
                let (filter, after) = rest
                    .split_once('}')
                    .with_context(|| format!("{text} has no closing brace, {EXPECTED}"))?;
                if !after.trim().is_empty() {
                    bail!("{text} ends with {}, {EXPECTED}", after.trim());
                }
                filter.trim()
            }
        };
        if filter.contains('$') {
            bail!("{text} has a dashboard's variable, {EXPECTED}");
        }
        Ok(Self {
            metric: metric.to_owned(),
            filter: if filter == "*" {
                String::new()
            } else {
                filter.to_owned()
            },
        })
    }

    /// Whether the filter says anything about `tag`.
    pub(super) fn names(&self, tag: &str) -> bool {
        self.filter
            .split([',', ' ', '(', ')', '!'])
            .any(|word| word.split_once(':').map_or(word, |(name, _)| name) == tag)
    }

    /// The query for one number in each interval of `grain` seconds, for each version and instance.
    pub(super) fn asked(&self, ask: Ask, scope: &Scope, grain: i64) -> String {
        let Scope {
            version_tag,
            versions: [stable, candidate],
            by,
        } = scope;
        let versions = format!("{version_tag} IN ({stable},{candidate})");
        self.written(ask, &self.narrowed(&versions), by, grain)
    }

    /// The query for one number in each interval, for whatever versions there are.
    pub(super) fn of_all_versions(&self, ask: Ask, version_tag: &str, grain: i64) -> String {
        let filter = if self.filter.is_empty() { "*" } else { &self.filter };
        self.written(ask, filter, &[version_tag.to_owned()], grain)
    }

    fn written(&self, ask: Ask, filter: &str, by: &[String], grain: i64) -> String {
        let (aggregator, end) = match ask {
            Ask::Sum => ("sum".to_owned(), format!(".as_count().rollup(sum, {grain})")),
            Ask::Max => ("max".to_owned(), format!(".rollup(max, {grain})")),
            // Distributions are summed in time and space alike: their rollup has no method.
            Ask::Count => ("count".to_owned(), format!(".as_count().rollup({grain})")),
            Ask::AtMost(bound) => (
                format!("count(v: v<={bound})"),
                format!(".as_count().rollup({grain})"),
            ),
        };
        format!(
            "{aggregator}:{}{{{filter}}} by {{{}}}{end}",
            self.metric,
            by.join(",")
        )
    }

    /// The filter with one more condition.
    fn narrowed(&self, condition: &str) -> String {
        let boolean = self
            .filter
            .split([' ', '(', ')'])
            .any(|word| BOOLEAN.contains(&word.to_ascii_uppercase().as_str()));
        if self.filter.is_empty() {
            condition.to_owned()
        } else if boolean {
            format!("({}) AND {condition}", self.filter)
        } else {
            // Commas mean AND.
            let parts = self.filter.split(',').map(str::trim).collect::<Vec<_>>();
            format!("{} AND {condition}", parts.join(" AND "))
        }
    }
}

impl std::fmt::Display for Query {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let filter = if self.filter.is_empty() { "*" } else { &self.filter };
        write!(f, "{}{{{filter}}}", self.metric)
    }
}

/// A version as Datadog writes it in a tag: in lower case, and `_` for what a tag cannot hold.
///
/// Source: <https://docs.datadoghq.com/getting_started/tagging/#define-tags>
pub(super) fn tag_value(version: &str) -> String {
    let letter = |letter: char| match letter {
        letter if letter.is_alphanumeric() || "_-:./".contains(letter) => letter,
        _ => '_',
    };
    version.to_lowercase().chars().map(letter).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(text: &str, ask: Ask) -> String {
        let scope = Scope {
            version_tag: "version".to_owned(),
            versions: ["v1".to_owned(), "v2".to_owned()],
            by: vec!["version".to_owned(), "host".to_owned()],
        };
        Query::read(text).unwrap().asked(ask, &scope, 20)
    }

    #[test]
    fn a_query_is_of_the_two_versions_and_in_intervals() {
        for (text, ask, expected) in [
            (
                "trace.rack.request.hits{service:shop-api,env:prod}",
                Ask::Sum,
                "sum:trace.rack.request.hits{service:shop-api AND env:prod AND version IN (v1,v2)} \
                 by {version,host}.as_count().rollup(sum, 20)",
            ),
            (
                "a.b{*}",
                Ask::Max,
                "max:a.b{version IN (v1,v2)} by {version,host}.rollup(max, 20)",
            ),
            (
                "a.b",
                Ask::Count,
                "count:a.b{version IN (v1,v2)} by {version,host}.as_count().rollup(20)",
            ),
            (
                "a.b{env:prod OR env:beta}",
                Ask::AtMost(0.25),
                "count(v: v<=0.25):a.b{(env:prod OR env:beta) AND version IN (v1,v2)} \
                 by {version,host}.as_count().rollup(20)",
            ),
        ] {
            assert_eq!(asked(text, ask), expected);
        }
    }

    #[test]
    fn what_rollgate_adds_itself_is_refused() {
        for (text, begin) in [
            ("sum:a.b{*}", "sum:a.b{*} begins with the aggregator sum, "),
            ("a.b{*}.as_count()", "a.b{*}.as_count() ends with .as_count(), "),
            ("a.b{*} by {host}", "a.b{*} by {host} ends with by {host}, "),
            ("a.b{env:prod", "a.b{env:prod has no closing brace, "),
            ("a.b{$env}", "a.b{$env} has a dashboard's variable, "),
            ("1 + 2", "\"1 + 2\" is no name of a metric, "),
        ] {
            let error = Query::read(text).unwrap_err().to_string();
            assert!(error.starts_with(begin), "{error}");
        }
    }

    #[test]
    fn a_filter_by_version_is_seen() {
        let names = |text: &str| Query::read(text).unwrap().names("version");
        assert!(names("a{version:v1}") && names("a{env:x,!version:v1}") && names("a{NOT version IN (a,b)}"));
        assert!(!names("a{env:version}") && !names("a{api_version:2}") && !names("a"));
    }

    #[test]
    fn a_version_is_compared_as_a_tag_holds_it() {
        assert_eq!(tag_value("V1.2+RC 3"), "v1.2_rc_3");
    }
}
