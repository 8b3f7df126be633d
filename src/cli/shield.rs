//! What happens when the harness itself fails.
//!
//! Owns the message and the exit code of a panic, wherever it happens: no verdict of such a run can
//! be relied on, and nothing of it may stay behind.

use std::{
    any::Any,
    env,
    panic::{self, AssertUnwindSafe, PanicHookInfo},
    sync::atomic::{AtomicBool, Ordering},
};

use super::print::complain;
use crate::{
    exit::Exit,
    session::{TARGET_THREAD, end_all, printable},
};

/// Characters of a panic's message that are shown.
const SHOWN: usize = 300;

/// What to do about a fault of the harness.
pub(super) const REPORT_IT: &str = "fix: this is a bug, and the run counts for nothing; please \
    report it with the command line, the line above, and the trace that RUST_BACKTRACE=1 adds";

static FAILED: AtomicBool = AtomicBool::new(false);

/// Runs the program. A panic in any thread or task makes the exit code [`Exit::HarnessFault`],
/// even if the run went on; the processes of all targets are ended. Directories go with their
/// owners as the stack unwinds.
pub fn shielded(program: impl FnOnce() -> Exit) -> Exit {
    let usual = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        // A server inside of this process is a target like any other.
        if std::thread::current().name() == Some(TARGET_THREAD) {
            return;
        }
        // One message: what fails afterwards fails because of it.
        if !FAILED.swap(true, Ordering::Relaxed) {
            tell(info);
        }
        // Whoever looks for the fault asks for the trace.
        if env::var_os("RUST_BACKTRACE").is_some_and(|wanted| wanted != "0") {
            usual(info);
        }
    }));
    let ended = panic::catch_unwind(AssertUnwindSafe(program));
    if ended.is_err() {
        end_all();
    }
    match ended {
        Ok(exit) if !FAILED.load(Ordering::Relaxed) => exit,
        _ => Exit::HarnessFault,
    }
}

fn tell(info: &PanicHookInfo<'_>) {
    let place = info
        .location()
        .map(|place| format!(" ({}:{})", place.file(), place.line()))
        .unwrap_or_default();
    complain(&format!(
        "watertight itself failed: {}{place}\n{REPORT_IT}",
        printable(words(info.payload()).as_bytes(), SHOWN)
    ));
}

fn words(payload: &(dyn Any + Send)) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("for an unknown reason")
}

#[cfg(test)]
mod tests {
    use super::*;

    // One test: hook and flag belong to the whole process.
    #[test]
    fn a_panic_anywhere_is_a_fault_of_the_harness() {
        let hook = panic::take_hook();
        assert_eq!(shielded(|| Exit::Breached), Exit::Breached);
        assert_eq!(
            shielded(|| panic!("the main thread panics")),
            Exit::HarnessFault
        );
        FAILED.store(false, Ordering::Relaxed);
        let beside = shielded(|| {
            let thread = std::thread::spawn(|| panic!("another thread panics"));
            assert!(thread.join().is_err());
            Exit::Held
        });
        assert_eq!(beside, Exit::HarnessFault);
        panic::set_hook(hook);
    }
}
