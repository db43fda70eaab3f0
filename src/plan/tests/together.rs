//! Values that do not fit together.

use super::*;

#[test]
fn falling_weights() {
    assert_snapshot!(refusal(&steps("{ weight: 10%, for: 6h }, { weight: 5%, for: 6h }")), @r"
    plan.yml:10:65: phases.canary.steps[1].weight: found `5%` after `10%`, expected more than `10%`: weights rise with each step
       |
    10 | phases: { canary: { steps: [{ weight: 10%, for: 6h }, { weight: 5%, for: 6h }] } }
       |                                                                 ^
    ");
}

#[test]
fn equal_weights() {
    assert_snapshot!(refusal(&steps("{ weight: 5%, for: 6h }, { weight: 5%, for: 6h }")), @r"
    plan.yml:10:64: phases.canary.steps[1].weight: found `5%` after `5%`, expected more than `5%`: weights rise with each step
       |
    10 | phases: { canary: { steps: [{ weight: 5%, for: 6h }, { weight: 5%, for: 6h }] } }
       |                                                                ^
    ");
}

#[test]
fn no_steps() {
    assert_snapshot!(refusal(&steps("")), @r"
    plan.yml:10:28: phases.canary.steps: found an empty list, expected at least one step
       |
    10 | phases: { canary: { steps: [] } }
       |                            ^
    ");
}

#[test]
fn a_step_too_short_to_look_at() {
    assert_snapshot!(refusal(&steps("{ weight: 1%, for: 29s }")), @r"
    plan.yml:10:48: phases.canary.steps[0].for: found `29s`, expected at least two looks, `30s` (`judgement.look` is `15s`)
       |
    10 | phases: { canary: { steps: [{ weight: 1%, for: 29s }] } }
       |                                                ^
    ");
}

#[test]
fn looks_too_long_for_the_default_steps() {
    assert_snapshot!(refusal(&and("judgement: { look: 4h }\ndriver: { blind: 8h }")), @r"
    plan.yml:2:1: phases.canary.steps[0].for: found `6h` (the default), expected at least two looks, `8h` (`judgement.look` is `4h`)
      |
    2 | service: shop-api
      | ^

    plan.yml:2:1: phases.canary.steps[1].for: found `6h` (the default), expected at least two looks, `8h` (`judgement.look` is `4h`)
      |
    2 | service: shop-api
      | ^

    plan.yml:2:1: phases.production.steps[0].for: found `2h` (the default), expected at least two looks, `8h` (`judgement.look` is `4h`)
      |
    2 | service: shop-api
      | ^

    plan.yml:2:1: phases.production.steps[1].for: found `2h` (the default), expected at least two looks, `8h` (`judgement.look` is `4h`)
      |
    2 | service: shop-api
      | ^

    plan.yml:2:1: phases.production.steps[2].for: found `2h` (the default), expected at least two looks, `8h` (`judgement.look` is `4h`)
      |
    2 | service: shop-api
      | ^
    ");
}

#[test]
fn no_sockets() {
    assert_snapshot!(refusal(&but("    backends", "    sockets: []\n    backends")), @r"
    plan.yml:5:14: traffic.haproxy.sockets: found an empty list, expected the socket of each HAProxy process
      |
    5 |     sockets: []
      |              ^
    ");
}

#[test]
fn a_socket_twice() {
    assert_snapshot!(refusal(&but("    backends", "    sockets: [a.sock, a.sock]\n    backends")), @r"
    plan.yml:5:23: traffic.haproxy.sockets[1]: found `a.sock` again, expected each socket once
      |
    5 |     sockets: [a.sock, a.sock]
      |                       ^
    ");
}

#[test]
fn one_backend() {
    assert_snapshot!(refusal(&but("[blue, green]", "[blue]")), @r"
    plan.yml:5:15: traffic.haproxy.backends: found 1, expected two backends, stable and candidate
      |
    5 |     backends: [blue]
      |               ^
    ");
}

#[test]
fn three_backends() {
    assert_snapshot!(refusal(&but("[blue, green]", "[blue, green, red]")), @r"
    plan.yml:5:15: traffic.haproxy.backends: found 3, expected two backends, stable and candidate
      |
    5 |     backends: [blue, green, red]
      |               ^
    ");
}

#[test]
fn a_backend_twice() {
    assert_snapshot!(refusal(&but("[blue, green]", "[blue, blue]")), @r"
    plan.yml:5:22: traffic.haproxy.backends[1]: found `blue` again, expected two different backends
      |
    5 |     backends: [blue, blue]
      |                      ^
    ");
}

#[test]
fn two_sources() {
    let both = but(
        "  requests",
        "  scrape: { pages: { blue: [http://a/], green: [http://b/] } }\n  requests",
    );
    assert_snapshot!(refusal(&both), @r"
    plan.yml:8:11: metrics.scrape: found `prometheus` and `scrape`, expected one of them
      |
    8 |   scrape: { pages: { blue: [http://a/], green: [http://b/] } }
      |           ^
    ");
}

#[test]
fn no_source() {
    assert_snapshot!(refusal(&but("  prometheus: { url: \"http://prometheus:9090\" }\n", "")), @r#"
    plan.yml:7:3: metrics: found no source, expected `prometheus`, `scrape`, `recorded`, `probe`, `datadog`, `new-relic` or `cloudwatch`
      |
    7 |   requests: http_requests_total{service="shop-api"}
      |   ^
    "#);
}

#[test]
fn bounds_that_fall() {
    let source = "datadog: { site: datadoghq.eu, latency-bounds: [0.1, 0.1] }";
    let plan = but("prometheus: { url: \"http://prometheus:9090\" }", source);
    assert_snapshot!(refusal(&plan), @r"
    plan.yml:7:56: metrics.datadog.latency-bounds[1]: found `0.1`, expected seconds above `0.1`: bounds rise
      |
    7 |   datadog: { site: datadoghq.eu, latency-bounds: [0.1, 0.1] }
      |                                                        ^
    ");
    let none = plan.replace("0.1, 0.1", "");
    assert!(refusal(&none).contains("found an empty list, expected bounds in seconds"));
}

fn pages(pages: &str) -> String {
    but(
        "prometheus: { url: \"http://prometheus:9090\" }",
        &format!("scrape: {{ pages: {{ {pages} }} }}"),
    )
}

#[test]
fn pages_of_an_unknown_backend() {
    assert_snapshot!(refusal(&pages("blue: [http://a/], greem: [http://b/]")), @r"
    plan.yml:7:20: metrics.scrape.pages.green: missing, expected the pages of both backends
      |
    7 |   scrape: { pages: { blue: [http://a/], greem: [http://b/] } }
      |                    ^

    plan.yml:7:41: metrics.scrape.pages.greem: no backend of `traffic`, expected `blue` and `green`
      |
    7 |   scrape: { pages: { blue: [http://a/], greem: [http://b/] } }
      |                                         ^
    hint: did you mean `green`?
    ");
}

#[test]
fn pages_of_one_backend_only() {
    assert_snapshot!(refusal(&pages("blue: [http://a/]")), @r"
    plan.yml:7:20: metrics.scrape.pages.green: missing, expected the pages of both backends
      |
    7 |   scrape: { pages: { blue: [http://a/] } }
      |                    ^
    ");
}

#[test]
fn a_backend_without_pages() {
    assert_snapshot!(refusal(&pages("blue: [http://a/], green: []")), @r"
    plan.yml:7:48: metrics.scrape.pages.green: found an empty list, expected the page of each instance
      |
    7 |   scrape: { pages: { blue: [http://a/], green: [] } }
      |                                                ^
    ");
}

#[test]
fn a_page_that_is_no_url() {
    assert_snapshot!(refusal(&pages("blue: [http://a/], green: [10.0.0.2/metrics]")), @r"
    plan.yml:7:49: metrics.scrape.pages.green[0]: found `10.0.0.2/metrics`, expected a URL that begins with `http://` or `https://` and holds no user or password, such as `http://prometheus:9090`
      |
    7 |   scrape: { pages: { blue: [http://a/], green: [10.0.0.2/metrics] } }
      |                                                 ^
    ");
}

#[test]
fn a_channel_twice() {
    assert_snapshot!(refusal(&and("notify: { info: [slack, slack] }")), @r"
    plan.yml:10:25: notify.info[1]: found `slack` again, expected each channel once
       |
    10 | notify: { info: [slack, slack] }
       |                         ^
    ");
}

#[test]
fn a_successor_that_may_come_too_late() {
    assert_snapshot!(refusal(&and("driver: { budget: 10m }")), @r"
    plan.yml:10:9: driver.successor-within: found `20m` (the default), expected at most `driver.budget`, which is `10m`
       |
    10 | driver: { budget: 10m }
       |         ^
    ");
}

#[test]
fn blind_before_the_second_look() {
    assert_snapshot!(refusal(&and("driver: { blind: 20s }")), @r"
    plan.yml:10:18: driver.blind: found `20s`, expected at least two looks, `30s` (`judgement.look` is `15s`)
       |
    10 | driver: { blind: 20s }
       |                  ^
    ");
}

#[test]
fn all_that_does_not_fit_is_told_at_once() {
    let yaml = but("[blue, green]", "[blue, blue]") + "driver: { budget: 10m, blind: 1s }";
    assert_snapshot!(refusal(&yaml), @r"
    plan.yml:5:22: traffic.haproxy.backends[1]: found `blue` again, expected two different backends
      |
    5 |     backends: [blue, blue]
      |                      ^

    plan.yml:10:9: driver.successor-within: found `20m` (the default), expected at most `driver.budget`, which is `10m`
       |
    10 | driver: { budget: 10m, blind: 1s }
       |         ^

    plan.yml:10:31: driver.blind: found `1s`, expected at least two looks, `30s` (`judgement.look` is `15s`)
       |
    10 | driver: { budget: 10m, blind: 1s }
       |                               ^
    ");
}

#[test]
fn a_deployment_for_a_backend_that_is_one() {
    let ratio = SMALLEST.replace(
        "haproxy:\n    backends: [blue, green]",
        "replica-ratio: { namespace: shop, service: web, backends: [blue, green] }",
    );
    assert_snapshot!(refusal(&format!("{ratio}backends: {{ green: {{ deployment: web-green }} }}\n")), @r"
    plan.yml:9:34: backends.green.deployment: found `web-green`, expected nothing: a backend of `traffic.replica-ratio` is the Deployment itself; write its name in `traffic.replica-ratio.backends` and here, in place of `green`
      |
    9 | backends: { green: { deployment: web-green } }
      |                                  ^
    ");
    plan(&format!(
        "{ratio}backends: {{ green: {{ workers: worker-green }} }}\n"
    ));
}

#[test]
fn a_rollback_that_takes_longer_than_the_emergency_job_has() {
    assert_snapshot!(refusal(&and("rollback: { drain: 3m }")), @r"
    plan.yml:10:20: rollback.drain: found `3m`, expected at most `4m` together with `rollback.capacity-within` (`2m`): the job of an emergency rollback ends after `5m`, and would be killed before the rollback is over
       |
    10 | rollback: { drain: 3m }
       |                    ^
    ");
    assert_snapshot!(refusal(&and("rollback: { drain: 1m, capacity-within: 3m1s }")), @r"
    plan.yml:10:41: rollback.capacity-within: found `3m1s`, expected at most `4m` together with `rollback.drain` (`1m`): the job of an emergency rollback ends after `5m`, and would be killed before the rollback is over
       |
    10 | rollback: { drain: 1m, capacity-within: 3m1s }
       |                                         ^
    ");
    plan(&and("rollback: { drain: 1m, capacity-within: 3m }"));
}
