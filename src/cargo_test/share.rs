//! One run for many processes: cargo-nextest starts one for each test.
//!
//! Owns the files beside the test program through which they share a report, and what belongs
//! together: processes of one nextest run, at their first attempt. Where the files cannot be had,
//! each process has a run of its own.

use std::{
    env,
    ffi::OsString,
    fs::{self, File},
    io::Write as _,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::report::Report;

/// A report, or why there is none.
pub(super) type Answer = Result<Report, String>;

#[derive(Serialize, Deserialize)]
struct Kept {
    run: String,
    answer: Answer,
}

/// Whether nextest started this process.
pub(super) fn is_nextest() -> bool {
    env::var_os("NEXTEST").is_some()
}

/// The nextest run that this process may share the report of.
fn run() -> Option<String> {
    let first = env::var("NEXTEST_ATTEMPT").is_ok_and(|attempt| attempt == "1");
    env::var("NEXTEST_RUN_ID")
        .ok()
        .filter(|run| first && !run.is_empty())
}

/// The answer of the first process of this nextest run, which `make` makes; nothing when this process
/// is to be on its own.
pub(super) fn shared(make: impl FnOnce() -> Answer) -> Option<Answer> {
    let run = run()?;
    let place = beside("run.json")?;
    let lock = File::create(beside("lock")?).ok()?;
    // Until this process ends, or here.
    lock.lock().ok()?;
    if let Some(kept) = read::<Kept>(&place).filter(|kept| kept.run == run) {
        return Some(kept.answer);
    }
    let answer = make();
    let kept = Kept { run, answer };
    // If it cannot be kept, the next process makes its own.
    let _kept = write(&place, &kept);
    Some(kept.answer)
}

/// Keeps the names of a list for [`listed`].
pub(super) fn keep_list(names: &[&str]) {
    if let Some(place) = beside("list.json").filter(|_| is_nextest()) {
        // Without them nothing can be missed.
        let _kept = write(&place, &names);
    }
}

/// The names that nextest was told, if it is nextest that runs this.
pub(super) fn listed() -> Option<Vec<String>> {
    run()?;
    read(&beside("list.json")?)
}

/// `TEST.watertight-WHAT` beside the test program: nobody writes there who may not write the program.
fn beside(what: &str) -> Option<PathBuf> {
    let mut path = OsString::from(env::current_exe().ok()?);
    path.push(format!(".watertight-{what}"));
    Some(path.into())
}

fn read<T: DeserializeOwned>(path: &Path) -> Option<T> {
    serde_json::from_slice(&fs::read(path).ok()?).ok()
}

/// Puts it there whole or not at all.
fn write(path: &Path, value: &impl Serialize) -> std::io::Result<()> {
    let parent = path.parent().unwrap_or(Path::new(""));
    let mut file = tempfile::NamedTempFile::new_in(parent)?;
    file.write_all(&serde_json::to_vec(value)?)?;
    file.persist(path)?;
    Ok(())
}
