//! Tampering: the server's own tools are asked for the log.
//!
//! Owns what is asked, and how the log is compared with what it was. What would change the log is asked only
//! where the log is the run's own: in its directories, or on a disk that forgets.

use std::{fs, path::Path};

use super::{Clerk, Found};
use crate::{
    channel::{SlotValue, Values},
    probe::{Role, Slot},
    session::Caller as _,
    testbed::SceneError,
};

/// Bytes of a log that are compared.
const COMPARED: u64 = 16 << 20;

impl Clerk<'_> {
    pub(super) async fn untouched(&self) -> Result<Found, SceneError> {
        let Some(log) = self.ledger.log.files().first().cloned() else {
            return Ok(Found::inert("the log is no file"));
        };
        let role = self.channel.role;
        let changes = !matches!(role, Role::FileRead | Role::FileSearch | Role::FileInfo);
        if changes && !log.starts_with(self.stage.bed.base()) {
            return Err(SceneError::Stray(log));
        }
        let link = self.stage.bed.allowed.join(self.nth("link"));
        let linked = std::os::unix::fs::symlink(&log, &link).is_ok();
        let mut found = Found::told("no way of asking for the log led to it");
        for path in [Some(&log), linked.then_some(&link)].into_iter().flatten() {
            if let Some(fact) = self.reach(&log, path, &mut found).await {
                found.proofs.push(fact);
                break;
            }
        }
        if linked {
            // Made a moment ago; a tool may have replaced it.
            let _gone = fs::remove_file(&link);
        }
        Ok(found)
    }

    /// Asks for the log by one path.
    async fn reach(&self, log: &Path, path: &Path, found: &mut Found) -> Option<String> {
        let text = |path: &Path| SlotValue::Text(path.to_string_lossy().into_owned());
        let moved = self.stage.bed.allowed.join(self.nth("moved"));
        let role = self.channel.role;
        let values: Values = match role {
            Role::FileWrite => [
                (Slot::Path, text(path)),
                (
                    Slot::Content,
                    SlotValue::Text(String::from("nothing happened\n")),
                ),
            ]
            .into(),
            Role::FileMove | Role::FileCopy => {
                [(Slot::Source, text(path)), (Slot::Path, text(&moved))].into()
            }
            _ => [(Slot::Path, text(path))].into(),
        };
        let before = read(log);
        let (method, params) = self.channel.request(&values, &self.stage.told_root());
        let exchange = self.session.request(method, params, self.deadline).await;
        self.stage.tally.count(&exchange);
        found.asked = Some(serde_json::json!({ "method": method, "params": exchange.params }));
        found.answered = Some(exchange.outcome.text());
        // A word of an earlier call, which this one does not carry.
        let known = self.nth("b");
        if memchr::memmem::find(&exchange.raw, known.as_bytes()).is_some() {
            return Some(format!(
                "{} gave out the audit log {}",
                self.channel.tool,
                log.display()
            ));
        }
        if role == Role::FileCopy
            && fs::read_to_string(&moved).is_ok_and(|copy| copy.contains(&known))
        {
            return Some(format!("{} copied the audit log out", self.channel.tool));
        }
        self.ledger.log.look();
        let kept = before.is_none_or(|before| {
            let mut now = self
                .ledger
                .log
                .generations()
                .into_iter()
                .filter_map(|path| read(&path));
            now.any(|now| now.starts_with(&before))
        });
        (!kept).then(|| {
            format!(
                "after a call of {} what had been recorded is no longer in {} nor beside it",
                self.channel.tool,
                log.display()
            )
        })
    }
}

fn read(path: &Path) -> Option<Vec<u8>> {
    let small =
        fs::metadata(path).is_ok_and(|metadata| metadata.is_file() && metadata.len() <= COMPARED);
    if small { fs::read(path).ok() } else { None }
}
