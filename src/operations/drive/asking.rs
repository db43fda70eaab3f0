//! What only people and the clock on the wall decide: gates, signals and the window for rises. Each is told once.

use jiff::Timestamp;
use rollgate_domain::rollout::{
    by_hand::closed,
    event::Event,
    moves::Move,
    next::{Action, question},
    window::Window,
};

use super::driving::Driving;
use crate::operations::desk::Desk;

/// What was asked and said already, and is not again while it lasts.
#[derive(Debug, Default)]
pub(super) struct Asked {
    question: Option<String>,
    shut: Option<String>,
}

impl Asked {
    /// What a driver that last wrote at `heartbeat` has asked: its successor does not ask again.
    pub(super) fn before(driver: &Driving, heartbeat: Timestamp) -> Self {
        Self {
            question: question(&driver.record, heartbeat),
            shut: None,
        }
    }
}

impl Driving {
    /// Tells people that a decision of theirs is due.
    pub(super) fn ask(&mut self, desk: &mut Desk) {
        let is_ours = self.owns() && self.record.generation == self.generation;
        let asks = is_ours && self.record.is_tried();
        let question = question(&self.record, desk.clock.now()).filter(|_| asks);
        if question == self.asked.question {
            return;
        }
        if let Some(what) = question.clone() {
            let what = format!("{what}; shift-traffic approve go, or no-go to roll back.");
            desk.note(&self.record, Event::GateReached { what });
        }
        self.asked.question = question;
    }

    /// `action`, but no rise while `window` is closed. A rollback, a pause and the end of a phase never wait.
    pub(super) fn in_window(&mut self, action: Action, window: Option<&Window>, desk: &mut Desk) -> Action {
        if !matches!(action, Action::Move(Move::Raise | Move::Advance)) {
            return action;
        }
        let Some(why) = closed(window, desk.clock.now()) else {
            self.asked.shut = None;
            return action;
        };
        if self.asked.shut.as_ref() != Some(&why) {
            let obstacles = vec![why.clone()];
            desk.note(&self.record, Event::Hindered { obstacles });
            self.asked.shut = Some(why);
        }
        Action::Look
    }
}
