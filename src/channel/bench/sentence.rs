//! What is planted for tools that execute a sentence: a command, code, a query.
//!
//! Owns where a sentence points and what only executing it answers. The sentences themselves are recipes.

use std::{fs, io, path::PathBuf};

use super::{Planter, common_word, text, word};
use crate::{
    channel::{
        SlotValue,
        evidence::{Evidence, Mark},
        recipe::RunIn,
    },
    probe::Slot,
    testbed::{factors, make},
};

impl Planter<'_> {
    /// A sentence, and what only executing it answers.
    pub(super) fn sentence(&mut self) -> io::Result<(Vec<(Slot, SlotValue)>, Evidence<'static>)> {
        let recipe = self
            .site
            .recipe
            .ok_or_else(|| io::Error::other("nothing is known to ask"))?;
        if let Some(place) = recipe.place {
            let (dir, token) = self.place(place)?;
            let sentence = SlotValue::Text(recipe.about("", "", (1, 1)));
            return Ok((
                vec![(Slot::Text, sentence), (Slot::Cwd, text(&dir))],
                word(&token),
            ));
        }
        let factors = factors();
        let (mut path, mut dir) = (String::new(), String::new());
        let evidence = if recipe.computes() {
            let silent = recipe
                .silent
                .map(|word| vec![Mark::Absent(word.to_owned())]);
            let product = vec![Mark::Number(factors.0 * factors.1)];
            Evidence::Reply([product].into_iter().chain(silent).collect())
        } else {
            let (file, token) = self.secret()?;
            let named = self.dir()?;
            fs::write(named.join(format!("{token}.txt")), "a note\n")?;
            path = file.to_string_lossy().into_owned();
            dir = named.to_string_lossy().into_owned();
            word(&token)
        };
        let sentence = recipe.about(&path, &dir, factors);
        Ok((vec![(Slot::Text, SlotValue::Text(sentence))], evidence))
    }

    /// A directory in which a command shows a fresh word.
    fn place(&mut self, place: RunIn) -> io::Result<(PathBuf, String)> {
        let (dir, token) = (self.dir()?, self.mint());
        match place {
            RunIn::Named => fs::write(dir.join(format!("{token}.txt")), "a note\n")?,
            RunIn::Linked => {
                let link = dir.join(common_word());
                fs::create_dir(dir.join(&token))?;
                std::os::unix::fs::symlink(&token, &link)?;
                return Ok((link, token));
            }
            RunIn::Repo => {
                make::repo(&dir, &format!("A note on {token}"), &token)?;
                fs::write(dir.join(format!("{token}.txt")), "a note\n")?;
            }
        }
        Ok((dir, token))
    }
}
