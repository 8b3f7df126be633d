//! A target inside of this process: a server that is handed its end of a pipe in memory.
//!
//! Owns the thread that it runs on. A server that blocks, spins or panics harms that thread only; one
//! that does not end when its input does is left behind, and the end of the conversation says so.

use std::{
    any::Any,
    fmt,
    future::Future,
    io,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use tokio::{io::DuplexStream, sync::watch};

/// Name of the threads of such targets: a panic there is the target's.
pub(crate) const THREAD: &str = "watertight-target";

/// Bytes that the pipe holds in each direction.
const PIPE: usize = 64 << 10;

type Served = Pin<Box<dyn Future<Output = Result<(), String>>>>;

/// A server that speaks over a pipe in memory, any number of times.
#[derive(Clone)]
pub struct Inside(Arc<dyn Fn(DuplexStream) -> Served + Send + Sync>);

impl Inside {
    /// The server that `serve` makes for each conversation; its future ends with the conversation.
    pub fn new<F, S>(serve: F) -> Self
    where
        F: Fn(DuplexStream) -> S + Send + Sync + 'static,
        S: Future<Output = Result<(), String>> + 'static,
    {
        Self(Arc::new(move |io| Box::pin(serve(io))))
    }

    /// Starts it on a thread of its own. Returns our end of the pipe, how it ends, and what ends it.
    pub(super) fn start(&self) -> io::Result<Started> {
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let (ended, end) = watch::channel(None);
        let (stop, mut stopped) = watch::channel(false);
        let serve = Arc::clone(&self.0);
        std::thread::Builder::new()
            .name(THREAD.to_owned())
            .spawn(move || {
                let run = || {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .thread_name(THREAD)
                        .build()
                        .map_err(|error| error.to_string())?;
                    let done = runtime.block_on(async {
                        tokio::select! {
                            done = serve(theirs) => done,
                            // Fails when nobody is left who could stop it, which is a stop too.
                            _ = stopped.wait_for(|stop| *stop) => Ok(()),
                        }
                    });
                    runtime.shutdown_timeout(Duration::from_millis(100));
                    done
                };
                let status = match catch_unwind(AssertUnwindSafe(run)) {
                    Ok(Ok(())) => String::from("success"),
                    Ok(Err(error)) => format!("an error: {error}"),
                    Err(panic) => format!("a panic: {}", words(&*panic)),
                };
                ended.send_replace(Some(status));
            })?;
        Ok(Started { ours, end, stop })
    }
}

/// A server that was started.
pub(super) struct Started {
    pub(super) ours: DuplexStream,
    pub(super) end: watch::Receiver<Option<String>>,
    pub(super) stop: watch::Sender<bool>,
}

impl fmt::Debug for Inside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Inside")
    }
}

/// They are the same server.
impl PartialEq for Inside {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }
}

impl Eq for Inside {}

fn words(panic: &(dyn Any + Send)) -> String {
    panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_default()
}
