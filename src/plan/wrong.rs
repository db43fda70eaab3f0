//! One complaint while it is made: found and expected in the words of a plan's author.

use std::fmt;

use serde::de::{Error as _, Expected, Unexpected};

use super::place::{Part, Path, Place};

/// A complaint on its way from the value up to the root, where its path becomes whole.
#[derive(Clone, Debug)]
pub(super) struct Wrong {
    pub(super) place: Option<Place>,
    pub(super) path: Path,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

impl Wrong {
    pub(super) fn at(place: Place, message: String) -> Self {
        Self {
            place: Some(place),
            ..Self::custom(message)
        }
    }

    pub(super) fn hint(self, hint: &str) -> Self {
        Self {
            hint: Some(hint.to_owned()),
            ..self
        }
    }

    /// Names the word among `known` that `word` was probably meant to be.
    pub(super) fn did_you_mean(self, word: &str, known: &[&str]) -> Self {
        match similar(word, known) {
            Some(meant) => self.hint(&format!("did you mean `{meant}`?")),
            None => self,
        }
    }

    /// The innermost place wins.
    pub(super) fn or_at(mut self, place: Place) -> Self {
        self.place.get_or_insert(place);
        self
    }

    pub(super) fn under(mut self, part: Part) -> Self {
        self.path.0.insert(0, part);
        self
    }

    /// Several keys, or none, where one has to be chosen.
    pub(super) fn choice(found: &[&str], known: &[&str]) -> Self {
        let found = if found.is_empty() {
            "nothing".to_owned()
        } else {
            list(found, "and")
        };
        Self::custom(format!("found {found}, expected only {}", Self::one_of(known)))
    }

    pub(super) fn one_of(known: &[&str]) -> String {
        match known {
            [only] => format!("`{only}`"),
            several => format!("one of {}", list(several, "or")),
        }
    }
}

impl std::error::Error for Wrong {}

impl fmt::Display for Wrong {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(&self.message)
    }
}

impl serde::de::Error for Wrong {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self {
            place: None,
            path: Path::default(),
            message: message.to_string(),
            hint: None,
        }
    }

    fn invalid_type(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        let expected = match expected.to_string().as_str() {
            "a sequence" => "a list".to_owned(),
            "a string" => "a text".to_owned(),
            "a map" => "a mapping".to_owned(),
            "f64" => "a number".to_owned(),
            other => other.to_owned(),
        };
        Self::custom(format!("found {}, expected {expected}", found_words(found)))
    }

    fn invalid_value(found: Unexpected<'_>, expected: &dyn Expected) -> Self {
        Self::invalid_type(found, expected)
    }

    fn unknown_field(field: &str, known: &'static [&'static str]) -> Self {
        Self::custom(format!("unknown key, expected {}", Self::one_of(known))).did_you_mean(field, known)
    }

    fn unknown_variant(word: &str, known: &'static [&'static str]) -> Self {
        Self::custom(format!(
            "found {}, expected {}",
            quoted(word),
            Self::one_of(known)
        ))
        .did_you_mean(word, known)
    }

    fn missing_field(field: &'static str) -> Self {
        Self::custom("missing, and it has no default").under(Part::Key(field.to_owned()))
    }
}

/// `a`, `b` or `c`.
pub(super) fn list(words: &[&str], joint: &str) -> String {
    let quoted: Vec<_> = words.iter().map(|word| quoted(word)).collect();
    match quoted.split_last() {
        None => String::new(),
        Some((only, [])) => only.clone(),
        Some((last, others)) => format!("{} {joint} {last}", others.join(", ")),
    }
}

fn quoted(word: &str) -> String {
    format!("`{}`", word.escape_debug())
}

fn found_words(found: Unexpected<'_>) -> String {
    match found {
        Unexpected::Str("") => "an empty text".to_owned(),
        // The mark of YAML's `"` and `'` is gone: quotes of our own would mislead.
        Unexpected::Str(text) => format!("`{}`", text.replace(char::is_control, " ")),
        Unexpected::Bool(value) => format!("`{value}`"),
        Unexpected::Signed(value) => format!("`{value}`"),
        Unexpected::Unsigned(value) => format!("`{value}`"),
        Unexpected::Float(value) => format!("`{value}`"),
        Unexpected::Unit | Unexpected::Option => "nothing".to_owned(),
        Unexpected::Seq => "a list".to_owned(),
        Unexpected::Map => "a mapping".to_owned(),
        other => other.to_string(),
    }
}

/// The nearest of `known`, when it is near enough to be what was meant: a third of its letters wrong.
pub(super) fn similar<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    known
        .iter()
        .map(|candidate| (strsim::damerau_levenshtein(word, candidate), *candidate))
        .filter(|(distance, candidate)| *distance <= (candidate.chars().count() / 3).max(1))
        .min()
        .map(|(_, candidate)| candidate)
}
