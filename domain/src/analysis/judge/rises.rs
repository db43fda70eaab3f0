//! What a rise of the share begins: a warm-up if the candidate came from nothing, and a look at what it does to stable.

use jiff::Timestamp;

use super::super::damage::Damage;
use super::Judge;
use crate::weight::Weight;

impl Judge {
    /// When the candidate last came from nothing to a share, before `start`.
    pub(super) fn begun(&self, start: Timestamp) -> Option<Timestamp> {
        let mut before = self.from_the_first.then_some(Weight::ZERO);
        let mut begun = None;
        for (at, weight) in self.shares.iter().take_while(|(at, _)| *at <= start) {
            if before == Some(Weight::ZERO) && *weight > Weight::ZERO {
                begun = Some(*at);
            }
            before = Some(*weight);
        }
        begun
    }

    /// From the first look after a rise on, stable is compared with what it was before.
    pub(super) fn watch_rises(&mut self, start: Timestamp) {
        let past = self.shares.iter().enumerate().filter(|(_, (at, _))| *at <= start);
        let rises = past.filter(|(place, (_, weight))| {
            let before = place.checked_sub(1).map(|place| self.shares[place].1);
            *weight > before.unwrap_or(Weight::ZERO)
        });
        let Some(rise) = rises.map(|(_, (at, _))| *at).next_back() else {
            return;
        };
        if self.damage.as_ref().is_none_or(|damage| damage.rise() < rise) {
            let mut before = self.baseline();
            before += self.settings.before.unwrap_or_default();
            self.damage = Some(Damage::new(&self.settings, rise, before, &self.yardstick));
        }
    }
}
