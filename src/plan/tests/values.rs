//! Values that are not of their unit.

use super::*;

#[test]
fn a_list_where_a_text_belongs() {
    assert_snapshot!(refusal(&but("service: shop-api", "service: [shop-api]")), @r"
    plan.yml:2:10: service: found a list, expected a name of letters, digits, `.`, `_` and `-`
      |
    2 | service: [shop-api]
      |          ^
    ");
}

#[test]
fn a_text_where_a_list_belongs() {
    assert_snapshot!(refusal(&but("[blue, green]", "blue")), @r"
    plan.yml:5:15: traffic.haproxy.backends: found `blue`, expected a list
      |
    5 |     backends: blue
      |               ^
    ");
}

#[test]
fn a_text_where_a_mapping_belongs() {
    assert_snapshot!(refusal(&and("judgement: strict")), @r"
    plan.yml:10:12: judgement: found `strict`, expected a mapping
       |
    10 | judgement: strict
       |            ^
    ");
}

#[test]
fn a_list_where_a_mapping_belongs() {
    assert_snapshot!(refusal(&but("haproxy:\n    backends:", "haproxy:\n    - backends:")), @r"
    plan.yml:5:5: traffic.haproxy: found a list, expected a mapping with the key `backends`
      |
    5 |     - backends: [blue, green]
      |     ^
    ");
}

#[test]
fn a_step_that_is_no_mapping() {
    assert_snapshot!(refusal(&steps("1%")), @r"
    plan.yml:10:29: phases.canary.steps[0]: found `1%`, expected a step such as `{ weight: 5%, for: 6h }`
       |
    10 | phases: { canary: { steps: [1%] } }
       |                             ^
    ");
}

#[test]
fn a_number_as_a_name() {
    assert_snapshot!(refusal(&but("service: shop-api", "service: 7")), @r"
    plan.yml:2:10: service: found `7`, expected a name of letters, digits, `.`, `_` and `-`
      |
    2 | service: 7
      |          ^
    ");
}

#[test]
fn blanks_in_the_service() {
    assert_snapshot!(refusal(&but("service: shop-api", "service: shop api")), @r"
    plan.yml:2:10: service: found `shop api`, expected a name of letters, digits, `.`, `_` and `-`
      |
    2 | service: shop api
      |          ^
    ");
}

#[test]
fn blanks_in_the_key() {
    assert_snapshot!(refusal(&but("    backends", "    key: \"a\\nb c\"\n    backends")), @r#"
    plan.yml:5:10: traffic.haproxy.key: found `a b c`, expected a name of letters, digits, `.`, `_` and `-`
      |
    5 |     key: "a\nb c"
      |          ^
    "#);
}

#[test]
fn a_blank_in_a_socket() {
    assert_snapshot!(refusal(&but("    backends", "    sockets: [run/a.sock, run/my sock]\n    backends")), @r"
    plan.yml:5:27: traffic.haproxy.sockets[1]: found `run/my sock`, expected the path of a file, without blanks
      |
    5 |     sockets: [run/a.sock, run/my sock]
      |                           ^
    ");
}

#[test]
fn a_duration_without_its_unit() {
    assert_snapshot!(refusal(&steps("{ weight: 1%, for: 6 }")), @r"
    plan.yml:10:48: phases.canary.steps[0].for: found `6`, expected a duration such as `6h`, `5h30m`, `90s` or `150ms`, over zero and at most `1440h`
       |
    10 | phases: { canary: { steps: [{ weight: 1%, for: 6 }] } }
       |                                                ^
    ");
}

#[test]
fn durations_that_are_none() {
    for text in [
        "0s",
        "-6h",
        "6",
        "6d",
        "6 hours",
        "1441h",
        "6h ago",
        "",
        "PT6H",
        "h",
        "99999999999999999999h",
    ] {
        let error = refusal(&and(&format!("judgement: {{ look: '{text}' }}")));
        assert!(error.contains("judgement.look: found"), "{text}: {error}");
        assert!(error.contains("expected a duration such as"), "{text}: {error}");
    }
}

#[test]
fn a_negative_duration() {
    assert_snapshot!(refusal(&steps("{ weight: 1%, for: -6h }")), @r"
    plan.yml:10:48: phases.canary.steps[0].for: found `-6h`, expected a duration such as `6h`, `5h30m`, `90s` or `150ms`, over zero and at most `1440h`
       |
    10 | phases: { canary: { steps: [{ weight: 1%, for: -6h }] } }
       |                                                ^
    ");
}

#[test]
fn half_a_percent_of_the_traffic() {
    assert_snapshot!(refusal(&steps("{ weight: 2.5%, for: 6h }")), @r"
    plan.yml:10:39: phases.canary.steps[0].weight: found `2.5%`, expected a weight in whole percents with their sign, `1%` to `100%`
       |
    10 | phases: { canary: { steps: [{ weight: 2.5%, for: 6h }] } }
       |                                       ^
    ");
}

#[test]
fn weights_that_are_none() {
    for text in ["0%", "101%", "5", "-1%", "1e1%", "%", "five", "99999999999%"] {
        let error = refusal(&steps(&format!("{{ weight: '{text}', for: 6h }}")));
        assert!(
            error.contains(&format!(
                "steps[0].weight: found `{text}`, expected a weight in whole percents"
            )),
            "{error}"
        );
    }
}

#[test]
fn more_than_all_of_the_traffic() {
    assert_snapshot!(refusal(&steps("{ weight: 101%, for: 6h }")), @r"
    plan.yml:10:39: phases.canary.steps[0].weight: found `101%`, expected a weight in whole percents with their sign, `1%` to `100%`
       |
    10 | phases: { canary: { steps: [{ weight: 101%, for: 6h }] } }
       |                                       ^
    ");
}

#[test]
fn a_step_without_traffic() {
    assert_snapshot!(refusal(&steps("{ weight: 0%, for: 6h }")), @r"
    plan.yml:10:39: phases.canary.steps[0].weight: found `0%`, expected a weight in whole percents with their sign, `1%` to `100%`
       |
    10 | phases: { canary: { steps: [{ weight: 0%, for: 6h }] } }
       |                                       ^
    ");
}

#[test]
fn a_percentage_without_its_sign() {
    assert_snapshot!(refusal(&and("limits: { error-rate: { critical: 0.01 } }")), @r"
    plan.yml:10:35: limits.error-rate.critical: found `0.01`, expected a percentage with its sign, such as `1%` or `0.5%`, over zero and at most `100%`
       |
    10 | limits: { error-rate: { critical: 0.01 } }
       |                                   ^
    ");
}

#[test]
fn rates_that_are_none() {
    for text in ["0%", "100.1%", "1", "-1%", "nan%", "inf%", "1e1%", "%"] {
        let error = refusal(&and(&format!(
            "limits: {{ error-rate: {{ critical: '{text}' }} }}"
        )));
        assert!(
            error.contains(&format!("found `{text}`, expected a percentage")),
            "{error}"
        );
    }
}

#[test]
fn a_misspelt_word() {
    assert_snapshot!(refusal(&and("judgement: { proof: strikt }")), @r"
    plan.yml:10:21: judgement.proof: found `strikt`, expected one of `normal` or `strict`
       |
    10 | judgement: { proof: strikt }
       |                     ^
    hint: did you mean `strict`?
    ");
}

#[test]
fn a_word_that_is_none() {
    assert_snapshot!(refusal(&and("notify: { critical: [pagerduty] }")), @r"
    plan.yml:10:22: notify.critical[0]: found `pagerduty`, expected one of `slack` or `summary`
       |
    10 | notify: { critical: [pagerduty] }
       |                      ^
    ");
}

#[test]
fn a_cluster_below_one() {
    assert_snapshot!(refusal(&and("judgement: { cluster-size: 0.5 }")), @r"
    plan.yml:10:28: judgement.cluster-size: found `0.5`, expected a number from 1 to 100
       |
    10 | judgement: { cluster-size: 0.5 }
       |                            ^
    ");
}

#[test]
fn a_cluster_that_is_no_number() {
    assert_snapshot!(refusal(&and("judgement: { cluster-size: .nan }")), @r"
    plan.yml:10:28: judgement.cluster-size: found `.nan`, expected a number
       |
    10 | judgement: { cluster-size: .nan }
       |                            ^
    ");
}

#[test]
fn a_url_without_its_scheme() {
    assert_snapshot!(refusal(&but("\"http://prometheus:9090\"", "\"prometheus:9090\"")), @r#"
    plan.yml:7:22: metrics.prometheus.url: found `prometheus:9090`, expected a URL that begins with `http://` or `https://` and holds no user or password, such as `http://prometheus:9090`
      |
    7 |   prometheus: { url: "prometheus:9090" }
      |                      ^
    "#);
}

#[test]
fn a_password_in_a_url() {
    assert_snapshot!(refusal(&but("http://prometheus", "http://me:secret@prometheus")), @r#"
    plan.yml:7:22: metrics.prometheus.url: found `http://***@prometheus:9090`, expected a URL that begins with `http://` or `https://` and holds no user or password, such as `http://prometheus:9090`
      |
    7 |   prometheus: { url: "http://***@prometheus:9090" }
      |                      ^
    "#);
}

#[test]
fn a_label_that_is_none() {
    assert_snapshot!(refusal(&but("{ url", "{ version-label: app.version, url")), @r#"
    plan.yml:7:32: metrics.prometheus.version-label: found `app.version`, expected the name of a label, of letters, digits and `_`, not beginning with a digit
      |
    7 |   prometheus: { version-label: app.version, url: "http://prometheus:9090" }
      |                                ^
    "#);
}

#[test]
fn an_empty_selector() {
    assert_snapshot!(refusal(&but("http_requests_total{service=\"shop-api\"}", "\" \"")), @r#"
    plan.yml:8:13: metrics.requests: found ` `, expected the selector of a counter, such as `http_requests_total{service="shop-api"}`
      |
    8 |   requests: " "
      |             ^
    "#);
}

#[test]
fn two_ways_to_know_a_user() {
    assert_snapshot!(refusal(&and("sticky: { header: x-user-id, cookie: id }")), @r"
    plan.yml:10:9: sticky: found `header` and `cookie`, expected only one of `header`, `cookie` or `query`
       |
    10 | sticky: { header: x-user-id, cookie: id }
       |         ^
    ");
}

#[test]
fn no_way_to_know_a_user() {
    assert_snapshot!(refusal(&and("sticky: {}")), @r"
    plan.yml:10:9: sticky: found nothing, expected only one of `header`, `cookie` or `query`
       |
    10 | sticky: {}
       |         ^
    ");
}

#[test]
fn another_way_to_know_a_user() {
    assert_snapshot!(refusal(&and("sticky: { heeder: x-user-id }")), @r"
    plan.yml:10:11: sticky.heeder: unknown key, expected one of `header`, `cookie`, `query` or `ids`
       |
    10 | sticky: { heeder: x-user-id }
       |           ^
    hint: did you mean `header`?
    ");
}

#[test]
fn a_way_without_a_name() {
    assert_snapshot!(refusal(&and("sticky: cookie")), @r"
    plan.yml:10:9: sticky: found `cookie`, expected a mapping with `header`, `cookie` or `query`
       |
    10 | sticky: cookie
       |         ^
    ");
}

#[test]
fn a_header_with_a_blank() {
    assert_snapshot!(refusal(&and("sticky: { header: user id }")), @r"
    plan.yml:10:19: sticky.header: found `user id`, expected a name of letters, digits, `.`, `_` and `-`
       |
    10 | sticky: { header: user id }
       |                   ^
    ");
}

#[test]
fn a_header_that_tells_a_secret() {
    assert_snapshot!(refusal(&but(
        "{ url",
        "{ headers: { authorization: Bearer x }, url"
    )), @r#"
    plan.yml:7:28: metrics.prometheus.headers.authorization: found a secret, expected none in a plan
      |
    7 |   prometheus: { headers: { authorization: Bearer x }, url: "http://prometheus:9090" }
      |                            ^
    hint: set `PROMETHEUS_TOKEN`, or `PROMETHEUS_USER` and `PROMETHEUS_PASSWORD`, in the environment
    "#);
}

#[test]
fn headers_that_cannot_be_sent() {
    assert_snapshot!(refusal(&but(
        "{ url",
        "{ headers: { X Scope: a, Host: b, X-Scope: \"a\\nb\" }, url"
    )), @r#"
    plan.yml:7:28: metrics.prometheus.headers.X Scope: expected the name of a header, such as `X-Scope-OrgID`
      |
    7 |   prometheus: { headers: { X Scope: a, Host: b, X-Scope: "a\nb" }, url: "http://prometheus:9090" }
      |                            ^

    plan.yml:7:46: metrics.prometheus.headers.Host: rollgate sets this header itself
      |
    7 |   prometheus: { headers: { X Scope: a, Host: b, X-Scope: "a\nb" }, url: "http://prometheus:9090" }
      |                                              ^

    plan.yml:7:58: metrics.prometheus.headers.X-Scope: found a control character, expected one line of text
      |
    7 |   prometheus: { headers: { X Scope: a, Host: b, X-Scope: "a\nb" }, url: "http://prometheus:9090" }
      |                                                          ^
    "#);
}
