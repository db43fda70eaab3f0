//! The steps of a phase.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use crate::weight::Weight;

/// One step: a share and the least time it is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Step {
    /// The candidate's share, 1 to 100 %.
    pub weight: Weight,
    /// The least time at this share; the verdict may make it longer, never shorter.
    #[serde(rename = "for")]
    pub duration: SignedDuration,
}

/// What ends a step besides its time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Require {
    /// Health proved in this step, on fresh data.
    #[default]
    Proof,
    /// No harm found, on fresh data: for services with too little traffic for a proof.
    NoHarm,
}

/// The steps of a phase, never empty, strictly rising. Immutable once made: a changed plan is a new rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Unchecked", into = "Unchecked")]
pub struct Ladder {
    steps: Vec<Step>,
    require: Require,
}

/// Why steps are no ladder. `step` counts from 1, as people do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadLadder {
    /// No step at all.
    #[error("a phase needs at least one step")]
    Empty,
    /// A step that gives the candidate nothing.
    #[error("step {step} has weight 0 %, which tries nothing")]
    Zero {
        /// Which step.
        step: usize,
    },
    /// A step that does not rise above the one before it.
    #[error("steps must rise, but step {step} ({weight}) follows {before}")]
    Falls {
        /// Which step.
        step: usize,
        /// Its share.
        weight: Weight,
        /// The share before it.
        before: Weight,
    },
    /// A step that lasts no time.
    #[error("step {step} must last longer than 0 s")]
    NoTime {
        /// Which step.
        step: usize,
    },
}

#[derive(Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Unchecked {
    steps: Vec<Step>,
    require: Require,
}

impl Ladder {
    /// A checked ladder.
    ///
    /// # Errors
    ///
    /// [`BadLadder`], naming the first step that is wrong.
    pub fn new(steps: Vec<Step>, require: Require) -> Result<Self, BadLadder> {
        if steps.is_empty() {
            return Err(BadLadder::Empty);
        }
        let mut before = Weight::ZERO;
        for (index, &Step { weight, duration }) in steps.iter().enumerate() {
            let step = index + 1;
            if weight == Weight::ZERO {
                return Err(BadLadder::Zero { step });
            }
            if weight <= before {
                return Err(BadLadder::Falls { step, weight, before });
            }
            if duration <= SignedDuration::ZERO {
                return Err(BadLadder::NoTime { step });
            }
            before = weight;
        }
        Ok(Self { steps, require })
    }

    /// The step at `index`, from 0.
    #[must_use]
    pub fn step(&self, index: usize) -> Option<Step> {
        self.steps.get(index).copied()
    }

    /// All steps, rising.
    #[must_use]
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    /// Which step has this share.
    #[must_use]
    pub fn index_of(&self, weight: Weight) -> Option<usize> {
        self.steps.iter().position(|step| step.weight == weight)
    }

    /// What ends a step besides its time.
    #[must_use]
    pub const fn require(&self) -> Require {
        self.require
    }

    /// The least time of the whole phase.
    #[must_use]
    pub fn duration(&self) -> SignedDuration {
        self.steps.iter().fold(SignedDuration::ZERO, |sum, step| {
            sum.saturating_add(step.duration)
        })
    }
}

impl TryFrom<Unchecked> for Ladder {
    type Error = BadLadder;

    fn try_from(Unchecked { steps, require }: Unchecked) -> Result<Self, BadLadder> {
        Self::new(steps, require)
    }
}

impl From<Ladder> for Unchecked {
    fn from(Ladder { steps, require }: Ladder) -> Self {
        Self { steps, require }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ladder(weights: &[u8]) -> Result<Ladder, BadLadder> {
        let step = |&weight: &u8| Step {
            weight: Weight::try_from(weight).unwrap(),
            duration: SignedDuration::from_hours(1),
        };
        Ladder::new(weights.iter().map(step).collect(), Require::Proof)
    }

    #[test]
    fn steps_rise_or_are_refused_in_words() {
        let said = |weights: &[u8]| ladder(weights).unwrap_err().to_string();
        assert!(ladder(&[1, 5, 10]).is_ok());
        assert_eq!(said(&[]), "a phase needs at least one step");
        assert_eq!(said(&[1, 0]), "step 2 has weight 0 %, which tries nothing");
        assert_eq!(
            said(&[1, 10, 5]),
            "steps must rise, but step 3 (5 %) follows 10 %"
        );
        assert_eq!(said(&[5, 5]), "steps must rise, but step 2 (5 %) follows 5 %");
    }

    #[test]
    fn a_ladder_edited_in_a_record_is_checked_again() {
        let mut text = serde_json::to_value(ladder(&[1, 5]).unwrap()).unwrap();
        text["steps"][1]["weight"] = 1.into();
        assert!(
            serde_json::from_value::<Ladder>(text)
                .unwrap_err()
                .to_string()
                .contains("steps must rise")
        );
    }
}
