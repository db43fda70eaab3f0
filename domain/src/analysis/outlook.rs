//! What the judgement could say of a candidate that has not come yet, from stable's traffic alone.

use jiff::SignedDuration;
use serde::{Deserialize, Serialize};

use super::health::Health;
use super::judge::Settings;
use super::look::{Counts, Look, Measured};
use super::measure::{Measure, Seen};
use super::panel::Panel;
use super::trial::Traffic;
use super::verdict::{Forecast, TestId};
use super::yardstick::Yardstick;

/// How long a candidate as good as stable would need, and how soon a bad one would be found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Outlook {
    /// Until it is proved healthy; nothing if that takes more than a week, or never.
    pub proof: Option<SignedDuration>,
    /// How soon the critical error rate would be found.
    pub fault: Option<Forecast>,
}

/// With `share` (0 to 1) of the traffic that stable has had in `past`.
#[must_use]
pub fn outlook(settings: &Settings, past: &[Look], share: f64) -> Outlook {
    let mut yardstick = Yardstick::default();
    for look in past {
        yardstick.add(&look.stable, &Measured::default());
    }
    let traffic = |measure: &Measure| {
        let (mut looks, mut sum) = (0.0, Counts::default());
        for look in past {
            // Both parts are stable's: as good as it is.
            let both = Look {
                candidate: Measured {
                    latency: look.stable.latency.clone(),
                    ..Measured::from(look.stable.counts())
                },
                ..look.clone()
            };
            let [_, stable] = measure.counts(&Seen {
                start: look.end - settings.look,
                look: &both,
                yardstick: &yardstick,
                exposure: [Counts::default(); 2],
            });
            looks += 1.0;
            sum += stable;
        }
        let part = |share: f64| Counts {
            requests: sum.requests / looks * share,
            errors: sum.errors / looks * share,
        };
        (sum.requests > 0.0).then(|| Traffic {
            look: settings.look,
            candidate: part(share),
            stable: part(1.0 - share),
            good: measure.good_rate(&yardstick, sum).unwrap_or(0.0),
        })
    };
    let panel = Panel::new(settings);
    let fault = panel.test(TestId::ErrorRate, None).and_then(|test| {
        let traffic = traffic(&test.measure)?;
        let limit = test.trial.limit(traffic.stable)?;
        test.forecast(&traffic, settings.critical.max(2.0 * limit).min(1.0))
    });
    Outlook {
        proof: Health::new(settings).forecast(&traffic),
        fault,
    }
}
