//! What a plan says of events, and the NRQL that becomes of it. Pure.
//!
//! Source: <https://docs.newrelic.com/docs/nrql/nrql-syntax-clauses-functions/>

use std::fmt;

use anyhow::{Result, bail};

/// Which events are meant, as the plan has it: a condition, or `FROM Event WHERE condition`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Events {
    event: String,
    /// Empty for all of them.
    condition: String,
}

/// An attribute of events: `memoryResidentSizeBytes FROM ProcessSample WHERE …`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gauge {
    attribute: String,
    events: Events,
}

/// What rollgate adds to all queries of one source.
#[derive(Clone, Debug)]
pub(super) struct Scope {
    pub(super) version: String,
    pub(super) versions: [String; 2],
    /// Told apart by, the version first.
    pub(super) by: Vec<String>,
}

/// Clauses that rollgate adds itself.
const OURS: [&str; 7] = ["SELECT", "FACET", "TIMESERIES", "SINCE", "UNTIL", "LIMIT", "FROM"];

const EXPECTED: &str = "expected a condition such as appName = 'shop-api', or FROM Event WHERE condition; rollgate adds \
     the rest";

/// The name of an attribute that we ask for ourselves.
pub(super) fn column(place: usize) -> String {
    format!("n{place}")
}

impl Events {
    /// # Errors
    ///
    /// `text` is more than events and a condition.
    pub(super) fn read(text: &str, default: &str) -> Result<Self> {
        let text = text.trim();
        let (event, condition) = match after(text, "FROM") {
            Some(rest) => {
                let (event, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                (event.trim_matches('`'), rest.trim())
            }
            None => (default, text),
        };
        let is_name = !event.is_empty()
            && event
                .chars()
                .all(|letter| letter.is_alphanumeric() || "_:.".contains(letter));
        if !is_name {
            bail!("{event:?} is no type of events, {EXPECTED}");
        }
        let condition = after(condition, "WHERE").unwrap_or(condition).trim();
        let outside = outside_of_quotes(condition)?;
        let mut words = outside.split(|letter: char| !letter.is_alphanumeric() && letter != '_');
        if let Some(word) = words.find(|word| OURS.contains(&word.to_ascii_uppercase().as_str())) {
            bail!("{text} has a clause of its own ({word}), {EXPECTED}");
        }
        let depth = outside.chars().try_fold(0_i32, |depth, letter| {
            let depth = depth + i32::from(letter == '(') - i32::from(letter == ')');
            (depth >= 0).then_some(depth)
        });
        if depth != Some(0) {
            bail!("{text} has a bracket that is not closed or not opened, {EXPECTED}");
        }
        Ok(Self {
            event: event.to_owned(),
            condition: condition.to_owned(),
        })
    }

    /// The name of the attribute if the condition says anything about it.
    pub(super) fn names(&self, attribute: &str) -> bool {
        outside_of_quotes(&self.condition).is_ok_and(|outside| {
            let mut words = outside.split(|letter: char| !letter.is_alphanumeric() && !"_.".contains(letter));
            words.any(|word| word == attribute)
        })
    }

    pub(super) fn event(&self) -> &str {
        &self.event
    }

    /// One count in each interval, for each version and instance.
    pub(super) fn counted(&self, scope: &Scope, grain: i64) -> String {
        self.asked(&format!("count(*) AS '{}'", column(0)), scope, grain)
    }

    /// All of them, and how many have an attribute of at most each bound.
    pub(super) fn up_to(&self, attribute: &str, bounds: &[f64], scope: &Scope, grain: i64) -> String {
        let mut select = format!("count(*) AS '{}'", column(0));
        for (place, bound) in bounds.iter().enumerate() {
            let name = column(place + 1);
            select += &format!(
                ", filter(count(*), WHERE {} <= {bound}) AS '{name}'",
                ticked(attribute)
            );
        }
        self.asked(&select, scope, grain)
    }

    /// How many of each version there are.
    pub(super) fn of_all_versions(&self, version: &str) -> String {
        let (event, all) = (ticked(&self.event), self.where_(""));
        format!(
            "FROM {event} SELECT count(*) AS '{}'{all} FACET {}",
            column(0),
            ticked(version)
        )
    }

    /// How many there are at all.
    pub(super) fn all(&self) -> String {
        format!(
            "FROM {} SELECT count(*) AS '{}'{}",
            ticked(&self.event),
            column(0),
            self.where_("")
        )
    }

    fn asked(&self, select: &str, scope: &Scope, grain: i64) -> String {
        let Scope {
            version,
            versions: [stable, candidate],
            by,
        } = scope;
        let two = format!(
            "{} IN ({}, {})",
            ticked(version),
            quoted(stable),
            quoted(candidate)
        );
        let by: Vec<_> = by.iter().map(|name| ticked(name)).collect();
        format!(
            "FROM {} SELECT {select}{} FACET {} TIMESERIES {grain} seconds",
            ticked(&self.event),
            self.where_(&two),
            by.join(", ")
        )
    }

    /// The clause with one more condition.
    fn where_(&self, more: &str) -> String {
        match (self.condition.is_empty(), more.is_empty()) {
            (true, true) => String::new(),
            (true, false) => format!(" WHERE {more}"),
            (false, true) => format!(" WHERE {}", self.condition),
            (false, false) => format!(" WHERE ({}) AND {more}", self.condition),
        }
    }
}

impl Gauge {
    /// # Errors
    ///
    /// `text` is not an attribute of events.
    pub(super) fn read(text: &str) -> Result<Self> {
        let (attribute, rest) = text.trim().split_once(char::is_whitespace).unwrap_or((text, ""));
        let attribute = attribute.trim_matches('`');
        let is_name = !attribute.is_empty()
            && attribute
                .chars()
                .all(|letter| letter.is_alphanumeric() || "_.".contains(letter));
        if after(rest.trim(), "FROM").is_none() || !is_name {
            bail!(
                "{text} is no gauge, expected an attribute of events such as memoryResidentSizeBytes FROM ProcessSample \
                 WHERE condition"
            );
        }
        Ok(Self {
            attribute: attribute.to_owned(),
            events: Events::read(rest, "")?,
        })
    }

    pub(super) fn events(&self) -> &Events {
        &self.events
    }

    /// The highest value in each interval, for each version and instance.
    pub(super) fn highest(&self, scope: &Scope, grain: i64) -> String {
        let select = format!("max({}) AS '{}'", ticked(&self.attribute), column(0));
        self.events.asked(&select, scope, grain)
    }
}

impl fmt::Display for Events {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FROM {}{}", self.event, self.where_(""))
    }
}

impl fmt::Display for Gauge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.attribute, self.events)
    }
}

/// A query for this time, with as many groups as there may be.
pub(super) fn between(query: &str, begin: i64, end: i64) -> String {
    format!("{query} SINCE {begin}000 UNTIL {end}000 LIMIT MAX")
}

/// What follows the word at the beginning.
fn after<'a>(text: &'a str, word: &str) -> Option<&'a str> {
    let (first, rest) = text.split_once(char::is_whitespace)?;
    first.eq_ignore_ascii_case(word).then(|| rest.trim())
}

/// The text without what stands in quotes.
fn outside_of_quotes(text: &str) -> Result<String> {
    let (mut outside, mut inside, mut escaped) = (String::new(), false, false);
    for letter in text.chars() {
        match letter {
            _ if escaped => escaped = false,
            '\\' if inside => escaped = true,
            '\'' => inside = !inside,
            _ if !inside => outside.push(letter),
            _ => {}
        }
    }
    if inside {
        bail!("{text} has a quote that is not closed, {EXPECTED}");
    }
    Ok(outside)
}

/// A name with dots is a name only in backticks.
fn ticked(name: &str) -> String {
    format!("`{}`", name.replace('`', ""))
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scope() -> Scope {
        Scope {
            version: "service.version".to_owned(),
            versions: ["v1".to_owned(), "it's".to_owned()],
            by: vec!["service.version".to_owned(), "host".to_owned()],
        }
    }

    #[test]
    fn a_condition_becomes_a_query_of_the_two_versions() {
        let end =
            r"`service.version` IN ('v1', 'it\'s') FACET `service.version`, `host` TIMESERIES 15 seconds";
        for (text, begin) in [
            (
                "appName = 'shop-api'",
                "FROM `Transaction` SELECT count(*) AS 'n0' WHERE (appName = 'shop-api') AND ",
            ),
            (
                "WHERE error IS true OR a = 1",
                "FROM `Transaction` SELECT count(*) AS 'n0' WHERE (error IS true OR a = 1) AND ",
            ),
            (
                "FROM Span WHERE name = 'x'",
                "FROM `Span` SELECT count(*) AS 'n0' WHERE (name = 'x') AND ",
            ),
            ("from Span", "FROM `Span` SELECT count(*) AS 'n0' WHERE "),
        ] {
            let events = Events::read(text, "Transaction").unwrap();
            assert_eq!(events.counted(&scope(), 15), format!("{begin}{end}"));
        }
        let events = Events::read("a = 1", "Transaction").unwrap();
        let query = events.up_to("duration", &[0.1, 0.25], &scope(), 15);
        assert!(
            query.starts_with(
                "FROM `Transaction` SELECT count(*) AS 'n0', filter(count(*), WHERE `duration` <= 0.1) AS 'n1', \
                 filter(count(*), WHERE `duration` <= 0.25) AS 'n2' WHERE (a = 1) AND "
            ),
            "{query}"
        );
        let gauge = Gauge::read("cpuPercent FROM ProcessSample WHERE a = 1").unwrap();
        assert!(
            gauge
                .highest(&scope(), 15)
                .starts_with("FROM `ProcessSample` SELECT max(`cpuPercent`) AS 'n0' WHERE (a = 1) AND ")
        );
        assert_eq!(gauge.to_string(), "cpuPercent FROM ProcessSample WHERE a = 1");
        assert_eq!(between("q", 15, 30), "q SINCE 15000 UNTIL 30000 LIMIT MAX");
    }

    #[test]
    fn what_rollgate_adds_itself_and_what_breaks_out_is_refused() {
        for (text, begin) in [
            (
                "SELECT count(*) FROM Transaction",
                "SELECT count(*) FROM Transaction has a clause of its own (SELECT), ",
            ),
            (
                "FROM A WHERE b = 1 SINCE 1 day ago",
                "FROM A WHERE b = 1 SINCE 1 day ago has a clause of its own (SINCE), ",
            ),
            (
                "a = 1) OR (b = 2",
                "a = 1) OR (b = 2 has a bracket that is not closed or not opened, ",
            ),
            ("a = 'b", "a = 'b has a quote that is not closed, "),
            ("FROM a,b WHERE c = 1", "\"a,b\" is no type of events, "),
        ] {
            let error = Events::read(text, "Transaction").unwrap_err().to_string();
            assert!(error.starts_with(begin), "{error}");
        }
        Events::read("name = 'SINCE) it\\'s'", "Transaction").unwrap();
        assert!(Gauge::read("max(a) FROM B").is_err() && Gauge::read("a").is_err());
    }

    #[test]
    fn a_condition_on_the_version_is_seen() {
        let names = |text: &str| Events::read(text, "T").unwrap().names("service.version");
        assert!(names("service.version = 'a'") && names("a = 1 AND `service.version` LIKE 'b%'"));
        assert!(!names("a = 'service.version'"));
    }
}
