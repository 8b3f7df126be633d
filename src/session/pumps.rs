//! What each pipe of a launched target does all the time, and who notices its end.
//!
//! Owns the four tasks beside a link: input, output, standard error, and the process itself. They
//! share nothing but the board, so that one which is stuck cannot hold up another.

use std::{
    collections::VecDeque,
    process::ExitStatus,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use futures::FutureExt as _;
use rmcp::model::ServerJsonRpcMessage;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    process::{Child, ChildStderr},
    sync::{mpsc, watch},
};

use super::{
    Death, Direction,
    board::Board,
    lines::{Lines, Piece},
    printable, processes,
    reaper::Tree,
};

/// Time for the last bytes of an ended process to arrive, and for the status of one whose output ended.
pub(super) const LAST_WORDS: Duration = Duration::from_millis(300);
/// Longest line of standard error that is shown whole to the listeners.
const STDERR_LINE: usize = 64 << 10;
/// Lines of standard error kept for messages.
const TAIL: usize = 20;

/// Bytes that are written at once where more wait.
const TOGETHER: usize = 4 << 10;
/// Bytes of one read from which on a target counts as a flood, and others get their turn after it:
/// one that is always ready would keep deadlines and Ctrl-C waiting on a single thread.
const FLOOD: usize = 16 << 10;
/// Reads of standard error that may wait to be looked at. A target that is given megabytes and logs them must not wait
/// for us: what it did not answer meanwhile would be taken for exhaustion.
const AHEAD: usize = 1024;
/// Bytes of a line after which it counts as endless: twice the longest that is decoded by default.
/// Until then it is shown to the listeners: a token in the middle of a huge answer is a token.
const ENDLESS: usize = 32 << 20;
/// Bytes kept of a line that has not ended.
pub(super) const UNFINISHED: usize = 160;

/// The beginning of the line of a stream that has not ended yet.
pub(super) type Unfinished = Arc<Mutex<Vec<u8>>>;

fn note(unfinished: &Unfinished, rest: &[u8]) {
    let mut kept = locked(unfinished);
    kept.clear();
    kept.extend_from_slice(&rest[..rest.len().min(UNFINISHED)]);
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Exit status or signal in words.
fn words(status: ExitStatus) -> String {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return format!("killed by signal {signal}");
    }
    status
        .code()
        .map_or_else(|| status.to_string(), |code| format!("exit status {code}"))
}

pub(super) async fn write(
    mut stdin: impl AsyncWrite + Unpin,
    mut queue: mpsc::UnboundedReceiver<Arc<[u8]>>,
    board: Arc<Board>,
    backlog: Arc<Mutex<usize>>,
) {
    while let Some(mut bytes) = queue.recv().await {
        let sent = |bytes: &Arc<[u8]>| {
            let bytes = Arc::clone(bytes);
            board.transcript.push(Direction::Sent, bytes, false);
        };
        sent(&bytes);
        // What waits goes along: each write wakes the target.
        while bytes.len() < TOGETHER
            && let Ok(more) = queue.try_recv()
        {
            sent(&more);
            bytes = [&*bytes, &*more].concat().into();
        }
        let written = stdin.write_all(&bytes).await;
        *locked(&backlog) -= bytes.len();
        if let Err(error) = written {
            // A target that has just ended closes its input too; its exit status says more.
            tokio::time::sleep(LAST_WORDS * 2).await;
            board.die(Death::ClosedInput(error.to_string()));
        }
    }
    // The end of the input, also where the pipe is one with the output.
    let _gone = stdin.shutdown().await;
}

pub(super) async fn read(
    mut stdout: impl AsyncRead + Unpin,
    deliver: mpsc::Sender<ServerJsonRpcMessage>,
    board: Arc<Board>,
    closed: watch::Sender<bool>,
    unfinished: Unfinished,
) {
    let mut lines = Lines::new(board.limits.line);
    let mut chunk = vec![0; 64 << 10];
    let mut messages = Vec::new();
    loop {
        let read = match stdout.read(&mut chunk).await {
            Ok(0) | Err(_) => break,
            Ok(read) => read,
        };
        let within = board.count(read);
        lines.feed(&chunk[..read], |piece| take(piece, &board, &mut messages));
        note(&unfinished, lines.rest());
        if !within {
            return;
        }
        if lines.overlong() > ENDLESS {
            board.die(Death::Endless(lines.overlong()));
            return;
        }
        if read >= FLOOD {
            tokio::task::yield_now().await;
        }
        for message in messages.drain(..) {
            // When rmcp has left there is nobody to tell, but bytes still count as evidence.
            let _left = deliver.send(message).await;
        }
    }
    if let Some(piece) = lines.finish() {
        take(piece, &board, &mut messages);
    }
    for message in messages.drain(..) {
        let _left = deliver.send(message).await;
    }
    let _nobody_cares = closed.send(true);
    // Keeps the channel to rmcp open until the reason of the end is known.
    board.death().await;
}

fn take(piece: Piece, board: &Board, messages: &mut Vec<ServerJsonRpcMessage>) {
    match piece {
        Piece::Line(line) => {
            board.tap(Arc::clone(&line), false);
            board.receive(&line, |message| messages.push(message));
        }
        Piece::Part(bytes) => board.tap(bytes, true),
        Piece::End { bytes, head, tail } => {
            board.tap(bytes, false);
            messages.extend(board.overlong(&head, &tail));
        }
    }
}

pub(super) async fn complain(
    mut stderr: ChildStderr,
    board: Arc<Board>,
    tail: Arc<Mutex<VecDeque<String>>>,
    unfinished: Unfinished,
    behind: Arc<AtomicUsize>,
) {
    let mut lines = Lines::new(STDERR_LINE);
    let mut chunk = vec![0; FLOOD];
    let mut waiting: VecDeque<Vec<u8>> = VecDeque::new();
    let mut keep = |piece: Piece| {
        let (bytes, partial) = match piece {
            Piece::Line(bytes) | Piece::End { bytes, .. } => (bytes, false),
            Piece::Part(bytes) => (bytes, true),
        };
        let mut tail = locked(&tail);
        if tail.len() == TAIL {
            tail.pop_front();
        }
        tail.push_back(printable(bytes.trim_ascii_end(), 400));
        drop(tail);
        board.transcript.push(Direction::Stderr, bytes, partial);
    };
    let mut open = true;
    loop {
        let idle = waiting.is_empty();
        let read = match open && waiting.len() < AHEAD {
            true if idle => Some(stderr.read(&mut chunk).await),
            true => stderr.read(&mut chunk).now_or_never(),
            false => None,
        };
        match read {
            Some(Ok(read)) if read > 0 => {
                waiting.push_back(chunk[..read].to_vec());
                behind.store(waiting.len(), Ordering::Relaxed);
                open = board.count(read);
                continue;
            }
            Some(_) => open = false,
            None => {}
        }
        let Some(read) = waiting.pop_front() else {
            break;
        };
        lines.feed(&read, &mut keep);
        note(&unfinished, lines.rest());
        behind.store(waiting.len(), Ordering::Relaxed);
        if read.len() >= FLOOD {
            tokio::task::yield_now().await;
        }
    }
    note(&unfinished, &[]);
    if let Some(piece) = lines.finish() {
        keep(piece);
    }
}

/// Waits for the end of the process or of its output, whichever comes first, and says which it
/// was. The process decides, not the pipe: a descendant may hold the pipe for long.
pub(super) async fn attend(
    mut child: Child,
    exited: watch::Sender<Option<String>>,
    mut exit: watch::Receiver<Option<String>>,
    mut output_end: watch::Receiver<bool>,
    board: Arc<Board>,
    tree: Arc<Tree>,
) {
    let looks = async {
        let mut pause = Duration::from_millis(50);
        loop {
            tokio::time::sleep(pause).await;
            tree.look();
            pause = (pause * 2).min(Duration::from_secs(2));
        }
    };
    let ended = async {
        let status = child
            .wait()
            .await
            .map_or_else(|error| format!("its status is unknown: {error}"), words);
        exited.send_replace(Some(status));
        std::future::pending::<()>().await;
    };
    let verdict = async {
        let output_ended = tokio::select! {
            _ = exit.wait_for(Option::is_some) => false,
            // Fails when the reader is gone without a word, which is an end of the output too.
            _ = output_end.wait_for(|end| *end) => true,
        };
        if output_ended {
            let _known = tokio::time::timeout(LAST_WORDS, exit.wait_for(Option::is_some)).await;
        } else {
            let _drained = tokio::time::timeout(LAST_WORDS, output_end.wait_for(|end| *end)).await;
        }
        let status = exit.borrow().clone();
        board.die(status.map_or(Death::ClosedOutput, Death::Exited));
    };
    let overrun = async {
        if board.death().await.is_excess() {
            tree.signal(processes::Ending::Kill);
        }
    };
    tokio::join!(async { tokio::join!(looks, ended) }, verdict, overrun);
}
