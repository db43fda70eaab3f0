//! The map entry `SHARE|RECORD`, and what entries in several places mean together. Pure.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use rollgate_domain::{
    rollout::record::{Record, Unreadable},
    weight::Weight,
};

use super::{Read, Seen, Shares};

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
    let foreign = || {
        Err(Unreadable::Foreign(format!(
            "\"{}\" is not of the form SHARE|RECORD",
            excerpt(value)
        )))
    };
    let Some((share, record)) = value.split_once('|') else {
        return Understood {
            share: share_of(value),
            record: foreign(),
        };
    };
    let share = share_of(share);
    let record = match BASE64_STANDARD.decode(record).map(String::from_utf8) {
        Ok(Ok(text)) if text.is_empty() => Ok(None),
        Ok(Ok(text)) => Record::decode(&text).map(Some),
        _ => foreign(),
    };
    Understood { share, record }
}

fn share_of(text: &str) -> Option<Weight> {
    let percent = text.parse::<u8>().ok()?;
    Weight::new(percent).ok()
}

/// What all places together say: the newest record wins, the highest live share is told, and whatever is
/// neither the newest write nor an older one of ours is drift.
///
/// # Errors
///
/// No place could be read.
pub(crate) fn compare(places: Vec<Place>, key: &str, candidate: &str) -> anyhow::Result<Seen> {
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
                Ok(Some(record)) => (record.generation, 2, record.sequence),
                // What claims a generation counts with it, or a rollback would stay below it.
                Err(unreadable) => (unreadable.generation().unwrap_or(0), 1, 0),
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
            Ok(_) => drift.push(match (here.share, raw) {
                (None, Entry::Value(value)) => {
                    format!(
                        "{name} has \"{}\", which is not of the form SHARE|RECORD",
                        excerpt(value)
                    )
                }
                (share, _) => format!("{name} gives {}, the record says {}", said(share), recorded(here)),
            }),
            Err(unreadable) => drift.push(format!("{name}: {unreadable}")),
        }
    }
    // The file is where we write, not what users get.
    let live = found.iter().filter(|(index, ..)| *index > 0);
    let shares: Vec<_> = live.map(|(.., here, _)| here.share).collect();
    Ok(Seen {
        candidate: candidate.to_owned(),
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
        shares: Shares::Every,
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

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};
    use rollgate_domain::rollout::{
        ladder::{Ladder, Require, Step},
        moves::{By, Course, Move, Start},
        phase::Phase,
        record::{Evidence, Pin, Version},
    };

    use super::*;

    const BY: By<'static> = By {
        run: "run 7",
        actor: "octocat",
        at: Timestamp::UNIX_EPOCH,
    };

    /// The first record, the same raised to 5 %, and after one more write.
    fn three() -> [Record; 3] {
        let version = |name: &str| Version {
            backend: name.to_owned(),
            version: name.to_owned(),
            images: Vec::new(),
        };
        let step = Step {
            weight: Weight::new(5).unwrap(),
            duration: SignedDuration::from_secs(60),
        };
        let start = Start {
            service: "shop".to_owned(),
            stable: version("blue"),
            candidate: version("green"),
            course: Course {
                phase: Phase::Canary,
                ladder: Ladder::new(vec![step], Require::Proof).unwrap(),
                gates: Vec::new(),
                keep_old: SignedDuration::ZERO,
            },
            evidence: Evidence {
                origin: Timestamp::UNIX_EPOCH,
                look: SignedDuration::from_secs(15),
                cluster_size: 1.0,
                warm_since: None,
            },
            pin: Pin {
                hash: String::new(),
                commit: None,
                tool: String::new(),
            },
        };
        let first = Record::start(start, None, BY);
        let raised = first.after(Move::Raise, BY).unwrap();
        let beaten = raised.after(Move::Beat, BY).unwrap();
        [first, raised, beaten]
    }

    fn text(value: &str) -> Read {
        Ok(Entry::Value(value.to_owned()))
    }

    fn gone() -> Read {
        Err(anyhow::anyhow!("nobody answers"))
    }

    /// The map file and two processes.
    fn seen(file: Read, one: Read, two: Read) -> Seen {
        let place = |name: &str, entry| Place {
            name: name.to_owned(),
            entry,
        };
        let places = vec![place("the file", file), place("one", one), place("two", two)];
        compare(places, "web", "green").expect("a place that can be read")
    }

    /// What is seen, in one line.
    fn told(seen: &Seen) -> String {
        let record = match &seen.record {
            Ok(Some(record)) => format!("write {}", record.sequence),
            Ok(None) => "no record".to_owned(),
            Err(unreadable) => unreadable.to_string(),
        };
        let share = seen.share.map_or("?".to_owned(), |share| share.to_string());
        let torn = if seen.torn { ", torn" } else { "" };
        let drift = seen
            .drift
            .as_ref()
            .map(|drift| format!(", drift: {drift}"))
            .unwrap_or_default();
        let silent = if seen.unreachable.is_empty() {
            ""
        } else {
            ", silent places"
        };
        format!("{share}, {record}{torn}{drift}{silent}")
    }

    #[test]
    fn places_that_agree_are_in_order() {
        let [first, raised, _] = three();
        let all = |value: &str| told(&seen(text(value), text(value), text(value)));
        assert_eq!(all("0|"), "0 %, no record");
        assert_eq!(all(&value(&first)), "0 %, write 1");
        assert_eq!(all(&value(&raised)), "5 %, write 2");
    }

    #[test]
    fn a_write_that_was_cut_off_is_torn_and_the_newest_counts() {
        let [first, raised, beaten] = three();
        let (blank, first, raised, beaten) = ("0|", value(&first), value(&raised), value(&beaten));
        let told = |file: &str, one: &str, two: &str| told(&seen(text(file), text(one), text(two)));
        // A rise goes to the processes first.
        assert_eq!(told(&first, &raised, &first), "5 %, write 2, torn");
        assert_eq!(told(&first, &raised, &raised), "5 %, write 2, torn");
        // Everything else goes to the file first.
        assert_eq!(told(&beaten, &raised, &raised), "5 %, write 3, torn");
        assert_eq!(told(&beaten, &beaten, &raised), "5 %, write 3, torn");
        // The very first write of all.
        assert_eq!(told(&first, blank, blank), "0 %, write 1, torn");
    }

    #[test]
    fn what_somebody_else_wrote_is_drift() {
        let [_, raised, _] = three();
        let raised = value(&raised);
        let by_hand = raised.replacen("5|", "50|", 1);
        let told = |one: Read| told(&seen(text(&raised), one, text(&raised)));
        assert_eq!(
            told(text(&by_hand)),
            "50 %, write 2, drift: one gives 50 %, the record says 5 %"
        );
        assert_eq!(
            told(Ok(Entry::Missing)),
            "5 %, write 2, drift: one has no entry \"web\": add the line \"web 0|\" and reload HAProxy"
        );
        assert_eq!(
            told(text("hello")),
            "?, write 2, drift: one: no rollgate record: \"hello\" is not of the form SHARE|RECORD"
        );
        assert_eq!(
            told(text("200|")),
            "?, write 2, drift: one has \"200|\", which is not of the form SHARE|RECORD"
        );
        assert_eq!(
            told(text("0|")),
            "5 %, write 2, drift: one gives 0 %, the record says nothing"
        );
    }

    #[test]
    fn one_silent_place_hides_nothing_and_all_silent_places_are_an_error() {
        let [_, raised, _] = three();
        let raised = value(&raised);
        assert_eq!(
            told(&seen(text(&raised), gone(), text(&raised))),
            "5 %, write 2, silent places"
        );
        assert_eq!(
            told(&seen(gone(), text(&raised), gone())),
            "5 %, write 2, silent places"
        );
        let place = Place {
            name: "the file".to_owned(),
            entry: gone(),
        };
        assert!(compare(vec![place], "web", "green").is_err());
    }
}
