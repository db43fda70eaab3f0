//! A `/metrics` page: text in, one sample a line out. Pure, and strict: a line that cannot be read is an
//! error, since a page that was not understood must not look like one without errors.
//!
//! Reads Prometheus' text format, and of OpenMetrics what differs in it: `# EOF`, exemplars, timestamps
//! (all passed over: a page is read now, whatever it says).
//!
//! Sources: <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>,
//! <https://prometheus.io/docs/specs/om/open_metrics_spec/>

use std::borrow::Cow;

use anyhow::{Context as _, Result, anyhow, bail};

use super::super::http::{is_web_page, quote};

/// One sample. Labels are in the page's order.
#[derive(Debug, PartialEq)]
pub(super) struct Sample<'a> {
    pub(super) name: Cow<'a, str>,
    pub(super) labels: Vec<(Cow<'a, str>, Cow<'a, str>)>,
    pub(super) value: f64,
}

impl Sample<'_> {
    pub(super) fn label(&self, name: &str) -> Option<&str> {
        self.labels
            .iter()
            .find(|(label, _)| label == name)
            .map(|(_, value)| value.as_ref())
    }
}

/// All samples of a page.
///
/// # Errors
///
/// The page is empty, is not text, is made for people, breaks off, or has a line that cannot be read.
pub(super) fn samples(body: &[u8]) -> Result<Vec<Sample<'_>>> {
    if body.trim_ascii().is_empty() {
        bail!("the page is empty");
    }
    if is_web_page(body) {
        bail!("it is a web page, not a page of metrics: {}", quote(body));
    }
    let text = std::str::from_utf8(body).context("the page is not UTF-8 text")?;
    let mut samples = Vec::new();
    let mut ended = text.ends_with('\n');
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line == "# EOF" {
            ended = true;
            break;
        }
        if !line.is_empty() && !line.starts_with('#') {
            let place = || format!("line {}: {}", index + 1, quote(line.as_bytes()));
            samples.push(sample(line).with_context(place)?);
        }
    }
    if !ended {
        // Half a number is a number too.
        bail!("the page breaks off in line {}", text.lines().count());
    }
    Ok(samples)
}

fn sample(line: &str) -> Result<Sample<'_>> {
    let mut rest = line;
    let mut name = word(&mut rest, |c| c == ':' || c == '_' || c.is_ascii_alphanumeric()).map(Cow::Borrowed);
    let mut labels = Vec::new();
    rest = rest.trim_start();
    if let Some(inside) = rest.strip_prefix('{') {
        rest = inside.trim_start();
        while !rest.starts_with('}') {
            let label = label(&mut rest)?;
            match (label, &name) {
                ((label, Some(value)), _) => labels.push((label, value)),
                // Prometheus 3 writes a name that is no plain word as the first thing inside the braces.
                ((quoted, None), None) if labels.is_empty() => name = Some(quoted),
                ((label, None), _) => bail!("expected a value of the label {label}"),
            }
            rest = rest.trim_start();
            match rest.strip_prefix(',') {
                Some(behind) => rest = behind.trim_start(),
                None if rest.starts_with('}') => {}
                None => bail!("expected `,` or `}}` between labels"),
            }
        }
        rest = &rest[1..];
    }
    let name = name.ok_or_else(|| anyhow!("expected the name of a metric"))?;
    let mut words = rest.split_whitespace();
    let value = words.next().ok_or_else(|| anyhow!("expected a value"))?;
    let value = value
        .parse()
        .map_err(|_| anyhow!("expected a number, found {value}"))?;
    // A timestamp may follow, then an exemplar behind `#`; nothing else.
    let stamped = words.next().filter(|word| !word.starts_with('#'));
    if let Some(stamp) = stamped
        && (stamp.parse::<f64>().is_err() || words.next().is_some_and(|word| !word.starts_with('#')))
    {
        bail!("expected a timestamp and nothing more behind the value");
    }
    Ok(Sample { name, labels, value })
}

/// `name="value"`, or `"a name"` alone.
fn label<'a>(rest: &mut &'a str) -> Result<(Cow<'a, str>, Option<Cow<'a, str>>)> {
    let name = if rest.starts_with('"') {
        string(rest)?
    } else {
        let name = word(rest, |c| c == '_' || c.is_ascii_alphanumeric());
        Cow::Borrowed(name.ok_or_else(|| anyhow!("expected the name of a label"))?)
    };
    *rest = rest.trim_start();
    let Some(behind) = rest.strip_prefix('=') else {
        return Ok((name, None));
    };
    *rest = behind.trim_start();
    let value = string(rest)?;
    Ok((name, Some(value)))
}

fn word<'a>(rest: &mut &'a str, is_part: fn(char) -> bool) -> Option<&'a str> {
    let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
    let (word, behind) = rest.split_at(end);
    *rest = behind;
    Some(word).filter(|word| !word.is_empty() && !word.starts_with(|c: char| c.is_ascii_digit()))
}

/// A string in double quotes; `\\`, `\"` and `\n` are its escapes, any other backslash is itself.
fn string<'a>(rest: &mut &'a str) -> Result<Cow<'a, str>> {
    let inside = rest
        .strip_prefix('"')
        .ok_or_else(|| anyhow!("expected a value in double quotes"))?;
    let mut escaped = false;
    let end = inside.find(|c| {
        let closes = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closes
    });
    let end = end.ok_or_else(|| anyhow!("expected a closing double quote"))?;
    let text = &inside[..end];
    *rest = &inside[end + 1..];
    if !text.contains('\\') {
        return Ok(Cow::Borrowed(text));
    }
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        match (c, chars.clone().next()) {
            ('\\', Some(kind @ ('\\' | '"' | 'n'))) => {
                plain.push(if kind == 'n' { '\n' } else { kind });
                chars.next();
            }
            _ => plain.push(c),
        }
    }
    Ok(Cow::Owned(plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const REAL: &[u8] = include_bytes!("../../../../tests/fixtures/scrape/prometheus.txt");

    fn read(line: &str) -> String {
        match samples(format!("{line}\n").as_bytes()) {
            Ok(samples) => {
                let show = |Sample { name, labels, value }: &Sample| format!("{name} {labels:?} {value}");
                samples.iter().map(show).collect::<Vec<_>>().join("; ")
            }
            Err(error) => format!("{:#}", error),
        }
    }

    #[test]
    fn lines_are_read_in_all_their_forms() {
        for (line, expected) in [
            ("up 1", r#"up [] 1"#),
            ("up{} 1.5e3", r#"up [] 1500"#),
            (r#"a:b{c="d",e="f"} 2"#, r#"a:b [("c", "d"), ("e", "f")] 2"#),
            (r#"  up { c = "d" , }   2  "#, r#"up [("c", "d")] 2"#),
            (
                r#"up{c="a\\b\"c\nd\q,}="} 2"#,
                r#"up [("c", "a\\b\"c\nd\\q,}=")] 2"#,
            ),
            ("up{c=\"\\\\\"} 2", r#"up [("c", "\\")] 2"#),
            ("up NaN", "up [] NaN"),
            ("up +Inf", "up [] inf"),
            ("up -Inf", "up [] -inf"),
            ("up 1 1700000000123", "up [] 1"),
            ("up 1 1700000000.123", "up [] 1"),
            (
                r#"up_bucket{le="+Inf"} 7 # {trace_id="x"} 0.5 1700000000.1"#,
                r#"up_bucket [("le", "+Inf")] 7"#,
            ),
            (r#"up_total 7 1700000000 # {} 0.5"#, "up_total [] 7"),
            (r#"{"a.b",c="d"} 1"#, r#"a.b [("c", "d")] 1"#),
            (r#"{"a.b", "c.d"="e"} 1"#, r#"a.b [("c.d", "e")] 1"#),
            (
                "# HELP up anything { \"goes\n# TYPE up sometype\n# a remark\n\nup 1\r",
                "up [] 1",
            ),
            ("up 1\n# EOF\nnot read any more", "up [] 1"),
        ] {
            assert_eq!(read(line), expected, "{line}");
        }
    }

    #[test]
    fn a_page_that_cannot_be_read_is_refused_at_its_line() {
        for (page, expected) in [
            ("", "the page is empty"),
            (
                "<!DOCTYPE html>\n<title>Sign in</title>",
                "it is a web page, not a page of metrics: <!DOCTYPE html> <title>Sign in</title>",
            ),
            ("up 1\ndown", "line 2: down: expected a value"),
            ("up one", "line 1: up one: expected a number, found one"),
            (
                "up 1 two",
                "line 1: up 1 two: expected a timestamp and nothing more behind the value",
            ),
            (
                "up 1 2 3",
                "line 1: up 1 2 3: expected a timestamp and nothing more behind the value",
            ),
            ("up{a} 1", "line 1: up{a} 1: expected a value of the label a"),
            (
                "up{a=b} 1",
                "line 1: up{a=b} 1: expected a value in double quotes",
            ),
            (
                "up{a=\"b} 1",
                "line 1: up{a=\"b} 1: expected a closing double quote",
            ),
            (
                "up{a=\"b\" c=\"d\"} 1",
                "line 1: up{a=\"b\" c=\"d\"} 1: expected `,` or `}` between labels",
            ),
            ("up{", "line 1: up{: expected the name of a label"),
            (
                "{a=\"b\"} 1",
                "line 1: {a=\"b\"} 1: expected the name of a metric",
            ),
            ("5 1", "line 1: 5 1: expected the name of a metric"),
            (
                "{\"status\": \"UP\"}",
                "line 1: {\"status\": \"UP\"}: expected `,` or `}` between labels",
            ),
        ] {
            assert_eq!(read(page), expected, "{page}");
        }
        assert_eq!(
            samples(b"up 1\xff\n").unwrap_err().to_string(),
            "the page is not UTF-8 text"
        );
    }

    #[test]
    fn a_page_that_breaks_off_is_refused() {
        assert_eq!(
            samples(b"up 1\nup_total 12").unwrap_err().to_string(),
            "the page breaks off in line 2"
        );
        assert_eq!(samples(b"up 1\n# EOF").unwrap().len(), 1);
    }

    #[test]
    fn a_real_page_is_read_whole() {
        let samples = samples(REAL).unwrap();
        let lines = REAL
            .split(|byte| *byte == b'\n')
            .filter(|line| line.first().is_some_and(|byte| *byte != b'#'));
        assert_eq!(samples.len(), lines.count());
        let queries = samples.iter().find(|sample| {
            sample.name == "prometheus_http_requests_total"
                && sample.label("handler") == Some("/api/v1/query")
        });
        assert!(queries.is_some_and(|sample| sample.value > 0.0));
        assert!(samples.iter().any(|sample| sample.value.is_nan()));
        assert!(samples.iter().any(|sample| sample.label("le") == Some("+Inf")));
    }
}
