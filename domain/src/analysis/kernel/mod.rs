//! Anytime-valid evidence against a claim about a rate, from counts.
//!
//! In: requests and errors of both versions, look by look. Out: an e-value, which may be read after
//! every look. While the claim is true its mean never exceeds 1, so the chance that it ever reaches
//! `b` is at most `1/b`, however often one looks. Logarithms are libm's, so that two machines agree
//! to the byte.

use jiff::SignedDuration;

use super::look::Counts;

/// Enough that some bet is always near the true ratio; more find nothing sooner.
pub(super) const BETS: usize = 24;

/// One look multiplies a bet by at most this, so that one look never decides.
const CAP: f64 = 100.0;

/// Keeps a bet that lost everything from sticking at 0. Far too small to count as evidence.
const FLOOR: f64 = f64::MIN_POSITIVE;

/// What the candidate is claimed to do: its error rate is within `multiple` x stable's + `plus`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim {
    /// How many times stable's rate; 0 compares with `plus` alone and ignores stable.
    pub multiple: f64,
    /// A share of requests, 0 to 1.
    pub plus: f64,
    /// Which side of that limit the claim is on.
    pub bound: Bound,
}

/// The side of the limit that is claimed, and so the side that evidence is sought on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bound {
    /// "At most the limit": bets are on rates 1.15 to 200 times as high.
    AtMost,
    /// "At least the limit": bets are on rates 1.05 to 20 times lower.
    AtLeast,
}

/// When the bets are placed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Starts {
    /// All at the first look.
    Once,
    /// Half at the first look, half spread evenly over this many looks: a late fault is found too.
    Over(f64),
}

/// The evidence so far against one claim.
#[derive(Clone, Debug)]
pub struct Evidence {
    claim: Claim,
    cluster_size: f64,
    cap: f64,
    starts: Starts,
    ratios: [f64; BETS],
    worth: [f64; BETS],
    looks: u64,
    started: f64,
}

impl Evidence {
    /// Evidence that begins once, without a cap: for a proof that is sought anew.
    ///
    /// `cluster_size` is the mean number of events that come together, 1 if they are independent.
    pub fn once(claim: Claim, cluster_size: f64) -> Self {
        Self::new(claim, cluster_size, Starts::Once, f64::INFINITY)
    }

    /// Evidence that restarts over `planned` looks; `cap` bounds what one look says ([`cap`]).
    pub fn restarting(claim: Claim, cluster_size: f64, planned: u64, cap: f64) -> Self {
        Self::new(claim, cluster_size, Starts::Over(planned.max(1) as f64), cap)
    }

    fn new(claim: Claim, cluster_size: f64, starts: Starts, cap: f64) -> Self {
        Self {
            claim,
            cluster_size: cluster_size.max(1.0),
            cap,
            starts,
            ratios: ratios(claim.bound),
            worth: [0.0; BETS],
            looks: 0,
            started: 0.0,
        }
    }

    /// Takes in one look, and says what each bet gained by it (a logarithm). Nothing, if it has no requests to judge.
    pub fn add(&mut self, candidate: Counts, stable: Counts) -> Option<[f64; BETS]> {
        let gains = self.gains(candidate, stable)?;
        self.apply(&gains.map(libm::exp));
        Some(gains)
    }

    /// The e-value now: 1 before the first look, always finite.
    pub fn value(&self) -> f64 {
        let mean: f64 = self.worth.iter().map(|worth| worth / BETS as f64).sum();
        (mean + (1.0 - self.started)).clamp(0.0, f64::MAX)
    }

    /// Throws away what was collected. Always allowed: it can only delay a finding.
    pub fn forget(&mut self) {
        self.worth = [FLOOR; BETS];
    }

    /// Gives up what exceeds `most`, 1 or more. Always allowed, as [`Self::forget`] is.
    pub fn keep_at_most(&mut self, most: f64) {
        let cash = 1.0 - self.started;
        let staked = self.value() - cash;
        if staked + cash <= most {
            return;
        }
        let share = ((most - cash) / staked).max(0.0);
        for worth in &mut self.worth {
            *worth = (*worth * share).max(FLOOR);
        }
    }

    /// After how many more looks like this one `bar` is reached, if within `most`.
    ///
    /// Each bet grows or shrinks by the same factor look after look, so the evidence is a sum of powers: it falls at
    /// first, perhaps, and rises from then on. Once it is above the bar it stays there, and the place where that
    /// begins can be halved in.
    pub fn looks_until(&self, bar: f64, candidate: Counts, stable: Counts, most: u64) -> Option<u64> {
        let gains = self.gains(candidate, stable)?;
        if !gains.iter().any(|gain| *gain > 0.0) && self.value() < bar {
            return None;
        }
        let growth = gains.map(|gain| (libm::exp(gain), libm::expm1(gain)));
        let reached = |looks: u64| self.ahead(&gains, &growth, looks) >= bar;
        if !reached(most) {
            return None;
        }
        let (mut before, mut after) = (0, most);
        while before + 1 < after {
            let middle = before.midpoint(after);
            if reached(middle) {
                after = middle;
            } else {
                before = middle;
            }
        }
        Some(after)
    }

    /// The e-value after so many more looks that gain as much as this, 1 or more of them; `growth` is what one look
    /// multiplies each bet by, and the same less 1.
    fn ahead(&self, gains: &[f64; BETS], growth: &[(f64, f64); BETS], looks: u64) -> f64 {
        let first = self.start().min(1.0 - self.started).max(0.0);
        // What begins at each look after the coming one.
        let later = match self.starts {
            Starts::Once => 0.0,
            Starts::Over(planned) => 0.5 / planned,
        };
        let begun = (later * (looks - 1) as f64)
            .min(1.0 - self.started - first)
            .max(0.0);
        let looks = looks as f64;
        let mean: f64 = self
            .worth
            .iter()
            .zip(gains)
            .zip(growth)
            .map(|((worth, gain), (factor, increase))| {
                let all = libm::exp(gain * looks);
                let from_later = if begun <= 0.0 || libm::fabs(*gain) < 1e-12 {
                    begun
                } else {
                    // The stakes of looks 2 to n, as a geometric series; spread over all of them if they run out.
                    let each = if looks > 1.0 { begun / (looks - 1.0) } else { 0.0 };
                    each * factor * (libm::expm1(gain * (looks - 1.0)) / increase)
                };
                ((worth + first) * all + from_later) / BETS as f64
            })
            .sum();
        (mean + (1.0 - self.started - first - begun)).clamp(0.0, f64::MAX)
    }

    /// The place of the bet that holds most of the evidence.
    pub(super) fn strongest(&self) -> usize {
        let mut best = 0;
        for (place, worth) in self.worth.iter().enumerate() {
            if *worth > self.worth[best] {
                best = place;
            }
        }
        best
    }

    fn apply(&mut self, factors: &[f64; BETS]) {
        let start = self.start().min(1.0 - self.started).max(0.0);
        self.started += start;
        self.looks += 1;
        for (worth, factor) in self.worth.iter_mut().zip(factors) {
            *worth = ((*worth + start) * factor).clamp(FLOOR, f64::MAX);
        }
    }

    /// The share of all bets that begins at the coming look.
    fn start(&self) -> f64 {
        match (self.starts, self.looks) {
            (Starts::Once, 0) => 1.0,
            (Starts::Once, _) => 0.0,
            (Starts::Over(planned), 0) => 0.5 + 0.5 / planned,
            (Starts::Over(planned), _) => 0.5 / planned,
        }
    }

    /// The logarithm of what one look multiplies each bet by, or nothing if there is nothing to compare.
    fn gains(&self, candidate: Counts, stable: Counts) -> Option<[f64; BETS]> {
        if self.skips(candidate, stable) {
            return None;
        }
        let (least, most) = (libm::log(FLOOR), libm::log(self.cap));
        let gain = |ratio| self.log_factor(ratio, candidate, stable).clamp(least, most);
        Some(self.ratios.map(gain))
    }

    fn skips(&self, candidate: Counts, stable: Counts) -> bool {
        candidate.requests <= 0.0 || (self.claim.multiple > 0.0 && stable.requests <= 0.0)
    }

    /// The logarithm of what a look multiplies a bet on `ratio` by, without the cap.
    fn log_factor(&self, ratio: f64, candidate: Counts, stable: Counts) -> f64 {
        let Claim { multiple, plus, .. } = self.claim;
        let relative = multiple > 0.0;
        let expected = multiple * candidate.requests;
        // The contract's u = r1/r0 - 1 and -th0*u*n_g/n_b, without their cancelling differences.
        let (up, down) = if relative {
            let total = ratio * expected + stable.requests;
            (
                stable.requests * (ratio - 1.0) / total,
                -expected * (ratio - 1.0) / total,
            )
        } else {
            (ratio - 1.0, 0.0)
        };
        gain(candidate.errors, up, self.cluster_size)
            + if relative {
                gain(stable.errors, down, self.cluster_size)
            } else {
                0.0
            }
            - plus * candidate.requests * up / self.cluster_size
    }
}

/// `events * s(u)`: the gain of the bet `u` from events that come in clusters.
pub(super) fn gain(events: f64, u: f64, cluster_size: f64) -> f64 {
    if events <= 0.0 {
        return 0.0;
    }
    if cluster_size <= 1.0 {
        return events * libm::log1p(u);
    }
    events * (libm::log1p(u) - libm::log1p((1.0 - 1.0 / cluster_size) * u))
}

/// What one look of length `look` may multiply a bet by, so that a burst of `forgive` weighs no more.
pub fn cap(look: SignedDuration, forgive: SignedDuration) -> f64 {
    if look >= forgive {
        return CAP;
    }
    libm::pow(CAP, look.as_secs_f64() / forgive.as_secs_f64())
}

fn ratios(bound: Bound) -> [f64; BETS] {
    let (nearest, farthest): (f64, f64) = match bound {
        Bound::AtMost => (1.15, 200.0),
        Bound::AtLeast => (1.0 / 1.05, 1.0 / 20.0),
    };
    let mut ratios = [0.0; BETS];
    for (place, ratio) in ratios.iter_mut().enumerate() {
        *ratio = nearest * libm::pow(farthest / nearest, place as f64 / (BETS - 1) as f64);
    }
    ratios
}

#[cfg(test)]
mod tests;
