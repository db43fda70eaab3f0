//! A selector of one counter, as people write it in Prometheus: text in, checked matchers out.
//!
//! `http_requests_total{service="shop-api",code=~"5.."}`. Pure: it can be printed for a query, given
//! one more matcher, and held against the labels of a scraped sample.
//!
//! Source: <https://prometheus.io/docs/prometheus/latest/querying/basics/#instant-vector-selectors>

mod parse;

use std::fmt;

use regex::Regex;

pub(super) use self::parse::is_metric_name;
use self::parse::{anchored, label_name};

/// The label that holds a metric's name.
pub(super) const NAME: &str = "__name__";

/// Which series of a source are meant.
#[derive(Clone, Debug)]
pub struct Selector {
    // Never empty; at least one refuses the empty text, as Prometheus demands.
    matchers: Vec<Matcher>,
}

/// Why a text is no selector. Columns count characters from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("column {column}: found {found}, expected {expected}")]
pub struct BadSelector {
    pub column: usize,
    pub found: String,
    pub expected: String,
}

#[derive(Clone, Debug)]
struct Matcher {
    label: String,
    value: String,
    test: Test,
}

#[derive(Clone, Debug)]
enum Test {
    Equal,
    NotEqual,
    Like(Regex),
    Unlike(Regex),
}

impl Selector {
    /// The name of the metric, if the selector names exactly one.
    #[must_use]
    pub fn metric(&self) -> Option<&str> {
        let named = |matcher: &&Matcher| matcher.label == NAME && matches!(matcher.test, Test::Equal);
        self.matchers
            .iter()
            .find(named)
            .map(|matcher| matcher.value.as_str())
    }

    /// The same selector of the metric whose name is longer by `suffix`: a histogram's buckets.
    #[must_use]
    pub fn suffixed(&self, suffix: &str) -> Self {
        let mut suffixed = self.clone();
        for matcher in &mut suffixed.matchers {
            if matcher.label == NAME && matches!(matcher.test, Test::Equal) {
                matcher.value.push_str(suffix);
            }
        }
        suffixed
    }

    /// Whether the selector says anything about `label`.
    #[must_use]
    pub fn names(&self, label: &str) -> bool {
        self.matchers.iter().any(|matcher| matcher.label == label)
    }

    /// Labels that must have certain values; the metric's name is not among them.
    ///
    /// A label that must only be there at all (`error!=""`) is not either: it may come with the first error.
    pub fn demanded(&self) -> impl Iterator<Item = &str> {
        // No label has this value, so who accepts it accepts every value.
        let demanding =
            |matcher: &&Matcher| matcher.label != NAME && !matcher.accepts("") && !matcher.accepts("\0");
        self.matchers
            .iter()
            .filter(demanding)
            .map(|matcher| matcher.label.as_str())
    }

    /// The same selector for those series only whose `label` is one of `values`, to the letter.
    ///
    /// # Errors
    ///
    /// `label` is not a label name.
    pub fn narrowed(&self, label: &str, values: &[&str]) -> Result<Self, BadSelector> {
        let pattern = values
            .iter()
            .map(|value| regex::escape(value))
            .collect::<Vec<_>>()
            .join("|");
        let mut narrowed = self.clone();
        narrowed.matchers.push(Matcher {
            label: label_name(label)?,
            test: Test::Like(anchored(&pattern, 1)?),
            value: pattern,
        });
        Ok(narrowed)
    }

    /// Whether a series is meant; `label` looks up one of its labels, `__name__` included.
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.matchers
            .iter()
            .all(|matcher| matcher.accepts(label(&matcher.label).unwrap_or_default()))
    }
}

impl fmt::Display for Selector {
    /// As Prometheus reads it; all strings in double quotes.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut matchers = self.matchers.as_slice();
        if let [first, others @ ..] = matchers
            && first.label == NAME
            && matches!(first.test, Test::Equal)
            && is_metric_name(&first.value)
        {
            f.write_str(&first.value)?;
            matchers = others;
            if others.is_empty() {
                return Ok(());
            }
        }
        f.write_str("{")?;
        for (index, Matcher { label, value, test }) in matchers.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let sign = match test {
                Test::Equal => "=",
                Test::NotEqual => "!=",
                Test::Like(_) => "=~",
                Test::Unlike(_) => "!~",
            };
            write!(f, "{comma}{label}{sign}{}", quoted(value))?;
        }
        f.write_str("}")
    }
}

impl Matcher {
    fn accepts(&self, value: &str) -> bool {
        match &self.test {
            Test::Equal => self.value == value,
            Test::NotEqual => self.value != value,
            Test::Like(pattern) => pattern.is_match(value),
            Test::Unlike(pattern) => !pattern.is_match(value),
        }
    }
}

/// `value` in double quotes, as both the query language and the text format read it.
pub(super) fn quoted(value: &str) -> String {
    format!(
        "\"{}\"",
        value
            .replace('\\', r"\\")
            .replace('"', "\\\"")
            .replace('\n', r"\n")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_held_against_all_matchers() {
        let series = [("__name__", "up"), ("code", "500"), ("path", "a\nb")];
        for (text, expected) in [
            ("up", true),
            ("down", false),
            ("up{code=\"500\"}", true),
            ("up{code=\"50\"}", false),
            ("up{code!=\"500\"}", false),
            ("up{code=~\"5..\"}", true),
            // Anchored at both ends.
            ("up{code=~\"5\"}", false),
            ("up{code=~\"4|5\"}", false),
            ("up{code=~\"4..|5..\"}", true),
            ("up{code!~\"5..\"}", false),
            ("up{path=~\"a.b\"}", true),
            ("up{path=~\"(?i)A.B\"}", true),
            // A label that is not there is the empty text.
            ("up{other=\"\"}", true),
            ("up{other!=\"x\"}", true),
            ("up{other=~\".+\"}", false),
        ] {
            let selector: Selector = text.parse().unwrap();
            let label = |name: &str| {
                series
                    .iter()
                    .find(|(label, _)| *label == name)
                    .map(|(_, value)| *value)
            };
            assert_eq!(selector.matches(label), expected, "{text}");
        }
    }

    #[test]
    fn a_narrowed_selector_takes_values_to_the_letter() {
        let selector: Selector = "up{a=\"b\"}".parse().unwrap();
        let narrowed = selector.narrowed("version", &["1.2", "v|3\"+"]).unwrap();
        assert_eq!(narrowed.to_string(), r#"up{a="b",version=~"1\\.2|v\\|3\"\\+"}"#);
        let version = |value: &'static str| {
            narrowed.matches(|label| {
                Some(if label == "version" {
                    value
                } else if label == "a" {
                    "b"
                } else {
                    "up"
                })
            })
        };
        assert!(version("1.2") && version("v|3\"+"));
        assert!(!version("1x2") && !version("v") && !version(""));
        assert_eq!(
            selector.narrowed("a-b", &["x"]).unwrap_err().to_string(),
            "column 2: found `-`, expected a label name"
        );
    }

    #[test]
    fn labels_that_must_have_certain_values_are_known() {
        let selector: Selector = "up{a=\"b\",c=\"\",d!=\"x\",e=~\".*\",f=~\"5..\",g!=\"\",h=~\".+\"}"
            .parse()
            .unwrap();
        assert_eq!(selector.demanded().collect::<Vec<_>>(), ["a", "f"]);
        assert!(selector.names("c") && !selector.names("x"));
        assert_eq!(selector.metric(), Some("up"));
    }
}
