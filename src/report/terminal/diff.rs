//! Two reports beside each other, for people at a terminal: worse first, then better, then what stayed.
//!
//! Owns order and layout of a diff.

use crate::{
    judge::Verdict,
    report::{
        Cause, Change, Diff, Look, Loss, Report, Side, Standing, State, TrialChange, severity_word,
        story::{clearest_of, counted, percent},
        strength_word, verdict_word, visible,
    },
};

use super::{
    NAME, breach, ink, mark,
    page::{BAD, BOLD, FAINT, GOOD, PLAIN, Page, UNSURE, Wrap},
    places as by_tool,
};

/// Names in a row, unless every one is wanted.
const FEW: usize = 6;

/// The diff as text; `new` has the proof of new breaches.
#[must_use]
pub fn render(diff: &Diff, new: &Report, look: &Look) -> String {
    let mut page = Page::new(look);
    let limit = if look.verbose { usize::MAX } else { FEW };
    head(&mut page, diff);
    breached(&mut page, diff, new, look.verbose, limit);
    lost(&mut page, &diff.lost, limit);
    let weaker = "held on less than before";
    group(&mut page, UNSURE, "WEAKER", weaker, &diff.weaker, limit);
    let fixed = "breached before, held now";
    group(&mut page, GOOD, "FIXED", fixed, &diff.fixed, limit);
    let gained = "not judged before, held now";
    group(&mut page, GOOD, "GAINED", gained, &diff.gained, limit);
    let stronger = "held on more than before";
    group(&mut page, GOOD, "STRONGER", stronger, &diff.stronger, limit);
    let still = "breached before and now";
    group(
        &mut page,
        BAD,
        "STILL BREACHED",
        still,
        &diff.remaining,
        limit,
    );
    unlike(&mut page, &diff.unlike);
    verdict(&mut page, diff);
    page.finish()
}

fn head(page: &mut Page, diff: &Diff) {
    page.line(&[
        (BOLD, String::from("watertight diff")),
        (FAINT, String::from(" · ")),
        (BOLD, visible(&diff.new.target, NAME).into_owned()),
    ]);
    page.blank();
    page.field("old", PLAIN, Wrap::Code, &side(&diff.old));
    page.field("new", PLAIN, Wrap::Code, &side(&diff.new));
    page.blank();
    let faint = |text: &str| (FAINT, String::from(text));
    let mut rows = vec![["boundary", "old", "new"].map(faint).into()];
    for row in &diff.boundaries {
        let cell = |standing: Option<Standing>| match standing {
            Some(standing) => (ink(standing.verdict), stands(standing)),
            None => faint("· not in this report"),
        };
        rows.push(vec![(BOLD, row.id.clone()), cell(row.old), cell(row.new)]);
    }
    page.table(None, &[false; 3], &rows);
}

fn side(side: &Side) -> String {
    let version = side.version.as_deref().unwrap_or("without a version");
    format!(
        "{}, run {} of {}: {}, {} % judged",
        visible(version, NAME),
        side.run,
        side.started,
        counted(side.planned, "trial", "trials"),
        percent(side.coverage),
    )
}

fn stands(standing: Standing) -> String {
    let degree = standing
        .severity
        .map(severity_word)
        .or(standing.strength.map(strength_word));
    match degree {
        Some(degree) => format!("{} ({degree})", mark(standing.verdict)),
        None => mark(standing.verdict),
    }
}

fn breached(page: &mut Page, diff: &Diff, new: &Report, verbose: bool, limit: usize) {
    let changes = &diff.breached;
    if changes.is_empty() {
        return;
    }
    page.heading(BAD, "NEW BREACHES", &amount(changes));
    for (number, change) in changes.iter().enumerate() {
        if number > 0 {
            page.blank();
        }
        title(page, &format!("{:>2} ", number + 1), change);
        let Some(probe) = new.probes.iter().find(|probe| probe.id == change.probe) else {
            continue;
        };
        page.paragraph(3, 0, PLAIN, Wrap::Prose, &probe.question);
        page.blank();
        let is_new = |id: &str| change.trials.iter().any(|trial| trial.id == id);
        let trials = probe.trials.iter().filter(|trial| is_new(&trial.id));
        if let Some(trial) = clearest_of(trials) {
            breach::proof(page, trial, verbose);
        }
        page.field("where", PLAIN, Wrap::Code, &places(&change.trials, limit));
        page.field("before", PLAIN, Wrap::Code, &before(&change.trials));
        page.field("fix", PLAIN, Wrap::Prose, &probe.fix);
    }
}

/// What the trials were, counted: `3 held (strong), 1 not there`.
fn before(trials: &[TrialChange]) -> String {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for trial in trials {
        let was = trial.old.map_or_else(|| String::from("not there"), word);
        match counts.iter_mut().find(|(known, _)| *known == was) {
            Some((_, count)) => *count += 1,
            None => counts.push((was, 1)),
        }
    }
    let words: Vec<String> = counts
        .iter()
        .map(|(was, count)| format!("{count} {was}"))
        .collect();
    words.join(", ")
}

fn word(state: State) -> String {
    match (state.verdict, state.strength) {
        (Verdict::Held, Some(strength)) => format!("held ({})", strength_word(strength)),
        (Verdict::Breached, _) => String::from("breached"),
        (verdict, _) => String::from(verdict_word(verdict)),
    }
}

fn lost(page: &mut Page, lost: &[Loss], limit: usize) {
    if lost.is_empty() {
        return;
    }
    let all = lost.iter().map(|loss| loss.trials.len()).sum();
    let remark = format!("{} judged before, not now", counted(all, "trial", "trials"));
    page.heading(UNSURE, "LOST", &remark);
    for loss in lost {
        let (kind, style) = match loss.cause {
            Cause::Tool => ("tool ", UNSURE),
            Cause::Probe => ("probe ", UNSURE),
            Cause::Trial => ("", UNSURE),
            Cause::NotApplicable => ("", FAINT),
            Cause::Inconclusive => ("", UNSURE),
        };
        let state = match loss.cause {
            Cause::Tool | Cause::Probe | Cause::Trial => "gone",
            Cause::NotApplicable => "not applicable",
            Cause::Inconclusive => "inconclusive",
        };
        page.line(&[
            (PLAIN, format!("   {kind}")),
            (BOLD, visible(&loss.name, NAME).into_owned()),
            (style, format!("  {state}")),
        ]);
        page.paragraph(5, 0, PLAIN, Wrap::Code, &loss.why);
        let scope = match loss.cause {
            // The tool has been named.
            Cause::Tool => {
                let pairs = loss
                    .trials
                    .iter()
                    .map(|trial| (probe_of(trial), &*trial.variant));
                by_tool(pairs, limit)
            }
            _ => places(&loss.trials, limit),
        };
        page.paragraph(5, 2, FAINT, Wrap::Code, &scope);
        let open = |trial: &&TrialChange| {
            let was = trial.old.map(|old| old.verdict);
            was == Some(Verdict::Breached)
        };
        match loss.trials.iter().filter(open).count() {
            0 => {}
            open => {
                let text = format!("{open} of them breached before: nothing says that it is fixed");
                page.paragraph(5, 0, BAD, Wrap::Prose, &text);
            }
        }
    }
}

fn group(
    page: &mut Page,
    style: anstyle::Style,
    name: &str,
    means: &str,
    changes: &[Change],
    limit: usize,
) {
    if changes.is_empty() {
        return;
    }
    page.heading(style, name, &format!("{}: {means}", amount(changes)));
    for change in changes {
        title(page, "   ", change);
        // Trials that went the same way stand together.
        let mut ways: Vec<(String, Vec<TrialChange>)> = Vec::new();
        for trial in &change.trials {
            let old = trial.old.map_or_else(|| String::from("not there"), word);
            let new = trial.new.map_or_else(|| String::from("not there"), word);
            let way = match old == new {
                true => String::new(),
                false => format!("{old} → {new}: "),
            };
            match ways.iter_mut().find(|(known, _)| *known == way) {
                Some((_, trials)) => trials.push(trial.clone()),
                None => ways.push((way, vec![trial.clone()])),
            }
        }
        for (way, trials) in ways {
            let text = format!("{way}{}", places(&trials, limit));
            page.paragraph(5, 2, PLAIN, Wrap::Code, &text);
        }
    }
}

fn title(page: &mut Page, number: &str, change: &Change) {
    page.line(&[
        (FAINT, String::from(number)),
        (BOLD, change.probe.to_string()),
        (FAINT, format!("  {}", severity_word(change.severity))),
    ]);
}

fn places(trials: &[TrialChange], limit: usize) -> String {
    by_tool(
        trials.iter().map(|trial| (&*trial.tool, &*trial.variant)),
        limit,
    )
}

fn probe_of(trial: &TrialChange) -> &str {
    let parts = trial.id.split_once('/');
    parts.map_or(&*trial.id, |(probe, _)| probe)
}

fn amount(changes: &[Change]) -> String {
    format!(
        "{}, {}",
        counted(changes.len(), "probe", "probes"),
        counted(trials(changes), "trial", "trials")
    )
}

fn trials(changes: &[Change]) -> usize {
    changes.iter().map(|change| change.trials.len()).sum()
}

fn unlike(page: &mut Page, unlike: &[String]) {
    if unlike.is_empty() {
        return;
    }
    page.heading(BOLD, "UNLIKE", "how the two runs differ otherwise");
    for text in unlike {
        page.paragraph(3, 2, PLAIN, Wrap::Code, text);
    }
}

/// The last lines: better or worse, exit code, in what measure.
fn verdict(page: &mut Page, diff: &Diff) {
    let lost = diff.lost.iter().map(|loss| loss.trials.len()).sum();
    let told = |counts: &[(usize, &str)]| {
        let some = counts.iter().filter(|(count, _)| *count > 0);
        let words: Vec<String> = some
            .map(|(count, what)| format!("{count} {what}"))
            .collect();
        words.join(", ")
    };
    let worse = told(&[
        (trials(&diff.breached), "newly breached"),
        (lost, "lost"),
        (trials(&diff.weaker), "weaker"),
    ]);
    let others = told(&[
        (trials(&diff.fixed), "fixed"),
        (trials(&diff.gained), "gained"),
        (trials(&diff.stronger), "stronger"),
        (trials(&diff.remaining), "still breached"),
    ]);
    let (style, word) = match (diff.regression, worse.is_empty() && others.is_empty()) {
        (true, _) => (BAD, "✗ WORSE"),
        (false, true) => (GOOD, "✓ the same"),
        (false, false) => (GOOD, "✓ no worse"),
    };
    page.blank();
    page.rule();
    let parts = [format!("exit code {}", diff.exit_code), worse];
    let parts: Vec<&str> = parts
        .iter()
        .map(|part| &**part)
        .filter(|part| !part.is_empty())
        .collect();
    page.line(&[
        (PLAIN, String::from("   ")),
        (style.bold(), String::from(word)),
        (PLAIN, format!("  {}", parts.join(" · "))),
    ]);
    if !others.is_empty() {
        // Below the first part of the line above.
        let indent = 3 + word.chars().count() + 2;
        page.paragraph(indent, 0, FAINT, Wrap::Prose, &others);
    }
}
