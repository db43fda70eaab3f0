//! A number in an object that is turned for a rollout and turned back afterwards.
//!
//! What it was stands in an annotation beside it, written in the same patch: whoever comes after a crash finds it.
//! The patch tests the number and the annotation as read, so that of two drivers only one turns.

use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A number, where it stands, and what is remembered of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Dial {
    /// What it belongs to.
    pub(super) kind: Kind,
    /// The object's name.
    pub(super) name: String,
    /// The number now.
    pub(super) now: u32,
    /// The object's annotations; none where it has no map of them.
    pub(super) annotations: Option<BTreeMap<String, String>>,
}

/// What has such a number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// `spec.replicas`.
    Deployment,
    /// `spec.minReplicas`.
    HorizontalPodAutoscaler,
}

/// One patch of one object.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Change {
    /// Which kind of object.
    pub(super) kind: Kind,
    /// Its name.
    pub(super) name: String,
    /// The JSON Patch.
    pub(super) patch: Vec<Value>,
    /// For people.
    pub(super) words: String,
}

/// What the annotation remembers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Kept {
    /// The number before the rollout's first wish.
    pub(super) before: u32,
    /// The number that rollgate set last.
    pub(super) set: u32,
}

impl Kind {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::HorizontalPodAutoscaler => "HorizontalPodAutoscaler",
        }
    }

    const fn field(self) -> &'static str {
        match self {
            Self::Deployment => "replicas",
            Self::HorizontalPodAutoscaler => "minReplicas",
        }
    }

    /// Of the form `10, now 0`: before, and as rollgate set it. No `>` in it: the API server escapes that and then
    /// finds it different from itself.
    pub(super) const fn annotation(self) -> &'static str {
        match self {
            Self::Deployment => "rollgate.dev/replicas-before",
            Self::HorizontalPodAutoscaler => "rollgate.dev/min-before",
        }
    }
}

impl Dial {
    /// What is remembered; none where nothing is, or nothing that rollgate wrote.
    pub(super) fn kept(&self) -> Option<Kept> {
        let (before, set) = self.written()?.split_once(", now ")?;
        Some(Kept {
            before: before.parse().ok()?,
            set: set.parse().ok()?,
        })
    }

    /// The same if nobody has turned the number since.
    pub(super) fn kept_untouched(&self) -> Option<Kept> {
        self.kept().filter(|kept| kept.set == self.now)
    }

    /// The number becomes `to`, and what it was before the first turn is remembered.
    pub(super) fn turn(&self, to: u32, kept: Option<Kept>) -> Option<Change> {
        let before = kept.map_or(self.now, |kept| kept.before);
        (to != self.now).then(|| self.change(to, Some(Kept { before, set: to })))
    }

    /// The number becomes `to`, and nothing is remembered.
    pub(super) fn settle(&self, to: u32) -> Option<Change> {
        (to != self.now || self.written().is_some()).then(|| self.change(to, None))
    }

    fn written(&self) -> Option<&str> {
        let annotations = self.annotations.as_ref()?;
        annotations.get(self.kind.annotation()).map(String::as_str)
    }

    fn change(&self, to: u32, kept: Option<Kept>) -> Change {
        let Self {
            kind,
            name,
            now,
            annotations,
        } = self;
        let number = format!("/spec/{}", kind.field());
        let annotation = format!("/metadata/annotations/{}", kind.annotation().replace('/', "~1"));
        let mut patch = vec![json!({ "op": "test", "path": number, "value": now })];
        match (annotations, self.written()) {
            // A test for null holds where there is nothing.
            (None, _) => patch.push(json!({ "op": "test", "path": "/metadata/annotations", "value": null })),
            // A text that is not ours may be any text: it goes, whatever it is.
            (_, Some(_)) if self.kept().is_none() => {}
            (_, written) => patch.push(json!({ "op": "test", "path": annotation, "value": written })),
        }
        if to != *now {
            patch.push(json!({ "op": "replace", "path": number, "value": to }));
        }
        match kept {
            Some(Kept { before, set }) => {
                if annotations.is_none() {
                    patch.push(json!({ "op": "add", "path": "/metadata/annotations", "value": {} }));
                }
                let text = format!("{before}, now {set}");
                patch.push(json!({ "op": "add", "path": annotation, "value": text }));
            }
            None if self.written().is_some() => patch.push(json!({ "op": "remove", "path": annotation })),
            None => {}
        }
        let (kind_name, field) = (kind.name(), kind.field());
        Change {
            kind: *kind,
            name: name.clone(),
            patch,
            words: if to == *now {
                format!("{kind_name} {name}: {field} stays {now}, for good")
            } else {
                format!("{kind_name} {name}: {field} {now} -> {to}")
            },
        }
    }
}
