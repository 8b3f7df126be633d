//! Ctrl-C and its relatives.
//!
//! Owns which signals ask a run to end. What ending means is told where the run is driven.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::failure::Failure;
use crate::{exit::Exit, session::claim_orphans, testbed::namespace::Bottle};

/// Listens for signals that ask the program to end. From its making on they no longer end it, also
/// those that come while nobody waits: the next wait returns at once.
#[derive(Debug)]
pub(super) struct Interrupts {
    #[cfg(unix)]
    signals: Vec<(SignalKind, Signal)>,
}

impl Interrupts {
    /// Listens for `SIGINT`, `SIGTERM` and `SIGHUP`, except those that whoever started us had
    /// ignored, as nohup(1) does.
    ///
    /// # Errors
    /// When the system refuses to install a handler.
    #[cfg(unix)]
    pub(super) fn listen() -> io::Result<Self> {
        let ignored = ignored();
        let signals = [
            SignalKind::interrupt(),
            SignalKind::terminate(),
            SignalKind::hangup(),
        ]
        .into_iter()
        .filter(|kind| ignored >> (kind.as_raw_value() - 1) & 1 == 0)
        .map(|kind| Ok((kind, signal(kind)?)))
        .collect::<io::Result<_>>()?;
        Ok(Self { signals })
    }

    /// Listens for Ctrl-C.
    ///
    /// # Errors
    /// Never; the signature is that of other platforms.
    #[cfg(not(unix))]
    pub(super) fn listen() -> io::Result<Self> {
        Ok(Self {})
    }

    /// Makes a process ready for a run: it makes no children but targets, and from here on an interrupt is
    /// heard, not obeyed by the system, since there is something to tidy up.
    ///
    /// # Errors
    /// The exit code, once it is told that interrupts cannot be heard.
    pub(super) fn for_run() -> Result<Self, Exit> {
        claim_orphans();
        let heard = Self::listen().map_err(|error| {
            Failure::Fault(format!("interrupts cannot be heard: {error}")).tell()
        })?;
        if let Some(bottle) = Bottle::around() {
            bottle.listening();
        }
        Ok(heard)
    }

    /// Waits for the next of them, and returns its number.
    pub(super) async fn next(&mut self) -> i32 {
        #[cfg(unix)]
        return std::future::poll_fn(|context| {
            self.signals
                .iter_mut()
                .find_map(|(kind, signal)| {
                    signal
                        .poll_recv(context)
                        .is_ready()
                        .then_some(std::task::Poll::Ready(kind.as_raw_value()))
                })
                .unwrap_or(std::task::Poll::Pending)
        })
        .await;
        #[cfg(not(unix))]
        {
            if tokio::signal::ctrl_c().await.is_err() {
                std::future::pending::<()>().await;
            }
            2
        }
    }
}

/// The signals that this process ignores, signal 1 in the lowest bit: `SigIgn` of proc_pid_status(5).
/// None are known where there is no /proc.
#[cfg(unix)]
fn ignored() -> u64 {
    std::fs::read_to_string("/proc/self/status")
        .ok()
        .and_then(|status| {
            let mask = status
                .lines()
                .find_map(|line| line.strip_prefix("SigIgn:"))?;
            u64::from_str_radix(mask.trim(), 16).ok()
        })
        .unwrap_or(0)
}
