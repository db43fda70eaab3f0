//! Seeded chance. Logarithms and cosines are libm's: every machine draws the same rollouts.

use std::f64::consts::TAU;

/// From here on a Poisson number is the normal one nearest to it.
const MANY: f64 = 30.0;

pub(crate) struct Chance {
    random: fastrand::Rng,
    /// Box and Muller make normal numbers in pairs.
    spare: Option<f64>,
}

impl Chance {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            random: fastrand::Rng::with_seed(seed),
            spare: None,
        }
    }

    /// 0 to 1.
    pub(crate) fn share(&mut self) -> f64 {
        self.random.f64()
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.random.u64(0..end)
    }

    /// How many events happen of which `mean` are expected: by Knuth's method.
    pub(crate) fn poisson(&mut self, mean: f64) -> f64 {
        if mean >= MANY {
            return (mean + mean.sqrt() * self.normal()).round().max(0.0);
        }
        if mean <= 0.0 {
            return 0.0;
        }
        let (limit, mut product, mut events) = (libm::exp(-mean), self.share(), 0.0);
        while product > limit {
            events += 1.0;
            product *= self.share();
        }
        events
    }

    fn normal(&mut self) -> f64 {
        if let Some(spare) = self.spare.take() {
            return spare;
        }
        let radius = (-2.0 * libm::log(1.0 - self.share())).sqrt();
        let (sine, cosine) = libm::sincos(TAU * self.share());
        self.spare = Some(radius * sine);
        radius * cosine
    }
}
