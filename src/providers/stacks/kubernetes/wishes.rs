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
        Wish::WorkersAsBefore(count) => changes.extend(match dials.before() {
            0 => pods.turn(count.max(pods.now), dials.kept()),
            before => pods.settle(before),
        }),
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::providers::stacks::kubernetes::dial::Kind;

    fn dial(kind: Kind, now: u32, kept: &str) -> Dial {
        let annotations = BTreeMap::from([(kind.annotation().to_owned(), kept.to_owned())]);
        Dial {
            kind,
            name: "web".to_owned(),
            now,
            annotations: (!kept.is_empty()).then_some(annotations),
        }
    }

    fn pods(now: u32, kept: &str) -> Dials {
        Dials {
            pods: dial(Kind::Deployment, now, kept),
            autoscaler: None,
        }
    }

    fn scaled(now: u32, kept: &str, min: u32, min_kept: &str) -> Dials {
        Dials {
            autoscaler: Some(Bounds {
                min: dial(Kind::HorizontalPodAutoscaler, min, min_kept),
                max: 10,
                owner: None,
            }),
            ..pods(now, kept)
        }
    }

    fn words(wish: Wish, dials: &Dials) -> String {
        match changes(wish, dials) {
            Ok(changes) => {
                let words: Vec<_> = changes.into_iter().map(|change| change.words).collect();
                words.join(", ")
            }
            Err(refusal) => refusal,
        }
    }

    #[test]
    fn a_wish_changes_what_it_must_and_no_more() {
        use Wish::{AsBefore, AtLeast, Hold, Nothing, Settled, WorkersAsBefore};
        for (wish, dials, expected) in [
            (AtLeast(3), pods(1, ""), "Deployment web: replicas 1 -> 3"),
            (AtLeast(3), pods(5, ""), ""),
            (AtLeast(0), pods(0, ""), ""),
            (Hold(3), pods(1, ""), ""),
            (AsBefore, pods(3, "1, now 3"), "Deployment web: replicas 3 -> 1"),
            // Somebody else has set it since.
            (
                AsBefore,
                pods(4, "1, now 3"),
                "Deployment web: replicas stays 4, for good",
            ),
            (AsBefore, pods(4, ""), ""),
            (
                AsBefore,
                pods(4, "what is this?"),
                "Deployment web: replicas stays 4, for good",
            ),
            (Nothing, pods(3, "1, now 3"), "Deployment web: replicas 3 -> 0"),
            (Nothing, pods(0, "1, now 0"), ""),
            (
                Settled,
                pods(3, "1, now 3"),
                "Deployment web: replicas stays 3, for good",
            ),
            (Settled, pods(3, ""), ""),
            (
                WorkersAsBefore(3),
                pods(0, "2, now 0"),
                "Deployment web: replicas 0 -> 2",
            ),
            // Deployed without: as many as the other version had.
            (WorkersAsBefore(3), pods(0, ""), "Deployment web: replicas 0 -> 3"),
            (
                WorkersAsBefore(3),
                pods(0, "0, now 0"),
                "Deployment web: replicas 0 -> 3",
            ),
            (WorkersAsBefore(3), pods(2, ""), ""),
            (WorkersAsBefore(0), pods(0, ""), ""),
            // An autoscaler does not act at 0, and decides by itself elsewhere.
            (
                AsBefore,
                scaled(6, "2, now 5", 2, ""),
                "Deployment web: replicas stays 6, for good",
            ),
            (
                AsBefore,
                scaled(6, "0, now 5", 2, ""),
                "Deployment web: replicas 6 -> 0",
            ),
            (
                AsBefore,
                scaled(0, "6, now 0", 2, ""),
                "Deployment web: replicas 0 -> 6",
            ),
            (
                AtLeast(5),
                scaled(0, "", 2, ""),
                "HorizontalPodAutoscaler web: minReplicas 2 -> 5, Deployment web: replicas 0 -> 5",
            ),
            (AtLeast(5), scaled(8, "", 5, ""), ""),
            (
                Hold(8),
                scaled(8, "", 5, "2, now 5"),
                "HorizontalPodAutoscaler web: minReplicas 5 -> 8",
            ),
        ] {
            assert_eq!(words(wish, &dials), expected, "{wish:?} {dials:?}");
        }
    }

    #[test]
    fn the_first_number_is_remembered_through_all_wishes() {
        let patch = |wish, dials: &Dials| changes(wish, dials).unwrap().remove(0).patch;
        let last = patch(Wish::Nothing, &pods(3, "1, now 3")).pop().unwrap();
        assert_eq!(last["value"], "1, now 0");
        let last = patch(Wish::Hold(8), &scaled(8, "", 5, "2, now 5")).pop().unwrap();
        assert_eq!(last["value"], "2, now 8");
    }

    #[test]
    fn an_autoscaler_that_somebody_else_writes_is_left_to_them() {
        let mut dials = scaled(2, "", 2, "");
        if let Some(bounds) = &mut dials.autoscaler {
            bounds.owner = Some("ScaledObject web".to_owned());
        }
        let refusal = words(Wish::Hold(4), &dials);
        assert_eq!(
            refusal,
            "HorizontalPodAutoscaler web belongs to ScaledObject web, which would undo a change of its bounds: raise its \
             least number of pods to 4 there"
        );
        assert_eq!(words(Wish::Hold(2), &dials), "");
    }
}
