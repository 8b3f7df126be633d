//! The objects of a proof by the names that the target has for them.
//!
//! Owns the renaming below the allowed directory, which a sandbox may show elsewhere.

use super::bench::{Case, Missing, Site};
use crate::channel::{SlotValue, Values};

/// Names the objects of all inputs as the target has them.
pub(super) fn told(site: &Site<'_>, cases: &mut [Case<'_>; 2], missing: &mut Missing<'_>) {
    let missing = missing.iter_mut().map(|(values, _)| values);
    for values in cases.iter_mut().map(|case| &mut case.values).chain(missing) {
        tell(site, values);
    }
}

fn tell(site: &Site<'_>, values: &mut Values) {
    if site.root == site.told {
        return;
    }
    let (root, told) = (site.root.to_string_lossy(), site.told.to_string_lossy());
    for value in values.values_mut() {
        match value {
            SlotValue::Text(text) => *text = text.replace(&*root, &told),
            SlotValue::Many(texts) => {
                for text in texts {
                    *text = text.replace(&*root, &told);
                }
            }
            SlotValue::Json(_) => {}
        }
    }
}
