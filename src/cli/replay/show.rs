//! What a replay looks like: the messages both ways, who watched, what was seen, and the call by itself.
//!
//! Owns order and layout.

use std::time::{Duration, Instant};

use serde_json::Value;

use super::word;
use crate::{
    report::{
        Look, Report, TrialReport, basis_words,
        json::compact,
        story::{counted, evidence, sighting, why},
        terminal::{
            ink,
            page::{BAD, BOLD, CODE, FAINT, PLAIN, Page, UNSURE, Wrap},
        },
        verdict_sign, visible,
    },
    run::Step,
    session::{Direction, Record, Transcript},
};

/// Characters of a message that are shown.
const SHOWN: usize = 4_000;

/// What is shown.
pub(super) struct Replay<'a> {
    pub(super) report: &'a Report,
    /// The trial as the stored report has it.
    pub(super) old: &'a TrialReport,
    /// The same now.
    pub(super) new: &'a TrialReport,
    pub(super) transcript: &'a Transcript,
    pub(super) steps: &'a [(Instant, Step)],
    /// The attack by itself.
    pub(super) call: Option<&'a Value>,
    pub(super) look: Look,
}

/// The replay as text.
pub(super) fn page(replay: &Replay<'_>) -> String {
    let mut page = Page::new(&replay.look);
    page.line(&[
        (BOLD, String::from("watertight replay")),
        (FAINT, String::from(" · ")),
        (BOLD, visible(&replay.new.id, 200).into_owned()),
    ]);
    page.blank();
    for probe in &replay.report.probes {
        page.paragraph(3, 0, PLAIN, Wrap::Prose, &probe.question);
    }
    page.blank();
    page.field(
        "then",
        ink(replay.old.verdict),
        Wrap::Prose,
        &stands(replay.old),
    );
    page.field(
        "now",
        ink(replay.new.verdict),
        Wrap::Prose,
        &stands(replay.new),
    );
    messages(&mut page, replay);
    witnesses(&mut page, replay.report);
    seen(&mut page, replay.new);
    let mut text = page.finish();
    // Not laid out: it is there to be copied.
    if let Some(call) = replay.call {
        let mut heading = Page::new(&replay.look);
        heading.heading(
            BOLD,
            "THE CALL",
            "one line of JSON-RPC; --emit plants what it needs",
        );
        text.push_str(&heading.finish());
        text.push_str(&compact(call));
    }
    let mut last = Page::new(&replay.look);
    verdict(&mut last, replay);
    text + &last.finish()
}

fn stands(trial: &TrialReport) -> String {
    format!(
        "{} {}: {}",
        verdict_sign(trial.verdict),
        word(trial),
        basis_words(trial.basis)
    )
}

/// Every message, under what it was for.
fn messages(page: &mut Page, replay: &Replay<'_>) {
    let records: Vec<Record> = replay.transcript.records().filter_map(Result::ok).collect();
    let began = replay.transcript.began();
    let first = replay.steps.first().map(|(at, _)| at.duration_since(began));
    let before = |record: &&Record| first.is_none_or(|first| record.entry.at < first);
    let discovery = records.iter().filter(before).count();
    let remark = match replay.look.verbose {
        true => counted(records.len(), "message", "messages"),
        false => format!(
            "{} of {}; --verbose shows those of discovery",
            records.len() - discovery,
            records.len()
        ),
    };
    page.heading(BOLD, "MESSAGES", &remark);
    let from = if replay.look.verbose { 0 } else { discovery };
    let mut steps = replay.steps.iter().peekable();
    if replay.look.verbose {
        step(page, "handshake and discovery");
    }
    for record in &records[from..] {
        while let Some((_, kind)) =
            steps.next_if(|(at, _)| at.duration_since(began) <= record.entry.at)
        {
            step(
                page,
                match kind {
                    Step::Control => "control: a permitted request, to see whether the tool works",
                    Step::Attack => "attack",
                    Step::Twin => "twin: the attack with a target that is permitted",
                },
            );
        }
        message(page, record);
    }
}

fn step(page: &mut Page, text: &str) {
    page.blank();
    page.line(&[(BOLD, format!("   {text}"))]);
}

fn message(page: &mut Page, record: &Record) {
    let (sign, style) = match record.entry.direction {
        Direction::Sent => ("→", CODE),
        Direction::Received => ("←", PLAIN),
        Direction::Stderr => ("stderr", FAINT),
    };
    let text = String::from_utf8_lossy(&record.entry.bytes);
    let text = text.trim_end_matches(['\r', '\n']);
    let at = millis(record.entry.at);
    page.line(&[(FAINT, format!("   {sign} +{at} ms"))]);
    // In pieces, because a field shows the beginning of a text only.
    let characters: Vec<char> = text.chars().take(SHOWN).collect();
    for piece in characters.chunks(PIECE) {
        let piece: String = piece.iter().collect();
        page.paragraph(5, 0, style, Wrap::Code, &piece);
    }
    let more = text.chars().count().saturating_sub(SHOWN);
    if more > 0 || record.cut.is_some() {
        let more = format!("[{more} more characters]");
        page.paragraph(5, 0, FAINT, Wrap::Prose, &more);
    }
}

/// Characters that a page takes at once.
const PIECE: usize = 450;

fn millis(at: Duration) -> u128 {
    at.as_millis()
}

fn witnesses(page: &mut Page, report: &Report) {
    page.heading(BOLD, "WITNESSES", &report.testbed.kind);
    for witness in &report.testbed.witnesses {
        let (word, style) = match witness.awake {
            true => ("awake", PLAIN),
            false => ("blind", UNSURE),
        };
        let note = witness.note.as_deref().unwrap_or_default();
        let text = format!("{} {word}: {note}", witness.name);
        page.paragraph(3, 2, style, Wrap::Code, &text);
    }
}

fn seen(page: &mut Page, trial: &TrialReport) {
    page.heading(
        ink(trial.verdict),
        "EVIDENCE",
        &counted(trial.evidence.len(), "fact", "facts"),
    );
    page.field("why", PLAIN, Wrap::Code, why(trial));
    if let Some(object) = &trial.object {
        page.field("forbidden", PLAIN, Wrap::Code, object);
    }
    let (controls, facts) = evidence(trial);
    for (label, fact) in controls
        .iter()
        .map(|fact| ("control", fact))
        .chain(facts.iter().map(|fact| ("seen", fact)))
    {
        page.field(label, BOLD, Wrap::Code, &sighting(fact));
        if let Some(excerpt) = &fact.excerpt {
            page.field("proof", BAD, Wrap::Quote, excerpt);
        }
    }
}

fn verdict(page: &mut Page, replay: &Replay<'_>) {
    let (old, new) = (replay.old, replay.new);
    let same = match (old.verdict == new.verdict, old.basis == new.basis) {
        (true, true) => String::from("as in the report"),
        (true, false) => String::from("as in the report, for another reason"),
        (false, _) => format!("the report has {}", word(old)),
    };
    page.rule();
    page.line(&[
        (PLAIN, String::from("   ")),
        (
            ink(new.verdict).bold(),
            format!("{} {}", verdict_sign(new.verdict), word(new)),
        ),
        (PLAIN, format!("  {same}")),
    ]);
}
