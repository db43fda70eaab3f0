use super::*;
use crate::rollout::{ladder::Require, phase::Decision};

pub(crate) fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

pub(crate) fn record(state: State) -> Record {
    let step = |weight: u8| Step {
        weight: Weight::try_from(weight).unwrap(),
        duration: SignedDuration::from_secs(600),
    };
    let version = |backend: &str, version: &str| Version {
        backend: backend.to_owned(),
        version: version.to_owned(),
        images: Vec::new(),
    };
    let mut record = Record {
        schema: SCHEMA,
        generation: 1,
        sequence: 1,
        rollout: "shop-20270115T080000Z".to_owned(),
        service: "shop".to_owned(),
        stable: version("blue", "v1"),
        candidate: version("green", "v2"),
        weight: Weight::ZERO,
        phase: Phase::Canary,
        phase_since: at(0),
        ladder: Ladder::new(vec![step(1), step(5), step(10)], Require::Proof).unwrap(),
        gates: Vec::new(),
        keep_old: SignedDuration::ZERO,
        whole: None,
        baseline: None,
        shares: Vec::new(),
        signals: Vec::new(),
        state,
        evidence: Evidence {
            origin: at(0),
            look: SignedDuration::from_secs(15),
            cluster_size: 1.0,
            ..Evidence::default()
        },
        pin: Pin {
            hash: "abc".to_owned(),
            commit: None,
            tool: "0.1.0".to_owned(),
        },
        driver: Driver {
            run: "run 7".to_owned(),
            actor: "octocat".to_owned(),
            since: at(0),
            heartbeat: at(0),
        },
    };
    record.weight = record.weight_of_state();
    record
}

#[test]
fn a_record_survives_the_way_through_the_router() {
    let states = [
        State::Ready { step: 0 },
        State::Holding {
            step: 2,
            since: at(9),
        },
        State::Paused {
            step: 1,
            by_hand: false,
            reason: "SIGINT \"quoted\" | ünïcode".to_owned(),
        },
        State::RollingBack {
            weight: Weight::new(5).unwrap(),
            reason: "errors".to_owned(),
        },
        State::RolledBack {
            reason: "errors".to_owned(),
        },
        State::Passed,
        State::Promoted { since: at(3) },
        State::Finished,
    ];
    for state in states {
        let record = record(state);
        assert_eq!(Record::decode(&record.encode()), Ok(record));
    }
}

#[test]
fn only_a_pause_of_a_persons_is_said_to_be_one() {
    let paused = |by_hand| {
        record(State::Paused {
            step: 1,
            by_hand,
            reason: "over lunch".to_owned(),
        })
    };
    let (a_drivers, a_persons) = (paused(false).encode(), paused(true).encode());
    // As it was written and read before there was a difference.
    assert!(a_drivers.contains(r#""state":{"is":"paused","step":1,"reason":"over lunch"}"#));
    assert_eq!(Record::decode(&a_drivers), Ok(paused(false)));
    assert_eq!(Record::decode(&a_persons), Ok(paused(true)));
}

#[test]
fn a_record_has_no_signs_that_an_api_server_finds_different_from_themselves() {
    let reason = "p95 > 200ms & errors < 1 % \\> \u{2028}\u{2029}".to_owned();
    let record = record(State::RolledBack { reason });
    let text = record.encode();
    assert!(!text.contains(['<', '>', '&', '\u{2028}', '\u{2029}']), "{text}");
    assert_eq!(Record::decode(&text), Ok(record));
}

#[test]
fn a_record_edited_by_hand_is_seen() {
    let text = record(State::Holding {
        step: 0,
        since: at(0),
    })
    .encode();
    let edited = text.replace("\"step\":0", "\"step\":2");
    assert_eq!(
        Record::decode(&edited),
        Err(Unreadable::Edited { generation: Some(1) })
    );
    // Torn in the middle: it begins like ours and has no end.
    assert_eq!(
        Record::decode(&text[..text.len() / 2]),
        Err(Unreadable::Edited { generation: None })
    );
}

#[test]
fn a_newer_record_is_named_with_its_generation() {
    let text = r#"{"schema":3,"generation":41,"what":"is to come"}00000000"#;
    assert_eq!(
        Record::decode(text),
        Err(Unreadable::Newer {
            schema: 3,
            generation: 41
        })
    );
}

/// As the first release wrote it, to the byte.
#[test]
fn a_record_of_schema_1_is_read_as_a_canary_without_gates() {
    let text = r#"{"schema":1,"generation":3,"sequence":9,"rollout":"shop-20270115T080000Z","service":"shop","stable":{"backend":"blue","version":"v1"},"candidate":{"backend":"green","version":"v2"},"weight":5,"phase":"canary","ladder":{"steps":[{"weight":1,"for":"PT10M"},{"weight":5,"for":"PT10M"}],"require":"proof"},"state":{"is":"holding","step":1,"since":"2027-01-15T08:10:00Z"},"evidence":{"origin":"2027-01-15T08:00:00Z","look":"PT15S","cluster_size":1.0,"warm_since":null},"pin":{"hash":"abc","commit":null,"tool":"0.1.0"},"driver":{"run":"run 7","actor":"octocat","since":"2027-01-15T08:00:00Z","heartbeat":"2027-01-15T08:10:00Z"}}"#;
    let sealed = format!("{text}{:08x}", crc32fast::hash(text.as_bytes()));
    let record = Record::decode(&sealed).unwrap();
    assert_eq!((record.schema, record.generation), (SCHEMA, 3));
    assert_eq!((record.phase, record.phase_since), (Phase::Canary, at(0)));
    assert_eq!(record.weight, record.weight_of_state());
    assert_eq!(Record::decode(&record.encode()), Ok(record));
}

#[test]
fn gates_open_one_after_the_other_and_stay_open_until_somebody_says_go() {
    let gate = |hours| Gate {
        at: SignedDuration::from_hours(hours),
        go: None,
    };
    let mut record = record(State::Ready { step: 0 });
    record.gates = vec![gate(1), gate(2)];
    assert_eq!(record.open_gate(at(3599)), None);
    assert_eq!(record.next_gate_at(at(3599)), Some(at(3600)));
    assert_eq!(record.open_gate(at(9999)), Some(&gate(1)));
    record.gates[0].go = Some(Decision {
        by: "octocat".to_owned(),
        at: at(3700),
    });
    assert_eq!(record.open_gate(at(3700)), None);
    assert_eq!(record.open_gate(at(7200)), Some(&gate(2)));
    assert_eq!(record.next_gate_at(at(7200)), None);
}

#[test]
fn what_is_no_record_is_foreign() {
    for text in [
        "",
        "hello",
        "hello world, how are you",
        "ééééé",
        "[1,2,3] and more",
    ] {
        assert!(
            matches!(Record::decode(text), Err(Unreadable::Foreign(_))),
            "{text:?}"
        );
    }
}

#[test]
fn what_was_tried_at_a_moment_is_told_by_the_shares() {
    let mut record = record(State::Holding {
        step: 1,
        since: at(600),
    });
    let weight = |percent: u8| Weight::try_from(percent).unwrap();
    let tried = |record: &Record, second| {
        let (since, step) = record.tried_at(at(second));
        (since, step.map(|step| step.weight.percent()))
    };
    // An older rollgate kept no shares.
    assert_eq!(tried(&record, 700), (at(600), Some(5)));
    assert_eq!(tried(&record, 100), (at(0), None));

    record.shares = vec![
        (at(10), weight(1)),
        (at(200), weight(0)),
        (at(300), weight(1)),
        (at(600), weight(5)),
    ];
    assert_eq!(tried(&record, 5), (at(0), None));
    assert_eq!(tried(&record, 100), (at(10), Some(1)));
    assert_eq!(tried(&record, 250), (at(0), None), "paused");
    assert_eq!(tried(&record, 599), (at(300), Some(1)));
    assert_eq!(tried(&record, 9_999), (at(600), Some(5)));
}
