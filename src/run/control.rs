//! The plain, permitted call of each role, by which a channel shows that it still works.
//!
//! Owns the declarations in `control.toml`. They use the words of the probe format, so a control
//! is planted, sent and observed by the same code as the twin of an attack.

use std::{collections::HashMap, sync::LazyLock};

use serde::Deserialize;

use crate::probe::{Plant, Role, Variant};

/// The plain call of one role.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plain {
    role: Role,
    /// What it needs.
    #[serde(default, rename = "plant")]
    pub(super) plants: Vec<Plant>,
    /// What is sent.
    pub(super) variant: Variant,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Controls {
    control: Vec<Plain>,
}

static CONTROLS: LazyLock<HashMap<Role, Plain>> = LazyLock::new(|| {
    let controls: Controls =
        toml::from_str(include_str!("control.toml")).expect("control.toml is checked by a test");
    controls
        .control
        .into_iter()
        .map(|plain| (plain.role, plain))
        .collect()
});

/// The plain call of a role.
pub(super) fn plain(role: Role) -> Option<&'static Plain> {
    CONTROLS.get(&role)
}

#[cfg(test)]
mod tests {
    use super::{CONTROLS, plain};
    use crate::probe::Role;

    #[test]
    fn every_role_has_a_control_that_fills_its_slots() {
        for role in Role::ALL {
            assert!(plain(*role).is_some(), "no control for {role}");
        }
        assert_eq!(CONTROLS.len(), Role::ALL.len());
    }
}
