//! Log injection: texts that would be records of their own, were they written as they came.
//!
//! Owns the texts. A forged record is a true one with another word in it, so it fits any format.

use super::{Clerk, Found, brief};
use crate::{
    channel::{SlotValue, Values},
    probe::Slot,
    session::Caller as _,
    testbed::SceneError,
    witness::{Line, Record},
};

impl Clerk<'_> {
    pub(super) async fn whole_line(&self) -> Result<Found, SceneError> {
        let true_word = self.nth("b");
        let before = self.await_lines(std::slice::from_ref(&true_word), 0).await;
        let Some(record) = before.first() else {
            return Ok(Found::inert(
                "the plain call is not recorded at all, which another probe asks about",
            ));
        };
        let forged_word = self.nth("f");
        let forged = record.text().replace(&true_word, &forged_word);
        let added = self.nth("k");
        let texts = [
            ("a line feed", format!("\n{forged}\n")),
            ("a carriage return", format!("\r\n{forged}\r\n")),
            ("a quote", format!("\",\"{added}\":\"x")),
            ("a blank", format!(" {added}=x ")),
            ("a quote and a blank", format!("\" {added}=x y=\"")),
            ("an escape sequence", String::from("\u{1b}[2K\u{1b}[1A")),
        ];
        let from = self.ledger.log.count();
        let mut found = Found::told("what was sent stands in one record, and ends where it ends");
        let mut recorded = false;
        // Some record only what they refuse, and nothing of what is not there.
        let places = [&self.stage.bed.allowed, &self.stage.bed.denied];
        for (round, place) in places.into_iter().enumerate() {
            if recorded || !found.proofs.is_empty() {
                break;
            }
            for (number, (what, text)) in texts.iter().enumerate() {
                let word = self.nth(&format!("s{round}{number}"));
                let path = place.join(format!("{word}{text}"));
                let value = SlotValue::Text(path.to_string_lossy().into_owned());
                let values = Values::from([(Slot::Path, value)]);
                let (method, params) = self.channel.request(&values, &self.stage.told_root());
                let exchange = self.session.request(method, params, self.deadline).await;
                self.stage.tally.count(&exchange);
                let lines = self
                    .await_lines(&[word.clone(), forged_word.clone()], from)
                    .await;
                recorded |= lines.iter().any(|line| line.holds(&word));
                let wrong = lines.iter().find_map(|line| {
                    injected(line, &word, &forged_word, &forged, &added).map(|how| (how, line))
                });
                if let Some((how, line)) = wrong {
                    found
                        .proofs
                        .push(format!("{what} in a path {how}: `{}`", brief(&line.text())));
                    found.asked =
                        Some(serde_json::json!({ "method": method, "params": exchange.params }));
                    found.answered = Some(exchange.outcome.text());
                    break;
                }
            }
        }
        if !recorded && found.proofs.is_empty() {
            return Ok(Found::inert(
                "calls with such paths are not recorded at all, so that nothing of them can be",
            ));
        }
        Ok(found)
    }
}

/// How a line shows that it was not written as one record.
fn injected(
    line: &Line,
    word: &str,
    forged_word: &str,
    forged: &str,
    added: &str,
) -> Option<&'static str> {
    let text = line.text();
    // The forged record with nothing of the call before it: a reader takes it for a true one.
    if line.holds(forged_word) && !line.holds(word) && text.trim() == forged.trim() {
        return Some("made a record of its own");
    }
    if !line.holds(word) {
        return None;
    }
    if Record::read(&text).fields.contains_key(added) {
        return Some("added a field of its own to a record");
    }
    if line.bytes.contains(&0x1b) {
        return Some("reached the log as it was, and acts on the terminal of whoever reads it");
    }
    let carriage = line.bytes[..line.bytes.len().saturating_sub(1)].contains(&b'\r');
    carriage.then_some("reached the log as it was, and hides what stands before it")
}
