//! A team's ten lines, as they stand in examples/workflows, call rollgate's workflows from another repository.

use std::{fmt::Write as _, fs};

use rollgate_domain::rollout::record::State;
use sha2::{Digest as _, Sha256};

use crate::support::{
    github::TOKEN,
    http::{Http, Reply},
    team::{ROOT, Team, copy_folder},
    tool::path_of,
    world::World,
};

/// A team with nothing but the example's files, and a place that has released the tools of this build.
pub(super) fn team(world: World) -> Option<(Team, Http)> {
    let team = Team::with(world, "")?;
    let workflows = team.buttons.repository.join(".github/workflows");
    fs::remove_dir_all(&workflows).expect("rollgate's own files");
    copy_folder(format!("{ROOT}/examples/workflows").as_ref(), &workflows);
    team.buttons.commit();

    let mut table = String::new();
    let mut files = Vec::new();
    for tool in ["shift-traffic", "notify", "verify-health"] {
        let content = fs::read(path_of(tool)).expect("a tool");
        let sum: String = Sha256::digest(&content)
            .iter()
            .fold(String::new(), |mut text, byte| {
                let _ = write!(text, "{byte:02x}");
                text
            });
        let name = format!(
            "rollgate-9.9.9-{}-unknown-linux-musl-{tool}",
            std::env::consts::ARCH
        );
        let _ = writeln!(table, "{sum}  {name}");
        files.push((format!("/v9.9.9/{name}"), content));
    }
    fs::write(team.buttons.copy.join("releases.sha256"), table).expect("the table");
    let releases = Http::start(move |request| {
        let file = files.iter().find(|(path, _)| *path == request.path);
        file.map_or_else(
            || Reply::status(404, ""),
            |(_, content)| Reply::ok(content.clone()),
        )
    });
    team.buttons
        .give(&["--env", &format!("ROLLGATE_RELEASES_URL={}", releases.url)]);
    team.buttons.give(&["--secret", &format!("GITHUB_TOKEN={TOKEN}")]);
    Some((team, releases))
}

#[test]
fn ten_lines_are_a_canary_and_an_emergency_button() {
    let Some(world) = World::simulated() else { return };
    let Some((team, releases)) = team(world) else {
        return;
    };

    let run = team.buttons.dispatch("canary.yml", &[("candidate", "green")]);
    let run = team.buttons.wait(run).well();
    assert_eq!(team.world.record().state, State::Passed);
    assert_eq!(run.output("outcome").as_deref(), Some("done"));
    team.buttons.artifact("canary", run.id);

    let run = team.buttons.dispatch("rollback.yml", &[("reason", "to be sure")]);
    let run = team.buttons.wait(run).well();
    assert_eq!(
        team.world.record().state,
        State::RolledBack {
            reason: "to be sure".to_owned()
        }
    );
    team.buttons.artifact("rollback", run.id);
    // A run has a machine of its own, and each tool is downloaded to it once.
    assert_eq!(releases.seen().len(), 5);
}

#[test]
fn a_job_after_the_canary_knows_how_it_ended() {
    let Some(world) = World::simulated() else { return };
    let Some((team, _releases)) = team(world) else {
        return;
    };
    let path = team.buttons.repository.join(".github/workflows/canary.yml");
    let mut text = fs::read_to_string(&path).expect("the example");
    text += "  after:\n    if: always()\n    needs: canary\n    runs-on: ubuntu-latest\n    steps:\n\
             \x20     - run: echo \"it was $OUTCOME at $WEIGHT of $ROLLOUT, $CONTINUE\"\n\
             \x20       env:\n\
             \x20         OUTCOME: ${{ needs.canary.outputs.outcome }}\n\
             \x20         WEIGHT: ${{ needs.canary.outputs.weight }}\n\
             \x20         ROLLOUT: ${{ needs.canary.outputs.rollout_id }}\n\
             \x20         CONTINUE: ${{ needs.canary.outputs.continue }}\n";
    fs::write(&path, text).expect("a longer example");
    team.buttons.commit();

    let run = team.buttons.dispatch("canary.yml", &[("candidate", "green")]);
    let run = team.buttons.wait(run).well();

    run.saying(&format!(
        "it was done at 0 of {}, false",
        team.world.record().rollout
    ));
}
