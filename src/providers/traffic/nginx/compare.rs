//! What file and running nginx mean together. Pure.

use std::path::Path;

use rollgate_domain::weight::Weight;

use super::include::{File, Served};
use crate::providers::traffic::{Seen, Shares};

/// The file is what was written, `live` is what users get.
///
/// An older answer than the file's is a write of ours that was cut off before nginx had read it (the next write
/// finishes it); everything else that does not fit is somebody else's hand.
pub(crate) fn compare(
    file: Option<&File>,
    live: &anyhow::Result<Served>,
    include: &Path,
    [first, second]: &[String; 2],
) -> Seen {
    let include = include.display();
    let served = file.and_then(|file| file.served.as_ref());
    let record = file.map_or(Ok(None), |file| file.record.clone());
    let candidate = match (&record, live.as_ref().ok().or(served)) {
        (Ok(Some(record)), _) => record.candidate.backend.clone(),
        (_, Some(served)) if served.candidate == *first => first.clone(),
        (_, _) => second.clone(),
    };
    let share_of = |served: &Served| served.share_of(candidate == *first, first);

    let mut drift = Vec::new();
    let by_rules = file.and_then(|file| file.share_of(candidate == *first, first));
    let said = |share: Option<Weight>| {
        share.map_or_else(
            || "nobody knows what".to_owned(),
            |share| format!("{share} to {candidate}"),
        )
    };
    match (file, &record) {
        (None, _) => drift.push(format!(
            "{include} is missing: make it as shift-traffic init nginx says"
        )),
        (Some(_), Err(unreadable)) => drift.push(format!("{include}: {unreadable}")),
        (Some(file), Ok(record)) => {
            let recorded = record.as_ref().map(|record| record.weight);
            let fits = match (recorded, served) {
                (_, None) => false,
                (Some(recorded), Some(served)) => share_of(served) == recorded,
                // Before the first rollout: all to one of the two.
                (None, Some(served)) => matches!(served.share, Weight::ZERO | Weight::FULL),
            };
            if !file.is_sealed || !fits {
                let recorded = recorded.map_or_else(
                    || "nothing".to_owned(),
                    |recorded| format!("{recorded} to {candidate}"),
                );
                let edited = if file.is_sealed {
                    ""
                } else {
                    "was edited by hand: it "
                };
                drift.push(format!(
                    "{include} {edited}gives {}, the record says {recorded}",
                    said(by_rules)
                ));
            }
        }
    }
    if let (Ok(live), Some(served)) = (live, served)
        && live.write > served.write
    {
        drift.push(format!(
            "{include} was put back to an older state: nginx still serves {}",
            said(Some(share_of(live)))
        ));
    }
    let is_edited = file.is_some_and(|file| !file.is_sealed);
    let share = match live {
        // Whether nginx has read what was edited cannot be told; its next reload does.
        Ok(live) if !is_edited => Some(share_of(live)),
        _ => by_rules,
    };
    Seen {
        torn: matches!((live, served), (Ok(live), Some(served)) if live.write < served.write),
        candidate,
        share,
        record,
        drift: (!drift.is_empty()).then(|| drift.join("; ")),
        unreachable: live
            .as_ref()
            .err()
            .map(|error| format!("{error:#}"))
            .into_iter()
            .collect(),
        capacity: None,
        shares: Shares::Every,
        token: file.map_or_else(String::new, |file| file.text.clone()),
    }
}
