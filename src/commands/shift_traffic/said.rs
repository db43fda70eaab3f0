//! How the verbs that people use say what became of their wish.

use clap::Args;
use rollgate_domain::{exit::Outcome, rollout::record::Record};
use serde_json::{Value, json};

use crate::{
    commands::{
        print, say,
        shared::{Format, step_outputs},
    },
    operations::{answer::Answer, desk::Desk},
};

/// In which form a verb says what it did.
#[derive(Args, Clone, Copy, Debug)]
pub(super) struct OutputFlag {
    /// Say what became of it as text, or as JSON on stdout
    #[arg(long, value_enum, default_value_t)]
    pub(super) output: Format,
}

/// Says `outcome` in every place where it is read, and waits until people are told.
pub(super) async fn said(
    OutputFlag { output }: OutputFlag,
    outcome: Outcome,
    record: Option<&Record>,
    text: &str,
    desk: &mut Desk,
) -> Outcome {
    say(text);
    if output == Format::Json {
        print(&format!("{:#}\n", object(outcome, record, text)));
    }
    step_outputs(outcome, false, record);
    if let Some(record) = record {
        desk.close(record, std::time::Duration::from_secs(10)).await;
    }
    outcome
}

/// The same for a wish that is written once.
pub(super) async fn answered(output: OutputFlag, answer: &Answer, desk: &mut Desk) -> Outcome {
    match answer {
        Answer::Recorded(record) => said(output, Outcome::Done, Some(record), &in_words(record), desk).await,
        Answer::WouldWrite(change) => would(output, change),
        Answer::Refused(why) => said(output, Outcome::Refused, None, &format!("refused: {why}"), desk).await,
    }
}

/// Shows what would be done.
pub(super) fn would(OutputFlag { output }: OutputFlag, change: &str) -> Outcome {
    match output {
        Format::Text => print(change),
        Format::Json => print(&format!(
            "{:#}\n",
            json!({ "outcome": Outcome::Done.word(), "would": change })
        )),
    }
    Outcome::Done
}

/// Where the rollout stands, in a line.
pub(super) fn in_words(record: &Record) -> String {
    format!(
        "{}: {} at {}, {}",
        record.rollout,
        record.candidate.backend,
        record.weight,
        record.state_in_words()
    )
}

fn object(outcome: Outcome, record: Option<&Record>, text: &str) -> Value {
    let mut object = json!({ "outcome": outcome.word(), "text": text });
    if let Some(record) = record {
        // A state is a tagged object; its tag is its word.
        let state = serde_json::to_value(&record.state).unwrap_or_default();
        object["rollout"] = json!(record.rollout);
        object["generation"] = json!(record.generation);
        object["phase"] = json!(record.phase);
        object["state"] = state["is"].clone();
        object["weight"] = json!(record.weight);
        object["stable"] = json!(record.stable.backend);
        object["candidate"] = json!(record.candidate.backend);
    }
    object
}
