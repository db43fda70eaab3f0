//! Whether every process that is known had a sample in a look.

use std::collections::{BTreeMap, BTreeSet};

use super::Side;

/// A process that has had no sample for so many looks is gone: 5 min at 15 s.
const GONE: u64 = 20;

/// Who was heard when.
#[derive(Clone, Debug, Default)]
pub(super) struct Heard {
    open: BTreeMap<(u64, Side), BTreeSet<String>>,
    last: BTreeMap<(Side, String), u64>,
}

impl Heard {
    /// Notes a sample of `instance` in the look `index`.
    pub(super) fn at(&mut self, index: u64, side: Side, instance: &str) {
        let here = self.open.entry((index, side)).or_default();
        if !here.contains(instance) {
            here.insert(instance.to_owned());
        }
    }

    /// Whether all that are there were heard in the look `index`, which is the next one to close.
    pub(super) fn close(&mut self, index: u64, side: Side) -> bool {
        let here = self.open.remove(&(index, side)).unwrap_or_default();
        let known = self.last.iter().filter(|((of, _), _)| *of == side);
        let missing = known
            .filter(|((_, name), last)| !here.contains(name) && index - **last < GONE)
            .count();
        let complete = missing == 0 && !here.is_empty();
        for name in here {
            self.last.insert((side, name), index);
        }
        self.last.retain(|_, last| index - *last < GONE);
        complete
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_misses_a_look_makes_it_incomplete_until_it_is_gone() {
        let mut heard = Heard::default();
        let mut closed = |index: u64, names: &[&str]| {
            for name in names {
                heard.at(index, Side::Candidate, name);
            }
            heard.close(index, Side::Candidate)
        };
        assert!(!closed(0, &[]), "silence tells nothing");
        assert!(closed(1, &["a", "b"]));
        assert!(!closed(2, &["a"]));
        assert!(closed(3, &["a", "b", "c"]), "a new one is welcome");
        for index in 4..23 {
            assert!(!closed(index, &["a", "b"]), "{index}");
        }
        assert!(closed(23, &["a", "b"]), "c is gone");
    }
}
