//! `assign`, and the same in a few lines of the languages in docs/assign.md: nobody may say otherwise.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use serde_json::Value;
use tempfile::TempDir;

use crate::support::{
    nginx::NginxWorld,
    require,
    tool::{binary, run},
    world::World,
};

/// The steps of every plan here.
const SHARES: [u8; 10] = [1, 2, 5, 10, 33, 50, 66, 75, 99, 100];

/// Ids of all kinds and lengths.
fn ids() -> Vec<String> {
    let number = |factor: u64| move |n: u64| n.wrapping_mul(factor) ^ (n << 7);
    let of = |n: u64| match n % 6 {
        0 => format!("user-{n}"),
        1 => n.to_string(),
        2 => format!("{:016x}", number(0x9e37_79b9_7f4a_7c15)(n)),
        3 => format!("{:08X}", number(0x0bad_cafe)(n) & 0xffff_ffff),
        4 => format!("ünïcødé {n}"),
        _ => "x".repeat(usize::try_from(n % 29).expect("small") + 1) + &n.to_string(),
    };
    (0..3000).map(of).collect()
}

/// What `assign` says: for each id a line with a `1` for each step at which it meets the candidate.
fn said(mut command: Command, ids: &[String]) -> Vec<String> {
    command.args(["assign", "--output", "json"]);
    command.args(ids.iter().map(|id| format!("--user={id}")));
    let ended = run(command);
    assert!([Some(0), Some(4)].contains(&ended.code), "{}", ended.stderr);
    let answer: Value = serde_json::from_str(&ended.stdout).expect("JSON");
    let users = answer["users"].as_array().expect("users");
    assert_eq!(users.len(), ids.len());
    let bits = |user: &Value| -> String {
        let steps = user["steps"].as_array().expect("steps");
        assert_eq!(steps.len(), SHARES.len());
        steps
            .iter()
            .map(|step| {
                if step["backend"] == answer["candidate"] {
                    '1'
                } else {
                    '0'
                }
            })
            .collect()
    };
    users.iter().map(bits).collect()
}

fn plan(folder: &Path, traffic: &str, sticky: &str) -> Command {
    let steps = |shares: &[u8]| {
        let steps: Vec<_> = shares
            .iter()
            .map(|share| match share {
                100 => "{ weight: 100% }".to_owned(),
                share => format!("{{ weight: {share}%, for: 1h }}"),
            })
            .collect();
        steps.join(", ")
    };
    let text = format!(
        "service: shop-api\ntraffic: {{ {traffic} }}\nsticky: {{ {sticky} }}\nmetrics:\n  prometheus: {{ url: \
         \"http://127.0.0.1:1\" }}\n  requests: a\n  errors: b\nphases:\n  canary: {{ steps: [{}] }}\n  production: {{ \
         steps: [{}] }}\n",
        steps(&SHARES[..5]),
        steps(&SHARES[5..])
    );
    let path = folder.join("plan.yml");
    fs::write(&path, text).expect("the plan");
    let mut command = binary("shift-traffic");
    command.arg("--plan").arg(path);
    command
}

/// The lines of `language` under `heading` in the docs.
fn snippet(heading: &str, language: &str) -> String {
    let docs = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/assign.md")).expect("the docs");
    let (_, part) = docs.split_once(&format!("\n## {heading}\n")).expect("a heading");
    let part = part.split_once("\n## ").map_or(part, |(part, _)| part);
    let (_, code) = part.split_once(&format!("\n```{language}\n")).expect("a snippet");
    code.split_once("```\n").expect("its end").0.to_owned()
}

/// A program that reads ids and prints a line for each, as [`said`] does. `more`: further arguments of the function.
fn program(language: &str, snippet: &str, more: &str) -> (&'static str, String) {
    let shares = SHARES.map(|share| share.to_string()).join(", ");
    match language {
        "ruby" => (
            "main.rb",
            format!(
                "# encoding: utf-8\nEncoding.default_external = 'UTF-8'\n{snippet}\nFile.read('ids').split(\"\\n\").each do \
                 |id|\n  puts [{shares}].map {{ |share| meets_candidate(id, share{more}) ? 1 : 0 }}.join\nend\n"
            ),
        ),
        "javascript" => (
            "main.js",
            format!(
                "{snippet}\nconst out = require('fs').readFileSync('ids', 'utf8').trimEnd().split('\\n').map((id) =>\n  \
                 [{shares}].map((share) => (meetsCandidate(id, share{more}) ? 1 : 0)).join(''));\nconsole.log(out.join('\\n'));\n"
            ),
        ),
        "go" => (
            "main.go",
            format!(
                "package main\n\nimport (\n\t\"fmt\"\n\t\"os\"\n\t\"strings\"\n)\n\n{snippet}\nfunc main() {{\n\ttext, _ := \
                 os.ReadFile(\"ids\")\n\tfor _, id := range strings.Split(strings.TrimRight(string(text), \"\\n\"), \"\\n\") \
                 {{\n\t\tfor _, share := range []uint64{{{shares}}} {{\n\t\t\tif meetsCandidate(id, share{more}) \
                 {{\n\t\t\t\tfmt.Print(1)\n\t\t\t}} else {{\n\t\t\t\tfmt.Print(0)\n\t\t\t}}\n\t\t}}\n\t\tfmt.Println()\n\t}}\n}}\n"
            ),
        ),
        _ => (
            "main.py",
            format!(
                "{snippet}\nfor id in open('ids', encoding='utf-8').read().rstrip('\\n').split('\\n'):\n    \
                 print(''.join('1' if meets_candidate(id, share{more}) else '0' for share in [{shares}]))\n"
            ),
        ),
    }
}

/// Every language that is here says what `assign` says.
#[track_caller]
fn languages_agree(heading: &str, base: Option<u8>, said: &[String], ids: &[String]) {
    for (language, interpreter, arguments) in [
        ("ruby", "ruby", &[][..]),
        ("javascript", "node", &[]),
        ("go", "go", &["run"]),
        ("python", "python3", &[]),
    ] {
        let Some(interpreter) = require(interpreter) else {
            continue;
        };
        let folder = TempDir::new().expect("a scratch folder");
        fs::write(folder.path().join("ids"), ids.join("\n") + "\n").expect("the ids");
        let more = base.map_or_else(String::new, |base| format!(", {base}"));
        let (name, text) = program(language, &snippet(heading, language), &more);
        fs::write(folder.path().join(name), text).expect("the program");
        let mut command = Command::new(interpreter);
        command
            .args(arguments)
            .arg(name)
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .env("GO111MODULE", "off")
            .env("GOFLAGS", "");
        let output = command.output().expect("an interpreter");
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{heading}, {language}: {errors}");
        let lines: Vec<String> = String::from_utf8_lossy(&output.stdout)
            .lines()
            .map(str::to_owned)
            .collect();
        assert_eq!(lines.len(), ids.len(), "{heading}, {language}: {errors}");
        for ((id, theirs), ours) in ids.iter().zip(&lines).zip(said) {
            assert_eq!(theirs, ours, "{heading}, {language}: {id}");
        }
    }
}

#[test]
fn the_lines_for_haproxy_say_what_assign_says() {
    let (folder, ids) = (TempDir::new().expect("a scratch folder"), ids());
    let command = plan(
        folder.path(),
        "haproxy: { backends: [blue, green] }",
        "header: x-user-id",
    );
    languages_agree("HAProxy", None, &said(command, &ids), &ids);
}

#[test]
fn the_lines_for_nginx_say_what_assign_says() {
    let (folder, ids) = (TempDir::new().expect("a scratch folder"), ids());
    let traffic = "nginx: { served: \"http://127.0.0.1:1/\", backends: [blue, green] }";
    let command = plan(folder.path(), traffic, "header: x-user-id");
    languages_agree("nginx", None, &said(command, &ids), &ids);
}

#[test]
fn the_lines_for_gateway_api_and_istio_say_what_assign_says() {
    let (folder, ids) = (TempDir::new().expect("a scratch folder"), ids());
    for (form, base) in [("decimal", 10), ("hex", 16)] {
        for traffic in [
            "gateway-api: { namespace: shop, route: web, backends: [blue, green] }",
            "istio: { namespace: shop, route: web, backends: [blue, green] }",
        ] {
            let sticky = format!("header: x-user-id, ids: {form}");
            let command = plan(folder.path(), traffic, &sticky);
            languages_agree("Gateway API and Istio", Some(base), &said(command, &ids), &ids);
        }
    }
}

#[test]
fn assign_says_where_a_user_is_now_and_the_router_sends_it_there() {
    let Some(mut world) = World::simulated() else {
        return;
    };
    world.plan.sticky = Some("header: x-user-id");
    world.plan.steps = vec![(50, "1h")];
    world.abandoned_at(0);
    for number in 0..20 {
        let id = format!("user-{number}");
        let answer = world
            .shift(["assign", "--user", &id, "--output", "json"])
            .with(0)
            .stdout;
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        assert_eq!(
            (&answer["share"], &answer["method"]),
            (&50.into(), &"crc32".into())
        );
        let header = format!("x-user-id: {id}\r\n");
        let met = crate::support::world::shop::http(&world.haproxy[0].front, "GET /", &header);
        assert_eq!(
            answer["users"][0]["now"],
            met.expect("an answer").1.as_str(),
            "{id}"
        );
    }
    let text = world.shift(["assign", "--user", "user-7"]).with(0).stdout;
    assert!(
        text.starts_with("user       user-7 (header x-user-id)\nnow         50 %  "),
        "{text}"
    );
    // Where nobody answers the steps are still told.
    world.haproxy[0].stop();
    fs::remove_file(world.map()).expect("the map");
    let ended = world.shift(["assign", "--user", "user-7"]).with(4);
    assert!(ended.stdout.contains("now            ?  ?"), "{}", ended.stdout);
    assert!(ended.stdout.contains("canary      50 %  "), "{}", ended.stdout);
}

#[test]
fn assign_knows_where_nginx_sends_a_user() {
    let Some(world) = NginxWorld::start("sticky: { header: x-user-id }") else {
        return;
    };
    let answer = world.shift(["assign", "--user", "user-7"]).with(0).stdout;
    assert!(answer.contains("now          0 %  blue"), "{answer}");
    assert!(answer.contains("MurmurHash2"), "{answer}");
}

#[test]
fn a_router_that_does_not_see_users_is_named() {
    let folder = TempDir::new().expect("a scratch folder");
    let path = folder.path().join("plan.yml");
    for (traffic, part) in [
        (
            "service-selector: { namespace: shop, service: web, label: version, backends: [blue, green] }",
            "traffic.service-selector does not see users, only connections",
        ),
        ("haproxy: { backends: [blue, green] }", "the plan has no `sticky`"),
    ] {
        let text = format!(
            "service: shop-api\ntraffic: {{ {traffic} }}\nmetrics:\n  prometheus: {{ url: \"http://127.0.0.1:1\" }}\n  \
             requests: a\n  errors: b\nphases: {{ canary: {{ steps: [{{ weight: 100%, for: 1h }}] }} }}\n"
        );
        fs::write(&path, text).expect("the plan");
        let mut command = binary("shift-traffic");
        command
            .arg("--plan")
            .arg(&path)
            .args(["assign", "--user", "4711"]);
        run(command).with(2).saying(part);
    }
}
