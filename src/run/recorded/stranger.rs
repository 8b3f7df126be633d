//! Records of callers who are not let in.
//!
//! Owns what a stranger sends, and which lines of the log can be about one.

use serde_json::json;

use super::{Clerk, FLUSH, Found, LOOK, brief, shape};
use crate::{
    lint::is_secret,
    session::{HttpEndpoint, knock},
    testbed::{Geometry, SceneError},
    witness::{Line, Shapes},
};

impl Clerk<'_> {
    /// Sends the greeting without the credential, or with another one.
    pub(super) async fn stranger(&self) -> Result<Found, SceneError> {
        let Some(endpoint) = &self.ledger.door else {
            return Ok(Found::inert(
                "the target is not attached to over HTTP, where callers show who they are",
            ));
        };
        let variant = &self.trial.probe.variants[self.trial.variant];
        let ask = super::ask(self.trial, self.channel, self.deadline);
        let scene = self.stage.set(
            &ask,
            Geometry::twin(self.stage.bed, self.word, None),
            self.word,
        )?;
        let mut headers = plain_headers(endpoint);
        if endpoint.bearer.is_none() && headers.len() == endpoint.headers.len() {
            return Ok(Found::inert(
                "the run sends this target no credential, so that none can be missing",
            ));
        }
        for (name, text) in &variant.headers {
            headers.push((name.clone(), scene.tell(text)?));
        }
        self.further().await;
        self.ledger.log.look();
        let from = self.ledger.log.count();
        // What was recorded of callers who were let in, since the trial began. Strangers of other trials came before.
        let known = self.nth("b");
        let lines = self.ledger.log.since(0);
        let begun = lines.iter().position(|line| line.holds(&known));
        let mut usual = Shapes::default();
        for (call, line) in lines[begun.unwrap_or(lines.len())..].iter().enumerate() {
            usual.add(call, shape(line, &[]));
        }
        let mut found = match knock(&endpoint.url, &headers, self.deadline).await {
            Ok(knock) if knock.turned_away() => {
                let answered = format!("status {} {}", knock.status, knock.body);
                let mut found = self.of_stranger(from, &usual).await;
                found.answered = Some(answered.trim_end().to_owned());
                found
            }
            Ok(knock) => Found::inert(format!(
                "a request without the credential was answered with status {}, so that there is no refusal to record",
                knock.status
            )),
            Err(why) => Found::inert(format!(
                "a request without the credential met no answer: {why}"
            )),
        };
        let names: Vec<&String> = headers.iter().map(|(name, _)| name).collect();
        found.asked = Some(json!({ "method": "initialize", "headers": names }));
        Ok(found)
    }

    /// Waits for a line that is not like those of callers who were let in.
    async fn of_stranger(&self, from: usize, usual: &Shapes) -> Found {
        let until = tokio::time::Instant::now() + FLUSH;
        let telling = |line: &&Line| !usual.like(&shape(line, &[]));
        loop {
            self.ledger.log.look();
            let lines = self.ledger.log.since(from);
            if let Some(line) = lines.iter().find(telling) {
                return Found::told(format!("recorded as `{}`", brief(&line.text())));
            }
            if tokio::time::Instant::now() > until {
                let fact = match lines.first() {
                    None => format!(
                        "a caller was not let in, and {} s later the log has no record of it",
                        FLUSH.as_secs()
                    ),
                    Some(line) => format!(
                        "the record of a caller who was not let in, `{}`, cannot be told from that of another",
                        brief(&line.text())
                    ),
                };
                return Found::proven(fact);
            }
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// The headers that say nothing of who is asking.
fn plain_headers(endpoint: &HttpEndpoint) -> Vec<(String, String)> {
    let told = |name: &str| {
        ["authorization", "proxy-authorization", "cookie"]
            .iter()
            .any(|known| name.eq_ignore_ascii_case(known))
    };
    let headers = endpoint.headers.iter();
    headers
        .filter(|(name, value)| !told(name) && !is_secret(name, value))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{HttpEndpoint, plain_headers};

    #[test]
    fn what_says_who_asks_is_left_out() {
        let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let endpoint = HttpEndpoint {
            url: String::from("http://127.0.0.1:1/mcp"),
            headers: vec![
                header("X-Tenant", "one"),
                header("X-Api-Key", "9f8a7b6c5d4e"),
                header("Cookie", "session=1"),
            ],
            bearer: None,
        };
        assert_eq!(plain_headers(&endpoint), [header("X-Tenant", "one")]);
    }
}
