//! Which part of a run this process does: `--shard`.
//!
//! Owns how a shard is written, and where CI systems and Kubernetes say which one it is. How a plan
//! is divided is the plan's.

use std::{fmt, num::NonZeroU32};

/// More parts than any run is worth.
const MOST: u32 = 10_000;

/// One part of a run that is divided into equal ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shard {
    number: NonZeroU32,
    of: NonZeroU32,
}

impl Shard {
    /// Reads `2/8`, `auto` or `auto/8`; `variable` looks into the environment. `auto` is what the
    /// job says of itself: `CI_NODE_INDEX` and `CI_NODE_TOTAL` (GitLab and others, from 1), or
    /// `JOB_COMPLETION_INDEX` (Kubernetes, from 0) with the count behind the slash or in
    /// `JOB_COMPLETIONS`.
    ///
    /// # Errors
    /// What is wrong with it, and what to write.
    pub fn parse(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let (number, of) = match text.split_once('/') {
            Some((number, of)) => (number, Some(count(of, "the number of shards")?)),
            None => (text, None),
        };
        if number != "auto" {
            let of = of.ok_or("write which of how many, such as 2/8, or auto")?;
            return Self::new(count(number, "the shard")?, of);
        }
        let read = |name: &str| variable(name).filter(|value| !value.is_empty());
        if let Some(index) = read("JOB_COMPLETION_INDEX") {
            let of = match (of, read("JOB_COMPLETIONS")) {
                (Some(of), _) => of,
                (None, Some(of)) => count(&of, "JOB_COMPLETIONS")?,
                (None, None) => {
                    return Err(String::from(
                        "JOB_COMPLETION_INDEX says which shard this is, but not of how many: write \
                         auto/8 for a job of 8 completions, or set JOB_COMPLETIONS",
                    ));
                }
            };
            return match number_of(&index) {
                Some(index) if index < of => Self::new(index + 1, of),
                Some(index) => Err(format!(
                    "JOB_COMPLETION_INDEX is {index}, which is beyond {of} shards counted from 0: \
                     write the `completions` of the job behind the slash"
                )),
                None => Err(format!("JOB_COMPLETION_INDEX is no number: {index:?}")),
            };
        }
        match (read("CI_NODE_INDEX"), of, read("CI_NODE_TOTAL")) {
            (Some(number), Some(of), _) => Self::new(count(&number, "CI_NODE_INDEX")?, of),
            (Some(number), None, Some(of)) => Self::new(
                count(&number, "CI_NODE_INDEX")?,
                count(&of, "CI_NODE_TOTAL")?,
            ),
            _ => Err(String::from(
                "auto takes the shard from JOB_COMPLETION_INDEX or from CI_NODE_INDEX and \
                 CI_NODE_TOTAL, and they are not set: write which of how many, such as 2/8",
            )),
        }
    }

    fn new(number: u32, of: u32) -> Result<Self, String> {
        match (NonZeroU32::new(number), NonZeroU32::new(of)) {
            (Some(number), Some(of)) if number <= of && of.get() <= MOST => Ok(Self { number, of }),
            (_, Some(of)) if of.get() > MOST => Err(format!("at most {MOST} shards can be made")),
            (None, Some(_)) => Err(format!(
                "shards count from 1: the first of {of} is 1/{of}, the last is {of}/{of}"
            )),
            (Some(_), Some(_)) => Err(format!(
                "there is no shard {number} of {of}: the last is {of}/{of}"
            )),
            (_, None) => Err(String::from("there must be at least one shard")),
        }
    }

    /// Its number, from 1.
    #[must_use]
    pub fn number(self) -> u32 {
        self.number.get()
    }

    /// How many there are.
    #[must_use]
    pub fn of(self) -> u32 {
        self.of.get()
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

fn number_of(text: &str) -> Option<u32> {
    let plain = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| plain)
}

fn count(text: &str, what: &str) -> Result<u32, String> {
    number_of(text)
        .ok_or_else(|| format!("{what} is no number: {text:?}; write such as 2/8, or auto"))
}
