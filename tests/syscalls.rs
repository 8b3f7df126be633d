//! The tracer, on programs that do what is hard to trace: they do it as they would without it, and are seen.

#![cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]

use std::{
    os::unix::process::ExitStatusExt as _,
    path::Path,
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use watertight::witness::syscalls::{Deed, EVENTS, Event, Object, SyscallWitness};

/// Far longer than anything here takes.
const PATIENCE: Duration = Duration::from_secs(60);

fn traced(witness: &SyscallWitness, words: &[&str]) -> Child {
    Command::new(env!("CARGO_BIN_EXE_watertight"))
        .args(["trace", "--"])
        .args(words)
        .env(EVENTS, witness.events_to())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts")
}

fn ended(mut child: Child) -> Output {
    let until = Instant::now() + PATIENCE;
    while child.try_wait().expect("it is our child").is_none() {
        if Instant::now() > until {
            child.kill().expect("it is our child");
            panic!("it hangs");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.wait_with_output().expect("it has ended")
}

/// What a shell script said, how it ended, and what was seen of it.
fn script(script: &str) -> (String, Output, Vec<Event>) {
    let witness = SyscallWitness::start().expect("a pipe can be made");
    let output = ended(traced(&witness, &["sh", "-c", script]));
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    (said, output, witness.since(0).expect("nothing is lost"))
}

#[test]
fn it_ends_as_the_program_does() {
    let (said, output, _) = script("echo \"$WATERTIGHT_TRACE.\"; exit 7");
    assert_eq!((said.as_str(), output.status.code()), (".\n", Some(7)));
    let (_, output, _) = script("kill -TERM $$");
    assert_eq!(output.status.signal(), Some(15));
    let (_, output, _) = script("kill -KILL $$");
    assert_eq!(output.status.signal(), Some(9));
    let witness = SyscallWitness::start().expect("a pipe can be made");
    let output = ended(traced(&witness, &["/no/such/program"]));
    assert_eq!(output.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/no/such/program"));
}

#[test]
fn signals_arrive_and_stops_stop() {
    // A real-time signal, which many tracers swallow; and a stop that lasts until another process ends it.
    let (said, output, _) = script(
        "trap 'echo caught' 37; kill -37 $$; \
         (sleep 0.3; echo before; kill -CONT $$) & kill -STOP $$; echo after; wait; exit 3",
    );
    assert_eq!(said, "caught\nbefore\nafter\n");
    assert_eq!(output.status.code(), Some(3));
}

#[test]
fn who_leaves_the_group_is_not_left_standing() {
    let (said, output, seen) = script("setsid -w sh -c 'cat /no/such/file; echo away' 2>/dev/null");
    assert_eq!((said.as_str(), output.status.code()), ("away\n", Some(0)));
    let missing = |event: &Event| matches!(&event.object, Object::File { named, .. } if named == "/no/such/file");
    assert!(seen.iter().any(missing));
}

#[test]
fn calls_of_children_are_seen_with_what_became_of_them() {
    let place = tempfile::tempdir().expect("a directory");
    let at = place.path().canonicalize().expect("it is there");
    let at = at.display();
    let (_, _, seen) = script(&format!(
        "cd {at}; echo x > made; ln -s made link; (cat link; cat gone; rm made) >/dev/null 2>&1 & wait"
    ));
    let of = |name: &str, deed: Deed| {
        let named = format!("{at}/{name}");
        seen.iter().find(|event| {
            event.deed == deed
                && matches!(&event.object, Object::File { named: it, .. } if *it == named)
        })
    };
    let id = |event: Option<&Event>| match event.expect("it was seen").object {
        Object::File { id, .. } => id.expect("it was there"),
        _ => unreachable!("it is a file"),
    };
    let made = id(of("made", Deed::Write));
    assert_eq!(id(of("link", Deed::Read)), made, "by whatever name");
    let gone = of("gone", Deed::Read).expect("it was tried");
    assert_eq!(gone.errno, 2);
    let removed = seen
        .iter()
        .any(|event| event.call.starts_with("unlink") && event.errno == 0);
    assert!(removed);
}

/// Threads, vfork(2), a signal of the C library's to all threads, a call of another architecture, and an exec(2) from a
/// thread that is not the first.
#[test]
fn what_is_hard_to_trace_does_not_hang() {
    const HARD: &str = r#"
import ctypes, mmap, os, platform, signal, subprocess, threading, time
print(subprocess.run(["/bin/echo", "vforked"], capture_output=True, text=True).stdout.strip())
def read():
    for _ in range(50):
        open("/etc/passwd").close()
threads = [threading.Thread(target=read) for _ in range(8)]
[thread.start() for thread in threads]; [thread.join() for thread in threads]
waiting = threading.Barrier(5)
for _ in range(4):
    threading.Thread(target=lambda: (waiting.wait(), time.sleep(60)), daemon=True).start()
waiting.wait()
print("setgid", ctypes.CDLL(None).setgid(os.getgid()))
if platform.machine() == "x86_64":
    code = mmap.mmap(-1, 4096, prot=7)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")  # getpid(2) of 32-bit programs
    call = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    print("foreign", call() in (os.getpid(), -38))
print(flush=True)
threading.Thread(target=lambda: os.execv("/bin/sh", ["sh", "-c", "echo became; exit 7"])).start()
time.sleep(60)
"#;
    if Command::new("python3").arg("--version").output().is_err() {
        return;
    }
    let plain = Command::new("python3")
        .args(["-c", HARD])
        .output()
        .expect("it runs");
    let witness = SyscallWitness::start().expect("a pipe can be made");
    let output = ended(traced(&witness, &["python3", "-c", HARD]));
    let text = |output: &Output| String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(text(&output), text(&plain));
    assert_eq!(output.status.code(), Some(7));
    assert_eq!(witness.hidden().is_some(), text(&plain).contains("foreign"));
}

/// Nobody is traced by two: to whom is traced already, tracing is forbidden.
#[test]
fn where_tracing_is_forbidden_the_fix_is_told() {
    let program = env!("CARGO_BIN_EXE_watertight");
    let run = [
        program,
        "run",
        "--testbed",
        "host",
        "--witness",
        "syscalls",
        "--",
        program,
        "reference",
        "{allowed}",
    ];
    for (words, code) in [(&run[..], 2), (&[program, "doctor"], 0)] {
        let witness = SyscallWitness::start().expect("a pipe can be made");
        let output = ended(traced(&witness, words));
        let said = String::from_utf8_lossy(&[output.stderr, output.stdout].concat()).into_owned();
        let joined = said.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(joined.contains("ptrace_scope=1"), "{said}");
        // What else is missing on the machine, doctor says too.
        assert!(output.status.code() == Some(code) || code == 0, "{said}");
    }
}

#[test]
fn with_the_tracer_all_of_the_target_goes() {
    let witness = SyscallWitness::start().expect("a pipe can be made");
    let mut tracer = traced(&witness, &["sh", "-c", "sleep 600 & sleep 600"]);
    let until = Instant::now() + PATIENCE;
    let asleep = loop {
        let seen = witness.since(0).expect("nothing is lost");
        let named = |event: &&Event| match &event.object {
            Object::File { named, .. } => {
                event.errno == 0 && event.call == "execve" && Path::new(named).ends_with("sleep")
            }
            _ => false,
        };
        let found: Vec<i32> = seen.iter().filter(named).map(|event| event.pid).collect();
        if found.len() == 2 {
            break found;
        }
        assert!(Instant::now() < until, "they never slept");
        std::thread::sleep(Duration::from_millis(5));
    };
    // It leaves to the target what the target is asked.
    let pid = Pid::from_child(&tracer);
    kill_process(pid, Signal::TERM).expect("it is our child");
    std::thread::sleep(Duration::from_millis(50));
    assert!(tracer.try_wait().expect("it is our child").is_none());
    tracer.kill().expect("it is our child");
    tracer.wait().expect("it is our child");
    for pid in asleep {
        let pid = Pid::from_raw(pid).expect("a process");
        while test_kill_process(pid).is_ok() && !is_dead(pid) {
            assert!(Instant::now() < until, "{pid:?} lives on");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn is_dead(pid: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_pid()));
    status.map_or(true, |status| status.contains("State:\tZ"))
}

/// What is asked of a ring is no system call: the file is read, no event tells of it, and that must not pass for
/// "not attempted".
#[test]
fn a_ring_is_told_to_hide_what_is_done_by_it() {
    const RING: &str = r#"
import ctypes, mmap, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
params = (ctypes.c_uint32 * 30)()
fd = libc.syscall(425, 4, params)  # io_uring_setup(2)
if fd < 0:
    print("no ring"); sys.exit()
sq, cq = params[10:20], params[20:30]  # struct io_sqring_offsets, io_cqring_offsets
ring = mmap.mmap(fd, sq[6] + params[0] * 4, offset=0)
done = mmap.mmap(fd, cq[5] + params[1] * 16, offset=0x8000000)
entries = mmap.mmap(fd, params[0] * 64, offset=0x10000000)
name = ctypes.create_string_buffer(sys.argv[1].encode())
# IORING_OP_OPENAT of AT_FDCWD, O_RDONLY
entries[:64] = struct.pack("<BBHiQQIIQ", 18, 0, 0, -100, 0, ctypes.addressof(name), 0, 0, 7).ljust(64, b"\0")
ring[sq[6]:sq[6] + 4] = struct.pack("<I", 0)
ring[sq[1]:sq[1] + 4] = struct.pack("<I", 1)
print("entered", libc.syscall(426, fd, 1, 1, 1, None, 0))  # io_uring_enter(2), IORING_ENTER_GETEVENTS
opened = struct.unpack("<Qi", done[cq[5]:cq[5] + 12])
print(os.read(opened[1], 99).decode() if opened[1] >= 0 else opened)
"#;
    let place = tempfile::tempdir().expect("a directory");
    let file = place.path().join("forbidden.txt");
    std::fs::write(&file, "by the ring").expect("it can be written");
    let file = file.to_str().expect("it is a text");
    let witness = SyscallWitness::start().expect("a pipe can be made");
    let said = |code: &str| {
        let output = ended(traced(&witness, &["python3", "-c", code, file]));
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    said("import os");
    assert_eq!(witness.hidden(), None);
    let said = said(RING);
    if said == "no ring\n" {
        // Kernels and containers forbid rings; then nothing is done by them either, and nothing is hidden.
        assert_eq!(witness.hidden(), None);
        return;
    }
    assert_eq!(said, "entered 1\nby the ring\n");
    let seen = witness.since(0).expect("nothing is lost");
    let named =
        |event: &&Event| matches!(&event.object, Object::File { named, .. } if named == file);
    assert_eq!(seen.iter().find(named), None);
    assert!(witness.hidden().is_some_and(|why| why.contains("io_uring")));
}
