//! Keys that are unknown, missing or given twice.

use super::*;

#[test]
fn an_unknown_section() {
    assert_snapshot!(refusal(&and("database: { kind: postgresql }")), @r"
    plan.yml:10:1: database: unknown key, expected one of `service`, `url`, `version-header`, `traffic`, `backends`, `sticky`, `preview`, `metrics`, `limits`, `gauges`, `checks`, `judgement`, `phases`, `windows`, `approvers`, `decisions`, `rollback`, `notify` or `driver`
       |
    10 | database: { kind: postgresql }
       | ^
    ");
}

#[test]
fn a_misspelt_section() {
    assert_snapshot!(refusal(&and("phasis: {}")), @r"
    plan.yml:10:1: phasis: unknown key, expected one of `service`, `url`, `version-header`, `traffic`, `backends`, `sticky`, `preview`, `metrics`, `limits`, `gauges`, `checks`, `judgement`, `phases`, `windows`, `approvers`, `decisions`, `rollback`, `notify` or `driver`
       |
    10 | phasis: {}
       | ^
    hint: did you mean `phases`?
    ");
}

#[test]
fn an_unknown_key_deep_inside() {
    assert_snapshot!(refusal(&steps("{ weight: 1%, for: 6h, gate: manual }")), @r"
    plan.yml:10:52: phases.canary.steps[0].gate: unknown key, expected one of `weight` or `for`
       |
    10 | phases: { canary: { steps: [{ weight: 1%, for: 6h, gate: manual }] } }
       |                                                    ^
    ");
}

#[test]
fn a_misspelt_key_deep_inside() {
    assert_snapshot!(refusal(&steps("{ weight: 1%, for: 6h }, { wieght: 5%, for: 6h }")), @r"
    plan.yml:10:56: phases.canary.steps[1].wieght: unknown key, expected one of `weight` or `for`
       |
    10 | phases: { canary: { steps: [{ weight: 1%, for: 6h }, { wieght: 5%, for: 6h }] } }
       |                                                        ^
    hint: did you mean `weight`?
    ");
}

#[test]
fn an_underscore_for_a_dash() {
    assert_snapshot!(refusal(&and("limits: { error_rate: { critical: 2% } }")), @r"
    plan.yml:10:11: limits.error_rate: unknown key, expected one of `error-rate`, `p95`, `throughput` or `memory`
       |
    10 | limits: { error_rate: { critical: 2% } }
       |           ^
    hint: did you mean `error-rate`?
    ");
}

#[test]
fn another_router() {
    assert_snapshot!(refusal(&but("haproxy:", "traefik:")), @r"
    plan.yml:4:3: traffic.traefik: found `traefik`, expected one of `haproxy`, `nginx`, `gateway-api`, `istio`, `service-selector` or `replica-ratio`
      |
    4 |   traefik:
      |   ^
    ");
}

#[test]
fn a_missing_section() {
    assert_snapshot!(refusal(&but("service: shop-api", "")), @r"
    plan.yml:3:1: service: missing, and it has no default
      |
    3 | traffic:
      | ^
    ");
}

#[test]
fn a_missing_key() {
    assert_snapshot!(refusal(&steps("{ weight: 1% }")), @r"
    plan.yml:10:29: phases.canary.steps[0].for: missing, and it has no default
       |
    10 | phases: { canary: { steps: [{ weight: 1% }] } }
       |                             ^
    ");
}

#[test]
fn a_key_given_twice() {
    assert_snapshot!(refusal(&steps("{ weight: 1%, for: 6h, weight: 2% }")), @r"
    plan.yml:10:52: phases.canary.steps[0].weight: given twice, expected it once; it stands in line 10 already
       |
    10 | phases: { canary: { steps: [{ weight: 1%, for: 6h, weight: 2% }] } }
       |                                                    ^
    ");
}

#[test]
fn a_section_given_twice() {
    assert_snapshot!(refusal(&and("service: shop")), @r"
    plan.yml:10:1: service: given twice, expected it once; it stands in line 2 already
       |
    10 | service: shop
       | ^
    ");
}

#[test]
fn a_section_without_anything() {
    assert_snapshot!(refusal(&and("driver:")), @r"
    plan.yml:10:7: driver: found nothing, expected a mapping
       |
    10 | driver:
       |       ^
    ");
}

#[test]
fn a_merge_key() {
    assert_snapshot!(refusal(&and("driver: { <<: { budget: 1h } }")), @r"
    plan.yml:10:11: unknown key, `<<` does not merge here
       |
    10 | driver: { <<: { budget: 1h } }
       |           ^
    ");
}
