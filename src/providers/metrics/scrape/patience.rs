//! Which pages may fail for how long. Pure.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use anyhow::{Result, anyhow};
use jiff::{SignedDuration, Timestamp};
use rollgate_domain::analysis::Side;

use super::seen::Seen;
use super::{Answers, Page};

/// How long a page may fail before it counts: four looks, enough for a process to restart.
pub(super) const PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// Leaves out pages that may fail for now.
///
/// # Errors
///
/// A candidate's page has failed for longer than [`PATIENCE`], or all pages of a side fail.
pub(super) fn forgive(
    answers: Answers,
    good: &mut BTreeMap<String, Timestamp>,
    now: Timestamp,
) -> Result<Vec<(Page, Seen)>> {
    let mut well = Vec::new();
    let mut failed = Vec::new();
    let mut too_long = false;
    for (page, answer) in answers {
        let last = good.entry(page.shown.clone()).or_insert(now);
        match answer {
            Ok(seen) => {
                *last = now;
                well.push((page, seen));
            }
            Err(error) => {
                too_long |= page.side == Side::Candidate && now.duration_since(*last) > PATIENCE;
                failed.push((page, error));
            }
        }
    }
    let dark = [Side::Stable, Side::Candidate]
        .into_iter()
        .find(|side| well.iter().all(|(page, _)| page.side != *side));
    if dark.is_none() && !too_long {
        return Ok(well);
    }
    let side = dark.unwrap_or(Side::Candidate);
    failed.retain(|(page, _)| page.side == side);
    let of = well.iter().filter(|(page, _)| page.side == side).count() + failed.len();
    let side = if side == Side::Stable {
        "stable"
    } else {
        "candidate"
    };
    Err(failures(&failed, of, side))
}

/// One error for several pages: the first in full, the others by name.
fn failures(failed: &[(Page, anyhow::Error)], of: usize, side: &str) -> anyhow::Error {
    let Some((_, first)) = failed.first() else {
        return anyhow!("no page of the {side} version was read");
    };
    let mut text = format!(
        "{} of {of} pages of the {side} version cannot be read: {first:#}",
        failed.len()
    );
    for (index, (page, _)) in failed[1..].iter().enumerate() {
        let _ = write!(text, "{} {}", if index == 0 { "; also" } else { "," }, page.shown);
    }
    anyhow!(text)
}

#[cfg(test)]
mod tests {
    use reqwest::Url;

    use super::*;

    const STABLE: [&str; 2] = ["http://s1/metrics", "http://s2/metrics"];
    const CANDIDATE: [&str; 3] = ["http://c1/metrics", "http://c2/metrics", "http://c3/metrics"];

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    /// Every page, those in `down` failing.
    fn answers(down: &[&str]) -> Answers {
        let sides = [(Side::Stable, &STABLE[..]), (Side::Candidate, &CANDIDATE[..])];
        let page = |side, url: &&str| Page {
            url: Url::parse(url).unwrap(),
            shown: (*url).into(),
            side,
        };
        let pages = sides
            .into_iter()
            .flat_map(|(side, urls)| urls.iter().map(move |url| page(side, url)));
        pages
            .map(|page| {
                let answer = if down.contains(&page.shown.as_str()) {
                    Err(anyhow!("gone").context(format!("scrape {}", page.shown)))
                } else {
                    Ok(Seen::default())
                };
                (page, answer)
            })
            .collect()
    }

    #[test]
    fn a_candidate_page_may_fail_for_a_minute_and_no_longer() {
        let mut good = BTreeMap::new();
        let mut read = |second, down: &[&str]| {
            forgive(answers(down), &mut good, at(second))
                .map(|well| well.len())
                .map_err(|error| error.to_string())
        };
        assert_eq!(read(0, &[]), Ok(5));
        assert_eq!(read(15, &["http://c2/metrics"]), Ok(4));
        assert_eq!(read(60, &["http://c2/metrics"]), Ok(4));
        assert_eq!(
            read(61, &["http://c2/metrics", "http://c3/metrics"]).unwrap_err(),
            "2 of 3 pages of the candidate version cannot be read: scrape http://c2/metrics: gone; also http://c3/metrics"
        );
        assert_eq!(read(75, &[]), Ok(5));
        assert_eq!(read(135, &["http://c2/metrics"]), Ok(4));
        assert!(read(136, &["http://c2/metrics"]).is_err());
    }

    #[test]
    fn a_page_that_never_answered_is_forgiven_as_long() {
        let mut good = BTreeMap::new();
        assert!(forgive(answers(&["http://c1/metrics"]), &mut good, at(0)).is_ok());
        assert!(forgive(answers(&["http://c1/metrics"]), &mut good, at(60)).is_ok());
        assert!(forgive(answers(&["http://c1/metrics"]), &mut good, at(75)).is_err());
    }

    #[test]
    fn one_stable_page_is_enough_and_none_is_not() {
        let mut good = BTreeMap::new();
        for second in [0, 1000, 2000] {
            assert_eq!(
                forgive(answers(&["http://s1/metrics"]), &mut good, at(second))
                    .unwrap()
                    .len(),
                4
            );
        }
        assert_eq!(
            forgive(answers(&STABLE), &mut good, at(2001))
                .map(|_| ())
                .unwrap_err()
                .to_string(),
            "2 of 2 pages of the stable version cannot be read: scrape http://s1/metrics: gone; also http://s2/metrics"
        );
        assert!(forgive(answers(&CANDIDATE), &mut BTreeMap::new(), at(0)).is_err());
    }
}
