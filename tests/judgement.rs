//! The judge beside the rules that people use today: a small draw of what `scripts/bench judgement` plays.

#[expect(dead_code, reason = "the bench uses the rest")]
#[path = "../benches/judgement/contest.rs"]
mod contest;
#[expect(dead_code, reason = "the bench uses the rest")]
#[path = "../benches/judgement/equal.rs"]
mod equal;
#[path = "../benches/judgement/rivals/mod.rs"]
mod rivals;
#[path = "../benches/judgement/rollgate.rs"]
mod rollgate;
#[expect(dead_code, reason = "the bench uses the rest")]
#[path = "../benches/judgement/weather/mod.rs"]
mod weather;

use contest::{Entrant, Played};
use rivals::Rule;
use weather::{Fault, LOOK_S, Scenario, WARM_UP, Weather};

/// Enough for each kind of weather to happen, and for Kayenta to judge six times.
const LOOKS: u64 = 6 * 3600 / LOOK_S;

fn scenario(weather: Weather, fault: Option<Fault>) -> Scenario {
    Scenario {
        weather,
        fault,
        per_second: 10.0,
        looks: LOOKS,
    }
}

/// The bench plays more, and longer.
///
/// What is within rollgate's limits takes no candidate back: 0.3 % errors beside 0.1 % nearly is (1.5 x + 0.05 points),
/// 20 % more latency is exactly. Of these people are told, sooner than any rule takes it back.
#[test]
fn no_rule_is_sooner_that_takes_back_no_more_healthy_candidates() {
    let entrants = equal::entrants();
    let healthy = Weather::ALL.map(|weather| scenario(weather, None));
    let healthy = contest::play_all(&healthy, 3, &entrants);
    let healthy: Vec<&[Played]> = healthy.iter().map(Vec::as_slice).collect();
    for (weather, played) in Weather::ALL.iter().zip(&healthy) {
        let taken_back = played.iter().filter(|played| played.rollgate.is_some()).count();
        assert_eq!(taken_back, 0, "{}", weather.words());
    }
    let tuned = equal::tune(&entrants, &healthy);

    let within = [Fault::Errors(0.003), Fault::Latency(1.2)];
    let beyond = [
        Fault::Errors(0.005),
        Fault::Errors(0.01),
        Fault::Errors(0.02),
        Fault::Errors(0.05),
        Fault::Latency(1.5),
        Fault::Latency(2.0),
        Fault::Instance,
        Fault::Endpoint,
        Fault::Ramp,
    ];
    let faults: Vec<Fault> = within.into_iter().chain(beyond).collect();
    let bad: Vec<Scenario> = faults
        .iter()
        .map(|fault| scenario(Weather::Calm, Some(*fault)))
        .collect();
    let bad = contest::play_all(&bad, 7, &entrants);
    for (fault, played) in faults.into_iter().zip(&bad) {
        let rollgate = if within.contains(&fault) {
            equal::warnings(played)
        } else {
            equal::rollgates(played)
        };
        let same = tuned
            .iter()
            .filter(|rule| equal::Metric::of(fault) == Some(rule.metric));
        for rule in same {
            let times = rule.times(played);
            assert!(
                !equal::is_sooner(&times, &rollgate),
                "{} finds {} sooner: {times:?}, rollgate {rollgate:?}",
                rule.rule.words(),
                fault.words()
            );
        }
    }
}

/// What the rules' documentation says of no data; the fault begins after the fifth minute.
#[test]
fn silence_is_a_failure_to_flagger_and_argo_and_nothing_to_an_alert() {
    let documented = Rule::ALL.map(|rule| Entrant {
        rule,
        limits: rule.documented(),
    });
    let lost = scenario(Weather::Calm, Some(Fault::Throughput(0.0)));
    let played = contest::play_all(&[lost], 1, &documented);
    let after = |rule| {
        let place = Rule::ALL.iter().position(|one| *one == rule).expect("a rule");
        let look = played[0][0].rivals[place]?;
        Some((look + 1 - WARM_UP) * LOOK_S / 60)
    };
    assert_eq!(after(Rule::Flagger), Some(5), "the fifth failed check");
    assert_eq!(after(Rule::ArgoMinute), Some(4), "the fourth failed measurement");
    assert_eq!(after(Rule::Argo), Some(20), "the fourth failed measurement");
    assert_eq!(after(Rule::Fixed), None, "NaN is above nothing");
    assert_eq!(after(Rule::Kayenta), Some(115), "the first hour without any data");
}
