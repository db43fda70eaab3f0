//! The map entry `SHARE|RECORD`, and what entries in several places mean together. Pure.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rollgate_domain::{
    rollout::record::{Record, Unreadable},
    weight::Weight,
};

use super::{Read, Seen};

/// The entry of our key in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Entry {
    /// The place has no such key: HAProxy's configuration makes that share 0.
    Missing,
    /// Its value.
    Value(String),
}

/// The map file or one process.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) entry: Read,
}

/// The value that carries `record`.
pub(crate) fn value(record: &Record) -> String {
    format!(
        "{}|{}",
        record.weight.percent(),
        BASE64_STANDARD.encode(record.encode())
    )
}

/// An entry, understood as far as it can be.
struct Understood {
    share: Option<Weight>,
    record: Result<Option<Record>, Unreadable>,
}

fn understand(entry: &Entry) -> Understood {
    let Entry::Value(value) = entry else {
        return Understood {
            share: Some(Weight::ZERO),
            record: Ok(None),
        };
    };
    let (share, record) = value.split_once('|').unwrap_or((value, ""));
    let share = share
        .parse::<u8>()
        .ok()
        .and_then(|percent| Weight::new(percent).ok());
    let record = match BASE64_STANDARD.decode(record).map(String::from_utf8) {
        Ok(Ok(text)) if text.is_empty() => Ok(None),
        Ok(Ok(text)) => Record::decode(&text).map(Some),
        _ => Err(Unreadable::Foreign(format!(
            "\"{}\" is not of the form SHARE|RECORD",
            excerpt(value)
        ))),
    };
    Understood { share, record }
}

/// What all places together say: the newest record wins, the highest live share is told, and whatever is
/// neither the newest write nor an older one of ours is drift.
///
/// # Errors
///
/// No place could be read.
pub(crate) fn compare(places: Vec<Place>, key: &str) -> anyhow::Result<Seen> {
    let mut unreachable = Vec::new();
    let mut found = Vec::new();
    let mut last_error = None;
    for (index, Place { name, entry }) in places.into_iter().enumerate() {
        match entry {
            Ok(entry) => found.push((index, name, understand(&entry), entry)),
            Err(error) => {
                unreachable.push(format!("{error:#}"));
                last_error = Some(error);
            }
        }
    }
    let newest = found
        .iter()
        .enumerate()
        .max_by_key(|(position, (.., understood, _))| {
            let rank = match &understood.record {
                Ok(Some(record)) => (2, record.generation, record.sequence),
                Err(unreadable) => (1, unreadable.generation().unwrap_or(0), 0),
                Ok(None) => (0, 0, 0),
            };
            // Among equals the file, which comes first.
            (rank, std::cmp::Reverse(*position))
        });
    let Some((_, (_, _, newest, entry))) = newest else {
        let error = last_error.unwrap_or_else(|| anyhow::anyhow!("no place to read from"));
        return Err(error.context("read share and record from HAProxy"));
    };

    let mut drift = Vec::new();
    let mut torn = false;
    for (_, name, here, raw) in &found {
        if raw == entry && *raw != Entry::Missing && consistent(here) {
            continue;
        }
        match &here.record {
            Ok(_) if *raw == Entry::Missing => {
                drift.push(format!(
                    "{name} has no entry \"{key}\": add the line \"{key} 0|\" and reload HAProxy"
                ));
            }
            // An older write of ours, whole: the newest one was cut off.
            Ok(Some(_)) if consistent(here) => torn = true,
            Ok(None) if consistent(here) && is_first(newest) => torn = true,
            Ok(_) => drift.push(format!(
                "{name} gives {}, the record says {}",
                said(here.share),
                recorded(here)
            )),
            Err(unreadable) => drift.push(format!("{name}: {unreadable}")),
        }
    }
    // The file is where we write, not what users get.
    let live = found.iter().filter(|(index, ..)| *index > 0);
    let shares: Vec<_> = live.map(|(.., here, _)| here.share).collect();
    Ok(Seen {
        share: if shares.contains(&None) {
            None
        } else {
            shares.into_iter().flatten().max()
        },
        record: newest.record.clone(),
        drift: (!drift.is_empty()).then(|| drift.join("; ")),
        torn,
        unreachable,
        capacity: None,
        token: match entry {
            Entry::Missing => String::new(),
            Entry::Value(value) => value.clone(),
        },
    })
}

/// Share and record belong together.
fn consistent(here: &Understood) -> bool {
    match &here.record {
        Ok(Some(record)) => here.share == Some(record.weight),
        Ok(None) => here.share == Some(Weight::ZERO),
        Err(_) => false,
    }
}

/// The first write ever, so that a place without a record is one that it did not reach.
fn is_first(here: &Understood) -> bool {
    matches!(&here.record, Ok(Some(record)) if record.sequence == 1)
}

fn recorded(here: &Understood) -> String {
    match &here.record {
        Ok(Some(record)) => record.weight.to_string(),
        _ => "nothing".to_owned(),
    }
}

fn said(share: Option<Weight>) -> String {
    share.map_or_else(
        || "something that is no share".to_owned(),
        |share| share.to_string(),
    )
}

/// Enough of a foreign value to recognise it.
fn excerpt(value: &str) -> String {
    const LONGEST: usize = 40;
    match value.char_indices().nth(LONGEST) {
        None => value.to_owned(),
        Some((end, _)) => format!("{}…", &value[..end]),
    }
}
