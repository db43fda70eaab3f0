//! Drift gates: what the papers say is what the code does, and the house keeps its own rules.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use rollgate_domain::exit::Outcome;

use crate::cli::with_verbs;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// Every file below `folder` whose name ends so, with its path from the root.
fn files(folder: &str, end: &str) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root().join(folder)];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder") {
            let path = entry.expect("a file").path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_string_lossy().ends_with(end) {
                found.push(path.strip_prefix(root()).expect("below the root").to_owned());
            }
        }
    }
    assert!(!found.is_empty(), "no {end} in {folder}");
    found.sort();
    found
}

/// The code of a file: no comments, no unit tests.
fn code(path: &Path) -> String {
    let text = read(path);
    let text = text
        .split("\n#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or_default();
    let lines = text.lines().map(|line| match line.find("//") {
        Some(at) if !line[..at].ends_with(':') => &line[..at],
        _ => line,
    });
    lines.collect::<Vec<_>>().join("\n")
}

/// The code of every source file below `folder` that is not a test.
fn sources(folder: &str) -> BTreeMap<PathBuf, String> {
    let is_test = |path: &Path| {
        path.components().any(|part| part.as_os_str() == "tests")
            || path.file_stem().is_some_and(|name| name == "tests")
    };
    files(folder, ".rs")
        .into_iter()
        .filter(|path| !is_test(path))
        .map(|path| (path.clone(), code(&path)))
        .collect()
}

fn none_has(folder: &str, words: &[&str], but: &[&str]) {
    for (path, code) in sources(folder) {
        if but.iter().any(|allowed| path.starts_with(allowed)) {
            continue;
        }
        for word in words {
            assert!(!code.contains(word), "{} has {word}", path.display());
        }
    }
}

/// What stands between backticks.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

/// The cells of all table rows between `heading` and the next heading.
fn rows(text: &str, heading: &str) -> Vec<Vec<String>> {
    let (_, rest) = text
        .split_once(&format!("{heading}\n"))
        .unwrap_or_else(|| panic!("no {heading}"));
    let section = rest.split("\n#").next().unwrap_or_default();
    section
        .lines()
        .filter(|line| line.starts_with("| ") && !line.starts_with("|--"))
        .map(|line| {
            line.trim_matches('|')
                .split(" | ")
                .map(|cell| cell.trim().to_owned())
                .collect()
        })
        .collect()
}

#[test]
fn the_readme_has_every_exit_code_with_its_meaning() {
    let mut codes: BTreeMap<u8, &str> = Outcome::ALL
        .into_iter()
        .map(|(outcome, meaning)| (outcome.code(), meaning))
        .collect();
    codes.extend([(1, "error"), (2, "usage or invalid plan")]);
    let expected: Vec<_> = codes
        .into_iter()
        .map(|(code, meaning)| vec![code.to_string(), meaning.to_owned()])
        .collect();
    assert_eq!(rows(&read("README.md"), "### Exit codes")[1..], expected);
}

#[test]
fn the_readme_has_every_binary_with_its_verbs() {
    let readme = read("README.md");
    let written: BTreeMap<_, _> = rows(&readme, "## The tools")
        .into_iter()
        .filter(|row| row[0].starts_with('`'))
        .map(|row| (row[0].clone(), row[2].clone()))
        .collect();
    let binaries = fs::read_dir(root().join("bins")).unwrap();
    let names: BTreeSet<_> = binaries
        .map(|entry| format!("`{}`", entry.unwrap().file_name().display()))
        .collect();
    assert_eq!(written.keys().cloned().collect::<BTreeSet<_>>(), names);
    for command in with_verbs() {
        let verbs: BTreeSet<_> = command.get_subcommands().map(clap::Command::get_name).collect();
        let row = &written[&format!("`{}`", command.get_name())];
        let mut shown: BTreeSet<_> = quoted(row).into_iter().collect();
        shown.insert("completions");
        assert_eq!(shown, verbs, "{}", command.get_name());
    }
}

#[test]
fn the_readme_names_every_vendors_file() {
    let readme = read("README.md");
    let modules: BTreeSet<_> = files("src/providers", ".rs")
        .into_iter()
        .filter_map(|path| {
            let parts: Vec<_> = path
                .iter()
                .map(|part| part.to_string_lossy().into_owned())
                .collect();
            match parts.as_slice() {
                // src/providers/KIND/VENDOR.rs or src/providers/KIND/VENDOR/mod.rs
                [_, _, kind, vendor] if vendor != "mod.rs" => Some(format!("src/providers/{kind}/{vendor}")),
                [_, _, kind, vendor, file] if file == "mod.rs" => {
                    Some(format!("src/providers/{kind}/{vendor}/"))
                }
                _ => None,
            }
        })
        // What vendors have in common.
        .filter(|path| {
            ![
                "metrics/access.rs",
                "metrics/ahead.rs",
                "metrics/pause.rs",
                "metrics/pretended.rs",
                "metrics/histogram.rs",
                "metrics/hosted.rs",
                "metrics/http.rs",
                "metrics/intervals.rs",
                "metrics/measured.rs",
                "metrics/selectors.rs",
                "metrics/series.rs",
                "metrics/selector/",
                "traffic/last_digits.rs",
                "cluster/connection.rs",
                "cluster/trouble.rs",
                "traffic/lock.rs",
                "traffic/routed_object.rs",
                "traffic/replace.rs",
            ]
            .iter()
            .any(|shared| path.ends_with(shared))
        })
        .collect();
    let named: BTreeSet<_> = quoted(&readme)
        .into_iter()
        .filter(|text| text.starts_with("src/providers/"))
        .map(str::to_owned)
        .collect();
    assert_eq!(named, modules);
}

#[test]
fn every_path_in_architecture_exists_and_every_test_that_it_names() {
    let text = read("ARCHITECTURE.md") + &read("docs/reliability.md");
    let tests: String = files("tests", ".rs")
        .into_iter()
        .chain(files("src", ".rs"))
        .chain(files("domain/src", ".rs"))
        .map(read)
        .collect();
    let mut missing = Vec::new();
    for line in text.lines() {
        let quoted = quoted(line);
        // In a table's row a bare file lies in the folder that the row begins with.
        let folder = quoted.first().copied().unwrap_or_default();
        for name in &quoted {
            let is_path = name.starts_with(|first: char| first == '.' || first.is_ascii_lowercase())
                && !name.contains([' ', '(', ':'])
                && (name.contains('/') || name.ends_with(".rs") || name.ends_with(".yml"));
            let is_test = name.matches('_').count() > 3 && !name.contains(['/', '<']);
            let is_there = if is_path {
                root().join(name).exists() || root().join(folder).join(name).exists()
            } else {
                !is_test || tests.contains(&format!("fn {name}()"))
            };
            if !is_there {
                missing.push(*name);
            }
        }
    }
    assert_eq!(
        missing,
        Vec::<&str>::new(),
        "ARCHITECTURE.md or docs/reliability.md name what is not there"
    );
}

#[test]
fn every_link_in_the_papers_leads_somewhere() {
    let papers = [
        "README.md",
        "ARCHITECTURE.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
    ];
    for paper in papers.map(PathBuf::from).into_iter().chain(files("docs", ".md")) {
        let text = read(&paper);
        for link in text.split("](").skip(1) {
            let link = link.split([')', '#']).next().unwrap_or_default();
            if link.is_empty() || link.contains("://") {
                continue;
            }
            let target = root().join(&paper).with_file_name(link);
            assert!(target.exists(), "{}: {link} is not there", paper.display());
        }
    }
}

#[test]
fn the_changelog_knows_this_version() {
    let heading = format!("## {}", env!("CARGO_PKG_VERSION"));
    assert!(read("CHANGELOG.md").contains(&heading), "no {heading}");
}

#[test]
fn every_variable_that_is_read_is_documented_and_no_other() {
    let mut read_by: BTreeMap<String, (String, BTreeSet<String>)> = BTreeMap::new();
    for command in with_verbs() {
        let name = command.get_name();
        let mut note = |user: String, argument: &clap::Arg| {
            if let (Some(variable), Some(flag)) = (argument.get_env(), argument.get_long()) {
                let entry = read_by
                    .entry(variable.to_string_lossy().into_owned())
                    .or_default();
                entry.0 = format!("`--{flag}`");
                entry.1.insert(format!("`{user}`"));
            }
        };
        for argument in command.get_arguments() {
            note(name.to_owned(), argument);
        }
        for verb in command.get_subcommands() {
            for argument in verb.get_arguments().filter(|argument| !argument.is_global_set()) {
                note(format!("{name} {}", verb.get_name()), argument);
            }
        }
    }
    let expected: Vec<_> = read_by
        .iter()
        .map(|(variable, (flag, users))| {
            let users: Vec<_> = users.iter().map(String::as_str).collect();
            vec![format!("`{variable}`"), flag.clone(), users.join(", ")]
        })
        .collect();
    let page = read("docs/environment.md");
    assert_eq!(rows(&page, "## Flags")[1..], expected);

    // Everything else goes through `variable("…")` or the closure that `github::run` makes of it.
    let mut expected = BTreeSet::new();
    for code in sources("src").into_values() {
        for call in ["variable(\"", "get(\""] {
            for rest in code.split(call).skip(1) {
                let name = rest.split('"').next().unwrap_or_default();
                if name
                    .chars()
                    .all(|letter| letter.is_ascii_uppercase() || letter == '_')
                {
                    expected.insert(name.to_owned());
                }
            }
        }
    }
    let documented: BTreeSet<_> = ["## Secrets", "## Set by GitHub", "## Set by the system"]
        .into_iter()
        .flat_map(|heading| rows(&page, heading))
        .flat_map(|row| quoted(&row[0]).into_iter().map(str::to_owned).collect::<Vec<_>>())
        .collect();
    assert_eq!(documented, expected);
    none_has(
        "src",
        &["env::var", "env::vars", "env::set_var"],
        &["src/commands/mod.rs", "src/plan/schema.rs"],
    );
}

#[test]
fn the_domain_does_nothing_outside_of_itself() {
    none_has(
        "domain/src",
        &[
            "std::fs",
            "std::net",
            "std::process",
            "std::env",
            "std::io",
            "std::thread",
            "Instant::now",
            "SystemTime",
            "Timestamp::now",
            "Zoned::now",
            "async fn",
            "dyn ",
            "pub trait ",
            "println!",
        ],
        &[],
    );
    let manifest = read("domain/Cargo.toml");
    let (_, rest) = manifest.split_once("\n[dependencies]\n").unwrap();
    let section = rest.split("\n[").next().unwrap_or_default();
    let names: Vec<_> = section
        .lines()
        .filter_map(|line| line.split_once(" = "))
        .map(|(name, _)| name)
        .collect();
    assert_eq!(
        names,
        ["crc32fast", "jiff", "libm", "serde", "serde_json", "thiserror"]
    );
}

#[test]
fn data_flows_one_way() {
    let above = |names: &[&str]| -> Vec<String> {
        names
            .iter()
            .flat_map(|name| [format!("crate::{name}"), format!("rollgate::{name}")])
            .collect()
    };
    for (folder, forbidden) in [
        (
            "src/providers",
            &["commands", "operations", "github", "journal", "plan"][..],
        ),
        (
            "src/github",
            &["commands", "operations", "providers", "journal", "plan"],
        ),
        (
            "src/plan",
            &["commands", "operations", "providers", "github", "journal"],
        ),
        ("src/export", &["commands", "operations", "github", "journal"]),
        ("src/operations", &["commands"]),
    ] {
        let forbidden = above(forbidden);
        let words: Vec<_> = forbidden.iter().map(String::as_str).collect();
        none_has(folder, &words, &[]);
        // `use crate::{commands::…}` says the same in another form.
        for (path, code) in sources(folder) {
            for group in code.split("use crate::{").skip(1) {
                let group = group.split("};").next().unwrap_or_default();
                for word in &words {
                    let name = word.rsplit("::").next().unwrap_or_default();
                    let used = group
                        .split(|letter: char| !(letter.is_alphanumeric() || letter == '_' || letter == ':'))
                        .any(|path| path == name || path.starts_with(&format!("{name}::")));
                    assert!(!used, "{} uses {name}", path.display());
                }
            }
        }
    }
}

#[test]
fn only_commands_print_and_nobody_exits_in_the_middle() {
    let printing = ["println!", "print!(", "io::stdout", "io::stderr"];
    none_has("src", &printing, &["src/commands"]);
    none_has("src", &["process::exit", "process::abort"], &[]);
    none_has("bins", &["process::exit", "println!"], &[]);
}

#[test]
fn there_is_one_clock() {
    let now = ["Timestamp::now", "Zoned::now", "SystemTime::now"];
    none_has("src", &now, &["src/providers/clock.rs"]);
}

#[test]
fn only_operations_write_shares() {
    let writes = ["router.write("];
    none_has("src", &writes, &["src/operations"]);
}

#[test]
fn scripts_can_be_run_and_stop_at_the_first_failure() {
    for entry in fs::read_dir(root().join("scripts")).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let is_script = text.starts_with("#!");
        let executable = path.metadata().unwrap().permissions().mode() & 0o111 == 0o111;
        assert_eq!(executable, is_script, "{}", path.display());
        if is_script {
            let name = path.display();
            assert!(text.starts_with("#!/usr/bin/env bash\n"), "{name}");
            assert!(text.contains("\nset -euo pipefail\n"), "{name}");
        }
    }
}
