//! What a rollback still reads out of a broken plan.

use super::*;

fn rescued(yaml: impl AsRef<[u8]>) -> Rescue {
    let (_folder, path) = file(yaml.as_ref());
    Traffic::read(&path).unwrap_or_else(|error| panic!("{error}"))
}

fn lost(yaml: &str) -> String {
    let (folder, path) = file(yaml.as_bytes());
    let error = Traffic::read(&path).expect_err("nothing to rescue").to_string();
    error.replace(&format!("{}/", folder.path().display()), "")
}

/// The router of the smallest plan came out, and why the plan is refused was said.
fn check(yaml: impl AsRef<[u8]>, warning: &str) {
    let found = rescued(yaml);
    assert_eq!(found.service, "shop-api");
    assert_eq!(found.traffic, plan(SMALLEST).traffic);
    let found = found.warning.expect("a warning").to_string();
    assert!(found.contains(warning), "{found}");
}

#[test]
fn a_good_plan_has_no_warning() {
    let found = rescued(SMALLEST);
    assert_eq!(found.warning, None);
    assert_eq!(found.traffic, plan(SMALLEST).traffic);
}

#[test]
fn other_sections_do_not_stop_a_rollback() {
    check(and("backup: { to: s3://bucket }"), "backup: unknown key");
    check(and("driver: { budget: -1h }"), "driver.budget: found `-1h`");
    check(
        and("phases: { canary: { steps: [] } }"),
        "phases.canary.steps: found an empty list",
    );
    check(but("metrics:", "metric:"), "metric: unknown key");
    check(and("driver: {}\ndriver: {}"), "driver: given twice");
    check(
        "service: shop-api\ntraffic: { haproxy: { backends: [blue, green] } }",
        "metrics: missing",
    );
}

#[test]
fn what_is_no_yaml_elsewhere_does_not_stop_a_rollback() {
    check(and("driver: { budget: [\n"), "not readable as YAML");
    check(and("driver:\n\tbudget: 1h\n"), "not readable as YAML");
    check(
        and("<<<<<<< ours\ndriver: {}\n=======\n>>>>>>> theirs\n"),
        "not readable as YAML",
    );
    check(and("---\n{}"), "a second document begins here");
    check([SMALLEST.as_bytes(), b"# caf\xe9\n"].concat(), "expected UTF-8");
}

#[test]
fn keys_of_a_newer_version_do_not_stop_a_rollback() {
    check(
        but("    backends", "    drain: 30s\n    backends"),
        "haproxy.drain: unknown key",
    );
    check(
        but("  haproxy", "  preview: { header: x-preview }\n  haproxy"),
        "traffic: found `preview` and `haproxy`",
    );
}

#[test]
fn a_slip_in_a_key_of_the_router_does() {
    assert_snapshot!(lost(&but("    backends", "    socket: [/run/other.sock]\n    backends")), @r"
    plan.yml:5:5: traffic.haproxy.socket: unknown key, expected one of `sockets`, `map`, `key` or `backends`
      |
    5 |     socket: [/run/other.sock]
      |     ^
    hint: did you mean `sockets`?
    ");
}

#[test]
fn a_router_given_twice_does() {
    assert_snapshot!(lost(&and("traffic: { haproxy: { backends: [a, b] } }")), @r"
    plan.yml:10:1: traffic: given twice, expected it once; it stands in line 3 already
       |
    10 | traffic: { haproxy: { backends: [a, b] } }
       | ^
    ");
}

#[test]
fn a_plan_without_a_router_does() {
    assert_snapshot!(lost("service: shop-api\nmetrics: {}\n"), @r"
    plan.yml:1:1: traffic: missing, and a rollback needs it
      |
    1 | service: shop-api
      | ^
    ");
}

#[test]
fn it_knows_all_keys_of_every_router() {
    let schema = schema();
    for (vendor, keys) in super::super::rescue::ROUTERS {
        let name: String = vendor
            .split('-')
            .map(|word| word[..1].to_uppercase() + &word[1..])
            .collect();
        let known: Vec<_> = schema["$defs"][&name]["properties"]
            .as_object()
            .unwrap_or_else(|| panic!("{name} is in the schema"))
            .keys()
            .collect();
        let mut ours = keys.to_vec();
        ours.sort_unstable();
        assert_eq!(known, ours, "{vendor}");
    }
}
