//! Progress: what a person or a CI log sees while a run goes on.
//!
//! Owns the three ways of showing events on standard error: a bar, plain lines, or nothing. Knows
//! nothing of the engine, and what it shows decides nothing.

use std::{collections::BTreeSet, io::Write, sync::Mutex, time::Duration};

use anstyle::{AnsiColor, Style};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::style;
use crate::{
    config::{Progress as When, Settings, Verbosity},
    judge::Verdict,
    report::{basis_words, counted, visible},
    run::Event,
};

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const UNSURE: Style = AnsiColor::Yellow.on_default();
const LABEL: Style = Style::new().bold();

/// Characters of a text of the target that are shown.
const LIMIT: usize = 160;

/// How much is shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Detail {
    /// Nothing at all.
    Quiet,
    /// Phases, notes, and the first breach of each probe.
    #[default]
    Normal,
    /// Each trial too.
    Verbose,
}

/// Shows events as they come. Call it from any thread.
pub struct Progress {
    detail: Detail,
    state: Mutex<State>,
}

struct State {
    screen: Screen,
    breached: BTreeSet<String>,
    counts: [usize; 4],
}

enum Screen {
    Bar(ProgressBar),
    Lines(Box<dyn Write + Send>),
}

impl Progress {
    /// Progress as the settings want it.
    #[must_use]
    pub fn of(settings: &Settings) -> Self {
        let detail = match (settings.progress, settings.verbosity) {
            (When::None, _) | (_, Verbosity::Quiet) => Detail::Quiet,
            (_, Verbosity::Normal) => Detail::Normal,
            (_, Verbosity::Verbose) => Detail::Verbose,
        };
        let bar = match settings.progress {
            When::Auto => style::watched(),
            When::Bar => true,
            When::Lines | When::None => false,
        };
        Self::standing(detail, bar)
    }

    /// Progress on standard error: a bar for a person who watches, lines for a log.
    #[must_use]
    pub fn new(detail: Detail) -> Self {
        Self::standing(detail, style::watched())
    }

    fn standing(detail: Detail, bar: bool) -> Self {
        let screen = if detail != Detail::Quiet && bar {
            let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
            bar.set_style(spinner());
            bar.enable_steady_tick(Duration::from_millis(100));
            Screen::Bar(bar)
        } else {
            Screen::Lines(Box::new(anstream::stderr()))
        };
        Self::on(detail, screen)
    }

    /// Progress as plain lines on a stream of the caller's, styles included.
    #[must_use]
    pub fn lines(detail: Detail, stream: impl Write + Send + 'static) -> Self {
        Self::on(detail, Screen::Lines(Box::new(stream)))
    }

    fn on(detail: Detail, screen: Screen) -> Self {
        Self {
            detail,
            state: Mutex::new(State {
                screen,
                breached: BTreeSet::new(),
                counts: [0; 4],
            }),
        }
    }

    /// Shows an event. A stream that is closed or full is not worth a failed run: such errors are
    /// dropped.
    pub fn show(&self, event: &Event) {
        if self.detail == Detail::Quiet {
            return;
        }
        let Ok(mut state) = self.state.lock() else {
            return;
        };
        state.show(event, self.detail);
    }
}

impl State {
    fn show(&mut self, event: &Event, detail: Detail) {
        match event {
            Event::Launching { target } => {
                self.phase("launching", LABEL, &visible(target, LIMIT));
            }
            Event::Ready {
                name,
                version,
                protocol,
                tools,
                startup_ms,
            } => {
                let name = name.as_deref().unwrap_or("a server without a name");
                let version = version.as_deref().map(|version| format!(" {version}"));
                let text = format!(
                    "{}{} with {}, MCP {}, after {}.{} s",
                    visible(name, LIMIT),
                    visible(&version.unwrap_or_default(), LIMIT),
                    counted(*tools, "tool", "tools"),
                    visible(protocol, LIMIT),
                    startup_ms / 1000,
                    startup_ms % 1000 / 100,
                );
                self.phase("ready", LABEL, &text);
            }
            Event::Discovered { proven, unproven } => {
                let proven = counted(*proven, "channel", "channels");
                let text = format!("{proven} proven, {unproven} not");
                self.phase("discovered", LABEL, &text);
            }
            Event::Planned { trials } => {
                self.phase("planned", LABEL, &counted(*trials, "trial", "trials"));
                if let Screen::Bar(bar) = &self.screen {
                    bar.set_length(*trials as u64);
                    bar.set_style(meter());
                }
            }
            Event::TrialDone {
                id, verdict, basis, ..
            } => {
                self.counts[*verdict as usize] += 1;
                let probe = id.split_once('/').map_or(&**id, |(probe, _)| probe);
                let first = *verdict == Verdict::Breached && self.breached.insert(probe.into());
                if first || detail == Detail::Verbose {
                    let (label, style) = match verdict {
                        Verdict::Breached => ("BREACHED", BAD),
                        Verdict::Held => ("held", GOOD),
                        Verdict::Inconclusive => ("inconclusive", UNSURE),
                        Verdict::NotApplicable => ("n/a", LABEL),
                    };
                    let text = format!("{}: {}", visible(id, LIMIT), basis_words(*basis));
                    self.line(label, style, &text);
                }
                self.advance();
            }
            Event::Restarted { why } => {
                self.line("restarted", UNSURE, &visible(why, LIMIT));
            }
            Event::Note(text) => self.line("note", UNSURE, &visible(text, LIMIT)),
            Event::Finished {
                took_ms,
                interrupted,
            } => {
                if let Screen::Bar(bar) = &self.screen {
                    bar.finish_and_clear();
                }
                let word = if *interrupted {
                    "interrupted"
                } else {
                    "finished"
                };
                let text = format!(
                    "{} trials in {}.{} s: {}",
                    self.counts.iter().sum::<usize>(),
                    took_ms / 1000,
                    took_ms % 1000 / 100,
                    self.tally(),
                );
                self.line(word, LABEL, &text);
            }
        }
    }

    /// A phase is a line in a log, and the message beside a bar.
    fn phase(&mut self, label: &str, style: Style, text: &str) {
        match &self.screen {
            Screen::Bar(bar) => bar.set_message(format!("{label} {text}")),
            Screen::Lines(_) => self.line(label, style, text),
        }
    }

    fn line(&mut self, label: &str, style: Style, text: &str) {
        let line = format!("{style}{label:>12}{style:#} {text}");
        match &mut self.screen {
            Screen::Bar(bar) => bar.suspend(|| {
                writeln!(anstream::stderr(), "{line}").ok();
            }),
            Screen::Lines(stream) => {
                writeln!(stream, "{line}").ok();
            }
        }
    }

    fn advance(&self) {
        if let Screen::Bar(bar) = &self.screen {
            bar.set_message(self.tally());
            bar.inc(1);
        }
    }

    fn tally(&self) -> String {
        let [not_applicable, held, inconclusive, breached] = self.counts;
        let mut parts = vec![
            format!("{held} held"),
            format!("{breached} breached"),
            format!("{inconclusive} inconclusive"),
        ];
        if not_applicable > 0 {
            parts.push(format!("{not_applicable} n/a"));
        }
        parts.join(", ")
    }
}

fn spinner() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} {wide_msg}").expect("the template is ours and valid")
}

fn meter() -> ProgressStyle {
    ProgressStyle::with_template("{spinner} [{bar:24}] {pos}/{len}  {wide_msg}")
        .expect("the template is ours and valid")
        .progress_chars("━╸ ")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::judge::Basis;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().expect("not poisoned").extend(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn shown(detail: Detail) -> String {
        let sink = Sink::default();
        let progress = Progress::lines(detail, sink.clone());
        let done = |variant: &str, verdict, basis| Event::TrialDone {
            id: format!("fs.read.dotdot/{variant}@read\u{1b}[2J:path"),
            verdict,
            basis,
            strength: None,
        };
        for event in [
            Event::Launching {
                target: String::from("npx server /tmp/allowed"),
            },
            Event::Ready {
                name: Some(String::from("server\n\u{202e}")),
                version: None,
                protocol: String::from("2025-11-25"),
                tools: 7,
                startup_ms: 512,
            },
            Event::Discovered {
                proven: 5,
                unproven: 1,
            },
            Event::Planned { trials: 4 },
            done("plain", Verdict::Breached, Basis::Token),
            done("deep", Verdict::Breached, Basis::Token),
            done("slash", Verdict::Held, Basis::Policy),
            done("dot", Verdict::Inconclusive, Basis::Timeout),
            Event::Restarted {
                why: String::from("it ended with signal 11"),
            },
            Event::Note(String::from("the target prints \u{7}")),
            Event::Finished {
                took_ms: 2_345,
                interrupted: false,
            },
        ] {
            progress.show(&event);
        }
        let bytes = sink.0.lock().expect("not poisoned").clone();
        let text = String::from_utf8(bytes).expect("UTF-8");
        anstream::adapter::strip_str(&text).to_string()
    }

    #[test]
    fn a_log_gets_a_line_per_phase_and_breached_probe() {
        insta::assert_snapshot!(shown(Detail::Normal), @r"
           launching npx server /tmp/allowed
               ready server\n\u{202e} with 7 tools, MCP 2025-11-25, after 0.5 s
          discovered 5 channels proven, 1 not
             planned 4 trials
            BREACHED fs.read.dotdot/plain@read\u{1b}[2J:path: a secret from behind the boundary came out of the server
           restarted it ended with signal 11
                note the target prints \u{7}
            finished 4 trials in 2.3 s: 1 held, 2 breached, 1 inconclusive
        ");
    }

    #[test]
    fn verbose_names_each_trial() {
        let text = shown(Detail::Verbose);
        for line in [
            r"    BREACHED fs.read.dotdot/deep@read\u{1b}[2J:path: a secret from behind the boundary came out of the server",
            r"        held fs.read.dotdot/slash@read\u{1b}[2J:path: the attack was refused while its permitted twin passed",
            r"inconclusive fs.read.dotdot/dot@read\u{1b}[2J:path: no answer in time, twice",
        ] {
            assert!(
                text.lines().any(|shown| shown == line),
                "{line} is missing in {text}"
            );
        }
    }

    #[test]
    fn quiet_is_silent() {
        assert_eq!(shown(Detail::Quiet), "");
    }
}
