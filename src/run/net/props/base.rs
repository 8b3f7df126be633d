//! What texts say of the base of an API, and the names of a host elsewhere.
//!
//! Owns their values in attack and twin. What becomes of them is looked at elsewhere.

use super::Props;
use crate::{
    channel::NetForm,
    run::{net::Wire, stage::Ask},
    testbed::net::{Answers, Server},
};

impl Props {
    /// Adds what texts say of the base of an API, and the names of the host elsewhere.
    pub(super) fn base(&mut self, wire: Wire<'_>, ask: &Ask<'_>, twin: bool) {
        let base = &wire.hosts.base;
        let elsewhere = format!("away.{}.{}", self.nonce, wire.hosts.domain);
        let value = match ask.host.filter(|_| !twin) {
            Some(address) => {
                for name in [&elsewhere, &format!("{}.{elsewhere}", base.host)] {
                    let answers = Answers::addresses([address]);
                    wire.glass.names().set(Server::Any, name, answers);
                }
                elsewhere
            }
            None => base.host.clone(),
        };
        let lead = match ask.channel.net {
            NetForm::Rooted => "/",
            _ => "",
        };
        let up = if twin { "./" } else { "../" };
        self.values.extend([
            ("net.elsewhere", value),
            ("net.lead", lead.to_owned()),
            ("net.up", up.to_owned()),
        ]);
    }
}
