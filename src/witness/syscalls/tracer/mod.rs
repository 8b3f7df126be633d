//! The tracer: a process between the harness and a target, which tells the harness of the calls on the list.
//!
//! Owns starting the target under it and the loop of its stops (ptrace(2)). It is a process of its own because the
//! harness waits for its children elsewhere, and all requests must come from one thread. The target is started by a
//! shim, this program once more: it stops itself until it is seized, puts the filter on, and becomes the target. What
//! the tracer is asked by signals to do it leaves to the target, which is asked too; killed, it takes all with it
//! (`PTRACE_O_EXITKILL`).

mod filter;
mod lead;
mod table;
mod tracee;

use std::{
    collections::HashMap,
    ffi::OsString,
    fs::{File, OpenOptions},
    io::{self, Write as _},
    os::unix::process::CommandExt as _,
    path::Path,
    process::Command,
};

use nix::{
    libc,
    sys::{
        ptrace::{self, Options},
        signal::{SigSet, Signal as Named},
    },
    unistd::Pid as Thread,
};
use rustix::process::{
    DumpableBehavior, Pid, Signal, WaitOptions, WaitStatus, getpid, kill_process,
    set_dumpable_behavior, wait, waitpid,
};

use filter::FOREIGN;
use tracee::{Entered, entered};

use super::{
    EVENTS,
    event::{Deed, Event, Object},
};

/// How a target ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// By itself, with this code.
    Code(u8),
    /// By a signal.
    Signal(i32),
}

impl Ended {
    /// Ends this process in the same way. Returns the code if it is to end by itself.
    #[must_use]
    pub fn follow(self) -> u8 {
        match self {
            Self::Code(code) => code,
            Self::Signal(number) => {
                if let Some(signal) = Signal::from_named_raw(number) {
                    SigSet::all().thread_unblock().ok();
                    let _still_here = kill_process(getpid(), signal);
                }
                // As a shell says it of signals that nobody dies of here.
                u8::try_from(128 + number).unwrap_or(u8::MAX)
            }
        }
    }
}

/// Becomes the target: `command` under the filter, once the tracer has seized this process. Returns only if that
/// fails.
#[must_use]
pub fn become_target(command: &[OsString]) -> io::Error {
    let Some((program, arguments)) = command.split_first() else {
        return io::ErrorKind::InvalidInput.into();
    };
    if let Err(error) = kill_process(getpid(), Signal::STOP) {
        return error.into();
    }
    if let Err(error) = seccompiler::apply_filter(&filter::program()) {
        return io::Error::other(error.to_string());
    }
    Command::new(program).args(arguments).exec()
}

/// Starts `shim`, whose words make this program [become the target](become_target), and tells of its calls until
/// nothing of the target is left.
///
/// # Errors
/// When it cannot be traced, or nobody listens any more; the target has ended then.
pub fn trace(events: &Path, mut shim: Command) -> io::Result<Ended> {
    let events = OpenOptions::new().write(true).open(events)?;
    let child = shim.env_remove(EVENTS).spawn()?;
    let main = Pid::from_child(&child);
    let seized = seize(main);
    if seized.is_err() {
        // It stands still, and nobody else would end it.
        let _gone = kill_process(main, Signal::KILL);
    }
    seized?;
    step_back()?;
    Loop {
        events,
        main,
        entered: HashMap::new(),
        told_foreign: false,
        ended: None,
    }
    .run()
}

fn seize(main: Pid) -> io::Result<()> {
    if !matches!(waitpid(Some(main), WaitOptions::UNTRACED)?, Some((_, status)) if status.stopped())
    {
        return Err(io::Error::other("the target could not be started"));
    }
    let options = Options::PTRACE_O_TRACESYSGOOD
        | Options::PTRACE_O_TRACEFORK
        | Options::PTRACE_O_TRACEVFORK
        | Options::PTRACE_O_TRACECLONE
        | Options::PTRACE_O_TRACEEXEC
        | Options::PTRACE_O_TRACESECCOMP
        | Options::PTRACE_O_EXITKILL;
    ptrace::seize(thread(main), options)?;
    Ok(kill_process(main, Signal::CONT)?)
}

/// Lets go of what is the target's: its pipes, whose ends tell when it is done, and the signals that are meant for
/// it. Nobody may look into this process: it knows where events go.
fn step_back() -> io::Result<()> {
    let nothing = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    rustix::stdio::dup2_stdin(&nothing)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(&nothing)?;
    let mut meant = SigSet::empty();
    for signal in [
        Named::SIGHUP,
        Named::SIGINT,
        Named::SIGQUIT,
        Named::SIGTERM,
        Named::SIGUSR1,
        Named::SIGUSR2,
        Named::SIGTSTP,
        Named::SIGTTIN,
        Named::SIGTTOU,
    ] {
        meant.add(signal);
    }
    meant.thread_block()?;
    Ok(set_dumpable_behavior(DumpableBehavior::NotDumpable)?)
}

fn thread(pid: Pid) -> Thread {
    Thread::from_raw(pid.as_raw_pid())
}

struct Loop {
    events: File,
    main: Pid,
    /// Threads inside of a call.
    entered: HashMap<Pid, Entered>,
    told_foreign: bool,
    /// How the launched process ended; others of the target may outlive it.
    ended: Option<Ended>,
}

/// How a thread goes on.
#[derive(Debug, Clone, Copy)]
enum On {
    /// Until the next call on the list.
    Freely,
    /// Until its call returns.
    ToReturn,
    /// Stopped, as it was told to be, until it is told to go on.
    Stopped,
}

impl Loop {
    fn run(mut self) -> io::Result<Ended> {
        // Threads too, which rustix has no name for.
        let all = WaitOptions::from_bits_retain(libc::__WALL.cast_unsigned());
        loop {
            let (pid, status) = match wait(all) {
                Ok(Some(found)) => found,
                Ok(None) | Err(rustix::io::Errno::INTR) => continue,
                // Nobody is left.
                Err(rustix::io::Errno::CHILD) => break,
                Err(error) => return Err(error.into()),
            };
            if let Some(signal) = status.stopping_signal() {
                self.stopped(pid, status, signal)?;
                continue;
            }
            self.entered.remove(&pid);
            if pid == self.main {
                let code = status.exit_status().map(|code| Ended::Code(code as u8));
                self.ended = code.or_else(|| status.terminating_signal().map(Ended::Signal));
            }
        }
        Ok(self.ended.unwrap_or(Ended::Code(u8::MAX)))
    }

    fn stopped(&mut self, pid: Pid, status: WaitStatus, signal: i32) -> io::Result<()> {
        /// A stop at a call, by `PTRACE_O_TRACESYSGOOD`.
        const RETURNED: i32 = libc::SIGTRAP | 0x80;
        let (on, signal) = match (status.as_raw() >> 16, signal) {
            (libc::PTRACE_EVENT_SECCOMP, _) => (self.entering(pid)?, 0),
            (libc::PTRACE_EVENT_EXEC, _) => {
                // Whichever thread it was, it has the number of the process now.
                let former = ptrace::getevent(thread(pid)).ok();
                let former = former.and_then(|former| Pid::from_raw(former as i32));
                let call = former.and_then(|former| self.entered.remove(&former));
                let returns = call.is_some();
                self.entered.extend(call.map(|call| (pid, call)));
                (if returns { On::ToReturn } else { On::Freely }, 0)
            }
            (libc::PTRACE_EVENT_STOP, stop) if is_stop(stop) => (On::Stopped, 0),
            (0, RETURNED) => {
                if let Some(call) = self.entered.remove(&pid) {
                    for event in call.left(thread(pid)) {
                        self.tell(&event)?;
                    }
                }
                (On::Freely, 0)
            }
            (0, signal) => (On::Freely, signal),
            _ => (On::Freely, 0),
        };
        go_on(pid, on, signal);
        Ok(())
    }

    fn entering(&mut self, pid: Pid) -> io::Result<On> {
        if ptrace::getevent(thread(pid)) == Ok(FOREIGN.into()) {
            if !std::mem::replace(&mut self.told_foreign, true) {
                self.tell(&Event {
                    pid: pid.as_raw_pid(),
                    call: String::from("?"),
                    deed: Deed::Foreign,
                    object: Object::Nothing,
                    errno: 0,
                    guarded: false,
                })?;
            }
            return Ok(On::Freely);
        }
        let Some(call) = entered(thread(pid)) else {
            return Ok(On::Freely);
        };
        self.entered.insert(pid, call);
        Ok(On::ToReturn)
    }

    fn tell(&mut self, event: &Event) -> io::Result<()> {
        self.events.write_all(&event.line())
    }
}

fn is_stop(signal: i32) -> bool {
    [libc::SIGSTOP, libc::SIGTSTP, libc::SIGTTIN, libc::SIGTTOU].contains(&signal)
}

/// Lets a thread go on. It may be gone already.
///
/// By hand, because the functions of nix know no real-time signals (a server that sets its user in all threads would
/// wait for ever for the one that was swallowed) and no `PTRACE_LISTEN` (one that is stopped would not stay so).
#[expect(
    unsafe_code,
    reason = "ptrace(2) takes pointers for some requests; these take numbers"
)]
fn go_on(pid: Pid, on: On, signal: i32) {
    let request = match on {
        On::Freely => libc::PTRACE_CONT,
        On::ToReturn => libc::PTRACE_SYSCALL,
        On::Stopped => libc::PTRACE_LISTEN,
    };
    let nothing = std::ptr::null_mut::<libc::c_void>();
    // SAFETY: none of these requests reads or writes memory of ours: the address is not used, and the signal is a
    // number.
    let _gone = unsafe {
        libc::ptrace(
            request,
            pid.as_raw_pid(),
            nothing,
            std::ptr::without_provenance_mut::<libc::c_void>(signal.cast_unsigned() as usize),
        )
    };
}
