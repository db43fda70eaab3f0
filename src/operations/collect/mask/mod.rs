//! Takes secrets out of texts and objects that people will read. Pure: a line goes in, a line comes out.
//!
//! It errs on the side of the secret: what looks like one is masked, also where it was none. What has no name, no form
//! and no length that gives it away cannot be found, so the rule stays that a service logs no secrets.

use std::sync::LazyLock;

use regex::{Captures, Regex};
use serde_json::Value;

/// Stands where a secret stood.
const MASKED: &str = "***";

const KEY_BEGINS: &str = "-----BEGIN ";
const KEY_ENDS: &str = "-----END ";

/// A key of 16384 bits has about 200 lines. Whatever goes on for longer began with a line that was no key.
const LONGEST_KEY: usize = 250;

/// Names of secrets, as regular expression: in any case, with anything before and behind.
const NAME: &str = concat!(
    r"(?:(?i:[a-z0-9_.-]*(?:password|passwd|passphrase|pwd|secret|token|api[_.-]?key|access[_.-]?key|private[_.-]?key",
    r"|signing[_.-]?key|encryption[_.-]?key|credential|session[_.-]?id|sessid|signature)[a-z0-9_.-]*",
    // Short ones, as a word of their own.
    r"|\b(?:[a-z0-9.]+[_-])*(?:pass|pw|sig))",
    // As variables are written.
    r"|\b[A-Z][A-Z0-9_]*_KEY\b)",
);

/// Each with what takes its place.
static RULES: LazyLock<Vec<(Regex, &str)>> = LazyLock::new(|| {
    let name_and_value = format!(
        r#"(?<name>{NAME})(?<is>\\*["']?\s*(?:=>|:=|[:=])\s*)(?:(?<open>\\+["'])[^"'\\]*|(?<quote>")(?:[^"\\]|\\.)*|(?<single>')[^']*|[^\s"'&;\\][^\s"'&;\\]*)"#
    );
    let flag_and_value = format!(r"(?<flag>--?{NAME})(?<blank>\s+)[^\s-][^\s]*");
    [
        // A header with everything behind it: some schemes have lists with commas.
        (
            r#"(?i)\b(?<name>(?:proxy-)?authorization|(?:set-)?cookie)(?<is>\\*["']?\s*:\s*)(?:(?<open>\\*["'])[^"'\\]*|[^\s"'\\][^\r\n]*)"#,
            "${name}${is}${open}***",
        ),
        (
            r#"(?i)\b(?<name>(?:proxy-)?authorization|(?:set-)?cookie)(?<is>\\*["']?\s*=\s*\\*["']?)(?:(?:basic|bearer|digest|token|negotiate)\s+)?[^\s"',;&\\]+"#,
            "${name}${is}***",
        ),
        (r"(?i)\b(?<name>bearer)\s+[a-z0-9._~+/=-]{6,}", "${name} ***"),
        (r"(?i)\b(?<name>basic)\s+[a-z0-9+/]{16,}={0,2}", "${name} ***"),
        // A password in an address, and a name without one that is long enough to be a token.
        (
            r#"(?i)\b(?<to>[a-z][a-z0-9+.-]*://[^\s:/@"']*):[^\s"'?#]*@"#,
            "${to}:***@",
        ),
        (r#"(?i)\b(?<to>[a-z][a-z0-9+.-]*://)[^\s:/@"'?#]{16,}@"#, "${to}***@"),
        (
            r#"(?i)\b(?<to>hooks\.slack\.com/(?:services|workflows)/)[^\s"']+"#,
            "${to}***",
        ),
        // Known by their form: AWS, JWT, GitHub, Slack, Stripe, Google.
        (r"\b(?:AKIA|ASIA|AGPA|AIDA|AROA|ANPA)[A-Z0-9]{16}\b", MASKED),
        (r"\beyJ[A-Za-z0-9_-]{5,}\.[A-Za-z0-9_-]{5,}(?:\.[A-Za-z0-9_-]*)?", MASKED),
        (
            r"\b(?:gh[pousr]_[A-Za-z0-9]{20,}|github_pat_\w{20,}|xox[a-z]-[A-Za-z0-9-]{10,}|[srp]k_(?:live|test)_[A-Za-z0-9]{10,}|AIza[\w-]{30,})",
            MASKED,
        ),
        (&name_and_value, "${name}${is}${open}${quote}${single}***"),
        (&flag_and_value, "${flag}${blank}***"),
    ]
    .into_iter()
    .map(|(pattern, becomes)| (regex(pattern), becomes))
    .collect()
});

static SECRET: LazyLock<Regex> = LazyLock::new(|| regex(&format!("^(?:--?)?{NAME}$")));

static ONE_LINE_KEY: LazyLock<Regex> = LazyLock::new(|| {
    regex(r"-----BEGIN [A-Z0-9 ]*PRIVATE KEY-----.*?(?:-----END [A-Z0-9 ]*PRIVATE KEY-----|$)")
});

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).unwrap_or_else(|error| panic!("{error}"))
}

/// Masks the lines of one text, one after the other: a private key has many.
#[derive(Debug, Default)]
pub(super) struct Mask {
    /// So many lines of a private key may still follow.
    key: usize,
}

impl Mask {
    /// The line without its secrets; none for the inside of a private key.
    pub(super) fn line(&mut self, line: &str) -> Option<String> {
        if self.key > 0 {
            self.key -= 1;
            let rest = line.split_once(KEY_ENDS)?.1;
            self.key = 0;
            return Some(format!("{MASKED}{KEY_ENDS}{rest}"));
        }
        let mut text = line.to_owned();
        if line.contains(KEY_BEGINS) {
            text = ONE_LINE_KEY
                .replace_all(&text, |found: &Captures<'_>| {
                    if !found[0].contains(KEY_ENDS) {
                        self.key = LONGEST_KEY;
                    }
                    "*** a private key ***"
                })
                .into_owned();
        }
        for (pattern, becomes) in RULES.iter() {
            if let std::borrow::Cow::Owned(masked) = pattern.replace_all(&text, *becomes) {
                text = masked;
            }
        }
        Some(text)
    }
}

/// A text of any number of lines without its secrets.
pub(super) fn text(text: &str) -> String {
    let mut mask = Mask::default();
    let lines: Vec<_> = text.split('\n').filter_map(|line| mask.line(line)).collect();
    lines.join("\n")
}

/// Whether a variable of this name holds a secret.
pub(super) fn is_secret(name: &str) -> bool {
    SECRET.is_match(name)
}

/// Masks every text of an object, and whole values where their name says that they are secrets: of variables and headers
/// (`name`, `value`), of annotations, and behind flags in lists of arguments.
pub(super) fn object(value: &mut Value) {
    match value {
        Value::String(string) => *string = text(string),
        Value::Array(items) => {
            let mut before_is_flag = false;
            for item in items {
                match item {
                    Value::String(string) if before_is_flag && !string.starts_with('-') => {
                        *string = MASKED.to_owned();
                    }
                    _ => object(item),
                }
                before_is_flag = item
                    .as_str()
                    .is_some_and(|flag| flag.starts_with('-') && is_secret(flag));
            }
        }
        Value::Object(entries) => {
            let named = entries.get("name").and_then(Value::as_str).is_some_and(is_secret);
            for (key, value) in entries {
                match value {
                    Value::String(string) if named && key == "value" => *string = MASKED.to_owned(),
                    Value::Object(annotations) if key == "annotations" => {
                        for (name, value) in annotations {
                            object(value);
                            // Behind the domain of who invented it.
                            let name = name.rsplit('/').next().unwrap_or_default();
                            if is_secret(name) && value.is_string() {
                                *value = MASKED.into();
                            }
                        }
                    }
                    _ => object(value),
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests;
