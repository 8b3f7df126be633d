//! What names mean, decided per trial and per server that is asked.
//!
//! Owns the scripted answers and the count of the questions. Knows nothing of sockets or message bytes.

use std::{
    collections::HashMap,
    net::{IpAddr, Ipv4Addr, Ipv6Addr},
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Links of a chain of aliases that are followed.
const CHAIN: usize = 8;

/// One record of an answer. Its time to live is 0.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Data {
    /// An address of either family.
    Address(IpAddr),
    /// An alias; it is followed when the other name is scripted too.
    Cname(String),
    /// An alias for everything below the name.
    Dname(String),
    /// An HTTPS record (RFC 9460) of priority 1 with addresses as hints.
    Https {
        /// Another host name; `.` is the name itself.
        target: String,
        /// The hints.
        hints: Vec<IpAddr>,
    },
    /// The same as an SVCB record.
    Svcb {
        /// Another host name; `.` is the name itself.
        target: String,
        /// The hints.
        hints: Vec<IpAddr>,
    },
    /// A service at a host and port.
    Srv {
        /// The host.
        target: String,
        /// The port.
        port: u16,
    },
    /// Text.
    Text(Vec<u8>),
}

/// How a question fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rcode {
    /// The server failed.
    ServFail,
    /// There is no such name.
    NxDomain,
    /// The server does not want to answer.
    Refused,
}

/// How a name is answered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answers {
    /// These records, in this order; those of the type that was asked for, and aliases.
    Fixed(Vec<Data>),
    /// The first `times` questions *of each type* get `first`, later ones `then`: rebinding.
    Flip {
        /// Early answers.
        first: Vec<Data>,
        /// How many questions of a type get them.
        times: u32,
        /// Later answers.
        then: Vec<Data>,
    },
    /// The address that the name spells, for the names below this one: `10-0-0-5.zone`, `10.0.0.5.zone`, `10_0_0_5.zone`,
    /// `0a000005.zone`, with any labels before it.
    Spelled,
    /// An error.
    Fail(Rcode),
    /// Over UDP, no records but the demand to ask by TCP, where the other is given.
    Truncated(Box<Answers>),
    /// The other, after a time.
    Delay(Duration, Box<Answers>),
    /// No answer at all.
    Never,
}

impl Answers {
    /// These addresses, in this order.
    pub fn addresses(addresses: impl IntoIterator<Item = IpAddr>) -> Self {
        Self::Fixed(addresses.into_iter().map(Data::Address).collect())
    }
}

/// Which server a name is scripted at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Server {
    /// Whichever is asked, unless that server has the name itself.
    Any,
    /// The one at this address.
    At(IpAddr),
}

/// The names of a run.
#[derive(Debug, Default)]
pub struct Names(Mutex<HashMap<(Server, String), Entry>>);

#[derive(Debug)]
struct Entry {
    answers: Answers,
    below: bool,
    asked: HashMap<u16, u32>,
}

/// What to answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// Owner names and records.
    pub(super) records: Vec<(String, Data)>,
    pub(super) rcode: Option<Rcode>,
    pub(super) delay: Duration,
    pub(super) truncated: bool,
    pub(super) never: bool,
}

impl Names {
    /// Scripts a name, without final dot, in any case.
    pub fn set(&self, server: Server, name: &str, answers: Answers) {
        self.insert(server, name, answers, false);
    }

    /// Scripts a name and all names below it that have no script of their own.
    pub fn set_zone(&self, server: Server, name: &str, answers: Answers) {
        self.insert(server, name, answers, true);
    }

    /// How many questions of a type (1 is A, 28 is AAAA, 65 is HTTPS) were put for a scripted name or zone.
    #[must_use]
    pub fn asked(&self, server: Server, name: &str, kind: u16) -> u32 {
        self.locked()
            .get(&(server, key(name)))
            .and_then(|entry| entry.asked.get(&kind).copied())
            .unwrap_or(0)
    }

    fn insert(&self, server: Server, name: &str, answers: Answers, below: bool) {
        let asked = HashMap::new();
        self.locked().insert(
            (server, key(name)),
            Entry {
                answers,
                below,
                asked,
            },
        );
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, HashMap<(Server, String), Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What this server answers to a question, the question counted.
    pub(super) fn find(&self, server: IpAddr, name: &str, kind: u16) -> Plan {
        let mut plan = Plan {
            records: Vec::new(),
            rcode: None,
            delay: Duration::ZERO,
            truncated: false,
            never: false,
        };
        let mut name = key(name);
        for _ in 0..CHAIN {
            let answers = self.answers(server, &name, kind);
            match plan.take(&name, answers, kind) {
                Some(next) => name = next,
                None => break,
            }
        }
        plan
    }

    /// The name's script as it stands at this question, and the zone that it is from.
    fn answers(&self, server: IpAddr, name: &str, kind: u16) -> Option<(String, Answers)> {
        // RFC 6761: a resolver answers it with loopback, whatever anybody scripts.
        if name == "localhost" || name.ends_with(".localhost") {
            let both: [IpAddr; 2] = [Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()];
            return Some((name.into(), Answers::addresses(both)));
        }
        let mut entries = self.locked();
        let mut zone = name;
        loop {
            for server in [Server::At(server), Server::Any] {
                if let Some(entry) = entries.get_mut(&(server, zone.to_string()))
                    && (entry.below || zone == name)
                {
                    let asked = entry.asked.entry(kind).or_default();
                    *asked += 1;
                    let answers = entry.answers.at_question(*asked);
                    return Some((zone.to_string(), answers));
                }
            }
            zone = zone.split_once('.')?.1;
        }
    }
}

impl Answers {
    /// Flips resolved to what the `asked`th question of its type gets, from 1.
    fn at_question(&self, asked: u32) -> Answers {
        match self {
            Answers::Flip { first, times, then } => {
                Answers::Fixed(if asked <= *times { first } else { then }.clone())
            }
            Answers::Truncated(inner) => Answers::Truncated(inner.at_question(asked).into()),
            Answers::Delay(time, inner) => Answers::Delay(*time, inner.at_question(asked).into()),
            other => other.clone(),
        }
    }
}

impl Plan {
    /// Adds what is known of a name; returns the name that it is an alias of.
    fn take(
        &mut self,
        name: &str,
        answers: Option<(String, Answers)>,
        kind: u16,
    ) -> Option<String> {
        let Some((zone, answers)) = answers else {
            // The end of a chain that leads out of what is scripted is no answer, but no error either.
            if self.records.is_empty() {
                self.rcode = Some(Rcode::NxDomain);
            }
            return None;
        };
        match answers {
            Answers::Fixed(records) => {
                let mut next = None;
                for data in records {
                    match &data {
                        Data::Cname(target) if kind != 5 => next = Some(key(target)),
                        // What is below the name moves; the name itself does not.
                        Data::Dname(target) if kind != 39 && zone != name => {
                            let front = &name[..name.len() - zone.len()];
                            let alias = format!("{front}{}", key(target));
                            self.records.push((zone.clone(), data));
                            self.records.push((name.into(), Data::Cname(alias.clone())));
                            next = Some(alias);
                            continue;
                        }
                        _ if data.kind() == kind || kind == 255 => {}
                        _ => continue,
                    }
                    self.records.push((name.into(), data));
                }
                next
            }
            Answers::Flip { .. } => None,
            Answers::Spelled => {
                let front = name.strip_suffix(&zone).unwrap_or_default();
                match spelled(front.trim_end_matches('.')) {
                    Some(address) => {
                        let data = Data::Address(address.into());
                        if data.kind() == kind {
                            self.records.push((name.into(), data));
                        }
                    }
                    None => self.rcode = Some(Rcode::NxDomain),
                }
                None
            }
            Answers::Fail(rcode) => {
                self.rcode = Some(rcode);
                None
            }
            Answers::Truncated(inner) => {
                self.truncated = true;
                self.take(name, Some((zone, *inner)), kind)
            }
            Answers::Delay(time, inner) => {
                self.delay += time;
                self.take(name, Some((zone, *inner)), kind)
            }
            Answers::Never => {
                self.never = true;
                None
            }
        }
    }
}

impl Data {
    /// The number of its type.
    pub(super) fn kind(&self) -> u16 {
        match self {
            Data::Address(IpAddr::V4(_)) => 1,
            Data::Address(IpAddr::V6(_)) => 28,
            Data::Cname(_) => 5,
            Data::Dname(_) => 39,
            Data::Https { .. } => 65,
            Data::Svcb { .. } => 64,
            Data::Srv { .. } => 33,
            Data::Text(_) => 16,
        }
    }
}

fn key(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// The address that the last labels spell.
fn spelled(labels: &str) -> Option<Ipv4Addr> {
    let last = labels.rsplit('.').next()?;
    let parts: Vec<&str> = match last.contains(['-', '_']) {
        true => last.split(['-', '_']).collect(),
        false => labels.split('.').collect(),
    };
    let four = parts
        .len()
        .checked_sub(4)
        .map(|from| parts[from..].join("."));
    four.and_then(|text| text.parse().ok()).or_else(|| {
        let hex = (last.len() == 8).then(|| u32::from_str_radix(last, 16).ok());
        hex.flatten().map(Ipv4Addr::from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: u16 = 1;
    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::new(10, 0, 0, 53));

    fn address(last: u8) -> Data {
        Data::Address([10, 0, 0, last].into())
    }

    fn found(names: &Names, name: &str, kind: u16) -> Vec<Data> {
        let plan = names.find(HERE, name, kind);
        plan.records.into_iter().map(|(_, data)| data).collect()
    }

    #[test]
    fn a_flip_counts_each_type_for_itself() {
        let names = Names::default();
        let flip = Answers::Flip {
            first: vec![address(1), Data::Address(Ipv6Addr::LOCALHOST.into())],
            times: 2,
            then: vec![address(2)],
        };
        names.set(Server::Any, "a.test.", flip);
        let answers: Vec<_> = (0..3).flat_map(|_| found(&names, "A.Test", A)).collect();
        assert_eq!(answers, [address(1), address(1), address(2)]);
        assert_eq!(found(&names, "a.test", 28).len(), 1);
        assert_eq!(names.asked(Server::Any, "a.test", A), 3);
    }

    #[test]
    fn servers_differ_and_chains_are_followed() {
        let names = Names::default();
        names.set(Server::Any, "a.test", Answers::Fixed(vec![address(1)]));
        names.set(Server::At(HERE), "a.test", Answers::Fixed(vec![address(2)]));
        assert_eq!(found(&names, "a.test", A), [address(2)]);
        let other = names.find([9, 9, 9, 9].into(), "a.test", A);
        assert_eq!(other.records, [("a.test".into(), address(1))]);
        let alias = Data::Cname("A.test".into());
        names.set(Server::Any, "b.test", Answers::Fixed(vec![alias.clone()]));
        assert_eq!(found(&names, "b.test", A), [alias, address(2)]);
        let moved = Data::Dname("test".into());
        names.set_zone(Server::Any, "z.test", Answers::Fixed(vec![moved.clone()]));
        let alias = Data::Cname("a.test".into());
        assert_eq!(found(&names, "a.z.test", A), [moved, alias, address(2)]);
        assert_eq!(names.find(HERE, "c.test", A).rcode, Some(Rcode::NxDomain));
        assert!(found(&names, "localhost", A) == [Data::Address(Ipv4Addr::LOCALHOST.into())]);
    }

    #[test]
    fn addresses_in_names_are_read_in_every_spelling() {
        let names = Names::default();
        names.set_zone(Server::Any, "ip.test", Answers::Spelled);
        for front in ["10-0-0-5", "10.0.0.5", "10_0_0_5", "0a000005", "x.10-0-0-5"] {
            assert_eq!(found(&names, &format!("{front}.ip.test"), A), [address(5)]);
        }
        let plan = names.find(HERE, "nonsense.ip.test", A);
        assert_eq!(plan.rcode, Some(Rcode::NxDomain));
    }
}
