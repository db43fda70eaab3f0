//! YAML text → a tree that knows where everything stands.
//!
//! The plan's types are filled from this tree and not from the text, so that every complaint, also one
//! about two values that do not fit together, can name its key and its place.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::options::{DuplicateKeyPolicy, MergeKeyPolicy, NonFiniteFloatPolicy};
use serde_saphyr::{DefaultMessageFormatter, Error, MessageFormatter as _, Spanned};

use super::place::{Part, Path, Place};
use super::wrong::Wrong;

/// A plan is a page, not a book; far below what could keep the parser busy.
pub(super) const LARGEST: usize = 256 * 1024;

/// A value and its place.
#[derive(Clone, Debug)]
pub(super) struct Node {
    pub(super) place: Place,
    pub(super) value: Value,
}

#[derive(Clone, Debug)]
pub(super) enum Value {
    Nothing,
    Bool(bool),
    Integer(i64),
    Number(f64),
    Text(String),
    List(Vec<Node>),
    Map(Vec<Entry>),
}

#[derive(Clone, Debug)]
pub(super) struct Entry {
    pub(super) key: String,
    pub(super) key_place: Place,
    pub(super) node: Node,
}

impl Node {
    /// Reads one YAML document.
    ///
    /// # Errors
    ///
    /// No YAML, more than one document, a key twice in one mapping, nothing at all, or more than a
    /// plan can need (a bomb of anchors).
    pub(super) fn parse(text: &str) -> Result<Self, Wrong> {
        if text.len() > LARGEST {
            let message = format!("the file is too large for a plan, expected at most {LARGEST} bytes");
            return Err(Wrong::at(Place::START, message));
        }
        let spanned: Spanned<Value> =
            serde_saphyr::from_str_with_options(text, options()).map_err(|error| unreadable(&error))?;
        let root = Self::from(spanned);
        if let Value::Nothing = root.value {
            return Err(
                Wrong::at(Place::START, "the file is empty, expected a plan".to_owned()).hint(SMALLEST),
            );
        }
        root.refuse_twins(&Path::default())?;
        Ok(root)
    }

    /// The value of a key, when this is a mapping that has it.
    pub(super) fn get(&self, key: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else {
            return None;
        };
        entries
            .iter()
            .find(|entry| entry.key == key)
            .map(|entry| &entry.node)
    }

    /// As [`Node::get`], to change it.
    pub(super) fn get_mut(&mut self, key: &str) -> Option<&mut Self> {
        let Value::Map(entries) = &mut self.value else {
            return None;
        };
        entries
            .iter_mut()
            .find(|entry| entry.key == key)
            .map(|entry| &mut entry.node)
    }

    /// Where the value at `path` stands, or what would hold it when it is a default.
    pub(super) fn place_of(&self, path: &Path) -> Place {
        self.nearest(&path.0).0.place
    }

    /// Where the last key of `path` stands, or what would hold it.
    pub(super) fn key_place_of(&self, path: &Path) -> Place {
        let Some((Part::Key(key), above)) = path.0.split_last() else {
            return self.place_of(path);
        };
        let (node, _) = self.nearest(above);
        match &node.value {
            Value::Map(entries) => entries
                .iter()
                .find(|entry| entry.key == *key)
                .map(|entry| entry.key_place),
            _ => None,
        }
        .unwrap_or(node.place)
    }

    /// Whether there is a value at `path`.
    pub(super) fn has(&self, path: &Path) -> bool {
        self.nearest(&path.0).1 == path.0.len()
    }

    /// The last value on the way along `path`, and how many parts of the way there are.
    fn nearest(&self, path: &[Part]) -> (&Self, usize) {
        let (mut node, mut parts) = (self, 0);
        for part in path {
            let next = match (part, &node.value) {
                (Part::Key(key), _) => node.get(key),
                (Part::Item(index), Value::List(items)) => items.get(*index),
                (Part::Item(_), _) => None,
            };
            let Some(next) = next else { break };
            node = next;
            parts += 1;
        }
        (node, parts)
    }

    /// A key given twice would silently lose one of its values.
    fn refuse_twins(&self, path: &Path) -> Result<(), Wrong> {
        match &self.value {
            Value::Map(entries) => {
                for (nth, entry) in entries.iter().enumerate() {
                    let path = path.clone().key(&entry.key);
                    if let Some(first) = entries.iter().take(nth).find(|first| first.key == entry.key) {
                        let message = format!(
                            "given twice, expected it once; it stands in line {} already",
                            first.key_place.line
                        );
                        return Err(Wrong {
                            path,
                            ..Wrong::at(entry.key_place, message)
                        });
                    }
                    entry.node.refuse_twins(&path)?;
                }
            }
            Value::List(items) => {
                for (index, item) in items.iter().enumerate() {
                    item.refuse_twins(&path.clone().item(index))?;
                }
            }
            Value::Nothing | Value::Bool(_) | Value::Integer(_) | Value::Number(_) | Value::Text(_) => {}
        }
        Ok(())
    }
}

const SMALLEST: &str = "a plan has at least `service`, `traffic` and `metrics`; begin with examples/plans/smallest.yml of rollgate";

fn options() -> serde_saphyr::Options {
    serde_saphyr::options! {
        // A hundred times what a plan needs, and nothing to a machine.
        budget: serde_saphyr::budget! {
            max_events: 20_000,
            max_nodes: 10_000,
            max_depth: 32,
            max_aliases: 100,
            max_anchors: 100,
            max_documents: 2, // the second one is refused with words of its own
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: 10_000 },
        // We find twins ourselves, with the path and both places.
        duplicate_keys: DuplicateKeyPolicy::PassThrough,
        merge_keys: MergeKeyPolicy::Error,
        // `[on, off]` are two backends, not two booleans.
        strict_booleans: true,
        non_finite_float_policy: NonFiniteFloatPolicy::AsString,
        with_snippet: false,
    }
}

/// The parser's own complaint, in its words.
fn unreadable(error: &Error) -> Wrong {
    let place = error.location().map_or(Place::START, Place::of);
    let message = match innermost(error) {
        Error::MultipleDocuments { .. } => {
            "a second document begins here, expected one plan in one file".to_owned()
        }
        Error::Budget { .. }
        | Error::AliasReplayLimitExceeded { .. }
        | Error::AliasExpansionLimitExceeded { .. }
        | Error::AliasReplayStackDepthExceeded { .. } => {
            "too many values, levels or anchors for a plan".to_owned()
        }
        Error::MergeKeyNotAllowed { .. } => "unknown key, `<<` does not merge here".to_owned(),
        other => {
            let words = DefaultMessageFormatter.format_message(other);
            format!("not readable as YAML: {}", words.replace(char::is_control, " "))
        }
    };
    Wrong::at(place, message)
}

/// What is wrong, without the anchors on the way to it.
fn innermost(error: &Error) -> &Error {
    match error.without_snippet() {
        Error::AliasError { error, .. } => innermost(error),
        error => error,
    }
}

impl From<Spanned<Value>> for Node {
    fn from(spanned: Spanned<Value>) -> Self {
        Self {
            place: Place::of(spanned.referenced),
            value: spanned.value,
        }
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyValue)
    }
}

struct AnyValue;

impl<'de> Visitor<'de> for AnyValue {
    type Value = Value;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("YAML")
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_none<E>(self) -> Result<Value, E> {
        Ok(Value::Nothing)
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        Value::deserialize(deserializer)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Integer(value))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(i64::try_from(value).map_or_else(|_| Value::Text(value.to_string()), Value::Integer))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(Value::Number(value))
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(Value::Text(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element::<Spanned<Value>>()? {
            items.push(item.into());
        }
        Ok(Value::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<Spanned<String>>()? {
            let node = map.next_value::<Spanned<Value>>()?.into();
            entries.push(Entry {
                key_place: Place::of(key.referenced),
                key: key.value,
                node,
            });
        }
        Ok(Value::Map(entries))
    }
}
