//! The record as a text that a router can hold: JSON and a seal, of this schema or an older one.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Record, SCHEMA};

/// Why a text is not a record that this version may drive. Only a rollback goes on from here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    /// A newer rollgate wrote it.
    #[error(
        "the record has schema {schema}, this rollgate reads up to {SCHEMA}: use the version that started the rollout"
    )]
    Newer {
        /// Its schema.
        schema: u32,
        /// Its generation.
        generation: u64,
    },
    /// Its seal does not fit: a person or another tool wrote it.
    #[error("the record was changed by something other than rollgate (its seal does not fit)")]
    Edited {
        /// The generation it claims.
        generation: Option<u64>,
    },
    /// Not a record at all.
    #[error("no rollgate record: {0}")]
    Foreign(String),
}

impl Unreadable {
    /// The generation it claims, for a rollback that must be above it.
    #[must_use]
    pub const fn generation(&self) -> Option<u64> {
        match self {
            Self::Newer { generation, .. } => Some(*generation),
            Self::Edited { generation } => *generation,
            Self::Foreign(_) => None,
        }
    }
}

/// What every schema has.
#[derive(Deserialize)]
struct Header {
    schema: u32,
    generation: u64,
}

/// Length of the seal: a CRC-32 in hex.
const SEAL: usize = 8;

impl Record {
    /// The record as text: JSON and behind it a seal, by which an edit by hand is seen.
    ///
    /// The seal is no secret and keeps nobody out; it tells an own write from a foreign one. No `<`, `>`, `&` and no
    /// line separators are in it: a Kubernetes API server, asked whether a text with one of them is still the same,
    /// says no.
    #[must_use]
    pub fn encode(&self) -> String {
        let json = as_written(self);
        format!("{json}{:08x}", crc32fast::hash(json.as_bytes()))
    }

    /// Reads what [`Self::encode`] wrote.
    ///
    /// # Errors
    ///
    /// [`Unreadable`] says what a person should know, and the generation where it has one.
    pub fn decode(text: &str) -> Result<Self, Unreadable> {
        let split = text
            .len()
            .checked_sub(SEAL)
            .filter(|&at| text.is_char_boundary(at));
        let Some((json, seal)) = split.map(|at| text.split_at(at)) else {
            return Err(Unreadable::Foreign("it is too short".to_owned()));
        };
        let header = serde_json::from_str::<Header>(json);
        if let Ok(Header { schema, generation }) = header
            && schema > SCHEMA
        {
            return Err(Unreadable::Newer { schema, generation });
        }
        if seal != format!("{:08x}", crc32fast::hash(json.as_bytes())) {
            return Err(match header {
                Ok(Header { generation, .. }) => Unreadable::Edited {
                    generation: Some(generation),
                },
                Err(_) if json.starts_with('{') => Unreadable::Edited { generation: None },
                Err(error) => Unreadable::Foreign(error.to_string()),
            });
        }
        let foreign = |error: serde_json::Error| Unreadable::Foreign(error.to_string());
        if matches!(header, Ok(Header { schema: 1, .. })) {
            let first = serde_json::from_str::<Value>(json).map_err(foreign)?;
            return serde_json::from_value(of_schema_1(first)).map_err(foreign);
        }
        serde_json::from_str(json).map_err(foreign)
    }
}

/// A part of a record as JSON, with what an API server would not find again written as escapes.
pub(in crate::rollout) fn as_written(part: &impl Serialize) -> String {
    // Structs of strings, numbers and times have no way to fail.
    let mut json = serde_json::to_string(part).unwrap_or_default();
    // They can stand in strings only.
    for plain in ['<', '>', '&', '\u{2028}', '\u{2029}'] {
        json = json.replace(plain, &format!("\\u{:04x}", u32::from(plain)));
    }
    json
}

/// Schema 1 knew the canary only.
fn of_schema_1(mut record: Value) -> Value {
    let began = record["evidence"]["origin"].clone();
    if let Some(fields) = record.as_object_mut() {
        fields.insert("schema".to_owned(), json!(SCHEMA));
        fields.insert("phase_since".to_owned(), began);
        fields.insert("gates".to_owned(), json!([]));
        fields.insert("keep_old".to_owned(), json!(SignedDuration::ZERO));
        fields.insert("signals".to_owned(), json!([]));
    }
    record
}
