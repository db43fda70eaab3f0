//! Which values of a label are told apart: the busiest, the rest as one.

use std::collections::{BTreeMap, BTreeSet};

use super::Counts;
use crate::analysis::look::REST;

/// So many are told apart. More would cost each of them evidence.
pub(super) const BUSIEST: usize = 20;

/// The choice is made after so many looks with requests, the warm-up's length at 15 s; it never depends on what it is
/// used for, the errors of later looks.
const CHOSEN_AFTER: u32 = 20;

/// Who was chosen, and what the others have had.
#[derive(Clone, Debug, Default)]
pub(super) struct Busiest {
    looks: u32,
    chosen: BTreeSet<String>,
    waiting: BTreeMap<String, f64>,
    /// The source has joined the rest itself, as one that was recorded: then its names are the chosen ones.
    told: bool,
}

impl Busiest {
    /// Keeps the chosen ones and joins the rest, then chooses from what has been seen.
    pub(super) fn close(
        &mut self,
        stable: &mut BTreeMap<String, Counts>,
        candidate: &mut BTreeMap<String, Counts>,
    ) {
        if stable.is_empty() && candidate.is_empty() {
            return;
        }
        self.told |= stable.contains_key(REST) || candidate.contains_key(REST);
        if self.told {
            return;
        }
        let mut here: BTreeMap<String, f64> = BTreeMap::new();
        for groups in [stable, candidate] {
            let mut rest = Counts::default();
            groups.retain(|name, counts| {
                let known = self.chosen.contains(name);
                if !known {
                    rest += *counts;
                    *here.entry(name.clone()).or_default() += counts.requests;
                }
                known
            });
            if rest != Counts::default() {
                groups.insert(REST.to_owned(), rest);
            }
        }
        if self.chosen.len() >= BUSIEST {
            return;
        }
        for (name, requests) in here {
            *self.waiting.entry(name).or_default() += requests;
        }
        self.looks += 1;
        if self.looks < CHOSEN_AFTER {
            return;
        }
        let mut names: Vec<_> = std::mem::take(&mut self.waiting).into_iter().collect();
        names.sort_by(|one, other| other.1.total_cmp(&one.1).then_with(|| one.0.cmp(&other.0)));
        let free = BUSIEST - self.chosen.len();
        self.chosen
            .extend(names.into_iter().take(free).map(|(name, _)| name));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn look(busiest: &mut Busiest, names: &[(&str, f64)]) -> Vec<(String, f64)> {
        let counts = |requests| Counts {
            requests,
            errors: 0.0,
        };
        let mut stable = names
            .iter()
            .map(|(name, requests)| ((*name).to_owned(), counts(*requests)))
            .collect();
        busiest.close(&mut stable, &mut BTreeMap::new());
        stable
            .into_iter()
            .map(|(name, counts)| (name, counts.requests))
            .collect()
    }

    #[test]
    fn the_twenty_busiest_of_the_first_looks_are_told_apart_and_the_rest_is_one() {
        let names: Vec<String> = (0..25).map(|number| format!("page-{number:02}")).collect();
        let traffic: Vec<(&str, f64)> = names
            .iter()
            .enumerate()
            .map(|(place, name)| (name.as_str(), 100.0 - place as f64))
            .collect();
        let mut busiest = Busiest::default();
        for _ in 0..CHOSEN_AFTER {
            assert_eq!(look(&mut busiest, &traffic), [(REST.to_owned(), 2200.0)]);
        }
        let apart = look(&mut busiest, &traffic);
        assert_eq!(apart.len(), BUSIEST + 1);
        assert_eq!(apart[0], (REST.to_owned(), 80.0 + 79.0 + 78.0 + 77.0 + 76.0));
        assert_eq!(apart[1], ("page-00".to_owned(), 100.0));
    }

    #[test]
    fn a_late_one_gets_a_place_that_is_free_from_the_look_after_its_first() {
        let mut busiest = Busiest::default();
        for _ in 0..CHOSEN_AFTER {
            look(&mut busiest, &[("a", 5.0)]);
        }
        assert_eq!(
            look(&mut busiest, &[("a", 5.0), ("b", 1.0)]),
            [(REST.to_owned(), 1.0), ("a".to_owned(), 5.0)]
        );
        assert_eq!(
            look(&mut busiest, &[("a", 5.0), ("b", 1.0)]),
            [("a".to_owned(), 5.0), ("b".to_owned(), 1.0)]
        );
    }

    #[test]
    fn who_was_chosen_before_is_not_chosen_again() {
        let mut busiest = Busiest::default();
        for _ in 0..30 {
            assert_eq!(look(&mut busiest, &[(REST, 9.0)]), [(REST.to_owned(), 9.0)]);
        }
        let names = [(REST, 1.0), ("a", 5.0), ("b", 3.0)];
        let kept = names.map(|(name, requests)| (name.to_owned(), requests));
        assert_eq!(look(&mut busiest, &names), kept);
        assert_eq!(look(&mut busiest, &names[1..]), kept[1..]);
    }
}
