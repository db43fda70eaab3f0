//! What is seen in a route, and which ones are refused.

use super::*;

#[test]
fn a_share_is_0_only_if_nobody_meets_the_candidate() {
    let share = |blue, green| {
        read(&route(&[split(blue, green)]), &Users::default())
            .share
            .unwrap()
            .percent()
    };
    assert_eq!(
        [
            share(100, 0),
            share(1, 1),
            share(999, 1),
            share(1, 999),
            share(0, 3),
            share(0, 0)
        ],
        [0, 50, 1, 99, 100, 0]
    );
    let mut omitted = route(&[rule(&[backend("web-blue", 1), backend("web-green", 1)])]);
    for place in 0..2 {
        omitted["spec"]["rules"][0]["backendRefs"][place]
            .as_object_mut()
            .unwrap()
            .remove("weight");
    }
    assert_eq!(read(&omitted, &Users::default()).share, Weight::constant(50));
}

#[test]
fn what_a_hand_has_changed_is_drift() {
    let drift = |route: &Value| {
        read(route, &everything())
            .drift
            .unwrap_or_else(|| "none".to_owned())
    };
    let whole = with_own(
        with(route(&[split(90, 10), split(180, 20)]), &at_10()),
        &everything(),
        &at_10(),
    );
    assert_eq!(drift(&whole), "none");

    let mut weights = whole.clone();
    weights["spec"]["rules"][1]["backendRefs"][1]["weight"] = 60.into();
    assert_eq!(read(&weights, &everything()).share, Weight::constant(25));
    let mut zeros = whole.clone();
    for place in 0..2 {
        zeros["spec"]["rules"][0]["backendRefs"][place]["weight"] = 0.into();
    }
    let mut lost = whole.clone();
    lost["spec"]["rules"][0]["backendRefs"]
        .as_array_mut()
        .unwrap()
        .remove(0);
    let mut sticky = whole.clone();
    sticky["spec"]["rules"][3]["matches"][0]["headers"][0]["value"] = ".*".into();
    let mut gone = whole.clone();
    gone["spec"]["rules"].as_array_mut().unwrap().pop();
    let mut no_record = whole.clone();
    no_record["metadata"]["annotations"] = json!({});
    let texts = [weights, zeros, lost, sticky, gone, no_record].map(|route| drift(&route));
    insta::assert_snapshot!(texts.join("\n"), @r"
    HTTPRoute shop/web: web-green has 25 % in rule 2, the record says 10 %: somebody else has changed the weights
    HTTPRoute shop/web: rule 1 gives every backend weight 0: its requests are answered with 500; web-green has 0 % in rule 1, the record says 10 %: somebody else has changed the weights
    HTTPRoute shop/web: rule 1 names web-green and not web-blue: its users are out of reach of the rollout; name both in it, or move it to a HTTPRoute of its own; the rules for single users (rollgate-…) are not the ones that were written
    HTTPRoute shop/web: the rules for single users (rollgate-…) are not the ones that were written
    HTTPRoute shop/web: the rules for single users (rollgate-…) are not the ones that were written
    HTTPRoute shop/web: it has rules for single users (rollgate-…) and no rollout: their record is gone
    ");
}

#[test]
fn our_rules_follow_a_rule_that_its_owner_has_changed() {
    let mut now = with_own(with(route(&[split(90, 10)]), &at_10()), &everything(), &at_10());
    now["spec"]["rules"][0]["timeouts"] = json!({ "request": "9s" });
    let seen = read(&now, &everything());
    assert_eq!((seen.drift, seen.torn), (None, true));
    let patch = patch(&now, &everything(), &at_10());
    assert_eq!(
        patch.matches("\"timeouts\":{\"request\":\"9s\"}").count(),
        3,
        "{patch}"
    );
}

#[test]
fn a_record_edited_by_hand_is_told_and_a_rollback_may_still_be_written() {
    let mut now = with(route(&[split(90, 10)]), &at_10());
    let edited = at_10().encode().replace("\"weight\":10", "\"weight\":11");
    now["metadata"]["annotations"][RECORD] = edited.into();
    let seen = read(&now, &Users::default());
    assert!(seen.record.is_err());
    assert_eq!(seen.share, Weight::constant(10));
}

#[test]
fn who_is_the_candidate_is_known_without_a_record_that_can_be_read() {
    let mut now = with_own(with(route(&[split(90, 10)]), &at_10()), &everything(), &at_10());
    assert_eq!(own::candidate(&now).as_deref(), Some("web-green"));
    now["spec"]["rules"].as_array_mut().unwrap().truncate(1);
    assert_eq!(own::candidate(&now), None);
    let edited = at_10().encode().replace("web-green", "web-grey");
    now["metadata"]["annotations"][RECORD] = edited.into();
    assert_eq!(routed_object::candidate(&now).as_deref(), Some("web-grey"));
}

#[test]
fn a_version_that_a_rule_has_lost_comes_back_with_the_rollback() {
    let now = with(route(&[rule(&[backend("web-green", 100)])]), &at_10());
    assert_eq!(read(&now, &Users::default()).share, Some(Weight::FULL));
    let back = record([Move::Take, Move::Raise, Move::RollBack("bad".to_owned())]);
    let patch = patch(&now, &Users::default(), &back);
    assert!(
        patch.contains(r#"{"op":"add","path":"/spec/rules/0/backendRefs/0/weight","value":0}"#),
        "{patch}"
    );
    assert!(
        patch.contains(r#"{"op":"add","path":"/spec/rules/0/backendRefs/-","value":{"group":"","kind":"Service","name":"web-blue","port":80,"weight":100}}"#),
        "{patch}"
    );
}

#[test]
fn routes_that_cannot_carry_a_rollout_are_refused_by_name() {
    let mut elsewhere = backend("web-green", 0);
    elsewhere["namespace"] = "other".into();
    let mut bucket = backend("web-green", 0);
    bucket["kind"] = "Bucket".into();
    let texts = [
        route(&[rule(&[backend("web-blue", 100)])]),
        route(&[rule(&[backend("docs", 1)])]),
        route(&[rule(&[backend("web-blue", 100), elsewhere])]),
        route(&[rule(&[backend("web-blue", 100), bucket])]),
        route(&[]),
    ]
    .map(|route| refusal(&route));
    insta::assert_snapshot!(texts.join("\n"), @r"
    no rule of HTTPRoute shop/web names both web-blue and web-green, it names Service shop/web-blue; name both in each rule that users reach, web-green with weight 0
    no rule of HTTPRoute shop/web names both web-blue and web-green, it names Service shop/docs; name both in each rule that users reach, web-green with weight 0
    no rule of HTTPRoute shop/web names both web-blue and web-green, it names Service other/web-green, Service shop/web-blue; name both in each rule that users reach, web-green with weight 0
    no rule of HTTPRoute shop/web names both web-blue and web-green, it names Bucket shop/web-green, Service shop/web-blue; name both in each rule that users reach, web-green with weight 0
    no rule of HTTPRoute shop/web names both web-blue and web-green, it names nobody; name both in each rule that users reach, web-green with weight 0
    ");
}

#[test]
fn before_a_rollout_every_rule_gives_the_same_and_others_keep_their_part() {
    let drift = |rules: &[Value]| {
        read(&route(rules), &Users::default())
            .drift
            .unwrap_or_else(|| "none".to_owned())
    };
    let texts = [
        drift(&[split(100, 0), split(1, 0)]),
        drift(&[split(100, 0), split(50, 50)]),
        drift(&[split(100, 0), rule(&[backend("web-blue", 1)])]),
        drift(&[rule(&[
            backend("web-blue", 9),
            backend("web-green", 0),
            backend("archive", 1),
        ])]),
        drift(&[rule(&[
            backend("web-blue", 100),
            backend("web-green", 0),
            backend("archive", 11),
        ])]),
    ];
    insta::assert_snapshot!(texts.join("\n"), @r"
    none
    HTTPRoute shop/web: web-green has 0 % in rule 1 and 50 % in rule 2: give it 0 in all of them
    HTTPRoute shop/web: rule 2 names web-blue and not web-green: its users are out of reach of the rollout; name both in it, or move it to a HTTPRoute of its own
    HTTPRoute shop/web: rule 1 has other backends too, and the weights of web-blue and web-green add up to 9: make it 100 and the others' weights as much larger, so that their part stays
    none
    ");
}

#[test]
fn rules_for_single_users_are_refused_where_they_would_do_harm() {
    let refusal =
        |rules: &[Value]| own::wanted(&route(rules), &roles(), &everything(), &at_10()).unwrap_err();
    let with = |key: &str, value: Value| {
        let mut rule = split(90, 10);
        rule["matches"][0][key] = value;
        rule
    };
    let other = |key: &str, value: Value| {
        let mut rule = with(key, value);
        rule["backendRefs"] = json!([backend("docs", 1)]);
        rule
    };
    let header = |name: &str| json!([{ "type": "Exact", "name": name, "value": "1" }]);
    let query = json!([{ "type": "Exact", "name": "format", "value": "pdf" }]);
    let many: Vec<_> = (0..5).map(|_| split(90, 10)).collect();
    let texts = [
        refusal(&[with("headers", header("X-User-ID"))]),
        refusal(&many),
        refusal(&[split(90, 10), other("queryParams", query)]),
    ];
    insta::assert_snapshot!(texts.join("\n"), @r"
    rule 1 asks for header x-user-id itself: no rule for single users can ask for it too
    a HTTPRoute has at most 16 rules: 5 are there, and sticky users or a preview need 15 more; split the route, or take them out of the plan
    rules for single users beside rule 1 would take requests from rule 2, which has the same path and no more headers: move rule 2 to a HTTPRoute of its own, or give it another path
    ");
    // As many headers as ours and earlier, or another path: theirs stay theirs.
    let fine = [
        split(90, 10),
        other("headers", header("x-beta")),
        other("path", json!({ "type": "PathPrefix", "value": "/docs" })),
    ];
    assert!(own::wanted(&route(&fine), &roles(), &everything(), &at_10()).is_ok());
}
