//! Where a probe was seen to hold and to be breached, in words.
//!
//! Owns wording only.

use crate::probe::{Needs, Probe};

/// How the probe is tested.
pub(super) fn tested(probe: &Probe) -> String {
    let flaws = probe.selftest.breached.join(", ");
    match probe.selftest.needs {
        None => format!(
            "`watertight self-test` expects `held` on the sound reference target and `breached` on \
             its flaw {flaws}."
        ),
        Some(Needs::Root) => format!(
            "`watertight self-test`, started by root without namespaces, expects `held` on the \
             sound reference target and `breached` on its flaw {flaws}."
        ),
        Some(Needs::Launcher) => String::from(
            "Only who launches a server can give this to it, so that the tests of the project show it \
             with real launches: `held` in one, `breached` in another.",
        ),
        Some(Needs::Listener) => format!(
            "The tests of the project attach to the reference target over HTTP (`watertight reference \
             --listen`): `held` on the sound one, `breached` on its flaw {flaws}."
        ),
    }
}
