//! What a wish changes in the objects of one version: numbers as read → patches. Asks nobody.

use super::dial::{Change, Dial};
use crate::providers::stacks::Wish;

/// What can be turned of one version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dials {
    /// Its pods.
    pub(super) pods: Dial,
    /// Its autoscaler's least number of pods.
    pub(super) autoscaler: Option<Bounds>,
}

/// An autoscaler's bounds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Bounds {
    /// The least number of pods.
    pub(super) min: Dial,
    /// The largest.
    pub(super) max: u32,
    /// The controller that would undo a change of it, such as `ScaledObject web`.
    pub(super) owner: Option<String>,
}

/// What `wish` changes of the pods, in the order in which it must be written; nothing if it is so already.
///
/// # Errors
///
/// It cannot be had; in words, with what to do.
pub(super) fn changes(wish: Wish, dials: &Dials) -> Result<Vec<Change>, String> {
    let Dials { pods, autoscaler } = dials;
    let mut changes = Vec::new();
    match wish {
        Wish::AtLeast(count) => {
            // The autoscaler first: it would take the pods back at once.
            changes.extend(
                autoscaler
                    .as_ref()
                    .map(|bounds| bounds.hold(count))
                    .transpose()?
                    .flatten(),
            );
            if pods.now < count {
                changes.extend(pods.turn(count, dials.kept()));
            }
        }
        Wish::Hold(count) => {
            changes.extend(
                autoscaler
                    .as_ref()
                    .map(|bounds| bounds.hold(count))
                    .transpose()?
                    .flatten(),
            );
        }
        Wish::Nothing => changes.extend(pods.turn(0, dials.kept())),
        Wish::AsBefore => {
            changes.extend(autoscaler.as_ref().and_then(Bounds::back));
            changes.extend(pods.settle(dials.before()));
        }
        Wish::Settled => {
            changes.extend(autoscaler.as_ref().and_then(Bounds::back));
            changes.extend(pods.settle(pods.now));
        }
        Wish::WorkersQuiet => changes.extend(pods.turn(0, dials.kept())),
        Wish::WorkersAsBefore => changes.extend(pods.settle(dials.before())),
    }
    Ok(changes)
}

impl Dials {
    /// What is remembered of the pods. A number that somebody else has set since is theirs; an autoscaler's is not.
    fn kept(&self) -> Option<super::dial::Kept> {
        match self.autoscaler {
            Some(_) => self.pods.kept(),
            None => self.pods.kept_untouched(),
        }
    }

    /// How many pods there should be if there had been no rollout.
    fn before(&self) -> u32 {
        let now = self.pods.now;
        let Some(kept) = self.kept() else { return now };
        // An autoscaler that is on decides by itself. It is on where there is a pod.
        let is_its_own = self.autoscaler.is_some() && now > 0 && kept.before > 0;
        if is_its_own { now } else { kept.before }
    }
}

impl Bounds {
    /// Not below `count`.
    fn hold(&self, count: u32) -> Result<Option<Change>, String> {
        let Self { min, max, owner } = self;
        if min.now >= count {
            return Ok(None);
        }
        let name = &min.name;
        if let Some(owner) = owner {
            return Err(format!(
                "HorizontalPodAutoscaler {name} belongs to {owner}, which would undo a change of its bounds: \
                 raise its least number of pods to {count} there"
            ));
        }
        if count > *max {
            return Err(format!(
                "HorizontalPodAutoscaler {name} allows {max} pods, {count} are needed: raise its maxReplicas to \
                 {count} or more"
            ));
        }
        Ok(min.turn(count, min.kept_untouched()))
    }

    /// As it was.
    fn back(&self) -> Option<Change> {
        let before = self.min.kept_untouched().map_or(self.min.now, |kept| kept.before);
        self.min.settle(before)
    }
}
