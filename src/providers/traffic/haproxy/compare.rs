//! What the entries in several places mean together. Pure.

use rollgate_domain::{rollout::record::Record, weight::Weight};

use super::{
    Read, Seen, Shares,
    entry::{Entry, FORM, Understood, excerpt, understand},
};

/// The map file or one process.
pub(crate) struct Place {
    pub(crate) name: String,
    pub(crate) entry: Read,
}

/// What all places together say: the newest record wins, the highest live share is told, and whatever is
/// neither the newest write nor an older one of ours is drift. `backends`: as the plan has them.
///
/// # Errors
///
/// No place could be read.
pub(crate) fn compare(places: Vec<Place>, key: &str, [first, second]: &[String; 2]) -> anyhow::Result<Seen> {
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

    let candidate = match (&newest.record, newest.is_of_first(first)) {
        (Ok(Some(record)), _) => record.candidate.backend.clone(),
        (_, true) => first.clone(),
        (_, false) => second.clone(),
    };
    let share = |here: &Understood| here.share_of(candidate == *first, first);

    let mut drift = Vec::new();
    let mut torn = false;
    for (_, name, here, raw) in &found {
        let consistent = here.is_consistent(first);
        if raw == entry && *raw != Entry::Missing && consistent {
            continue;
        }
        match &here.record {
            Ok(_) if *raw == Entry::Missing => {
                drift.push(format!(
                    "{name} has no entry \"{key}\": add the line \"{key} 0|\" and reload HAProxy"
                ));
            }
            // An older write of ours, whole: the newest one was cut off.
            Ok(Some(_)) if consistent => torn = true,
            Ok(None) if consistent && is_first(newest) && share(here) == Some(Weight::ZERO) => torn = true,
            Ok(record) => drift.push(match (here.share, raw) {
                (None, Entry::Value(value)) => {
                    format!(
                        "{name} has \"{}\", which is not of the form {FORM}",
                        excerpt(value)
                    )
                }
                _ => format!(
                    "{name} gives {}, the record says {}",
                    here.said(),
                    recorded(here, record.as_ref())
                ),
            }),
            Err(unreadable) => drift.push(format!("{name}: {unreadable}")),
        }
    }
    // The file is where we write, not what users get.
    let live = found.iter().filter(|(index, ..)| *index > 0);
    let shares: Vec<_> = live.map(|(.., here, _)| share(here)).collect();
    Ok(Seen {
        candidate,
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

/// The first write ever, so that a place without a record is one that it did not reach.
fn is_first(here: &Understood) -> bool {
    matches!(&here.record, Ok(Some(record)) if record.sequence == 1)
}

/// What `record`, which stands beside `here`, says; the candidate only where the entry names one.
fn recorded(here: &Understood, record: Option<&Record>) -> String {
    match record {
        Some(record) if here.roles.is_some() => {
            format!("{} to {}", record.weight, record.candidate.backend)
        }
        Some(record) => record.weight.to_string(),
        None => "nothing".to_owned(),
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
    use crate::providers::traffic::haproxy::entry::value;

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
                ..Evidence::default()
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

    fn backends() -> [String; 2] {
        ["blue", "green"].map(str::to_owned)
    }

    /// As older versions wrote it.
    fn old_form(record: &Record) -> String {
        let value = value(record);
        let (share, rest) = value.split_once('|').unwrap();
        format!("{share}|{}", rest.rsplit_once('|').unwrap().1)
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
        compare(places, "web", &backends()).expect("a place that can be read")
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
            "50 %, write 2, drift: one gives 50 % to green, the record says 5 % to green"
        );
        assert_eq!(
            told(Ok(Entry::Missing)),
            "5 %, write 2, drift: one has no entry \"web\": add the line \"web 0|\" and reload HAProxy"
        );
        assert_eq!(
            told(text("hello")),
            "?, write 2, drift: one: no rollgate record: \"hello\" is not of the form SHARE|CANDIDATE|STATE|RECORD"
        );
        assert_eq!(
            told(text("200|")),
            "?, write 2, drift: one has \"200|\", which is not of the form SHARE|CANDIDATE|STATE|RECORD"
        );
        assert_eq!(
            told(text("0|")),
            "5 %, write 2, drift: one gives 0 %, the record says nothing"
        );
    }

    #[test]
    fn an_entry_of_the_older_form_is_the_second_backends_share() {
        let [_, raised, beaten] = three();
        let old = old_form(&raised);
        assert_eq!(told(&seen(text(&old), text(&old), text(&old))), "5 %, write 2");
        // The next write is cut off before the second process.
        let new = value(&beaten);
        assert_eq!(
            told(&seen(text(&new), text(&new), text(&old))),
            "5 %, write 3, torn"
        );
        let by_hand = old.replacen("5|", "50|", 1);
        assert_eq!(
            told(&seen(text(&old), text(&by_hand), text(&old))),
            "50 %, write 2, drift: one gives 50 %, the record says 5 %"
        );
    }

    /// Green has all the traffic, and has become stable.
    fn promoted() -> (Record, Record) {
        let [first, ..] = three();
        let all = Step {
            weight: Weight::FULL,
            duration: SignedDuration::from_secs(60),
        };
        let production = Course {
            phase: Phase::Production,
            ladder: Ladder::new(vec![all], Require::Proof).unwrap(),
            gates: Vec::new(),
            keep_old: SignedDuration::ZERO,
        };
        let moves = [Move::Raise, Move::Pass, Move::Enter(production), Move::Raise];
        let full = moves
            .into_iter()
            .fold(first, |record, step| record.after(step, BY).unwrap());
        let promoted = full.after(Move::Promote, BY).unwrap();
        (full, promoted)
    }

    #[test]
    fn a_promotion_changes_the_names_and_nobodys_share() {
        let (full, promoted) = promoted();
        assert!(value(&full).starts_with("100|green|tried|"));
        assert!(value(&promoted).starts_with("0|blue|over|"));
        let (full, promoted) = (value(&full), value(&promoted));
        let torn = seen(text(&promoted), text(&promoted), text(&full));
        assert_eq!(told(&torn), "0 %, write 6, torn");
        assert_eq!(torn.candidate, "blue");
        assert_eq!(torn.share_of("green"), Some(Weight::FULL));
    }

    #[test]
    fn a_rollback_of_a_promotion_that_was_cut_off_still_tells_who_has_what() {
        let (_, promoted) = promoted();
        let back = promoted
            .after(Move::RollBack("orders fail".to_owned()), BY)
            .unwrap();
        let (promoted, back) = (value(&promoted), value(&back));
        assert!(back.starts_with("0|green|over|"));
        let torn = seen(text(&back), text(&back), text(&promoted));
        // One process is still on green.
        assert_eq!(
            (told(&torn).as_str(), torn.candidate.as_str()),
            ("100 %, write 7, torn", "green")
        );
    }

    #[test]
    fn an_entry_whose_record_is_lost_still_says_who_is_the_candidate() {
        let seen = seen(text("0|blue|over|"), text("0|blue|over|"), text("0|blue|over|"));
        assert_eq!(
            (seen.candidate.as_str(), seen.share),
            ("blue", Some(Weight::ZERO))
        );
        assert!(seen.drift.is_some());
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
        assert!(compare(vec![place], "web", &backends()).is_err());
    }
}
