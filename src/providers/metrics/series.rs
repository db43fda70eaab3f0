//! The labels of a series, and what a plan's selectors find among the series that there are. Pure.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Result, bail};

use super::selector::{NAME, Selector, is_metric_name, quoted};

/// All labels of a series, the metric's name under `__name__`.
pub(super) type Labels = BTreeMap<String, String>;

/// How many names a message lists at most.
const LISTED: usize = 5;

/// How much alike a name must be to be listed; 1 is the same.
const ALIKE: f64 = 0.5;

/// `labels` in the one way in which we write them: the name first, then sorted.
pub(super) fn key(labels: &Labels) -> String {
    let name = labels.get(NAME).filter(|name| is_metric_name(name));
    let rest = labels
        .iter()
        .filter(|(label, _)| name.is_none() || *label != NAME);
    let rest: Vec<_> = rest
        .map(|(label, value)| format!("{label}={}", quoted(value)))
        .collect();
    format!("{}{{{}}}", name.map_or("", String::as_str), rest.join(","))
}

/// The process that counts: what Prometheus scraped, else the pod; "" if neither is known.
pub(super) fn instance(labels: &Labels) -> &str {
    ["instance", "pod"]
        .into_iter()
        .find_map(|label| labels.get(label))
        .map_or("", String::as_str)
}

/// Refuses a number that no counter can have; NaN means that there is none.
///
/// # Errors
///
/// The number is infinite or below zero.
pub(super) fn check_count(value: f64) -> Result<()> {
    if value.is_infinite() || value < 0.0 {
        bail!("{value} is no value of a counter");
    }
    Ok(())
}

/// Refuses an errors selector that demands a label which no series of requests has.
///
/// Errors may be absent for months, so a misspelt label would look like perfect health. It shows only
/// where both counters are one metric; another metric may appear with its first error.
pub(super) fn check_errors(requests: &Selector, errors: &Selector, seen: &[Labels]) -> Result<()> {
    if errors.metric().is_none() || errors.metric() != requests.metric() || seen.is_empty() {
        return Ok(());
    }
    let known: BTreeSet<&str> = seen.iter().flatten().map(|(label, _)| label.as_str()).collect();
    for label in errors.demanded() {
        if !known.contains(label) {
            let known: Vec<_> = known.into_iter().filter(|label| *label != NAME).collect();
            bail!(
                "errors ({errors}) can never be found: no series of {requests} has a label {label}, they have {}",
                list(&known)
            );
        }
    }
    Ok(())
}

/// Why no series is meant by `selector`, from what there is instead.
pub(super) fn nothing(selector: &Selector, example: Option<&Labels>, names: &BTreeSet<String>) -> String {
    let Some(metric) = selector.metric() else {
        return format!("nothing matches {selector}");
    };
    if let Some(example) = example {
        return format!(
            "{metric} is there, but nothing matches {selector}; one of its series is {}",
            key(example)
        );
    }
    missing("metric", metric, names)
}

/// Why nothing is found of `name`, if these are all that there are.
pub(super) fn missing(kind: &str, name: &str, names: &BTreeSet<String>) -> String {
    let mut close: Vec<_> = names
        .iter()
        .map(|other| {
            (
                strsim::normalized_damerau_levenshtein(name, other),
                other.as_str(),
            )
        })
        .collect();
    close.retain(|(alike, _)| *alike >= ALIKE);
    close.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
    let close: Vec<_> = close.into_iter().take(LISTED).map(|(_, name)| name).collect();
    if close.is_empty() {
        format!(
            "there is no {kind} {name}, nor one like it among {} others",
            names.len()
        )
    } else {
        format!("there is no {kind} {name}; did you mean {}?", list(&close))
    }
}

/// "a", "a or b", "a, b or c"; after a few, how many more.
pub(super) fn list(names: &[&str]) -> String {
    match names {
        [] => "none".into(),
        [one] => (*one).into(),
        [few @ .., last] if names.len() <= LISTED => format!("{} or {last}", few.join(", ")),
        _ => format!("{} or {} more", names[..LISTED].join(", "), names.len() - LISTED),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(pairs: &[(&str, &str)]) -> Labels {
        pairs
            .iter()
            .map(|(label, value)| ((*label).into(), (*value).into()))
            .collect()
    }

    #[test]
    fn a_key_does_not_depend_on_the_order_of_labels() {
        assert_eq!(
            key(&labels(&[("b", "2"), ("__name__", "up"), ("a", "x\"")])),
            r#"up{a="x\"",b="2"}"#
        );
        assert_eq!(key(&labels(&[("a", "1")])), r#"{a="1"}"#);
        assert_eq!(key(&labels(&[("__name__", "a.b")])), r#"{__name__="a.b"}"#);
    }

    #[test]
    fn a_counter_is_neither_infinite_nor_below_zero() {
        check_count(3.0).unwrap();
        check_count(f64::NAN).unwrap();
        assert_eq!(
            check_count(f64::INFINITY).unwrap_err().to_string(),
            "inf is no value of a counter"
        );
        assert_eq!(
            check_count(-1.0).unwrap_err().to_string(),
            "-1 is no value of a counter"
        );
    }

    #[test]
    fn errors_that_can_never_be_found_are_refused() {
        let seen = [labels(&[("__name__", "up"), ("status", "200"), ("path", "/")])];
        let check = |errors: &str| check_errors(&"up".parse().unwrap(), &errors.parse().unwrap(), &seen);
        assert_eq!(
            check("up{code=~\"5..\"}").unwrap_err().to_string(),
            r#"errors (up{code=~"5.."}) can never be found: no series of up has a label code, they have path or status"#
        );
        check("up{status=~\"5..\"}").unwrap();
        check("up{code!=\"200\"}").unwrap();
        check("up{problem!=\"\"}").unwrap();
        check("failures{code=~\"5..\"}").unwrap();
    }

    #[test]
    fn a_name_that_is_not_there_brings_its_neighbours() {
        let selector: Selector = "http_request_total{a=\"b\"}".parse().unwrap();
        let names: BTreeSet<String> = ["http_requests_total", "go_goroutines", "http_request_size", "up"]
            .map(String::from)
            .into();
        assert_eq!(
            nothing(&selector, None, &names),
            "there is no metric http_request_total; did you mean http_requests_total or http_request_size?"
        );
        assert_eq!(
            nothing(&selector, None, &["up".to_owned()].into()),
            "there is no metric http_request_total, nor one like it among 1 others"
        );
        assert_eq!(
            nothing(
                &selector,
                Some(&labels(&[("__name__", "http_request_total"), ("a", "c")])),
                &names
            ),
            "http_request_total is there, but nothing matches http_request_total{a=\"b\"}; one of its series is http_request_total{a=\"c\"}"
        );
        assert_eq!(
            nothing(&"{a=\"b\"}".parse().unwrap(), None, &names),
            "nothing matches {a=\"b\"}"
        );
    }

    #[test]
    fn a_list_ends_after_a_few() {
        assert_eq!(list(&["a"]), "a");
        assert_eq!(list(&["a", "b", "c"]), "a, b or c");
        assert_eq!(
            list(&["a", "b", "c", "d", "e", "f", "g"]),
            "a, b, c, d, e or 2 more"
        );
    }
}
