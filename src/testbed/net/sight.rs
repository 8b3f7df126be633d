//! Whether the witnesses of the network are awake.
//!
//! Owns their self-tests: each is shown something of the harness's own and must have it on record.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::atomic::Ordering,
};

use super::{
    glass::Glass,
    guard::SOON,
    log::{Hit, Kind},
    resolver,
};

/// What nobody has (RFC 5737): where self-tests are sent.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// Whether a witness sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sight {
    /// It saw what it was shown, and lost nothing so far.
    Sees,
    /// It cannot be relied on, for this reason.
    Blind(String),
}

/// The witnesses of a glass.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Witnesses {
    /// Connections and requests.
    pub sink: Sight,
    /// Queries.
    pub resolver: Sight,
    /// SYNs, datagrams, echo requests.
    pub packets: Sight,
}

impl Witnesses {
    /// Of all three: blind, for the first reason, when one is.
    #[must_use]
    pub fn together(self) -> Sight {
        [self.sink, self.resolver, self.packets]
            .into_iter()
            .find(|sight| matches!(sight, Sight::Blind(_)))
            .unwrap_or(Sight::Sees)
    }
}

impl Glass {
    /// Shows each witness something, before and after what it is to witness. Hits of it are marked as our own. A
    /// machine under load may be late with what it shows: it is shown up to three times, until all see it.
    pub async fn check(&self) -> Witnesses {
        const LOOKS: usize = 3;
        let mut seen = self.look().await;
        for _ in 1..LOOKS {
            if seen.clone().together() == Sight::Sees {
                break;
            }
            seen = self.look().await;
        }
        seen
    }

    async fn look(&self) -> Witnesses {
        let Some(sealed) = self.sealed() else {
            let blind = Sight::Blind("there is no network namespace".into());
            return Witnesses {
                sink: self.sink_lost().map_or(Sight::Sees, Sight::Blind),
                resolver: blind.clone(),
                packets: blind,
            };
        };
        let next = self.hits().next();
        let (port, closed) = self.check_ports();
        let nonce = self.nonce();
        // Ends must live until they were seen, or their ports would no longer count as ours.
        let connected = match port {
            Some(port) => sealed.connect((ELSEWHERE, port).into()).await.ok(),
            None => None,
        };
        let refused = sealed.connect((ELSEWHERE, closed).into()).await;
        let asked = sealed.datagrams((ELSEWHERE, resolver::PORT).into()).ok();
        if let Some(asked) = &asked {
            let _ = asked.io.send(&resolver::test_question(&nonce)).await;
        }
        let seen = |kind: Kind, port: Option<u16>| {
            let place = port.map(|port| SocketAddr::from((ELSEWHERE, port)));
            let is = move |hit: &Hit| hit.kind == kind && hit.own && Some(hit.local) == place;
            async move { self.hits().wait_for(next, SOON, is).await.is_some() }
        };
        let sight = |lost: Option<String>, seen: bool, what: &str| match (lost, seen) {
            (Some(lost), _) => Sight::Blind(lost),
            (None, false) => Sight::Blind(format!("{what} of our own was not seen")),
            (None, true) => Sight::Sees,
        };
        let (connection, query, syn) = tokio::join!(
            seen(Kind::Connection, port),
            seen(Kind::Query, Some(resolver::PORT)),
            seen(Kind::Syn, Some(closed))
        );
        drop((connected, refused, asked));
        Witnesses {
            sink: sight(self.sink_lost(), connection, "a connection"),
            resolver: sight(self.resolver_lost(), query, "a query"),
            packets: sight(self.packets_lost(), syn, "a packet"),
        }
    }

    fn sink_lost(&self) -> Option<String> {
        let refused = self.shared().refused.load(Ordering::Relaxed);
        (refused > 0).then(|| format!("{refused} connections could not be accepted"))
    }

    fn packets_lost(&self) -> Option<String> {
        if let Some(reason) = self.no_packets() {
            return Some(reason.into());
        }
        let dropped = self.shared().dropped.load(Ordering::Relaxed);
        (dropped > 0).then(|| format!("the kernel dropped {dropped} packets"))
    }

    fn resolver_lost(&self) -> Option<String> {
        self.no_resolver().map(Into::into)
    }
}
