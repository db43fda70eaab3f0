//! Shares as numbers of pods. Asks nobody.

use rollgate_domain::{rollout::capacity, weight::Weight};

use crate::providers::traffic::Shares;

/// Pods of both versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) stable: u32,
    pub(super) candidate: u32,
}

/// Pods of one version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    /// That are asked for.
    pub(super) wanted: u32,
    /// That get requests.
    pub(super) ready: u32,
}

/// The candidate's pods of `total` that give it `share`; none where no whole number comes closer than half a percent
/// point: such a number is read back as this share and as no other.
pub(super) fn candidate(share: Weight, total: u32) -> Option<u32> {
    let (percent, total) = (u64::from(share.percent()), u64::from(total));
    let exact = percent * total;
    let pods = (exact + 50) / 100;
    let is_close = 2 * exact.abs_diff(100 * pods) < total;
    let gives = match share {
        Weight::ZERO => true,
        Weight::FULL => total > 0,
        _ => is_close && pods > 0 && pods < total,
    };
    gives.then(|| u32::try_from(pods).unwrap_or(u32::MAX))
}

/// How many pods of each version give `share` of `total`. At 0 and 100 % nobody is asked to have fewer than now: the
/// number of the only version that has any is not our matter.
pub(super) fn target(share: Weight, total: u32, now: Counts) -> Option<Counts> {
    let pods = candidate(share, total)?;
    Some(match share {
        Weight::ZERO => Counts {
            stable: now.stable.max(total),
            candidate: 0,
        },
        Weight::FULL => Counts {
            stable: 0,
            candidate: now.candidate.max(total),
        },
        _ => Counts {
            stable: total - pods,
            candidate: pods,
        },
    })
}

/// Whether pods that are asked for give `share`.
pub(super) fn give(share: Weight, total: u32, now: Counts) -> bool {
    match share {
        Weight::ZERO => now.candidate == 0,
        Weight::FULL => now.stable == 0 && now.candidate > 0,
        _ => target(share, total, now) == Some(now),
    }
}

/// The share that pods give: a whole percent, 0 and 100 only where the one or the other version has none.
pub(super) fn share(pods: Counts) -> Option<Weight> {
    let (candidate, total) = (
        u64::from(pods.candidate),
        u64::from(pods.stable) + u64::from(pods.candidate),
    );
    let percent = match (candidate, total) {
        (_, 0) => return None,
        (0, _) => 0,
        _ if candidate == total => 100,
        _ => ((200 * candidate + total) / (2 * total)).clamp(1, 99),
    };
    u8::try_from(percent)
        .ok()
        .and_then(|percent| Weight::new(percent).ok())
}

/// What to ask for next on the way to `target`: whoever grows grows at once, whoever shrinks gives only what the
/// other one has taken over. So the candidate's share rises in a rise and falls in a fall, and never jumps.
pub(super) fn next(target: Counts, stable: Size, candidate: Size) -> Counts {
    let total = target.stable.saturating_add(target.candidate);
    let live = share(Counts {
        stable: stable.ready,
        candidate: candidate.ready,
    });
    // A canary's users are no burden, and a dead candidate has none.
    let stays = capacity::stays(live.unwrap_or(Weight::ZERO), stable.ready, total, candidate.ready);
    let candidate_keeps = if stays == Weight::ZERO {
        0
    } else {
        total.saturating_sub(stable.ready)
    };
    let stable_keeps = total.saturating_sub(candidate.ready);
    let step = |target: u32, wanted: u32, keeps: u32| target.max(wanted.min(keeps));
    Counts {
        stable: step(target.stable, stable.wanted, stable_keeps),
        candidate: step(target.candidate, candidate.wanted, candidate_keeps),
    }
}

/// The shares that `total` pods give.
pub(super) fn shares(total: u32, service: &str) -> Shares {
    let all = (0..=100).filter_map(|percent| Weight::new(percent).ok());
    let these: Vec<_> = all.filter(|share| candidate(*share, total).is_some()).collect();
    if these.len() == 101 {
        return Shares::Every;
    }
    let words: Vec<_> = these.iter().map(|share| share.percent().to_string()).collect();
    let needs: Vec<_> = [1, 5, 10, 25]
        .into_iter()
        .filter_map(|percent| Weight::new(percent).ok())
        .filter(|share| !these.contains(share))
        .map(|share| format!("{share} needs {} pods", fewest(share)))
        .collect();
    let needs = if needs.is_empty() {
        String::new()
    } else {
        format!("; {}", needs.join(", "))
    };
    let because = match total {
        0 => format!("{service} has no pods at all: scale stable up first"),
        1 => format!("1 pod behind {service} gives all or nothing{needs}: scale stable up first"),
        _ => format!(
            "{total} pods behind {service} give {} %{needs}: scale stable up first, or use gateway-api, istio, \
             haproxy or nginx in the plan",
            words.join(", ")
        ),
    };
    Shares::Only { these, because }
}

/// The fewest pods that give exactly `share`.
fn fewest(share: Weight) -> u32 {
    let percent = u32::from(share.percent());
    (1..=100).find(|total| percent * total % 100 == 0).unwrap_or(100)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn weight(percent: u8) -> Weight {
        Weight::new(percent).unwrap()
    }

    fn counts(stable: u32, candidate: u32) -> Counts {
        Counts { stable, candidate }
    }

    #[test]
    fn a_share_is_a_whole_number_of_pods_or_refused() {
        for (percent, total, expected) in [
            (1, 4, None), // k8s-deploy #305: it gave 16.7 %
            (25, 4, Some(1)),
            (50, 4, Some(2)),
            (20, 4, None),
            (33, 3, Some(1)),
            (34, 3, None),
            (1, 100, Some(1)),
            (1, 67, Some(1)), // 1.49 %
            (1, 66, None),    // 1.52 %
            (12, 8, None),    // 12.5 % is as much 13 %
            (10, 10, Some(1)),
            (99, 100, Some(99)),
            (50, 1, None),
            (100, 1, Some(1)),
            (0, 0, Some(0)),
            (100, 0, None),
            (1, 0, None),
        ] {
            assert_eq!(
                candidate(weight(percent), total),
                expected,
                "{percent} % of {total}"
            );
        }
    }

    #[test]
    fn every_share_that_can_be_given_is_read_back_as_itself() {
        for total in 1..=300 {
            for percent in 0..=100 {
                let Some(pods) = candidate(weight(percent), total) else {
                    continue;
                };
                assert_eq!(
                    share(counts(total - pods, pods)),
                    Some(weight(percent)),
                    "{pods} of {total}"
                );
            }
        }
    }

    #[test]
    fn one_percent_of_4_replicas_is_refused_with_the_numbers_that_would_do() {
        let said = shares(4, "Service shop/web").refusal(weight(1)).unwrap();
        assert_eq!(
            said,
            "1 % cannot be given here: 4 pods behind Service shop/web give 0, 25, 50, 75, 100 %; 1 % needs 100 pods, 5 % \
             needs 20 pods, 10 % needs 10 pods: scale stable up first, or use gateway-api, istio, haproxy or nginx in \
             the plan"
        );
        assert_eq!(shares(100, "Service shop/web"), Shares::Every);
    }

    #[test]
    fn zero_replicas_give_nothing() {
        let said = shares(0, "Service shop/web").refusal(weight(50)).unwrap();
        assert!(
            said.ends_with("Service shop/web has no pods at all: scale stable up first"),
            "{said}"
        );
        assert_eq!(share(counts(0, 0)), None);
        assert!(give(weight(0), 0, counts(0, 0)));
        assert!(!give(weight(100), 0, counts(0, 0)));
    }

    /// From every start to every target, with pods that get ready in every order: the share of ready pods goes one
    /// way only.
    #[test]
    fn a_share_never_jumps_on_its_way() {
        for total in [1_u32, 2, 4, 7, 20] {
            for from in 0..=total {
                for to in 0..=total {
                    for pace in 1..=total {
                        walk(counts(total - from, from), counts(total - to, to), pace);
                    }
                }
            }
        }
    }

    /// `pace` pods get ready between two looks.
    fn walk(from: Counts, to: Counts, pace: u32) {
        let size = |count| Size {
            wanted: count,
            ready: count,
        };
        let (mut stable, mut candidate) = (size(from.stable), size(from.candidate));
        let live = |stable: Size, candidate: Size| {
            f64::from(candidate.ready) / f64::from(stable.ready + candidate.ready)
        };
        let mut before = live(stable, candidate);
        for _ in 0..200 {
            let next = next(to, stable, candidate);
            stable.wanted = next.stable;
            candidate.wanted = next.candidate;
            for size in [&mut stable, &mut candidate] {
                size.ready = size.wanted.min(size.ready + pace);
            }
            let now = live(stable, candidate);
            let rises = to.candidate > from.candidate;
            assert!(
                if rises { now >= before } else { now <= before },
                "{from:?} to {to:?}: {before} then {now}"
            );
            before = now;
            if (stable, candidate) == (size(to.stable), size(to.candidate)) {
                return;
            }
        }
        panic!("{from:?} never became {to:?}: {stable:?} {candidate:?}");
    }

    #[test]
    fn a_dead_candidate_is_left_at_once_and_a_living_one_when_stable_can_carry_its_users() {
        let size = |wanted, ready| Size { wanted, ready };
        // Stable's pods are asked for and not ready yet.
        assert_eq!(next(counts(4, 0), size(2, 2), size(2, 0)), counts(4, 0));
        assert_eq!(next(counts(4, 0), size(2, 2), size(2, 2)), counts(4, 2));
        assert_eq!(next(counts(4, 0), size(4, 3), size(2, 2)), counts(4, 1));
        assert_eq!(next(counts(4, 0), size(4, 4), size(2, 2)), counts(4, 0));
        assert_eq!(next(counts(4, 0), size(0, 0), size(4, 4)), counts(4, 4));
    }
}
