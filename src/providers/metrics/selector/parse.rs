//! The text of a selector, read from left to right; every refusal names its column.

use std::str::FromStr;

use regex::Regex;

use super::{BadSelector, Matcher, NAME, Selector, Test};

/// Said to everyone who gives us a query where a counter is wanted.
const BARE: &str = "give the bare counter; rollgate takes the differences itself";

impl FromStr for Selector {
    type Err = BadSelector;

    fn from_str(text: &str) -> Result<Self, BadSelector> {
        let mut cursor = Cursor { text, at: 0 };
        let mut matchers = Vec::new();
        cursor.skip_blanks();
        if let Some(metric) = cursor.metric_name() {
            if let Some(function) = cursor.called(metric) {
                return Err(function);
            }
            matchers.push(Matcher {
                label: NAME.into(),
                value: metric.into(),
                test: Test::Equal,
            });
            cursor.skip_blanks();
        }
        let braces = cursor.at;
        if cursor.eat("{") {
            cursor.matchers(&mut matchers)?;
            cursor.skip_blanks();
        } else if matchers.is_empty() {
            return Err(cursor.leftover("a metric name or `{`"));
        }
        if !cursor.rest().is_empty() {
            return Err(cursor.leftover("the end"));
        }
        if matchers.iter().all(|matcher| matcher.accepts("")) {
            let cursor = Cursor { text, at: braces };
            return Err(cursor.bad("a metric name, or a matcher that not every series passes"));
        }
        Ok(Self { matchers })
    }
}

pub(in super::super) fn is_metric_name(text: &str) -> bool {
    !text.starts_with(|c: char| c.is_ascii_digit()) && !text.is_empty() && text.chars().all(is_metric_char)
}

fn is_metric_char(c: char) -> bool {
    c == ':' || is_label_char(c)
}

fn is_label_char(c: char) -> bool {
    c == '_' || c.is_ascii_alphanumeric()
}

pub(super) fn label_name(text: &str) -> Result<String, BadSelector> {
    let mut cursor = Cursor { text, at: 0 };
    match cursor.word(is_label_char) {
        Some(name) if cursor.rest().is_empty() => Ok(name.into()),
        _ => Err(cursor.bad("a label name")),
    }
}

/// Prometheus anchors patterns at both ends and lets `.` match a line feed.
pub(super) fn anchored(pattern: &str, column: usize) -> Result<Regex, BadSelector> {
    // Alone first: `a)(b` would become valid inside our own parentheses.
    Regex::new(pattern)
        .and_then(|_| Regex::new(&format!("^(?s:{pattern})$")))
        .map_err(|error| {
            let text = error.to_string();
            let cause = text.lines().last().unwrap_or_default();
            let cause = cause.strip_prefix("error: ").unwrap_or(cause);
            BadSelector {
                column,
                found: format!("`{pattern}`"),
                expected: format!("a regular expression ({cause})"),
            }
        })
}

struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn skip_blanks(&mut self) {
        self.at = self.text.len() - self.rest().trim_start().len();
    }

    fn eat(&mut self, token: &str) -> bool {
        let found = self.rest().starts_with(token);
        if found {
            self.at += token.len();
        }
        found
    }

    fn word(&mut self, is_part: fn(char) -> bool) -> Option<&'a str> {
        let rest = self.rest();
        let end = rest.find(|c| !is_part(c)).unwrap_or(rest.len());
        let word = Some(&rest[..end])
            .filter(|word| !word.is_empty() && !word.starts_with(|c: char| c.is_ascii_digit()))?;
        self.at += end;
        Some(word)
    }

    fn metric_name(&mut self) -> Option<&'a str> {
        self.word(is_metric_char)
    }

    /// What stands behind `{`, up to and with `}`.
    fn matchers(&mut self, matchers: &mut Vec<Matcher>) -> Result<(), BadSelector> {
        loop {
            self.skip_blanks();
            if self.eat("}") {
                return Ok(());
            }
            let start = self.at;
            let label = self
                .word(is_label_char)
                .ok_or_else(|| self.bad("a label name or `}`"))?;
            if label == NAME && matchers.iter().any(|matcher| matcher.label == NAME) {
                let cursor = Cursor {
                    text: self.text,
                    at: start,
                };
                return Err(cursor.bad("one metric name only"));
            }
            matchers.push(self.matcher(label)?);
            self.skip_blanks();
            if !self.eat(",") && !self.rest().starts_with('}') {
                return Err(self.bad("`,` or `}`"));
            }
        }
    }

    fn matcher(&mut self, label: &str) -> Result<Matcher, BadSelector> {
        self.skip_blanks();
        // Two-character signs first: `=` begins `=~` as well.
        let sign = ["=~", "!~", "!=", "="].into_iter().find(|sign| self.eat(sign));
        let sign = sign.ok_or_else(|| self.bad("=, !=, =~ or !~"))?;
        self.skip_blanks();
        let column = self.column();
        let value = self.string()?;
        let test = match sign {
            "=" => Test::Equal,
            "!=" => Test::NotEqual,
            "=~" => Test::Like(anchored(&value, column)?),
            _ => Test::Unlike(anchored(&value, column)?),
        };
        Ok(Matcher {
            label: label.into(),
            value,
            test,
        })
    }

    /// A string in double or single quotes with the escapes of Go, or in backticks without any.
    fn string(&mut self) -> Result<String, BadSelector> {
        let quote = self.rest().chars().next().filter(|c| "\"'`".contains(*c));
        let quote = quote.ok_or_else(|| self.bad("a value in quotes"))?;
        self.at += 1;
        let mut value = String::new();
        loop {
            match self.rest().chars().next() {
                Some(c) if c == quote => {
                    self.at += 1;
                    return Ok(value);
                }
                Some('\\') if quote != '`' => value.push(self.escape()?),
                Some(c) if c != '\n' || quote == '`' => {
                    value.push(c);
                    self.at += c.len_utf8();
                }
                _ => return Err(self.bad(&format!("the closing {quote}"))),
            }
        }
    }

    fn escape(&mut self) -> Result<char, BadSelector> {
        let unknown =
            || self.bad("an escape such as \\\\ or \\n (in a pattern a backslash is written twice)");
        let kind = self.rest().chars().nth(1).ok_or_else(unknown)?;
        let simple = |c| Some((c, 2));
        let digits = |from: usize, count: usize, radix| {
            let digits = self
                .rest()
                .get(from..from + count)
                .filter(|text| text.chars().all(|c| c.is_digit(radix)))?;
            let code = u32::from_str_radix(digits, radix).ok()?;
            Some((char::from_u32(code)?, from + count))
        };
        let (c, length) = match kind {
            'a' => simple('\x07'),
            'b' => simple('\x08'),
            'f' => simple('\x0c'),
            'n' => simple('\n'),
            'r' => simple('\r'),
            't' => simple('\t'),
            'v' => simple('\x0b'),
            '\\' | '"' | '\'' => simple(kind),
            // Only the ASCII half: above it these name bytes, which alone are no text.
            'x' => digits(2, 2, 16).filter(|(c, _)| c.is_ascii()),
            '0'..='7' => digits(1, 3, 8).filter(|(c, _)| c.is_ascii()),
            'u' => digits(2, 4, 16),
            'U' => digits(2, 8, 16),
            _ => None,
        }
        .ok_or_else(unknown)?;
        self.at += length;
        Ok(c)
    }

    /// `sum(`, `rate (`, `sum by (`: a query where a counter is wanted.
    fn called(&self, name: &str) -> Option<BadSelector> {
        let rest = self.rest().trim_start();
        let aggregates = ["by", "without"]
            .iter()
            .any(|word| rest.split([' ', '(']).next() == Some(word));
        (rest.starts_with('(') || aggregates).then(|| BadSelector {
            column: self.column() - name.chars().count(),
            found: format!("the function `{name}`"),
            expected: format!("no function: {BARE}"),
        })
    }

    /// What is wrong with text where none should be.
    fn leftover(&self, expected: &str) -> BadSelector {
        let rest = self.rest();
        let word = rest.split(|c| !is_label_char(c)).next().unwrap_or_default();
        let what = match rest.chars().next() {
            Some('[') => "no range",
            Some('@') => "no point in time",
            _ if word == "offset" => "no offset",
            Some('(') => "no parentheses",
            Some(c) if "+-*/%^<>=!".contains(c) || c.is_ascii_digit() => "no operator",
            _ if ["and", "or", "unless", "atan2"].contains(&word) => "no operator",
            _ => return self.bad(expected),
        };
        self.bad(&format!("{what}: {BARE}"))
    }

    fn column(&self) -> usize {
        self.text[..self.at].chars().count() + 1
    }

    fn bad(&self, expected: &str) -> BadSelector {
        let rest = self.rest();
        let end = match rest.chars().next() {
            Some('[') => rest.find(']').map_or(rest.len(), |end| end + 1),
            Some('\\') => rest.char_indices().nth(2).map_or(rest.len(), |(end, _)| end),
            Some(c) if is_metric_char(c) => rest.find(|c| !is_metric_char(c)).unwrap_or(rest.len()),
            Some(c) => c.len_utf8(),
            None => 0,
        };
        let found = if end == 0 {
            "the end".into()
        } else {
            format!("`{}`", &rest[..end])
        };
        BadSelector {
            column: self.column(),
            found,
            expected: expected.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(text: &str) -> String {
        text.parse::<Selector>()
            .map_or_else(|error| error.to_string(), |selector| selector.to_string())
    }

    #[test]
    fn selectors_are_read_as_people_write_them() {
        for (text, expected) in [
            ("up", "up"),
            ("  job:http_requests:total  ", "job:http_requests:total"),
            ("up{}", "up"),
            (r#"up{a="b"}"#, r#"up{a="b"}"#),
            (r#"up { a = 'b' , } "#, r#"up{a="b"}"#),
            (
                r#"up{a!="b",c=~"5..",d!~'x|y'}"#,
                r#"up{a!="b",c=~"5..",d!~"x|y"}"#,
            ),
            (r#"{__name__="up",a="b"}"#, r#"up{a="b"}"#),
            (r#"{a="b",__name__="up"}"#, r#"{a="b",__name__="up"}"#),
            (r#"{__name__=~"http_.+"}"#, r#"{__name__=~"http_.+"}"#),
            (r#"up{a="say \"hi\"\n\\"}"#, r#"up{a="say \"hi\"\n\\"}"#),
            (r#"up{a='it\'s \x41\u00e9\101'}"#, "up{a=\"it's AéA\"}"),
            (r"up{a=~`5\d\d`}", r#"up{a=~"5\\d\\d"}"#),
            (r#"up{a=~"5\\d\\d"}"#, r#"up{a=~"5\\d\\d"}"#),
            ("sum", "sum"),
        ] {
            assert_eq!(printed(text), expected, "{text}");
        }
    }

    #[test]
    fn what_is_printed_is_read_again_as_the_same() {
        let text = "up{a=\"\\\\ \\\" ' \\n\u{e9}\"}";
        assert_eq!(printed(&printed(text)), printed(text));
    }

    #[test]
    fn what_is_no_selector_is_refused_at_its_place() {
        let bare = "give the bare counter; rollgate takes the differences itself";
        for (text, expected) in [
            ("", "column 1: found the end, expected a metric name or `{`".to_owned()),
            ("up[5m]", format!("column 3: found `[5m]`, expected no range: {bare}")),
            (r#"up{a="b"}[5m]"#, format!("column 10: found `[5m]`, expected no range: {bare}")),
            ("up offset 5m", format!("column 4: found `offset`, expected no offset: {bare}")),
            ("up @ 1", format!("column 4: found `@`, expected no point in time: {bare}")),
            ("rate(up[5m])", format!("column 1: found the function `rate`, expected no function: {bare}")),
            (" sum by (a) (up)", format!("column 2: found the function `sum`, expected no function: {bare}")),
            ("(up)", format!("column 1: found `(`, expected no parentheses: {bare}")),
            ("up + down", format!("column 4: found `+`, expected no operator: {bare}")),
            ("1 - up", format!("column 1: found `1`, expected no operator: {bare}")),
            ("up or down", format!("column 4: found `or`, expected no operator: {bare}")),
            ("up down", "column 4: found `down`, expected the end".into()),
            ("up{", "column 4: found the end, expected a label name or `}`".into()),
            ("up{a", "column 5: found the end, expected =, !=, =~ or !~".into()),
            ("up{a>1}", "column 5: found `>`, expected =, !=, =~ or !~".into()),
            ("up{a==\"b\"}", "column 6: found `=`, expected a value in quotes".into()),
            ("up{a=5}", "column 6: found `5`, expected a value in quotes".into()),
            ("up{é=\"5\"}", "column 4: found `é`, expected a label name or `}`".into()),
            ("up{a=\"é\" b=\"c\"}", "column 10: found `b`, expected `,` or `}`".into()),
            ("up{a=\"b", "column 8: found the end, expected the closing \"".into()),
            (
                r#"up{a=~"5\d\d"}"#,
                r"column 9: found `\d`, expected an escape such as \\ or \n (in a pattern a backslash is written twice)".into(),
            ),
            (
                "up{a=~\"(5\"}",
                "column 7: found `(5`, expected a regular expression (unclosed group)".into(),
            ),
            (
                "up{a=~\"a)(b\"}",
                "column 7: found `a)(b`, expected a regular expression (unopened group)".into(),
            ),
            ("up{__name__=\"down\"}", "column 4: found `__name__`, expected one metric name only".into()),
            ("{}", "column 1: found `{`, expected a metric name, or a matcher that not every series passes".into()),
            (
                "{a=~\".*\"}",
                "column 1: found `{`, expected a metric name, or a matcher that not every series passes".into(),
            ),
        ] {
            assert_eq!(printed(text), expected, "{text}");
        }
    }
}
