//! Expressions of Prometheus, as rules and dashboards ask them. Text in, text out.
//!
//! A share is 0 where there are requests and no series of what is counted, and nothing where there are no requests:
//! silence is neither health nor harm.

use super::WINDOW;
use crate::providers::metrics::Selector;

/// Whose series.
#[derive(Clone, Copy, Debug)]
pub(super) struct Side<'a> {
    /// The label that holds the version.
    pub(super) label: &'a str,
    /// One version, or each by itself.
    pub(super) version: Option<&'a str>,
}

impl Side<'_> {
    /// The series of this side, with one more matcher where there is one.
    fn series(self, selector: &Selector, matcher: &str) -> String {
        let version = self
            .version
            .map(|version| format!("{}={}", self.label, quoted(version)));
        let matchers: Vec<_> = version
            .into_iter()
            .chain((!matcher.is_empty()).then(|| matcher.to_owned()))
            .collect();
        narrowed(&selector.to_string(), &matchers.join(","))
    }

    /// `sum by (version)`; one version needs no label, so that it can be held against the other.
    fn aggregate(self, operator: &str, more: &[&str]) -> String {
        let version = self.version.is_none().then_some(self.label);
        let by: Vec<_> = version.into_iter().chain(more.iter().copied()).collect();
        if by.is_empty() {
            operator.to_owned()
        } else {
            format!("{operator} by ({})", by.join(", "))
        }
    }

    /// How many of these there are in a second.
    pub(super) fn rate(self, selector: &Selector) -> String {
        self.rate_of(selector, "")
    }

    fn rate_of(self, selector: &Selector, matcher: &str) -> String {
        let series = self.series(selector, matcher);
        format!("{} (rate({series}[{WINDOW}]))", self.aggregate("sum", &[]))
    }

    /// Which share of `whole` are `part`.
    pub(super) fn share(self, part: &Selector, whole: &Selector) -> String {
        let (part, whole) = (self.rate(part), self.rate(whole));
        format!("({part} or {whole} * 0)\n/\n({whole} > 0)")
    }

    /// Which share of `whole` are not `part`.
    pub(super) fn rest(self, part: &Selector, whole: &Selector) -> String {
        format!("1 -\n{}", self.share(part, whole))
    }

    /// The share of requests above a bound of the histogram; nothing if it has no such bound.
    pub(super) fn slower(self, buckets: &Selector, seconds: f64) -> String {
        let all = self.rate_of(buckets, INFINITY);
        let within = self.rate_of(buckets, &bound(seconds));
        format!("({all} - {within})\n/\n({all} > 0)")
    }

    /// A quantile, interpolated inside a bucket: an estimate, for eyes only.
    pub(super) fn quantile(self, buckets: &Selector, quantile: f64) -> String {
        let series = self.series(buckets, "");
        let sum = self.aggregate("sum", &["le"]);
        format!("histogram_quantile({quantile}, {sum} (rate({series}[{WINDOW}])))")
    }

    /// The largest of all values, for each instance.
    pub(super) fn largest(self, gauge: &Selector) -> String {
        format!(
            "{} ({})",
            self.aggregate("max", &["instance"]),
            self.series(gauge, "")
        )
    }
}

/// Fires where there is a histogram and it has no such bound.
pub(super) fn without_bound(buckets: &Selector, seconds: f64) -> String {
    let count = |matcher: &str| format!("count({})", narrowed(&buckets.to_string(), matcher));
    format!("{}\nunless on ()\n{}", count(INFINITY), count(&bound(seconds)))
}

/// The bucket of all.
const INFINITY: &str = "le=\"+Inf\"";

/// A bound's matcher. Clients write whole seconds as `1` or `1.0`.
fn bound(seconds: f64) -> String {
    let text = seconds.to_string();
    if text.contains('.') {
        format!("le={}", quoted(&text))
    } else {
        format!("le=~{}", quoted(&format!(r"{text}|{text}\.0")))
    }
}

/// A selector's text, as it prints itself, with one more matcher.
fn narrowed(selector: &str, matcher: &str) -> String {
    if matcher.is_empty() {
        return selector.to_owned();
    }
    match selector.strip_suffix('}') {
        Some(open) if open.ends_with('{') => format!("{open}{matcher}}}"),
        Some(open) => format!("{open},{matcher}}}"),
        None => format!("{selector}{{{matcher}}}"),
    }
}

/// A string of the query language.
fn quoted(text: &str) -> String {
    let text = text
        .replace('\\', r"\\")
        .replace('"', "\\\"")
        .replace('\n', r"\n");
    format!("\"{text}\"")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn selector(text: &str) -> Selector {
        text.parse().unwrap()
    }

    const EACH: Side<'_> = Side {
        label: "version",
        version: None,
    };
    const ONE: Side<'_> = Side {
        label: "version",
        version: Some("v\"2"),
    };

    #[test]
    fn one_version_is_a_matcher_and_each_is_a_label() {
        let requests = selector("r{a=\"}\"}");
        assert_eq!(EACH.rate(&requests), r#"sum by (version) (rate(r{a="}"}[5m]))"#);
        assert_eq!(ONE.rate(&requests), r#"sum (rate(r{a="}",version="v\"2"}[5m]))"#);
        assert_eq!(ONE.rate(&selector("r")), r#"sum (rate(r{version="v\"2"}[5m]))"#);
        assert_eq!(EACH.largest(&selector("m")), "max by (version, instance) (m)");
    }

    #[test]
    fn a_whole_second_is_found_however_it_is_written() {
        assert_eq!(bound(0.25), r#"le="0.25""#);
        assert_eq!(bound(1.0), r#"le=~"1|1\\.0""#);
    }
}
