//! What is wrong with a plan, said like a compiler says it.

use std::fmt;

use super::wrong::Wrong;

/// Why a plan is refused: everything that was found, each with its place.
///
/// Shown without a trailing newline; the command that prints it puts `error: ` before it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError {
    /// The file as the user named it.
    pub file: String,
    /// At least one, in the order of the file.
    pub problems: Vec<Problem>,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Line and column, both from 1, columns in characters; none when the file could not be read.
    pub place: Option<(usize, usize)>,
    /// The path of the key, such as `phases.canary.steps[1].weight`; empty when it is about the file.
    pub key: String,
    /// What was found and what was expected.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// The line of the file, empty when there is none.
    line: String,
}

impl PlanError {
    /// `text` is what was read from `file`.
    pub(super) fn new(file: &str, text: &str, mut wrongs: Vec<Wrong>) -> Self {
        wrongs.sort_by_key(|wrong| wrong.place);
        let problems = wrongs
            .into_iter()
            .map(|wrong| Problem::new(text, wrong))
            .collect();
        Self {
            file: file.to_owned(),
            problems,
        }
    }

    /// There is no text to point into.
    pub(super) fn unreadable(file: &str, message: String, hint: String) -> Self {
        let problem = Problem {
            place: None,
            key: String::new(),
            message,
            hint: Some(hint),
            line: String::new(),
        };
        Self {
            file: file.to_owned(),
            problems: vec![problem],
        }
    }
}

impl Problem {
    fn new(text: &str, wrong: Wrong) -> Self {
        let Wrong {
            place,
            path,
            message,
            hint,
        } = wrong;
        let line = place
            .and_then(|place| text.lines().nth(place.line - 1))
            .unwrap_or_default();
        Self {
            place: place.map(|place| (place.line, place.column)),
            key: path.to_string(),
            message: without_secrets(&message),
            hint,
            line: without_secrets(line),
        }
    }
}

impl std::error::Error for PlanError {}

impl fmt::Display for PlanError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, problem) in self.problems.iter().enumerate() {
            if nth > 0 {
                out.write_str("\n\n")?;
            }
            write!(out, "{}:", self.file)?;
            problem.fmt(out)?;
        }
        Ok(())
    }
}

/// As [`PlanError`] shows it, without the name of the file.
impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            place,
            key,
            message,
            hint,
            line,
        } = self;
        if let Some((line, column)) = place {
            write!(out, "{line}:{column}:")?;
        }
        if !key.is_empty() {
            write!(out, " {key}:")?;
        }
        write!(out, " {message}")?;
        if let Some((number, column)) = place.filter(|_| !line.trim().is_empty()) {
            let number = number.to_string();
            let margin = " ".repeat(number.len());
            let (source, caret) = excerpt(line, column);
            write!(
                out,
                "\n{margin} |\n{number} | {source}\n{margin} | {:>caret$}",
                '^'
            )?;
        }
        if let Some(hint) = hint {
            write!(out, "\nhint: {hint}")?;
        }
        Ok(())
    }
}

/// How much of a line is shown: what fits into a terminal beside the line number.
const WIDTH: usize = 100;

/// The part of `line` around `column`, without what would move the caret, and the caret's column in it.
fn excerpt(line: &str, column: usize) -> (String, usize) {
    let skipped = column.saturating_sub(WIDTH * 3 / 4);
    let mut letters = line
        .chars()
        .map(|letter| if letter.is_control() { ' ' } else { letter })
        .skip(skipped);
    let mut shown: String = letters.by_ref().take(WIDTH).collect();
    if skipped > 0 {
        shown = format!("…{}", shown.chars().skip(1).collect::<String>());
    }
    if letters.next().is_some() {
        shown.push('…');
    }
    (shown.trim_end().to_owned(), column - skipped)
}

/// `http://me:secret@host` without what stands before the `@`: complaints end up in logs. Rather too
/// much than too little, since what is no URL may hold a password too.
fn without_secrets(text: &str) -> String {
    let mut parts = text.split("://");
    let mut safe = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let end = part
            .find(|letter: char| letter.is_whitespace() || "\"'`".contains(letter))
            .unwrap_or(part.len());
        let (url, rest) = part.split_at(end);
        safe.push_str("://");
        match url.rsplit_once('@') {
            Some((_, host)) => {
                safe.push_str("***@");
                safe.push_str(host);
            }
            None => safe.push_str(url),
        }
        safe.push_str(rest);
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_not_shown() {
        for (text, shown) in [
            (
                "url: http://me:secret@host/metrics # ours",
                "url: http://***@host/metrics # ours",
            ),
            (
                "found `https://me:a/b@host`, expected",
                "found `https://***@host`, expected",
            ),
            ("[http://a:1@b/, http://c:2@d/]", "[http://***@b/, http://***@d/]"),
            ("http://host/metrics", "http://host/metrics"),
            ("me@host", "me@host"),
        ] {
            assert_eq!(without_secrets(text), shown);
        }
    }
}
