//! The plain, permitted call of each channel, by its role, by which a channel shows that it still works.
//!
//! Owns the declarations in `control.toml`. They use the words of the probe format, so a control
//! is planted, sent and observed by the same code as the twin of an attack.

use std::sync::LazyLock;

use serde::Deserialize;

use crate::{
    channel::{Channel, PathForm},
    probe::{Plant, Role, Variant},
};

/// The plain call of one role.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Plain {
    role: Role,
    /// Only for channels that were proven by one of these.
    #[serde(default)]
    recipes: Vec<String>,
    /// Only for channels that take files of this extension.
    #[serde(default)]
    extension: Option<String>,
    /// Only for channels that take a path in two parameters.
    #[serde(default)]
    split: bool,
    /// Only for channels that take names directly in the allowed directory.
    #[serde(default)]
    bare: bool,
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

impl Plain {
    fn of_any(&self) -> bool {
        self.recipes.is_empty() && self.extension.is_none() && !self.split && !self.bare
    }

    fn fits(&self, channel: &Channel) -> bool {
        let recipe = channel.recipe.as_ref();
        let asked = recipe.is_some_and(|recipe| self.recipes.contains(recipe));
        let split = self.split && channel.form == PathForm::SplitRelative;
        let bare = self.bare && channel.bare;
        let typed = self.extension.as_ref() == Some(&channel.extension);
        self.role == channel.role && (asked || split || bare || typed)
    }
}

static CONTROLS: LazyLock<Vec<Plain>> = LazyLock::new(|| {
    let controls: Controls =
        toml::from_str(include_str!("control.toml")).expect("control.toml is checked by a test");
    controls.control
});

/// The plain call of a channel.
pub(super) fn plain(channel: &Channel) -> Option<&'static Plain> {
    let special = CONTROLS.iter().find(|plain| plain.fits(channel));
    special.or_else(|| of_role(channel.role))
}

/// The plain call of all channels of a role that need no other.
fn of_role(role: Role) -> Option<&'static Plain> {
    CONTROLS
        .iter()
        .find(|plain| plain.role == role && plain.of_any())
}

#[cfg(test)]
mod tests {
    use super::{CONTROLS, of_role};
    use crate::{channel::recipe_of, probe::Role};

    #[test]
    fn every_role_has_a_control_that_fills_its_slots() {
        for role in Role::ALL {
            assert!(of_role(*role).is_some(), "no control for {role}");
        }
        let usual = CONTROLS.iter().filter(|plain| plain.of_any());
        assert_eq!(usual.count(), Role::ALL.len());
        for plain in CONTROLS.iter() {
            for name in &plain.recipes {
                let recipe = recipe_of(plain.role, Some(name)).map(|recipe| recipe.name);
                assert_eq!(recipe, Some(name.as_str()));
            }
        }
    }
}
