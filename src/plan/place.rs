//! Where something stands in a plan: for the eye line and column, for the mind the path of its key.

use std::fmt;

use serde_saphyr::Location;

/// A place in the file, both counted from 1, columns in characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) line: usize,
    pub(super) column: usize,
}

impl Place {
    pub(super) const START: Self = Self { line: 1, column: 1 };

    pub(super) fn of(location: Location) -> Self {
        let number = |count: u64| usize::try_from(count).unwrap_or(usize::MAX).max(1);
        Self {
            line: number(location.line()),
            column: number(location.column()),
        }
    }
}

/// From a mapping or a list to what is in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Key(String),
    Item(usize),
}

/// The way from the root to a value; shown as `phases.canary.steps[1].weight`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Path(pub(super) Vec<Part>);

impl Path {
    /// From keys with dots between them.
    pub(super) fn of(keys: &str) -> Self {
        Self(keys.split('.').map(|key| Part::Key(key.to_owned())).collect())
    }

    pub(super) fn key(mut self, key: &str) -> Self {
        self.0.push(Part::Key(key.to_owned()));
        self
    }

    pub(super) fn item(mut self, index: usize) -> Self {
        self.0.push(Part::Item(index));
        self
    }
}

impl fmt::Display for Path {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (nth, part) in self.0.iter().enumerate() {
            match part {
                Part::Key(key) if nth == 0 => write!(out, "{key}")?,
                Part::Key(key) => write!(out, ".{key}")?,
                Part::Item(index) => write!(out, "[{index}]")?,
            }
        }
        Ok(())
    }
}
