//! How much of the traffic a version gets.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// A share of the traffic in whole percents, 0 to 100.
///
/// Whole, because every router can express them and every reader can say them. Serialized as a plain
/// number: `5`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "u8")]
pub struct Weight(u8);

impl Weight {
    /// No traffic at all.
    pub const ZERO: Self = Self(0);
    /// All of the traffic.
    pub const FULL: Self = Self(100);

    /// The weight of so many percents.
    ///
    /// # Errors
    ///
    /// [`BadWeight`] for more than 100.
    pub fn new(percent: u8) -> Result<Self, BadWeight> {
        if percent <= 100 {
            Ok(Self(percent))
        } else {
            Err(BadWeight::OutOfRange(percent.to_string()))
        }
    }

    /// The weight of so many percents in a constant; none for more than 100.
    #[must_use]
    pub const fn constant(percent: u8) -> Option<Self> {
        if percent <= 100 { Some(Self(percent)) } else { None }
    }

    /// What the other of two versions gets.
    #[must_use]
    pub const fn rest(self) -> Self {
        Self(100 - self.0)
    }

    /// Percents, 0 to 100.
    #[must_use]
    pub const fn percent(self) -> u8 {
        self.0
    }
}

/// Why something is no weight.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWeight {
    /// A number below 0 or above 100.
    #[error("weight must be 0 to 100 percent, got {0}")]
    OutOfRange(String),
    /// Not a whole number.
    #[error("weight must be whole percents such as 5%, got {0}")]
    NotWhole(String),
}

impl TryFrom<u8> for Weight {
    type Error = BadWeight;

    fn try_from(percent: u8) -> Result<Self, BadWeight> {
        Self::new(percent)
    }
}

impl From<Weight> for u8 {
    fn from(weight: Weight) -> Self {
        weight.0
    }
}

/// Reads `5%`, `5 %` and, because a shell user types no more than needed, `5`.
impl FromStr for Weight {
    type Err = BadWeight;

    fn from_str(text: &str) -> Result<Self, BadWeight> {
        let number = text.strip_suffix('%').unwrap_or(text).trim();
        let digits = number.strip_prefix('-').unwrap_or(number);
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(BadWeight::NotWhole(text.to_owned()));
        }
        // What is all digits and still no u8 is too large for one, or negative.
        let percent = number
            .parse()
            .map_err(|_| BadWeight::OutOfRange(number.to_owned()))?;
        Self::new(percent)
    }
}

impl fmt::Display for Weight {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} %", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        text.parse::<Weight>().expect_err("a refusal").to_string()
    }

    #[test]
    fn a_weight_is_read_with_and_without_its_sign() {
        for text in ["5%", "5 %", "5"] {
            assert_eq!(text.parse(), Ok(Weight(5)), "{text}");
        }
        assert_eq!("0%".parse(), Ok(Weight::ZERO));
        assert_eq!("100%".parse(), Ok(Weight::FULL));
    }

    #[test]
    fn what_it_writes_it_reads() {
        for percent in 0..=100 {
            let weight = Weight::new(percent).expect("at most 100");
            assert_eq!(weight.to_string().parse(), Ok(weight));
        }
    }

    #[test]
    fn a_number_out_of_range_is_refused() {
        assert_eq!(refusal("101"), "weight must be 0 to 100 percent, got 101");
        assert_eq!(refusal("300%"), "weight must be 0 to 100 percent, got 300");
        assert_eq!(refusal("-1"), "weight must be 0 to 100 percent, got -1");
        assert_eq!(
            serde_json::from_str::<Weight>("101")
                .expect_err("a refusal")
                .to_string(),
            "weight must be 0 to 100 percent, got 101"
        );
    }

    #[test]
    fn half_a_percent_is_refused() {
        assert_eq!(
            refusal("2.5%"),
            "weight must be whole percents such as 5%, got 2.5%"
        );
        assert_eq!(refusal("%"), "weight must be whole percents such as 5%, got %");
        assert_eq!(
            refusal("five"),
            "weight must be whole percents such as 5%, got five"
        );
    }

    #[test]
    fn in_json_it_is_a_plain_number() {
        assert_eq!(serde_json::to_string(&Weight(5)).expect("plain data"), "5");
    }
}
