//! Which users meet the candidate where the router cannot hash, only match: by the last two digits of their ids.
//!
//! Ids go in, a regular expression or an answer comes out; both say the same. Two decimal digits are 100 parts,
//! one for each percent. Two hexadecimal digits are 256 parts: a share is rounded to the nearest part, 1 % is 3 of
//! them. The lowest parts meet the candidate, so a growing share keeps its users.
//!
//! An id that does not end with two such digits is none that the plan promised. It stays with stable at every share
//! below 100 %: otherwise one mistake in the plan, a cookie in place of an id, would send everybody to the candidate.
//! A rule [`ANY`] behind the candidate's rule says so to the router. A request with no id, or an empty one, goes by
//! weight.

use rollgate_domain::weight::Weight;

use super::Ids;

/// Matches every id: whoever has one and is not the candidate's is stable's.
pub const ANY: &str = ".+";

/// The regular expression of the ids that meet the candidate; none where no rule is needed: at 0 % nobody does, at
/// 100 % everybody does.
///
/// Anchored, so that it says the same to a router that searches and to one that matches in full, as Envoy does.
/// Within what RE2 knows: <https://github.com/google/re2/wiki/Syntax>
#[must_use]
pub fn pattern(ids: Ids, share: Weight) -> Option<String> {
    if share == Weight::ZERO || share == Weight::FULL {
        return None;
    }
    let base = ids.base();
    let (high, low) = (ids.parts(share) / base, ids.parts(share) % base);
    let whole = (high > 0).then(|| format!("{}{}", ids.below(high), ids.below(base)));
    let rest = (low > 0).then(|| format!("{}{}", ids.digit(high), ids.below(low)));
    let endings = match (whole, rest) {
        (Some(whole), Some(rest)) => format!("({whole}|{rest})"),
        (whole, rest) => whole.or(rest)?,
    };
    Some(format!("^.*{endings}$"))
}

/// Whether the user with this id meets the candidate at `share`; none for an empty id, whose requests go by weight.
#[must_use]
pub fn meets_candidate(id: &str, ids: Ids, share: Weight) -> Option<bool> {
    if share == Weight::FULL || share == Weight::ZERO {
        return Some(share == Weight::FULL);
    }
    if id.is_empty() {
        return None;
    }
    let base = ids.base();
    let mut digits = id.chars().rev().map_while(|digit| digit.to_digit(base));
    let part = match (digits.next(), digits.next()) {
        (Some(low), Some(high)) => high * base + low,
        _ => return Some(false),
    };
    Some(part < ids.parts(share))
}

impl Ids {
    const fn base(self) -> u32 {
        match self {
            Self::Decimal => 10,
            Self::Hex => 16,
        }
    }

    /// How many of all parts are `share`: to the nearest one, half a part counts.
    fn parts(self, share: Weight) -> u32 {
        let all = self.base() * self.base();
        (u32::from(share.percent()) * all + 50) / 100
    }

    /// One digit, in both cases where it is a letter.
    fn digit(self, digit: u32) -> String {
        let small = char::from_digit(digit, self.base()).unwrap_or_default();
        match small.is_ascii_alphabetic() {
            true => format!("[{small}{}]", small.to_ascii_uppercase()),
            false => small.to_string(),
        }
    }

    /// The digits below `end`, 1 to the base.
    fn below(self, end: u32) -> String {
        let last = char::from_digit(end - 1, self.base()).unwrap_or_default();
        match (end, last) {
            (1, _) => "0".to_owned(),
            (2..=10, last) => format!("[0-{last}]"),
            (11, _) => "[0-9aA]".to_owned(),
            (_, last) => format!("[0-9a-{last}A-{}]", last.to_ascii_uppercase()),
        }
    }
}

#[cfg(test)]
mod tests {
    use regex::Regex;

    use super::*;

    const FORMS: [Ids; 2] = [Ids::Decimal, Ids::Hex];

    fn weight(percent: u8) -> Weight {
        Weight::new(percent).unwrap()
    }

    /// Every pair of digits, in lower and in upper case.
    fn endings(ids: Ids) -> Vec<String> {
        match ids {
            Ids::Decimal => (0..100).map(|part| format!("{part:02}")).collect(),
            Ids::Hex => (0..256)
                .flat_map(|part| [format!("{part:02x}"), format!("{part:02X}")])
                .collect(),
        }
    }

    #[test]
    fn the_expressions_are_short_enough_to_be_read() {
        let of = |ids, percent| pattern(ids, weight(percent)).unwrap_or_else(|| "none".to_owned());
        let decimal = [0, 1, 2, 5, 10, 11, 37, 50, 99, 100].map(|percent| of(Ids::Decimal, percent));
        insta::assert_snapshot!(decimal.join("\n"), @r"
        none
        ^.*00$
        ^.*0[0-1]$
        ^.*0[0-4]$
        ^.*0[0-9]$
        ^.*(0[0-9]|10)$
        ^.*([0-2][0-9]|3[0-6])$
        ^.*[0-4][0-9]$
        ^.*([0-8][0-9]|9[0-8])$
        none
        ");
        let hex = [0, 1, 5, 10, 50, 66, 99, 100].map(|percent| of(Ids::Hex, percent));
        insta::assert_snapshot!(hex.join("\n"), @r"
        none
        ^.*0[0-2]$
        ^.*0[0-9a-cA-C]$
        ^.*(0[0-9a-fA-F]|1[0-9])$
        ^.*[0-7][0-9a-fA-F]$
        ^.*([0-9][0-9a-fA-F]|[aA][0-8])$
        ^.*([0-9a-eA-E][0-9a-fA-F]|[fF][0-9a-cA-C])$
        none
        ");
    }

    #[test]
    fn expression_and_answer_agree_for_every_ending_at_every_share() {
        for ids in FORMS {
            for percent in 1..100 {
                let expression = pattern(ids, weight(percent)).unwrap();
                let [searches, whole] = [expression.clone(), format!("^(?:{expression})$")]
                    .map(|text| Regex::new(&text).unwrap());
                for ending in endings(ids) {
                    for id in [ending.clone(), format!("00 a{ending}")] {
                        let met = meets_candidate(&id, ids, weight(percent)).unwrap();
                        assert_eq!(searches.is_match(&id), met, "{id} at {percent} %");
                        assert_eq!(whole.is_match(&id), met, "{id} at {percent} %");
                    }
                }
            }
        }
    }

    #[test]
    fn so_many_of_a_million_ids_meet_the_candidate() {
        let met = |ids, id: fn(u32) -> String| {
            let mut met = [0_usize; 3];
            for id in (0..1_000_000).map(id) {
                for (met, percent) in met.iter_mut().zip([1, 5, 10]) {
                    *met += usize::from(meets_candidate(&id, ids, weight(percent)) == Some(true));
                }
            }
            met
        };
        let decimal = met(Ids::Decimal, |number| (4_000_000 + number).to_string());
        assert_eq!(decimal, [10_000, 50_000, 100_000]);
        // 3, 13 and 26 of 256 parts.
        let hex = met(Ids::Hex, |number| format!("{number:08x}"));
        assert_eq!(hex, [11_721, 50_791, 101_582]);
    }

    #[test]
    fn a_growing_share_keeps_its_users_and_grows_by_at_most_three_parts() {
        for ids in FORMS {
            let of = |percent| -> Vec<String> {
                let meets = |id: &String| meets_candidate(id, ids, weight(percent)) == Some(true);
                endings(ids).into_iter().filter(meets).collect()
            };
            for percent in 0..100 {
                let (before, after) = (of(percent), of(percent + 1));
                assert!(before.iter().all(|id| after.contains(id)), "{percent} %");
                assert!(after.len() > before.len() && after.len() - before.len() <= 6);
            }
            assert_eq!((of(0).len(), of(100).len()), (0, endings(ids).len()));
        }
    }

    #[test]
    fn an_id_of_a_form_that_was_not_promised_stays_with_stable_until_everybody_moves() {
        for id in ["7", "anna", "100x", "0123-ab0g", "٠٠", " ", "00 "] {
            for percent in 1..100 {
                assert_eq!(
                    meets_candidate(id, Ids::Decimal, weight(percent)),
                    Some(false),
                    "{id}"
                );
                let expression = Regex::new(&pattern(Ids::Decimal, weight(percent)).unwrap()).unwrap();
                assert!(!expression.is_match(id), "{id} at {percent} %");
            }
            assert_eq!(meets_candidate(id, Ids::Decimal, Weight::FULL), Some(true));
            assert!(Regex::new(&format!("^{ANY}$")).unwrap().is_match(id));
        }
        // By the decimal rule an id of hex digits that ends with two decimal ones is one like others.
        assert_eq!(meets_candidate("ff00", Ids::Decimal, weight(1)), Some(true));
    }

    #[test]
    fn a_request_without_an_id_goes_by_weight() {
        for ids in FORMS {
            assert_eq!(meets_candidate("", ids, weight(10)), None);
            assert_eq!(meets_candidate("", ids, Weight::ZERO), Some(false));
            assert_eq!(meets_candidate("", ids, Weight::FULL), Some(true));
        }
        assert!(!Regex::new(&format!("^{ANY}$")).unwrap().is_match(""));
    }
}
