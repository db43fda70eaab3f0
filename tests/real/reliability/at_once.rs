//! Two drivers and a rollback at the same moment: one end, and nobody undoes it.

use std::{thread, time::Duration};

use rollgate_domain::rollout::record::State;

use super::place::{At, Place};
use crate::real::beds::{Bed, gateway_api::GatewayApi, haproxy::Haproxy, nginx::Nginx};

/// So often, each time a little later on the drivers' way.
const ROUNDS: u32 = 8;
const LATER: Duration = Duration::from_millis(40);

fn two_drivers_and_a_rollback_at_once<B: Bed>() {
    let Some(place) = Place::<B>::make() else { return };
    for round in 0..ROUNDS {
        place.put(At::FirstStep);
        let drivers = [place.begin(["run"]), place.begin(["run"])];
        thread::sleep(LATER * round);
        place.shift(["rollback"]).with(0);
        let taken_back = place.record();
        assert!(
            matches!(taken_back.state, State::RolledBack { .. }),
            "{taken_back:?}"
        );
        for driver in drivers {
            let ended = driver.end();
            // Refused: it came when all was over. Fenced: it was told so. Done: it had passed before.
            assert!(
                matches!(ended.code, Some(0 | 3 | 6)),
                "{:?}: {}",
                ended.code,
                ended.stderr
            );
        }
        assert_eq!(place.record(), taken_back, "round {round}");
        place.ending();
    }
}

#[test]
fn two_drivers_and_a_rollback_at_once_on_gateway_api() {
    two_drivers_and_a_rollback_at_once::<GatewayApi>();
}

#[test]
fn two_drivers_and_a_rollback_at_once_on_haproxy() {
    two_drivers_and_a_rollback_at_once::<Haproxy>();
}

#[test]
fn two_drivers_and_a_rollback_at_once_on_nginx() {
    two_drivers_and_a_rollback_at_once::<Nginx>();
}
