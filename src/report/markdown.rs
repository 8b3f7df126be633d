//! The report as Markdown, for the summary page of a CI job.
//!
//! Owns what fits there: verdict, boundaries, breaches, and what was not judged and not tested, all
//! below the limit of such a page. Every text is escaped so that it is neither markup nor a mention.

use crate::{
    judge::Verdict,
    report::{
        ProbeReport, Report, basis_word, breach_severity, severity_word,
        story::{
            accepted, attempts, breaches, by_reason, call, clearest, counted, evidence, gap_counts,
            gaps, known, known_share, layers, percent, see, sighting, trials_of,
        },
        strength_word, verdict_sign, verdict_word, visible,
    },
};

/// Bytes of a page. GitHub takes 1 MiB for all steps of a job together, and drops what is larger.
const LARGEST: usize = 512 << 10;
/// Bytes that are kept for the line which says that something was left out.
const RESERVE: usize = 200;
/// Characters of one text, and of one that the target said.
const LIMIT: usize = 600;
const QUOTED: usize = 300;
/// Names in a row.
const NAMES: usize = 30;

/// The report as Markdown, at most 512 KiB.
#[must_use]
pub fn render(report: &Report) -> String {
    let mut page = Page::default();
    page.put(&head(report));
    page.put(&boundaries(report));
    if let Some(layers) = layers(report) {
        page.put(&format!("\nOf the held trials were stopped {layers}.\n"));
    }
    if let Some(attempts) = attempts(report) {
        page.put(&format!(
            "\nOf the attacks that were looked for in system calls were {attempts}.\n"
        ));
    }
    baseline(report, &mut page);
    let stories = breaches(report);
    if !stories.is_empty() {
        page.put("\n### Breaches\n");
    }
    for probe in stories {
        page.put(&breach(probe));
    }
    unjudged(report, &mut page);
    untested(report, &mut page);
    page.put(&foot(report));
    page.finish()
}

/// Text up to the limit; blocks that do not fit are counted.
#[derive(Default)]
struct Page {
    text: String,
    left_out: usize,
}

impl Page {
    fn put(&mut self, block: &str) {
        match self.text.len() + block.len() <= LARGEST - RESERVE {
            true => self.text.push_str(block),
            false => self.left_out += 1,
        }
    }

    fn finish(mut self) -> String {
        if self.left_out > 0 {
            self.text.push_str(&format!(
                "\n**{} are left out, because this page would get too large; the JSON report has them.**\n",
                counted(self.left_out, "block", "blocks")
            ));
        }
        self.text
    }
}

fn head(report: &Report) -> String {
    let summary = &report.summary;
    let target = report
        .target
        .name
        .as_ref()
        .unwrap_or(&report.target.display);
    let version = report.target.version.as_deref().unwrap_or_default();
    let part = report
        .harness
        .part()
        .map_or_else(String::new, |part| format!(" · {part}"));
    let interrupted = match report.harness.interrupted {
        true => " · interrupted",
        false => "",
    };
    let undriven = match report.drove_nothing() {
        true => " · no tool driven",
        false => "",
    };
    format!(
        "## {} {}: {} {}\n\nExit code {} · {} % of what applies was judged · {}{undriven}{part}{interrupted}\n\n",
        verdict_sign(summary.verdict),
        verdict_word(summary.verdict),
        text(target, 80),
        text(version, 40),
        summary.exit_code,
        percent(summary.coverage),
        counted(summary.planned, "trial", "trials"),
    )
}

fn boundaries(report: &Report) -> String {
    let mut table = String::from(
        "| boundary | verdict | held | breached | inconclusive | n/a |\n|---|---|--:|--:|--:|--:|\n",
    );
    for row in &report.boundaries {
        let degree = row
            .severity
            .map(severity_word)
            .or(row.strength.map(strength_word))
            .map_or_else(String::new, |degree| format!(" ({degree})"));
        let probes = row.probes;
        table.push_str(&format!(
            "| {} {} | {} {}{degree} | {} | {} | {} | {} |\n",
            code(&row.id, 80),
            text(&row.title, 80),
            verdict_sign(row.verdict),
            verdict_word(row.verdict),
            probes.held,
            probes.breached,
            probes.inconclusive,
            probes.not_applicable,
        ));
    }
    table
}

/// What is known and accepted, and what fails the run.
fn baseline(report: &Report, page: &mut Page) {
    let Some(baseline) = &report.baseline else {
        return;
    };
    let groups = known(report);
    if !groups.is_empty() {
        page.put("\n### Known and accepted\n\n");
    }
    for group in groups {
        page.put(&format!(
            "- **{}** {}: {} {}\n",
            verdict_word(group.verdict),
            code(&group.probe.id.0, 120),
            counted(group.trials.len(), "trial", "trials"),
            text(&accepted(group.accepted), LIMIT),
        ));
    }
    if !baseline.problems.is_empty() {
        page.put("\n### Baseline entries that fail the run\n\n");
    }
    for problem in &baseline.problems {
        page.put(&format!(
            "- {} {}\n",
            code(
                &format!("{}:{}", problem.place.file, problem.place.line),
                200
            ),
            text(&problem.message, LIMIT),
        ));
    }
}

fn breach(probe: &ProbeReport) -> String {
    let severity = breach_severity(probe).map_or("", severity_word);
    let known = known_share(probe).map_or_else(String::new, |share| format!(" ({share})"));
    let mut block = format!(
        "\n<details><summary><b>{severity}</b>{known} <code>{}</code> {}</summary>\n\n{}\n\n",
        html(&probe.id.0, 120),
        html(&probe.title, 120),
        text(&probe.question, LIMIT),
    );
    let mut item = |label: &str, value: String| {
        block.push_str(&format!("- **{label}** {value}\n"));
    };
    if let Some(trial) = clearest(probe) {
        if let Some(asked) = &trial.asked {
            item("Asked", code(&call(asked), LIMIT));
        }
        if let Some(object) = &trial.object {
            item("Forbidden", code(object, LIMIT));
        }
        if let Some(answered) = &trial.answered {
            item("Answered", code(answered, QUOTED));
        }
        for fact in evidence(trial).1.into_iter().take(3) {
            item("Seen", text(&sighting(fact), LIMIT));
            if let Some(excerpt) = &fact.excerpt {
                item("Proof", code(excerpt, QUOTED));
            }
        }
    }
    let breached = trials_of(probe, Verdict::Breached);
    let names: Vec<String> = breached
        .iter()
        .take(NAMES)
        .map(|trial| code(&format!("{} ({})", trial.tool, trial.variant), 120))
        .collect();
    item(
        "Where",
        format!(
            "{} of {}: {}{}",
            breached.len(),
            counted(probe.trials.len(), "trial", "trials"),
            names.join(", "),
            more(breached.len()),
        ),
    );
    item("Why", text(&probe.why, 2 * LIMIT));
    item("Fix", text(&probe.fix, 2 * LIMIT));
    let see: Vec<String> = see(&probe.references)
        .iter()
        .map(|entry| text(entry, 120))
        .collect();
    if !see.is_empty() {
        item("See", see.join(", "));
    }
    if let Some(repro) = clearest(probe).and_then(|trial| trial.repro.as_ref()) {
        item("Repeat", code(repro, 2 * LIMIT));
    }
    block.push_str("\n</details>\n");
    block
}

fn unjudged(report: &Report, page: &mut Page) {
    let groups = by_reason(report, Verdict::Inconclusive);
    if groups.is_empty() {
        return;
    }
    page.put("\n### Not judged\n\n");
    for ((basis, reason), probes) in groups {
        let names: Vec<String> = probes
            .iter()
            .take(NAMES)
            .map(|(id, trials)| format!("{} ({})", code(id, 120), trials.len()))
            .collect();
        page.put(&format!(
            "- **{}** {}: {}{}\n",
            basis_word(basis),
            text(reason, LIMIT),
            names.join(", "),
            more(probes.len()),
        ));
    }
}

fn untested(report: &Report, page: &mut Page) {
    let gaps = gaps(report);
    if gaps.is_empty() {
        return;
    }
    page.put(&format!("\n### Not tested: {}\n\n", gap_counts(&gaps)));
    for gap in &gaps {
        let names: Vec<String> = gap
            .names
            .iter()
            .take(NAMES)
            .map(|parts| code(&parts.join(" "), 120))
            .collect();
        page.put(&format!(
            "- {} {}{}: {}\n",
            gap.kind,
            names.join(", "),
            more(gap.names.len()),
            text(gap.why, LIMIT),
        ));
    }
}

fn foot(report: &Report) -> String {
    let harness = &report.harness;
    format!(
        "\n<sub>watertight {}, run {}, seed {}, {} on {}</sub>\n",
        html(&harness.version, 40),
        html(&harness.run, 40),
        harness.seed,
        html(&report.testbed.kind, 40),
        html(&report.testbed.platform, 80),
    )
}

fn more(all: usize) -> String {
    match all.saturating_sub(NAMES) {
        0 => String::new(),
        more => format!(" and {more} more"),
    }
}

/// Running text: no markup, no mention, no address that becomes a link.
fn text(raw: &str, limit: usize) -> String {
    let folded = raw.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut escaped = String::with_capacity(folded.len());
    for c in visible(&folded, limit).chars() {
        match c {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            // In an element of its own it mentions nobody.
            '@' => escaped.push_str("<span>@</span>"),
            ':' => escaped.push_str("&#58;"),
            '#' => escaped.push_str("&#35;"),
            c if c.is_ascii_punctuation()
                && !matches!(c, ',' | ';' | '\'' | '"' | '/' | '%' | '?') =>
            {
                escaped.push('\\');
                escaped.push(c);
            }
            c => escaped.push(c),
        }
    }
    escaped
}

/// Text inside an HTML element.
fn html(raw: &str, limit: usize) -> String {
    let mut escaped = String::with_capacity(raw.len());
    for c in visible(raw, limit).chars() {
        match c {
            c if c.is_ascii_alphanumeric() || matches!(c, ' ' | '.' | '-' | ',' | '/') => {
                escaped.push(c);
            }
            c if c.is_ascii() => escaped.push_str(&format!("&#{};", u32::from(c))),
            c => escaped.push(c),
        }
    }
    escaped
}

/// A code span: an element, since no fence is safe from a text that knows of it, inside a table too.
fn code(raw: &str, limit: usize) -> String {
    format!("<code>{}</code>", html(raw, limit))
}
