//! The policy for hosts: which names and addresses the given rules permit.
//!
//! Owns the rules and how they are weighed: the longest prefix wins, deny wins ties, a list of allowed hosts denies all
//! others. Must not know tools, URLs or sockets.

use std::net::IpAddr;

use ipnet::IpNet;

use super::address::{Embedded, embedded, is_public};
use super::host::{Host, host_name};
use crate::reference::ReferenceError;

/// What a rule names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::reference) enum Pattern {
    /// Addresses.
    Range(IpNet),
    /// One name.
    Name(String),
    /// All names below this one, which is written without the `*.`.
    Below(String),
}

/// What rules say to an address or a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::reference) enum Verdict {
    Allow,
    Deny,
    /// No rule names it.
    Unnamed,
}

/// One rule.
#[derive(Clone, Debug)]
pub(in crate::reference) struct Rule {
    pub(in crate::reference) pattern: Pattern,
    pub(in crate::reference) allow: bool,
}

/// All rules.
#[derive(Clone, Debug, Default)]
pub(in crate::reference) struct Rules {
    /// Those that allow first, each in the order of the command line.
    pub(in crate::reference) all: Vec<Rule>,
    /// Whether a host that no rule names is denied.
    pub(in crate::reference) listed_only: bool,
    /// Whether an address that no rule names must be public.
    pub(in crate::reference) public_only: bool,
}

impl Pattern {
    fn read(text: &str) -> Result<Self, ReferenceError> {
        let bad = || ReferenceError::Host {
            text: text.to_owned(),
        };
        if let Ok(range) = text.parse::<IpNet>() {
            return Ok(Self::Range(range.trunc()));
        }
        if let Some(name) = text.strip_prefix("*.") {
            return host_name(name).map(Self::Below).ok_or_else(bad);
        }
        match Host::read(text) {
            Ok(Host::Address(address)) => Ok(Self::Range(address.into())),
            Ok(Host::Name(name)) => Ok(Self::Name(name)),
            Err(_) => Err(bad()),
        }
    }

    /// How closely the pattern names the name, if it does.
    pub(in crate::reference) fn fit(&self, name: &str) -> Option<usize> {
        match self {
            Self::Range(_) => None,
            Self::Name(own) => (own == name).then_some(usize::MAX),
            Self::Below(parent) => name
                .strip_suffix(parent.as_str())
                .is_some_and(|rest| rest.len() > 1 && rest.ends_with('.'))
                .then_some(parent.len()),
        }
    }
}

impl Rules {
    /// Reads the rules; without `allow` every host is allowed that is not denied.
    ///
    /// # Errors
    /// [`ReferenceError::Host`] for a rule that names neither addresses nor names.
    pub(super) fn read(
        allow: Option<&[String]>,
        deny: &[String],
        public_only: bool,
    ) -> Result<Self, ReferenceError> {
        let rules = |texts: &[String], allow| {
            texts
                .iter()
                .map(|text| Pattern::read(text).map(|pattern| Rule { pattern, allow }))
                .collect::<Result<Vec<_>, _>>()
        };
        let mut all = rules(allow.unwrap_or_default(), true)?;
        all.extend(rules(deny, false)?);
        Ok(Self {
            all,
            listed_only: allow.is_some(),
            public_only,
        })
    }

    /// What the rules for names say; `name` is in the form of [`Host`].
    pub(in crate::reference) fn of_name(&self, name: &str) -> Verdict {
        self.closest(|pattern| pattern.fit(name))
    }

    /// What the rules for addresses say to this very address; embedded ones are not looked at.
    pub(in crate::reference) fn of_address(&self, address: IpAddr) -> Verdict {
        self.closest(|pattern| match pattern {
            Pattern::Range(range) if range.contains(&address) => Some(range.prefix_len().into()),
            _ => None,
        })
    }

    fn closest(&self, fit: impl Fn(&Pattern) -> Option<usize>) -> Verdict {
        let closest = self
            .all
            .iter()
            .filter_map(|rule| Some((fit(&rule.pattern)?, !rule.allow)))
            .max();
        match closest {
            None => Verdict::Unnamed,
            Some((_, true)) => Verdict::Deny,
            Some((_, false)) => Verdict::Allow,
        }
    }

    /// Whether a name need not be looked up, because none of its addresses could be permitted.
    pub(in crate::reference) fn refuses_name(&self, name: &str) -> bool {
        match self.of_name(name) {
            Verdict::Allow => false,
            Verdict::Deny => true,
            Verdict::Unnamed => {
                self.listed_only
                    && !self
                        .all
                        .iter()
                        .any(|rule| rule.allow && matches!(rule.pattern, Pattern::Range(_)))
            }
        }
    }

    /// Whether an address may be contacted; `by_name` tells whether a rule allows the name that led to it.
    pub(in crate::reference) fn permit(&self, address: IpAddr, by_name: bool) -> bool {
        let own = self.of_address(address);
        let stands_for = match address {
            IpAddr::V4(_) => Vec::new(),
            IpAddr::V6(v6) => embedded(v6),
        };
        let mut verdicts = vec![own];
        let mut allowed = own == Verdict::Allow;
        for inner in stands_for {
            let (Embedded::Same(v4) | Embedded::By(v4)) = inner;
            let verdict = self.of_address(v4.into());
            allowed |= matches!(inner, Embedded::Same(_)) && verdict == Verdict::Allow;
            verdicts.push(verdict);
        }
        if verdicts.contains(&Verdict::Deny) {
            return false;
        }
        allowed || ((by_name || !self.listed_only) && (!self.public_only || is_public(address)))
    }
}
