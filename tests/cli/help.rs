//! What a user reads first. A change of these pages is a change of the interface.

use std::io::Write as _;
use std::process::{Command, Stdio};

use super::{WITHOUT_VERBS, with_verbs};
use crate::support::{answer, binary};

fn help(name: &str, verbs: &[&str]) -> String {
    let (code, out, err) = answer(binary(name).args(verbs).arg("--help"));
    assert_eq!((code, err.as_str()), (0, ""), "{name} {verbs:?}");
    out
}

#[test]
fn every_binary_and_every_verb_says_what_it_does() {
    for command in with_verbs() {
        let name = command.get_name();
        insta::assert_snapshot!(name, help(name, &[]));
        for verb in command.get_subcommands() {
            let verb = verb.get_name();
            insta::assert_snapshot!(format!("{name}_{verb}"), help(name, &[verb]));
        }
    }
    for name in WITHOUT_VERBS {
        insta::assert_snapshot!(name, help(name, &[]));
    }
}

#[test]
fn every_page_has_an_example_and_no_line_is_too_long_for_a_terminal() {
    for command in with_verbs() {
        let name = command.get_name();
        let mut pages = vec![help(name, &[])];
        for verb in command.get_subcommands() {
            if verb.get_name() != "completions" {
                pages.push(help(name, &[verb.get_name()]));
            }
        }
        for page in pages {
            assert!(page.contains("Example"), "{page}");
            let longest = page.lines().map(|line| line.chars().count()).max().unwrap_or(0);
            assert!(longest <= 110, "{longest} columns:\n{page}");
        }
    }
}

#[test]
fn every_binary_knows_its_version() {
    for name in with_verbs()
        .iter()
        .map(clap::Command::get_name)
        .chain(WITHOUT_VERBS)
    {
        let expected = format!("{name} {}\n", env!("CARGO_PKG_VERSION"));
        for flag in ["--version", "-V"] {
            assert_eq!(
                answer(binary(name).arg(flag)),
                (0, expected.clone(), String::new())
            );
        }
    }
}

#[test]
fn a_binary_without_a_verb_shows_its_help_and_exits_2() {
    for command in with_verbs() {
        let name = command.get_name();
        let (code, out, err) = answer(&mut binary(name));
        assert_eq!((code, out.as_str()), (2, ""));
        assert_eq!(err, help(name, &[]));
    }
}

#[test]
fn a_binary_whose_verbs_are_still_to_come_says_so_and_exits_2() {
    for name in WITHOUT_VERBS {
        let expected = format!("error: this version of {name} has no verbs yet; nothing was done\n");
        for arguments in [&[][..], &["run"], &["create", "--help"]] {
            assert_eq!(
                answer(binary(name).args(arguments)),
                (2, String::new(), expected.clone())
            );
        }
    }
}

#[test]
fn completions_are_made_for_every_shell_and_bash_can_read_its_own() {
    for command in with_verbs() {
        let name = command.get_name();
        for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
            let (code, out, err) = answer(binary(name).args(["completions", shell]));
            assert_eq!((code, err.as_str()), (0, ""));
            let verbs = command.get_subcommands().map(clap::Command::get_name);
            for verb in verbs {
                assert!(out.contains(verb), "{shell} does not know {name} {verb}");
            }
            if shell == "bash" {
                let mut bash = Command::new("bash")
                    .arg("-n")
                    .stdin(Stdio::piped())
                    .spawn()
                    .expect("bash");
                let mut input = bash.stdin.take().expect("its input");
                input.write_all(out.as_bytes()).expect("a script");
                drop(input);
                assert!(bash.wait().expect("its end").success(), "{out}");
            }
        }
        let (code, _, err) = answer(binary(name).args(["completions", "tcsh"]));
        assert_eq!(code, 2);
        assert!(
            err.contains("possible values: bash, elvish, fish, powershell, zsh"),
            "{err}"
        );
    }
}
