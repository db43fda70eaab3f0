//! What a write changes.

use super::*;

#[test]
fn a_rise_changes_the_weights_that_were_read_and_nothing_else() {
    let before = with(route(&[split(99, 1)]), &record([Move::Take, Move::Raise]));
    insta::assert_snapshot!(patch(&before, &Users::default(), &at_10()), @r#"
    would patch web:
    [
      {"op":"test","path":"/metadata/annotations/rollgate.dev~1record","value":"…"},
      {"op":"test","path":"/spec/rules/0/backendRefs/0/name","value":"web-blue"},
      {"op":"test","path":"/spec/rules/0/backendRefs/0/weight","value":99},
      {"op":"test","path":"/spec/rules/0/backendRefs/1/name","value":"web-green"},
      {"op":"test","path":"/spec/rules/0/backendRefs/1/weight","value":1},
      {"op":"add","path":"/metadata/annotations/rollgate.dev~1record","value":"…"},
      {"op":"add","path":"/spec/rules/0/backendRefs/0/weight","value":90},
      {"op":"add","path":"/spec/rules/0/backendRefs/1/weight","value":10}
    ]
    "#);
}

#[test]
fn a_heartbeat_changes_the_record_alone_and_only_if_no_hand_was_faster() {
    let now = with(route(&[split(90, 10)]), &at_10());
    insta::assert_snapshot!(patch(&now, &Users::default(), &at_10()), @r#"
    would patch web:
    [
      {"op":"test","path":"/metadata/annotations/rollgate.dev~1record","value":"…"},
      {"op":"test","path":"/spec/rules/0/backendRefs/0/name","value":"web-blue"},
      {"op":"test","path":"/spec/rules/0/backendRefs/0/weight","value":90},
      {"op":"test","path":"/spec/rules/0/backendRefs/1/name","value":"web-green"},
      {"op":"test","path":"/spec/rules/0/backendRefs/1/weight","value":10},
      {"op":"add","path":"/metadata/annotations/rollgate.dev~1record","value":"…"}
    ]
    "#);
}

#[test]
fn a_rollback_overwrites_weights_and_takes_our_rules_away_without_knowing_the_plan() {
    let now = with_own(
        with(route(&[split(90, 10), rule(&[backend("docs", 1)])]), &at_10()),
        &everything(),
        &at_10(),
    );
    let back = record([Move::Take, Move::Raise, Move::RollBack("bad".to_owned())]);
    insta::assert_snapshot!(patch(&now, &Users::default(), &back), @r#"
    would patch web:
    [
      {"op":"test","path":"/metadata/annotations/rollgate.dev~1record","value":"…"},
      {"op":"test","path":"/spec/rules/0/backendRefs/0/name","value":"web-blue"},
      {"op":"test","path":"/spec/rules/0/backendRefs/1/name","value":"web-green"},
      {"op":"test","path":"/spec/rules/2/name","value":"rollgate-0-preview"},
      {"op":"test","path":"/spec/rules/3/name","value":"rollgate-0-candidate"},
      {"op":"test","path":"/spec/rules/4/name","value":"rollgate-0-stable"},
      {"op":"add","path":"/metadata/annotations/rollgate.dev~1record","value":"…"},
      {"op":"add","path":"/spec/rules/0/backendRefs/0/weight","value":100},
      {"op":"add","path":"/spec/rules/0/backendRefs/1/weight","value":0},
      {"op":"remove","path":"/spec/rules/4"},
      {"op":"remove","path":"/spec/rules/3"},
      {"op":"remove","path":"/spec/rules/2"}
    ]
    "#);
}

#[test]
fn rules_for_single_users_repeat_their_rule_and_ask_for_one_header_more() {
    let mut own = rule(&[
        backend("web-blue", 90),
        backend("web-green", 10),
        backend("archive", 5),
    ]);
    own["matches"] = json!([{ "path": { "type": "PathPrefix", "value": "/cart" }, "method": "GET", "headers": [{ "type": "Exact", "name": "x-country", "value": "fr" }] }]);
    own["filters"] = json!([{ "type": "RequestHeaderModifier", "requestHeaderModifier": { "set": [{ "name": "a", "value": "b" }] } }]);
    own["timeouts"] = json!({ "request": "5s" });
    let route = with(route(&[own]), &at_10());
    let rules = own::wanted(&route, &roles(), &everything(), &at_10()).unwrap();
    let text: Vec<_> = rules.iter().map(Value::to_string).collect();
    insta::assert_snapshot!(text.join("\n"), @r#"
    {"backendRefs":[{"group":"","kind":"Service","name":"web-blue","port":80,"weight":0},{"group":"","kind":"Service","name":"web-green","port":80,"weight":100},{"group":"","kind":"Service","name":"archive","port":80,"weight":5}],"filters":[{"requestHeaderModifier":{"set":[{"name":"a","value":"b"}]},"type":"RequestHeaderModifier"}],"matches":[{"headers":[{"name":"x-country","type":"Exact","value":"fr"},{"name":"x-preview","type":"Exact","value":"candidate"}],"method":"GET","path":{"type":"PathPrefix","value":"/cart"}}],"name":"rollgate-0-preview","timeouts":{"request":"5s"}}
    {"backendRefs":[{"group":"","kind":"Service","name":"web-blue","port":80,"weight":0},{"group":"","kind":"Service","name":"web-green","port":80,"weight":100},{"group":"","kind":"Service","name":"archive","port":80,"weight":5}],"filters":[{"requestHeaderModifier":{"set":[{"name":"a","value":"b"}]},"type":"RequestHeaderModifier"}],"matches":[{"headers":[{"name":"x-country","type":"Exact","value":"fr"},{"name":"x-user-id","type":"RegularExpression","value":"^.*0[0-9]$"}],"method":"GET","path":{"type":"PathPrefix","value":"/cart"}}],"name":"rollgate-0-candidate","timeouts":{"request":"5s"}}
    {"backendRefs":[{"group":"","kind":"Service","name":"web-blue","port":80,"weight":100},{"group":"","kind":"Service","name":"web-green","port":80,"weight":0},{"group":"","kind":"Service","name":"archive","port":80,"weight":5}],"filters":[{"requestHeaderModifier":{"set":[{"name":"a","value":"b"}]},"type":"RequestHeaderModifier"}],"matches":[{"headers":[{"name":"x-country","type":"Exact","value":"fr"},{"name":"x-user-id","type":"RegularExpression","value":".+"}],"method":"GET","path":{"type":"PathPrefix","value":"/cart"}}],"name":"rollgate-0-stable","timeouts":{"request":"5s"}}
    "#);
}

#[test]
fn at_0_percent_only_the_preview_stands_and_at_100_too() {
    let route = route(&[split(100, 0)]);
    let names = |record: &Record| -> Vec<String> {
        let own = own::wanted(&route, &roles(), &everything(), record).unwrap();
        own.iter()
            .map(|rule| rule["name"].as_str().unwrap().to_owned())
            .collect()
    };
    let preview = ["rollgate-0-preview"];
    assert_eq!(names(&record([])), preview);
    assert_eq!(
        names(&record([
            Move::Take,
            Move::Raise,
            Move::Pause("lunch".to_owned())
        ])),
        preview
    );
    assert_eq!(
        names(&record([Move::Take, Move::Raise, Move::Advance, Move::Advance])),
        preview
    );
    assert_eq!(names(&at_10()).len(), 3);
    assert!(
        names(&record([
            Move::Take,
            Move::Raise,
            Move::RollBack("bad".to_owned())
        ]))
        .is_empty()
    );
}
