//! The status for programs. Keys are API: they are added to, never changed.

use rollgate_domain::rollout::{phase::Signal, record::Record, standby};
use serde_json::{Value, json};

use crate::{
    operations::{
        capacity::Known,
        standing::{Measured, Standing},
    },
    providers::traffic::Seen,
};

pub(super) fn object(standing: &Standing) -> Value {
    let Standing {
        seen,
        now,
        measured,
        behind,
        verdict,
        hindered,
    } = standing;
    let Seen {
        candidate,
        share,
        record,
        drift,
        torn,
        unreachable,
        capacity: _,
        shares: _,
        token: _,
    } = seen;
    let known = record.as_ref().ok().and_then(Option::as_ref);
    let up = match behind {
        Known::Both(both) => Some((both.stable.ready, both.candidate.ready)),
        Known::Untold | Known::Unread(_) => None,
    };
    let (how, why) = match measured {
        Measured::Counted { .. } => ("counted", None),
        Measured::Sampled { .. } => ("sampled", None),
        Measured::Unknown(why) => ("unknown", Some(why)),
    };
    json!({
        "at": now,
        "candidate": candidate,
        "share": share,
        "record": known,
        "state": known.map(Record::state_in_words),
        "unreadable": record.as_ref().err().map(ToString::to_string),
        "drift": drift,
        "torn": torn,
        "unreachable": unreachable,
        "servers_up": up.map(|(stable, candidate)| json!({ "stable": stable, "candidate": candidate })),
        "measured": { "percent": measured.percent(), "how": how, "why": why },
        "driver_silent_s": known.and_then(|record| standby::silence(record, *now)).map(|silence| silence.as_secs()),
        "gate": known.and_then(Record::gate_at),
        "gate_open": known.map(|record| record.open_gate(*now).is_some()),
        "signals_open": known.map(|record| open(&record.signals)),
        "verdict": verdict.as_ref().ok(),
        "no_verdict": verdict.as_ref().err(),
        "hindered": hindered,
    })
}

fn open(signals: &[Signal]) -> Vec<&Signal> {
    signals.iter().filter(|signal| signal.go.is_none()).collect()
}
