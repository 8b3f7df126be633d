//! Policies that are written in Rust.
//!
//! Owns the builder. What it makes is the text that somebody could have written into a file, read as
//! such a file is: every check and every message is the same.

use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::{
    diag::{Problems, Source},
    policy::Policy,
};

/// Builds a [`Policy`] in code; see [`Policy::builder`].
#[derive(Debug, Clone, Default)]
#[must_use = "a policy is made by `build`"]
pub struct PolicyBuilder {
    files: Map<String, Value>,
    network: Map<String, Value>,
    server: Map<String, Value>,
}

impl PolicyBuilder {
    /// Files at or below this path may be used. `{allowed}` is the directory of the run; others are
    /// absolute.
    pub fn allow_path(self, path: impl Into<String>) -> Self {
        self.file("allowed_paths", path)
    }

    /// Files at or below this path, or of names that match this pattern, may not be used: the longest
    /// path wins, and a denial wins a tie.
    pub fn deny_path(self, path: impl Into<String>) -> Self {
        self.file("denied_paths", path)
    }

    /// A name, such as `.git/hooks`, that may be written nowhere.
    pub fn protect_name(self, name: impl Into<String>) -> Self {
        self.file("protected_names", name)
    }

    /// Nothing may be written.
    pub fn read_only(mut self) -> Self {
        self.files.insert("read_only".into(), true.into());
        self
    }

    /// The largest file that may be read or written, in mebibytes.
    pub fn max_file_size_mb(mut self, size: f64) -> Self {
        self.files.insert("max_file_size_mb".into(), size.into());
        self
    }

    /// An address, network or name that may be reached; with one of them, all others may not.
    pub fn allow_host(mut self, host: impl Into<String>) -> Self {
        push(&mut self.network, "allowed_hosts", host.into());
        self
    }

    /// An address, network or name that may not be reached.
    pub fn deny_host(mut self, host: impl Into<String>) -> Self {
        push(&mut self.network, "denied_hosts", host.into());
        self
    }

    /// A port of those hosts that may be reached; with one of them, all others may not.
    pub fn allow_port(mut self, port: u16) -> Self {
        push(&mut self.network, "allowed_ports", port);
        self
    }

    /// The only resolver that may be asked for names, as an address.
    pub fn resolver(mut self, address: impl Into<String>) -> Self {
        let address: String = address.into();
        self.network.insert("dns_override".into(), address.into());
        self
    }

    /// The longest that a request to a host may take.
    pub fn timeout(mut self, time: Duration) -> Self {
        let seconds = time.as_secs_f64();
        self.server.insert("timeout_seconds".into(), seconds.into());
        self
    }

    /// How often a failed request to a host may be repeated.
    pub fn max_retries(mut self, times: u32) -> Self {
        self.server.insert("max_retries".into(), times.into());
        self
    }

    /// Makes the policy.
    ///
    /// # Errors
    /// All mistakes in it, each with its place in the policy's text.
    pub fn build(self) -> Result<Policy, Problems> {
        let mut server = self.server;
        if !self.network.is_empty() {
            server.insert("network".into(), self.network.into());
        }
        let mut document = Map::new();
        if !server.is_empty() {
            document.insert("server".into(), server.into());
        }
        if !self.files.is_empty() {
            document.insert("capabilities".into(), json!({ "filesystem": self.files }));
        }
        let text = format!("{:#}", Value::Object(document));
        Policy::load(&Source::new("the policy in the test", text))
    }

    fn file(mut self, key: &str, value: impl Into<String>) -> Self {
        push(&mut self.files, key, value.into());
        self
    }
}

impl TryFrom<PolicyBuilder> for Policy {
    type Error = Problems;

    fn try_from(builder: PolicyBuilder) -> Result<Self, Problems> {
        builder.build()
    }
}

fn push(table: &mut Map<String, Value>, key: &str, value: impl Into<Value>) {
    let list = table.entry(key).or_insert_with(|| json!([]));
    if let Value::Array(list) = list {
        list.push(value.into());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_built_policy_is_one_that_was_read() {
        let policy = Policy::builder()
            .allow_path("{allowed}")
            .deny_path("**/.env")
            .protect_name(".npmrc")
            .max_file_size_mb(2.0)
            .deny_host("10.0.0.0/8")
            .timeout(Duration::from_secs(3))
            .max_retries(2)
            .build()
            .unwrap_or_else(|problems| panic!("{problems}"));
        assert_eq!(policy.max_retries(), Some(2));
        assert_eq!(policy.time_limit(), Some(Duration::from_secs(3)));
        assert_eq!(policy.max_file_bytes(), Some(2 << 20));
        assert_eq!(policy.protected_names().count(), 1);
        assert!(!policy.network().permits([10, 1, 2, 3].into()));
        let wrong = Policy::builder().allow_path("relative").build();
        let told = wrong.expect_err("it is not absolute").to_string();
        assert!(told.contains("relative"), "{told}");
    }
}
