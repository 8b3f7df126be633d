//! A target and its pipes: those of a launched command, or one in memory.
//!
//! Owns the child process, its bytes and its end. rmcp's own child transport was measured to
//! deadlock on chatty servers, to hang on those that stop reading, and to hide the exit status;
//! here each pipe has a task of its own, and a stuck one cannot hold up another. Knows nothing of
//! what the messages mean: the board does.

mod members;
mod transport;

use std::{
    collections::VecDeque,
    io,
    process::Stdio,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use rmcp::model::ServerJsonRpcMessage;
use tokio::{
    process::Command,
    sync::{mpsc, watch},
    task::JoinHandle,
};

use super::{
    Death, Ending, Inside, Launch,
    board::Board,
    error::{OpenError, StderrTail, Unfit},
    group::Group,
    inside::Started,
    printable, processes,
    pumps::{self, LAST_WORDS, Unfinished},
    reaper::Tree,
    serving,
};
use transport::LinkTransport;

/// How often it is looked whether all was looked at.
const SOON: Duration = Duration::from_millis(2);
/// Bytes that may wait to be written while the target does not read.
const BACKLOG: usize = 64 << 20;

/// What ends with the link.
#[derive(Debug)]
enum Body {
    /// A command and all that it started.
    Processes(Arc<Tree>),
    /// A thread of ours, which ends when this is true.
    Thread(watch::Sender<bool>),
}

/// The target and its pipes.
#[derive(Debug)]
pub(super) struct Link {
    /// Of a launched command.
    pub(super) pid: Option<u32>,
    /// Inodes of its standard input and output, as far as they are known.
    pipes: Vec<u64>,
    board: Arc<Board>,
    body: Body,
    /// Of a target that is bounded as a whole.
    group: Mutex<Option<Group>>,
    outgoing: Mutex<Option<mpsc::UnboundedSender<Arc<[u8]>>>>,
    incoming: Mutex<Option<mpsc::Receiver<ServerJsonRpcMessage>>>,
    exit: watch::Receiver<Option<String>>,
    backlog: Arc<Mutex<usize>>,
    /// Reads of standard error that were not looked at yet.
    behind: Arc<AtomicUsize>,
    stderr: Arc<Mutex<VecDeque<String>>>,
    unfinished: Unfinished,
    complaint: Unfinished,
    writer: JoinHandle<()>,
    tasks: Vec<JoinHandle<()>>,
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn shown(unfinished: &Unfinished) -> Option<String> {
    let bytes = locked(unfinished);
    (!bytes.is_empty()).then(|| printable(&bytes, pumps::UNFINISHED))
}

fn spawn_error(launch: &Launch, error: io::Error) -> OpenError {
    let program = launch.program.clone();
    if !launch.cwd.is_dir() {
        return OpenError::NoWorkingDirectory(launch.cwd.clone());
    }
    match error.kind() {
        io::ErrorKind::NotFound if std::path::Path::new(&program).is_file() => {
            OpenError::NotExecutable {
                program,
                why: Unfit::Interpreter,
            }
        }
        io::ErrorKind::NotFound => OpenError::NotFound { program },
        io::ErrorKind::PermissionDenied => OpenError::NotExecutable {
            program,
            why: Unfit::Permission,
        },
        // ENOEXEC of execve(2): no known format and no `#!` line.
        _ if error.raw_os_error() == Some(8) => OpenError::NotExecutable {
            program,
            why: Unfit::Format,
        },
        _ => OpenError::Spawn {
            program,
            source: error,
        },
    }
}

impl Link {
    /// Launches the command and starts to pump its pipes.
    pub(super) fn spawn(launch: &Launch, board: Arc<Board>) -> Result<Arc<Self>, OpenError> {
        let words = [&launch.program].into_iter().chain(&launch.args);
        let mut words = launch.by.iter().chain(words);
        let mut command = Command::new(words.next().unwrap_or(&launch.program));
        command
            .args(words)
            .env_clear()
            .envs(&launch.env)
            .current_dir(&launch.cwd)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        #[cfg(unix)]
        command.process_group(0);
        let launching = Tree::launching();
        let mut child = command
            .spawn()
            .map_err(|error| spawn_error(launch, error))?;
        let pid = child.id().ok_or_else(|| OpenError::Other {
            target: launch.program.clone(),
            why: "it has no pid".into(),
        })?;
        let tree = Tree::new(launching, pid, &launch.env);
        let (stdin, stdout, stderr) = (
            child.stdin.take().expect("stdin was asked to be piped"),
            child.stdout.take().expect("stdout was asked to be piped"),
            child.stderr.take().expect("stderr was asked to be piped"),
        );
        let pipes = serving::pipes(&stdin, &stdout);
        let (outgoing, queue) = mpsc::unbounded_channel();
        // Bounded: while rmcp is busy, the target waits, not our memory.
        let (deliver, incoming) = mpsc::channel(256);
        let (exited, exit) = watch::channel(None);
        let (closed, output_end) = watch::channel(false);
        let (backlog, behind) = (Arc::new(Mutex::new(0)), Arc::default());
        let tail = Arc::new(Mutex::new(VecDeque::new()));
        let (unfinished, complaint) = (Unfinished::default(), Unfinished::default());
        let writer = tokio::spawn(pumps::write(
            stdin,
            queue,
            Arc::clone(&board),
            Arc::clone(&backlog),
        ));
        let tasks = vec![
            tokio::spawn(pumps::read(
                stdout,
                deliver,
                Arc::clone(&board),
                closed,
                Arc::clone(&unfinished),
            )),
            tokio::spawn(pumps::complain(
                stderr,
                Arc::clone(&board),
                Arc::clone(&tail),
                Arc::clone(&complaint),
                Arc::clone(&behind),
            )),
            tokio::spawn(pumps::attend(
                child,
                exited,
                exit.clone(),
                output_end,
                Arc::clone(&board),
                Arc::clone(&tree),
            )),
        ];
        Ok(Arc::new(Link {
            pid: Some(pid),
            pipes,
            board,
            body: Body::Processes(tree),
            group: Mutex::default(),
            outgoing: Mutex::new(Some(outgoing)),
            incoming: Mutex::new(Some(incoming)),
            exit,
            backlog,
            behind,
            stderr: tail,
            unfinished,
            complaint,
            writer,
            tasks,
        }))
    }

    /// Starts a server inside of this process.
    pub(super) fn inside(inside: &Inside, board: Arc<Board>) -> Result<Arc<Self>, OpenError> {
        let Started { ours, end, stop } = inside.start().map_err(|error| OpenError::Other {
            target: String::from("the server in this process"),
            why: error.to_string(),
        })?;
        let (output, input) = tokio::io::split(ours);
        let (outgoing, queue) = mpsc::unbounded_channel();
        let (deliver, incoming) = mpsc::channel(256);
        let (closed, _unheard) = watch::channel(false);
        let backlog = Arc::new(Mutex::new(0));
        let unfinished = Unfinished::default();
        let writer = tokio::spawn(pumps::write(
            input,
            queue,
            Arc::clone(&board),
            Arc::clone(&backlog),
        ));
        let (mut ended, mourner) = (end.clone(), Arc::clone(&board));
        let tasks = vec![
            tokio::spawn(pumps::read(
                output,
                deliver,
                Arc::clone(&board),
                closed,
                Arc::clone(&unfinished),
            )),
            tokio::spawn(async move {
                let Ok(status) = ended.wait_for(Option::is_some).await.map(|end| end.clone())
                else {
                    return;
                };
                // Its last words are still in the pipe.
                tokio::time::sleep(LAST_WORDS).await;
                mourner.die(Death::Exited(status.unwrap_or_default()));
            }),
        ];
        Ok(Arc::new(Link {
            pid: None,
            pipes: Vec::new(),
            board,
            body: Body::Thread(stop),
            group: Mutex::default(),
            outgoing: Mutex::new(Some(outgoing)),
            incoming: Mutex::new(Some(incoming)),
            exit: end,
            backlog,
            behind: Arc::default(),
            stderr: Arc::default(),
            unfinished,
            complaint: Unfinished::default(),
            writer,
            tasks,
        }))
    }

    /// A transport for rmcp over the pipes. Its request numbers begin at `base`, so that a second
    /// client on the same process does not reuse those of the first.
    pub(super) fn transport(self: &Arc<Self>, base: i64) -> LinkTransport {
        LinkTransport {
            link: Arc::clone(self),
            incoming: locked(&self.incoming).take(),
            base,
        }
    }

    /// The process below the launched command that really serves.
    pub(super) fn serving(&self) -> Result<u32, String> {
        match (self.pid, &self.body) {
            (Some(pid), Body::Processes(tree)) => serving::below(pid, &tree.living(), &self.pipes),
            // It sees what this process sees.
            _ => Ok(std::process::id()),
        }
    }

    /// Exit status or signal, once the process has ended.
    pub(super) fn exit(&self) -> Option<String> {
        self.exit.borrow().clone()
    }

    /// The last lines of standard error, escaped, with one that has not ended yet.
    pub(super) fn stderr(&self) -> StderrTail {
        let lines = locked(&self.stderr).iter().cloned().collect();
        StderrTail([lines, Vec::from_iter(shown(&self.complaint))].concat())
    }

    /// The line of standard output that has not ended yet, escaped: a prompt has no end.
    pub(super) fn unfinished(&self) -> Option<String> {
        shown(&self.unfinished)
    }

    /// Ends the target and everything below it: by the end of its input, then `SIGTERM`, then
    /// `SIGKILL`, with `grace` after each of the first two.
    pub(super) async fn end(&self, grace: Duration) -> Ending {
        if let Body::Processes(tree) = &self.body {
            tree.look();
        }
        locked(&self.outgoing).take();
        // Nobody listens to it any more, and a target must not stand still on a full channel.
        locked(&self.incoming).take();
        // A target that does not even read what was sent will not see the end of its input.
        let reads = *locked(&self.backlog) == 0;
        self.gone(if reads { grace } else { grace.min(LAST_WORDS) })
            .await;
        self.writer.abort();
        let mut killed = Vec::new();
        let mut survivors = Vec::new();
        if !self.gone(Duration::ZERO).await {
            match &self.body {
                Body::Processes(tree) => {
                    killed = tree.signal(processes::Ending::Terminate);
                    if !self.gone(grace).await {
                        let tree = Arc::clone(tree);
                        let (more, left) = tokio::task::spawn_blocking(move || tree.end_now())
                            .await
                            .unwrap_or_default();
                        killed.extend(more);
                        survivors = left;
                    }
                }
                Body::Thread(stop) => {
                    stop.send_replace(true);
                    self.gone(grace).await;
                }
            }
        }
        let group = locked(&self.group).take();
        if let Some(group) = group {
            let _removed = tokio::task::spawn_blocking(|| drop(group)).await;
        }
        killed.sort_unstable();
        killed.dedup();
        let mut exit = self.exit.clone();
        let status = tokio::time::timeout(Duration::from_secs(1), exit.wait_for(Option::is_some))
            .await
            .ok()
            .and_then(|status| status.ok()?.clone());
        // What it complained of, and nobody has looked at yet, is evidence too.
        while self.behind.load(Ordering::Relaxed) > 0 {
            tokio::time::sleep(SOON).await;
        }
        self.board.die(Death::Closed);
        if let Body::Processes(tree) = &self.body
            && survivors.is_empty()
        {
            tree.forget();
        }
        for task in &self.tasks {
            task.abort();
        }
        Ending {
            status,
            killed,
            survivors,
        }
    }

    /// Ends everything at once, without any grace.
    pub(super) fn kill(&self) {
        match &self.body {
            Body::Processes(tree) => {
                let (_, survivors) = tree.end_now();
                if survivors.is_empty() {
                    tree.forget();
                }
            }
            Body::Thread(stop) => {
                stop.send_replace(true);
            }
        }
    }

    async fn gone(&self, patience: Duration) -> bool {
        let until = Instant::now() + patience;
        let mut exit = self.exit.clone();
        // Looking at all processes is dear, so the launched one is waited for first.
        let ended = exit.wait_for(Option::is_some);
        if self.exit().is_none() && tokio::time::timeout_at(until.into(), ended).await.is_err() {
            return false;
        }
        let Body::Processes(tree) = &self.body else {
            return true;
        };
        let mut pause = Duration::from_millis(1);
        loop {
            let living = tree.living();
            if living.is_empty() {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            tokio::time::sleep(pause.min(until.saturating_duration_since(Instant::now()))).await;
            pause = (pause * 2).min(Duration::from_millis(25));
        }
    }

    fn send(&self, bytes: Vec<u8>) -> io::Result<()> {
        let closed = || io::Error::new(io::ErrorKind::NotConnected, "the session was closed");
        {
            let mut backlog = locked(&self.backlog);
            if *backlog + bytes.len() > BACKLOG {
                return Err(io::Error::new(
                    io::ErrorKind::StorageFull,
                    "the target does not read its input, and too much waits for it already",
                ));
            }
            *backlog += bytes.len();
        }
        locked(&self.outgoing)
            .as_ref()
            .ok_or_else(closed)?
            .send(bytes.into())
            .map_err(|_| closed())
    }
}

impl Drop for Link {
    // A session that was not closed (an error, a panic, a cancelled future) leaves nothing either.
    fn drop(&mut self) {
        self.writer.abort();
        for task in &self.tasks {
            task.abort();
        }
        self.kill();
    }
}
