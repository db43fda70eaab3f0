//! What is a plan.

use super::*;

#[test]
fn the_smallest_plan_has_all_defaults() {
    let plan = plan(SMALLEST);

    assert_eq!(plan.service, "shop-api");
    let haproxy = Haproxy {
        sockets: vec![PathBuf::from("/run/haproxy/admin.sock")],
        map: PathBuf::from("/etc/haproxy/rollgate.map"),
        key: "shop-api".to_owned(),
        backends: ["blue", "green"].map(str::to_owned),
    };
    assert_eq!(plan.traffic, Traffic::Haproxy(haproxy));
    assert_eq!(plan.sticky, None);
    let Source::Prometheus(prometheus) = &plan.metrics.source else {
        panic!("not a Prometheus")
    };
    assert_eq!(prometheus.url.as_str(), "http://prometheus:9090/");
    assert_eq!(prometheus.version_label, "version");
    assert_eq!(
        plan.metrics.errors,
        r#"http_requests_total{service="shop-api",code=~"5.."}"#
    );
    assert_eq!(plan.limits.error_rate.critical, 0.01);
    assert_eq!(plan.judgement, Judgement::default());
    assert_eq!(plan.phases.canary.require, Require::Proof);
    let steps: Vec<_> = plan
        .phases
        .canary
        .steps
        .iter()
        .map(|step| (step.weight.percent(), step.duration.as_hours()))
        .collect();
    assert_eq!(steps, [(1, 6), (5, 6), (10, 36)]);
    assert_eq!(plan.notify.critical, [Channel::Summary]);
    assert_eq!(plan.driver, Driver::default());
}

#[test]
fn every_key_is_read() {
    let plan = plan(
        r#"
service: shop
traffic:
  haproxy:
    sockets: [run/one.sock, run/two.sock]
    map: rollgate.map
    key: web
    backends: [on, off]
sticky: { query: user }
metrics:
  scrape: { pages: { on: [http://10.0.0.1/metrics], off: [http://10.0.0.2/metrics, "https://10.0.0.3/metrics"] } }
  requests: requests_total
  errors: errors_total
limits: { error-rate: { critical: 0.5% } }
judgement: { look: 1s, grace: 90s, forgive: 150ms, delay: 1s, proof: strict, cluster-size: 2 }
phases: { canary: { require: no-harm, steps: [ { weight: 5 %, for: 2s } ] } }
notify: { critical: [slack, summary], warning: [slack], info: [] }
driver: { budget: 1h, successor-within: 1h, blind: 2s }
"#,
    );

    let haproxy = Haproxy {
        sockets: vec![PathBuf::from("run/one.sock"), PathBuf::from("run/two.sock")],
        map: PathBuf::from("rollgate.map"),
        key: "web".to_owned(),
        backends: ["on", "off"].map(str::to_owned),
    };
    assert_eq!(plan.traffic, Traffic::Haproxy(haproxy));
    let sticky = Sticky {
        by: UserId::Query("user".to_owned()),
        ids: Ids::Decimal,
    };
    assert_eq!(plan.sticky, Some(sticky));
    let Source::Scrape(Scrape { pages }) = &plan.metrics.source else {
        panic!("no pages")
    };
    assert_eq!(pages.get("off").map(Vec::len), Some(2));
    assert_eq!(plan.limits.error_rate.critical, 0.005);
    assert_eq!(
        plan.judgement,
        Judgement {
            look: SignedDuration::from_secs(1),
            grace: SignedDuration::from_secs(90),
            forgive: SignedDuration::from_millis(150),
            delay: SignedDuration::from_secs(1),
            proof: Proof::Strict,
            cluster_size: Some(2.0),
        }
    );
    assert_eq!(
        plan.phases.canary,
        Canary {
            require: Require::NoHarm,
            steps: vec![Step {
                weight: Weight::new(5).unwrap(),
                duration: SignedDuration::from_secs(2)
            }],
            gates: Vec::new(),
        }
    );
    assert_eq!(plan.notify.info, []);
    assert_eq!(plan.notify.critical, [Channel::Slack, Channel::Summary]);
    assert_eq!(
        plan.driver,
        Driver {
            budget: SignedDuration::from_hours(1),
            successor_within: SignedDuration::from_hours(1),
            blind: SignedDuration::from_secs(2),
        }
    );
}

#[test]
fn anchors_are_followed() {
    let plan = plan(&and("driver: { budget: &long 1h, successor-within: *long }"));
    assert_eq!(plan.driver.successor_within, SignedDuration::from_hours(1));
}

#[test]
fn the_plans_we_show_are_read_and_known_to_the_schema() {
    let schema = schema();
    for name in [
        "smallest.yml",
        "shop-api.yml",
        "gateway-api.yml",
        "istio.yml",
        "datadog.yml",
        "new-relic.yml",
        "cloudwatch.yml",
        "nginx.yml",
        "replica-ratio.yml",
        "service-selector.yml",
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("examples/plans")
            .join(name);
        let plan = Plan::read(&path).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(plan.service, "shop-api");

        let text = std::fs::read_to_string(&path).expect("the plan");
        let schema_path = text
            .lines()
            .next()
            .and_then(|line| line.strip_prefix("# yaml-language-server: $schema="));
        assert!(
            path.with_file_name(schema_path.expect("names its schema"))
                .exists()
        );
        every_key_is_in(&schema, &schema, &serde_saphyr::from_str(&text).expect("YAML"));
    }
}

#[test]
fn the_plan_with_every_key_has_every_section() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/plans/shop-api.yml");
    let text = std::fs::read_to_string(path).expect("the plan");
    let shown: serde_json::Value = serde_saphyr::from_str(&text).expect("YAML");
    let schema = schema();
    let sections = schema["properties"].as_object().expect("sections");
    let missing: Vec<_> = sections
        .keys()
        // Of Kubernetes alone.
        .filter(|key| *key != "backends" && shown.get(key).is_none())
        .collect();
    assert!(missing.is_empty(), "{missing:?}");
}

/// Stands in for a validator: the keys are what drifts.
fn every_key_is_in(root: &serde_json::Value, schema: &serde_json::Value, value: &serde_json::Value) {
    let schema = match schema["$ref"].as_str() {
        Some(reference) => root.pointer(&reference[1..]).expect("a definition"),
        None => schema,
    };
    match value {
        serde_json::Value::Object(entries) => {
            for (key, value) in entries {
                let choices = schema["oneOf"].as_array().into_iter().flatten();
                let known = std::iter::once(schema)
                    .chain(choices)
                    .find_map(|schema| schema["properties"].get(key))
                    // A mapping whose keys are the author's own names.
                    .or_else(|| {
                        schema
                            .get("additionalProperties")
                            .filter(|names| names.is_object())
                    });
                every_key_is_in(
                    root,
                    known.unwrap_or_else(|| panic!("{key} is not in the schema")),
                    value,
                );
            }
        }
        serde_json::Value::Array(items) => {
            for item in items {
                every_key_is_in(root, &schema["items"], item);
            }
        }
        _ => {}
    }
}

#[test]
fn the_hash_is_that_of_the_bytes() {
    let (_folder, path) = file(SMALLEST.as_bytes());
    let read = Plan::read(&path).expect("a plan");

    assert_eq!(read, plan(SMALLEST));
    assert_ne!(read.hash, plan(&and("# a comment")).hash);
    assert_snapshot!(read.hash, @"5fb1a438060fd4e9c6a2e4de46324e33921341b50a87d839e0293dc9f7476311");
}

#[test]
fn probes_need_no_counters() {
    let yaml = SMALLEST
        .split("metrics:")
        .next()
        .expect("the beginning")
        .to_owned()
        + "metrics: { probe: { targets: { blue: [http://b/health], green: [http://g/health] }, expect: { status: 204 } } }\n";
    let plan = plan(&yaml);
    let Source::Probe(probe) = &plan.metrics.source else {
        panic!("{:?}", plan.metrics.source)
    };
    assert_eq!(probe.targets["green"][0].as_str(), "http://g/health");
    assert_eq!(probe.every, SignedDuration::from_secs(1));
    assert_eq!(probe.expect.status, Some(204));
    assert_eq!((probe.need.good, probe.need.of), (1, 1));
    assert!(plan.metrics.latency.is_some(), "how long they take is judged");

    let beside = yaml.replace("} } }", "} }, requests: up }");
    assert!(refusal(&beside).contains("metrics.requests: found it beside `probe`"));
    let odd = yaml.replace("204", "2000");
    assert!(
        refusal(&odd)
            .contains("metrics.probe.expect.status: found `2000`, expected a number from 100 to 599")
    );
    let needing = |need: &str| yaml.replace("expect:", &format!("need: {need}, expect:"));
    for odd in ["{ good: 3, of: 2 }", "{ good: 0, of: 1 }", "{ good: 1, of: 11 }"] {
        assert!(
            refusal(&needing(odd)).contains("metrics.probe.need: found ")
                && refusal(&needing(odd)).contains("expected at least 1, of no fewer and at most 10"),
            "{odd}"
        );
    }
    let half = yaml.replace(", green: [http://g/health]", "");
    assert!(
        refusal(&half)
            .contains("metrics.probe.targets.green: missing, expected the targets of both backends")
    );
}

#[test]
fn counters_are_missed_where_nobody_probes() {
    let text = refusal(&SMALLEST.replace("  requests: http_requests_total{service=\"shop-api\"}\n", ""));
    assert!(
        text.contains("metrics.requests: missing, and it has no default"),
        "{text}"
    );
}
