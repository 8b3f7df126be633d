//! The log as a whole: complete under load, rotated without loss, private, and off standard output.
//!
//! Owns what is counted and looked at where one record does not tell.

use std::{fs, os::unix::fs::PermissionsExt as _};

use futures::{StreamExt as _, stream};

use super::{Clerk, FLUSH, Found, LOOK};
use crate::{
    judge::Control,
    run::flight::Volley,
    session::{Caller, NoiseKind},
};

/// Calls at once of which each must be recorded.
const AT_ONCE: usize = 50;

/// Most calls that are made to fill a log.
const FILLING: u64 = 4000;

impl Clerk<'_> {
    pub(super) async fn every_one(&self) -> Found {
        let from = self.ledger.log.count();
        let words: Vec<String> = (0..AT_ONCE)
            .map(|number| self.nth(&format!("n{number}x")))
            .collect();
        let volley = Volley::new(self.session, AT_ONCE);
        let done = self.calls(&volley, &words, AT_ONCE).await;
        if done.len() < AT_ONCE / 2 {
            return Found::inert("fewer than half of the calls at once were served");
        }
        let missing = self.missing(&done, from).await;
        if missing.is_empty() {
            return Found::told(format!("each of {} calls at once was recorded", done.len()));
        }
        let mut found = Found::proven(format!(
            "of {} calls at once that were served {} are not in the log, such as that of {}",
            done.len(),
            missing.len(),
            missing[0]
        ));
        found.awaited = missing;
        found
    }

    /// Makes the plain call once for each word, so many at once; which of them had their effect.
    async fn calls<C: Caller>(&self, caller: &C, words: &[String], at_once: usize) -> Vec<String> {
        stream::iter(words.to_vec())
            .map(|word| async move {
                let control =
                    super::control(self.stage, caller, self.channel, &word, self.deadline * 3)
                        .await;
                (word, control)
            })
            .buffer_unordered(at_once)
            .filter_map(|(word, control)| async move {
                matches!(control, Control::Passed(_)).then_some(word)
            })
            .collect()
            .await
    }

    /// Which of the words stand in no line, when the log had the time to be written.
    async fn missing(&self, words: &[String], from: usize) -> Vec<String> {
        let until = tokio::time::Instant::now() + FLUSH;
        loop {
            self.ledger.log.look();
            let lines = self.ledger.log.since(from);
            let mut missing = words.to_vec();
            missing.retain(|word| !lines.iter().any(|line| line.holds(word)));
            if missing.is_empty() || tokio::time::Instant::now() > until {
                return missing;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    pub(super) async fn rotated(&self) -> Found {
        let Some((size, files)) = self.ledger.claimed.rotation else {
            return Found::inert("the policy does not have the log rotated");
        };
        let from = self.ledger.log.count();
        let probe = vec![self.nth("r0x")];
        let done = self.calls(self.session, &probe, 1).await;
        let missing = self.missing(&done, from).await;
        if done.is_empty() || !missing.is_empty() {
            return Found::inert(
                "the plain call is not recorded at all, which another probe asks about",
            );
        }
        let bytes: usize = self
            .ledger
            .log
            .since(from)
            .iter()
            .map(|line| line.bytes.len() + 1)
            .sum();
        // Two rotations beyond the one that is under way, and all files that may be kept.
        let wanted = size.saturating_mul(u64::from(files.min(4)) + 2) / (bytes.max(1) as u64) + 2;
        if wanted > FILLING {
            return Found::inert(format!(
                "it would take {wanted} calls to fill the log {files} times"
            ));
        }
        let words: Vec<String> = (1..=wanted)
            .map(|number| self.nth(&format!("r{number}x")))
            .collect();
        let mut done = Vec::new();
        // In parts, so that no file is removed before it was read.
        for part in words.chunks(16) {
            done.extend(self.calls(self.session, part, 4).await);
            self.ledger.log.look();
        }
        let missing = self.missing(&done, from).await;
        let kept = self.ledger.log.generations();
        let longest = kept
            .iter()
            .filter_map(|path| fs::metadata(path).ok())
            .map(|metadata| metadata.len())
            .max()
            .unwrap_or_default();
        let mut found = Found::told(format!(
            "{} calls were recorded in files of {size} bytes, {} of which are kept",
            done.len(),
            kept.len()
        ));
        if let Some(first) = missing.first() {
            found.proofs.push(format!(
                "of {} calls that were served while the log was rotated {} are in no file, such as that of {first}",
                done.len(),
                missing.len()
            ));
        }
        // Half as much again: some look at the size before they write, some after.
        if longest > size + size / 2 + (64 << 10) {
            found.proofs.push(format!(
                "a log file has {longest} bytes, where a new one is to be begun at {size}"
            ));
        }
        // The current file may count or not.
        if kept.len() > files as usize + 1 {
            found.proofs.push(format!(
                "{} log files are kept, where {files} are agreed on",
                kept.len()
            ));
        }
        found.awaited = missing;
        found
    }

    pub(super) fn private(&self) -> Found {
        let files = self.ledger.log.generations();
        if files.is_empty() {
            return Found::inert("the log is no file, or there is none yet");
        }
        let mut found = Found::told(format!(
            "{} log files, for their owner and group",
            files.len()
        ));
        for path in &files {
            let mode = |path: &std::path::Path| Some(fs::metadata(path).ok()?.permissions().mode());
            if let Some(mode) = mode(path).filter(|mode| mode & 0o006 != 0) {
                found.proofs.push(format!(
                    "everybody on the machine can read or write {} (mode {:o})",
                    path.display(),
                    mode & 0o7777
                ));
            }
            // With the sticky bit others can add files, and remove none.
            if let Some(parent) = path.parent()
                && let Some(mode) = mode(parent).filter(|mode| mode & 0o1002 == 0o002)
            {
                found.proofs.push(format!(
                    "everybody on the machine can replace files in {} (mode {:o})",
                    parent.display(),
                    mode & 0o7777
                ));
            }
        }
        found.proofs.dedup();
        found
    }

    pub(super) fn protocol_only(&self) -> Found {
        let noise = self.session.noise();
        let foreign = noise.iter().find(|one| one.kind == NoiseKind::NotJsonRpc);
        match foreign {
            Some(one) => Found::proven(format!(
                "{} lines on standard output are no messages of the protocol, such as `{}`",
                one.count, one.example
            )),
            None => Found::told("all that came on standard output were messages of the protocol"),
        }
    }
}
