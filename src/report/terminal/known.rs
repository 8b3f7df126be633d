//! What is known and accepted, and what is wrong with the baseline that says so.

use super::{
    NAME, by_tool, ink, mark,
    page::{BAD, BOLD, FAINT, PLAIN, Page, UNSURE, Wrap},
};
use crate::report::{
    BaselineFault, Report,
    story::{counted, known},
    visible,
};

pub(super) fn section(page: &mut Page, report: &Report, verbose: bool) {
    let Some(baseline) = &report.baseline else {
        return;
    };
    let groups = known(report);
    if !groups.is_empty() {
        let remark = format!(
            "{} accepted by {}",
            counted(baseline.accepted, "trial", "trials"),
            visible(&baseline.file, NAME)
        );
        page.heading(UNSURE, "KNOWN", &remark);
    }
    for group in groups {
        let (accepted, place) = (group.accepted, &group.accepted.place);
        let place = visible(&place.file, NAME);
        page.line(&[
            (PLAIN, String::from("   ")),
            (BOLD, group.probe.id.to_string()),
            (ink(group.verdict), format!("  {}", mark(group.verdict))),
            (
                FAINT,
                format!(
                    "  until {}, {place}:{}",
                    accepted.expires, accepted.place.line
                ),
            ),
        ]);
        page.paragraph(5, 0, PLAIN, Wrap::Code, &accepted.reason);
        let limit = if verbose { usize::MAX } else { 6 };
        let tools = by_tool(group.trials.iter().copied(), limit);
        page.paragraph(5, 2, FAINT, Wrap::Code, &tools);
    }
    if baseline.problems.is_empty() {
        return;
    }
    let remark = counted(
        baseline.problems.len(),
        "entry fails the run",
        "entries fail the run",
    );
    page.heading(BAD, "BASELINE", &remark);
    for problem in &baseline.problems {
        let (word, fix) = match problem.kind {
            BaselineFault::Stale => ("stale", "remove it"),
            BaselineFault::Expired => ("expired", "mend the server, or renew it"),
        };
        let place = visible(&problem.place.file, NAME);
        page.line(&[
            (BAD, format!("   {word}")),
            (FAINT, format!("  {place}:{}  {fix}", problem.place.line)),
        ]);
        page.paragraph(5, 0, PLAIN, Wrap::Code, &problem.message);
    }
}
