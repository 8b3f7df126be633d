//! Unix sockets of the harness: services of the machine that are not the target's.
//!
//! Owns the socket in the file system and the recording of who comes there. What is asked for is of no
//! account: to be there is enough.

use std::{
    fs::Permissions,
    future::Future,
    io,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{UnixListener, UnixStream},
    task::{AbortHandle, JoinSet},
};

use super::{
    glass::Shared,
    log::{Hit, Kind},
    nonce::Nonce,
};

/// Where peers of a Unix socket come from: nowhere on the network.
const NOWHERE: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);
/// How long a peer that says nothing is waited for.
const PATIENCE: Duration = Duration::from_secs(2);
/// What is kept of a request.
const PIECE: usize = 16 << 10;

/// A Unix socket at which the harness listens. Dropped, it is gone.
#[derive(Debug)]
pub struct Socket {
    path: PathBuf,
    task: Option<AbortHandle>,
}

impl Socket {
    pub(super) fn ended_by(mut self, task: AbortHandle) -> Self {
        self.task = Some(task);
        self
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            task.abort();
        }
        // The target may have removed it.
        let _gone = std::fs::remove_file(&self.path);
    }
}

/// Binds the socket; the future accepts until it is dropped.
pub(super) fn listen(
    shared: Arc<Shared>,
    path: &Path,
    nonce: &Nonce,
    text: String,
) -> io::Result<(Socket, impl Future<Output = ()> + Send + use<>)> {
    let listener = UnixListener::bind(path)?;
    let socket = Socket {
        path: path.to_owned(),
        task: None,
    };
    std::fs::set_permissions(path, Permissions::from_mode(0o666))?;
    let (place, nonce) = (path.to_owned(), nonce.clone());
    let accept = async move {
        let mut talks = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        let hit = Hit {
                            nonce: Some(nonce.clone()),
                            socket: Some(place.clone()),
                            connection: Some(shared.connection()),
                            ..Hit::new(Kind::Connection, NOWHERE, NOWHERE)
                        };
                        talks.spawn(converse(Arc::clone(&shared), stream, hit, text.clone()));
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
                },
                Some(_) = talks.join_next() => {}
            }
        }
    };
    Ok((socket, accept))
}

async fn converse(shared: Arc<Shared>, mut stream: UnixStream, met: Hit, text: String) {
    shared.hits.push(met.clone());
    let mut bytes = vec![0; PIECE];
    let read = tokio::time::timeout(PATIENCE, stream.read(&mut bytes)).await;
    let length = read.ok().and_then(Result::ok).unwrap_or(0);
    if length > 0 {
        shared.hits.push(Hit {
            kind: Kind::Bytes,
            raw: bytes[..length].into(),
            ..met
        });
    }
    let answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{text}",
        text.len()
    );
    // Who hung up has been seen.
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
