//! Plants on the network: what answers at the run's own sink, and what its resolver says.
//!
//! Owns their declared form. Answering is the testbed's business.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::probe::Text;

/// A place at the sink, under a path that no other has: every address leads to it. Without any key
/// it answers with a short text that carries the plant's token.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct SitePlant {
    /// Status code; 200 when absent.
    #[serde(default)]
    #[schemars(range(min = 100, max = 599))]
    pub status: Option<u16>,
    /// Content type; plain text when absent.
    #[serde(default)]
    pub content_type: Option<String>,
    /// Body instead of the token's.
    #[serde(default)]
    pub body: Option<Text>,
    /// Header fields of the answer, written as they are: `Location` makes a redirect.
    #[serde(default)]
    pub headers: BTreeMap<String, Text>,
    /// What keeps the caller waiting, measured by the policy's time limit.
    #[serde(default)]
    pub stall: Option<Stall>,
    /// Fails more often than the policy's retries permit; in the twin once.
    #[serde(default)]
    pub fail: Option<SiteFailure>,
    /// A header field of this name in any request of the trial is a breach: it was smuggled in.
    #[serde(default)]
    pub unwanted_field: Option<Text>,
    /// This text in a header field of a request for the place is a breach, plain or in Base64.
    #[serde(default)]
    pub unwanted_value: Option<Text>,
}

/// How a place at the sink keeps the caller waiting: far beyond the time limit in the attack, for less
/// than half of it in the twin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Stall {
    /// Accepts, and does not answer.
    Answer,
    /// Begins a head, and does not end it.
    Head,
    /// Sends the body byte by byte, each well within the limit.
    Body,
    /// Sends the caller on to itself, each time after a part of the limit.
    Redirects,
}

/// How an attempt at a place of the sink fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SiteFailure {
    /// Status 503.
    Unavailable,
    /// Status 503 with a `Retry-After` of a day.
    RetryLater,
    /// Status 429.
    TooMany,
    /// Status 500.
    Error,
    /// There is no answer.
    Silence,
    /// The connection is reset.
    Reset,
    /// The connection is closed without a byte.
    Close,
}

/// A host name of this trial that only the run's resolver knows.
#[derive(Debug, Clone, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RecordPlant {
    /// Addresses that it resolves to, in this order.
    #[serde(default)]
    pub to: Vec<Text>,
    /// Addresses that it resolves to once it was asked for `after` times.
    #[serde(default)]
    pub then: Vec<Text>,
    /// How many questions for an address `to` answers before `then` does; 1 when absent.
    #[serde(default)]
    pub after: Option<u32>,
    /// Addresses that it resolves to in a second call, which is the same as the first and follows its
    /// answer.
    #[serde(default)]
    pub next: Vec<Text>,
    /// The name that it is an alias of: the `name` of a record planted before.
    #[serde(default)]
    pub alias: Option<Text>,
    /// The whole name instead of one of the trial's own: one that looks like a permitted one.
    #[serde(default)]
    pub called: Option<Text>,
    /// A label before the trial's own, such as an address with hyphens.
    #[serde(default)]
    pub label: Option<Text>,
    /// How the only permitted resolver answers instead; the system's resolver then knows the addresses.
    #[serde(default)]
    pub fail: Option<RecordFailure>,
    /// The other resolver, which the policy does not permit to be asked, says this.
    #[serde(default)]
    pub elsewhere: Vec<Text>,
}

/// How a resolver fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RecordFailure {
    /// SERVFAIL.
    Servfail,
    /// NXDOMAIN.
    Nxdomain,
    /// No answer at all.
    Silence,
}
