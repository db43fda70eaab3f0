//! Whether a version can carry the traffic it is to get. Pods, servers or anything else that is counted alike.

use crate::weight::Weight;

/// How much more than its usual load a pod of stable takes for the time of a rollback: autoscalers aim at about
/// 80 % of what a pod can do.
const HEADROOM_PERCENT: u32 = 125;

/// A canary's users are no burden for stable: up to this share it takes them back however many pods it has, if
/// it has any.
const SMALL: Weight = match Weight::constant(10) {
    Some(weight) => weight,
    None => Weight::ZERO,
};

/// How many pods carry `share` of the traffic if `whole` of them carry all of it; at least one.
#[must_use]
pub fn needed(share: Weight, whole: u32) -> u32 {
    let part = u64::from(whole) * u64::from(share.percent());
    u32::try_from(part.div_ceil(100)).unwrap_or(u32::MAX).max(1)
}

/// The share that must stay on the candidate for now because stable cannot carry it: 0 when it can carry all.
///
/// Never more than `current`. `ready`: stable's pods that answer. `whole`: how many carried everything before the
/// rollout. A candidate without a pod that answers is left at once: its users have nothing to lose. Stable
/// without any keeps nothing that the candidate still serves.
#[must_use]
pub fn stays(current: Weight, ready: u32, whole: u32, candidate_ready: u32) -> Weight {
    if candidate_ready == 0 {
        return Weight::ZERO;
    }
    if ready == 0 {
        return current;
    }
    if current <= SMALL {
        return Weight::ZERO;
    }
    let carries = u64::from(ready) * u64::from(HEADROOM_PERCENT) / u64::from(whole.max(1));
    let stays = 100_u64.saturating_sub(carries);
    let stays = u8::try_from(stays)
        .ok()
        .and_then(|percent| Weight::new(percent).ok());
    stays.unwrap_or(Weight::FULL).min(current)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(percent: u8) -> Weight {
        Weight::new(percent).unwrap()
    }

    #[test]
    fn a_share_needs_its_part_of_the_pods_and_at_least_one() {
        let needed = |share, whole| needed(weight(share), whole);
        assert_eq!(
            [needed(1, 10), needed(25, 10), needed(50, 10), needed(100, 10)],
            [1, 3, 5, 10]
        );
        assert_eq!([needed(0, 10), needed(50, 0)], [1, 1]);
    }

    #[test]
    fn stable_takes_back_what_it_carries_and_never_gives_any() {
        // Current share, stable's ready pods of so many, the candidate's ready pods → what stays.
        for (current, ready, whole, candidate, expected) in [
            (50, 10, 10, 5, 0),
            (50, 8, 10, 5, 0),  // 25 % more for each pod
            (50, 4, 10, 5, 50), // carries 50 %: what it has
            (75, 4, 10, 8, 50),
            (100, 0, 10, 10, 100),
            (100, 1, 10, 10, 88),
            (100, 0, 10, 0, 0), // nobody serves anybody: stable is what will come up
            (100, 1, 10, 0, 0), // a dead candidate is left at once
            (10, 1, 10, 1, 0),  // a canary
            (10, 0, 10, 1, 10),
            (5, 3, 0, 1, 0),
        ] {
            let stays = stays(weight(current), ready, whole, candidate);
            assert_eq!(stays, weight(expected), "{current} % {ready}/{whole} {candidate}");
        }
    }
}
