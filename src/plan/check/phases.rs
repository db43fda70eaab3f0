//! Steps and gates of both phases.

use jiff::SignedDuration;
use rollgate_domain::weight::Weight;

use super::{Complaints, check_two_looks};
use crate::plan::{
    place::Path,
    sections::{
        Canary, Gate, Judgement, Phases, PhasesFile, Production, ProductionFile, ProductionStep, Step,
        Traffic,
    },
    units::{Share, Unit as _, show},
};

pub(super) fn phases_of(
    file: PhasesFile,
    traffic: Option<&Traffic>,
    judgement: &Judgement,
    complaints: &mut Complaints<'_>,
) -> Phases {
    let PhasesFile { canary, production } = file;
    let Canary { steps, gates, .. } = &canary;
    check_steps("canary", steps, judgement, complaints);
    check_gates("canary", gates, sum(steps), complaints);

    let mut production = production_of(production, complaints);
    let selector = matches!(traffic, Some(Traffic::ServiceSelector(_)));
    if selector && !complaints.root.has(&Path::of("phases.production.steps")) {
        let total = sum(&production.steps);
        production.steps = vec![Step {
            weight: Weight::FULL,
            duration: total,
        }];
    }
    check_steps("production", &production.steps, judgement, complaints);
    check_gates(
        "production",
        &production.gates,
        sum(&production.steps),
        complaints,
    );
    if selector {
        check_all_or_nothing("canary", steps, complaints);
        check_all_or_nothing("production", &production.steps, complaints);
    }
    Phases { canary, production }
}

fn sum(steps: &[Step]) -> SignedDuration {
    steps.iter().fold(SignedDuration::ZERO, |sum, step| {
        sum.saturating_add(step.duration)
    })
}

fn steps_of(phase: &str) -> Path {
    Path::of("phases").key(phase).key("steps")
}

/// Gives the last step the rest of the phase's time.
fn production_of(file: ProductionFile, complaints: &mut Complaints<'_>) -> Production {
    let ProductionFile {
        require,
        steps,
        gates,
        total,
        keep_old,
    } = file;
    let here = || steps_of("production");
    let last = steps.len().saturating_sub(1);
    let mut before = SignedDuration::ZERO;
    let mut checked = Vec::new();
    for (index, ProductionStep { weight, duration }) in steps.into_iter().enumerate() {
        let duration = duration.map(|duration| duration.0);
        let duration = match (index == last, duration) {
            (false, Some(duration)) => duration,
            (false, None) => {
                complaints.add(
                    here().item(index).key("for"),
                    "missing, only the last step has no time of its own".to_owned(),
                );
                continue;
            }
            (true, given) => {
                if let Some(given) = given {
                    let message = format!(
                        "found `{}`, expected nothing: the last step lasts until `phases.production.total` is over",
                        show(given)
                    );
                    complaints.add(here().item(index).key("for"), message);
                }
                if weight < Weight::FULL {
                    let message = format!(
                        "found `{}`, expected `100%` in the last step",
                        Share::write(&weight)
                    );
                    complaints.add(here().item(index).key("weight"), message);
                }
                if before >= total {
                    let path = Path::of("phases.production.total");
                    let found = complaints.found(&path, &show(total));
                    let message = format!(
                        "{found}, expected more than the other steps take together, `{}`",
                        show(before)
                    );
                    complaints.add(path, message);
                }
                total - before
            }
        };
        before = before.saturating_add(duration);
        checked.push(Step { weight, duration });
    }
    Production {
        require,
        steps: checked,
        gates,
        keep_old,
    }
}

fn check_all_or_nothing(phase: &str, steps: &[Step], complaints: &mut Complaints<'_>) {
    if !complaints.root.has(&steps_of(phase)) {
        return; // Left out: `start` says that there is no canary with this router.
    }
    for (index, step) in steps
        .iter()
        .enumerate()
        .filter(|(_, step)| step.weight < Weight::FULL)
    {
        let message = format!(
            "found `{}`, but the selector of a Service gives all or nothing, expected `100%`; for smaller shares use \
             gateway-api, istio, haproxy or nginx, or replica-ratio with enough pods",
            Share::write(&step.weight)
        );
        complaints.add(steps_of(phase).item(index).key("weight"), message);
    }
}

fn check_gates(phase: &str, gates: &[Gate], total: SignedDuration, complaints: &mut Complaints<'_>) {
    let mut before = SignedDuration::ZERO;
    for (index, Gate { at }) in gates.iter().enumerate() {
        let path = Path::of("phases").key(phase).key("gates").item(index).key("at");
        if *at <= before {
            let message = format!(
                "found `{}` after `{}`, expected a later time",
                show(*at),
                show(before)
            );
            complaints.add(path, message);
        } else if *at >= total {
            let message = format!(
                "found `{}`, expected less than the phase's steps take together, `{}`",
                show(*at),
                show(total)
            );
            complaints.add(path, message);
        }
        before = *at;
    }
}

fn check_steps(phase: &str, steps: &[Step], judgement: &Judgement, complaints: &mut Complaints<'_>) {
    let here = || steps_of(phase);
    if steps.is_empty() {
        complaints.add(
            here(),
            "found an empty list, expected at least one step".to_owned(),
        );
    }
    for (index, pair) in steps.windows(2).enumerate() {
        let [before, step] = pair else { continue };
        if step.weight <= before.weight {
            let (found, before) = (Share::write(&step.weight), Share::write(&before.weight));
            let message = format!(
                "found `{found}` after `{before}`, expected more than `{before}`: weights rise with each step"
            );
            complaints.add(here().item(index + 1).key("weight"), message);
        }
    }
    for (index, step) in steps.iter().enumerate() {
        // One look may fall on the change itself; a second one sees the step as it is.
        check_two_looks(
            step.duration,
            here().item(index).key("for"),
            judgement,
            complaints,
        );
    }
}
