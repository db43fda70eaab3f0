//! Numbers and texts as people and templates read them.

use rollgate_domain::analysis::GaugeUnit;

/// `1 %`, `0.05 %`: without the noise of binary fractions.
pub(super) fn percent(share: f64) -> String {
    format!("{} %", rounded(share * 100.0))
}

/// A limit of a gauge: `700 MB`, `90 %`, `250`.
pub(super) fn quantity(value: f64, unit: GaugeUnit) -> String {
    match unit {
        GaugeUnit::Plain => rounded(value).to_string(),
        GaugeUnit::Bytes => format!("{} MB", rounded(value / 1e6)),
        GaugeUnit::Share => percent(value),
    }
}

/// `250 ms`, `1.5 s`.
pub(super) fn seconds(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{} ms", rounded(seconds * 1000.0))
    } else {
        format!("{} s", rounded(seconds))
    }
}

/// Six digits behind the point are more than any limit has.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 1e6).round() / 1e6
}

/// A foreign text inside a template of Go: braces of its own begin nothing.
pub(super) fn literal(text: &str) -> String {
    text.replace("{{", r#"{{"{{"}}"#)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn limits_read_as_they_were_written() {
        assert_eq!(percent(0.01), "1 %");
        assert_eq!(percent(0.0005), "0.05 %");
        assert_eq!(percent(0.29), "29 %");
        assert_eq!(quantity(700e6, GaugeUnit::Bytes), "700 MB");
        assert_eq!(quantity(0.9, GaugeUnit::Share), "90 %");
        assert_eq!(quantity(250.0, GaugeUnit::Plain), "250");
        assert_eq!(
            (seconds(0.25), seconds(1.5)),
            ("250 ms".to_owned(), "1.5 s".to_owned())
        );
    }

    #[test]
    fn a_foreign_brace_begins_no_template() {
        assert_eq!(literal("{{ $value }}"), r#"{{"{{"}} $value }}"#);
    }
}
