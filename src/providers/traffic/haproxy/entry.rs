//! The map entry `SHARE|CANDIDATE|STATE|RECORD`: what it says, and what HAProxy makes of it. Pure.
//!
//! The share is the candidate's, all the others meet the other backend. The state is `tried` while requests with
//! the preview header meet the candidate, else `over`. The record is in base64, HAProxy does not read it. An entry
//! `SHARE|RECORD`, as older versions wrote it and as `0|` in a new map, is the share of the plan's second
//! backend.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rollgate_domain::{
    rollout::record::{Record, Unreadable},
    weight::Weight,
};

/// What an entry must look like, for people.
pub(crate) const FORM: &str = "SHARE|CANDIDATE|STATE|RECORD";

/// The entry of our key in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The place has no such key: HAProxy's configuration gives everything to the first backend.
    Missing,
    /// Its value.
    Value(String),
}

/// The value that carries `record`.
pub(crate) fn value(record: &Record) -> String {
    format!(
        "{}|{}|{}|{}",
        record.weight.percent(),
        record.candidate.backend,
        state(record),
        BASE64_STANDARD.encode(record.encode())
    )
}

/// Whether previews meet the candidate, in HAProxy's word.
pub(crate) fn state(record: &Record) -> &'static str {
    if record.is_tried() { "tried" } else { "over" }
}

/// An entry, understood as far as it can be.
pub(crate) struct Understood {
    /// Of the candidate, none where it cannot be told.
    pub(crate) share: Option<Weight>,
    /// Candidate and state; none in the older form, whose candidate is the second backend.
    pub(crate) roles: Option<(String, String)>,
    pub(crate) record: Result<Option<Record>, Unreadable>,
}

impl Understood {
    /// Whether HAProxy's configuration takes the share for that of the `first` backend: every other name means
    /// the second.
    pub(crate) fn is_of_first(&self, first: &str) -> bool {
        self.roles
            .as_ref()
            .is_some_and(|(candidate, _)| candidate == first)
    }

    /// The live share of the first backend (`of_first`), or of the second.
    pub(crate) fn share_of(&self, of_first: bool, first: &str) -> Option<Weight> {
        let share = self.share?;
        Some(if self.is_of_first(first) == of_first {
            share
        } else {
            share.rest()
        })
    }

    /// Share, roles and record belong together.
    pub(crate) fn is_consistent(&self, first: &str) -> bool {
        match (&self.record, &self.roles) {
            (Ok(Some(record)), Some((candidate, here))) => {
                self.share == Some(record.weight)
                    && *candidate == record.candidate.backend
                    && here == state(record)
            }
            (Ok(Some(record)), None) => {
                self.share == Some(record.weight) && record.candidate.backend != first
            }
            // Before the first rollout: all to one of the two.
            (Ok(None), roles) => matches!(self.share, Some(Weight::ZERO | Weight::FULL)) && roles.is_none(),
            (Err(_), _) => false,
        }
    }

    /// Share and candidate, for people.
    pub(crate) fn said(&self) -> String {
        let share = self.share.map_or_else(
            || "something that is no share".to_owned(),
            |share| share.to_string(),
        );
        match &self.roles {
            Some((candidate, _)) => format!("{share} to {candidate}"),
            None => share,
        }
    }
}

/// Never fails: what is not ours is foreign.
pub(crate) fn understand(entry: &Entry) -> Understood {
    let Entry::Value(value) = entry else {
        return Understood {
            share: Some(Weight::ZERO),
            roles: None,
            record: Ok(None),
        };
    };
    let fields: Vec<&str> = value.split('|').collect();
    let (share, roles, record) = match *fields.as_slice() {
        [share, record] => (share, None, Some(record)),
        [share, candidate, state, record] => (
            share,
            Some((candidate.to_owned(), state.to_owned())),
            Some(record),
        ),
        [share, ..] => (share, None, None),
        [] => ("", None, None),
    };
    let record = match record.map(|record| BASE64_STANDARD.decode(record).map(String::from_utf8)) {
        Some(Ok(Ok(text))) if text.is_empty() => Ok(None),
        Some(Ok(Ok(text))) => Record::decode(&text).map(Some),
        _ => Err(Unreadable::Foreign(format!(
            "\"{}\" is not of the form {FORM}",
            excerpt(value)
        ))),
    };
    Understood {
        share: share_of(share),
        roles,
        record,
    }
}

fn share_of(text: &str) -> Option<Weight> {
    let percent = text.parse::<u8>().ok()?;
    Weight::new(percent).ok()
}

/// Enough of a foreign value to recognise it.
pub(crate) fn excerpt(value: &str) -> String {
    const LONGEST: usize = 40;
    match value.char_indices().nth(LONGEST) {
        None => value.to_owned(),
        Some((end, _)) => format!("{}…", &value[..end]),
    }
}
