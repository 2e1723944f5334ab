//! The Unix socket on which a running process takes operator commands: `tweeter.sock` in the data directory, accessible
//! to its owner only.

use std::{
    fs::{self, Permissions},
    io,
    os::unix::{
        ffi::OsStrExt,
        fs::{PermissionsExt, symlink},
    },
    path::{Path, PathBuf},
    pin::pin,
    time::Duration,
};

use domain::Clock;
use embedded::copy::Progress;
use tempfile::TempDir;
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{UnixListener, UnixStream},
    sync::watch,
    task::JoinSet,
};
use tokio_util::sync::CancellationToken;
use tracing::{debug, warn};

use crate::{
    layout::SOCKET,
    operator::{Answer, Operator, Question, Reason, Refusal, Request, VERSION},
};

/// Maximum length of a socket path in bytes: 104 with the final NUL on macOS and BSD, 108 on Linux (unix(7)).
const MAX_SOCKET_PATH: usize = 103;
/// Maximum bytes of a request.
const MAX_REQUEST_BYTES: u64 = 1024 * 1024;
/// A connection is closed if it has not sent a complete request within this time.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(10);

/// A path of a directory that is short enough for a socket in it. If the directory's own path exceeds the system's
/// limit, this leads through a symbolic link in the directory for temporary files, which is removed when this value is
/// dropped.
struct ShortPath {
    dir: PathBuf,
    _link: Option<TempDir>,
}

impl ShortPath {
    /// A path of `dir` that leaves room for `name` after it.
    fn to(dir: &Path, name: &str) -> io::Result<Self> {
        if dir.as_os_str().as_bytes().len() + 1 + name.len() <= MAX_SOCKET_PATH {
            return Ok(Self { dir: dir.to_owned(), _link: None });
        }
        let temporary = tempfile::Builder::new().prefix("tweeter").tempdir()?;
        let link = temporary.path().join("d");
        symlink(fs::canonicalize(dir)?, &link)?;
        Ok(Self { dir: link, _link: Some(temporary) })
    }
}

/// The listening socket.
#[derive(Debug)]
pub struct OperatorSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl OperatorSocket {
    /// Listens in `data_dir`, whose lock the caller holds: an existing socket was left by a dead process and is
    /// replaced.
    ///
    /// The socket is bound in a directory that only its owner can enter, restricted to the owner and then moved into
    /// place, so that it is never accessible to others.
    pub fn bind(data_dir: &Path) -> io::Result<Self> {
        let private = tempfile::Builder::new().prefix(".socket").tempdir_in(data_dir)?;
        let listener = {
            let short = ShortPath::to(private.path(), "s")?;
            UnixListener::bind(short.dir.join("s"))?
        };
        let bound = private.path().join("s");
        fs::set_permissions(&bound, Permissions::from_mode(0o600))?;
        let path = data_dir.join(SOCKET);
        fs::rename(bound, &path)?;
        Ok(Self { listener, path })
    }

    /// Answers requests until `stop`, then removes the socket.
    pub async fn serve(self, operator: Operator, clock: Clock, stop: CancellationToken) {
        let mut connections = JoinSet::new();
        loop {
            while connections.try_join_next().is_some() {}
            let accepted = tokio::select! {
                () = stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) => {
                    let (operator, clock) = (operator.clone(), clock.clone());
                    connections.spawn(async move {
                        if let Err(error) = converse(stream, &operator, &clock).await {
                            debug!(%error, "An operator's connection broke");
                        }
                    });
                }
                Err(error) => {
                    warn!(error = telemetry::chain(&error), "Could not accept an operator's connection");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            }
        }
        // The next process would replace the socket, but without it commands notice sooner that none runs.
        let _ = fs::remove_file(&self.path);
        // Lets a running redrive finish before the database is closed.
        let all = async { while connections.join_next().await.is_some() {} };
        if tokio::time::timeout(REQUEST_TIMEOUT, all).await.is_err() {
            warn!("Aborted an operator's command that was still running at the stop");
        }
    }
}

/// Answers one request and closes the connection.
async fn converse(stream: UnixStream, operator: &Operator, clock: &Clock) -> io::Result<()> {
    let (reader, mut writer) = stream.into_split();
    let mut line = String::new();
    let mut reader = BufReader::new(reader.take(MAX_REQUEST_BYTES));
    tokio::time::timeout(REQUEST_TIMEOUT, reader.read_line(&mut line)).await??;
    let answer = match serde_json::from_str::<Request>(&line) {
        Ok(request) if request.v == VERSION => {
            let (progress, mut shown) = watch::channel(None);
            let mut answering = pin!(operator.answer_showing(request.question, clock.now(), progress));
            loop {
                tokio::select! {
                    answer = &mut answering => break answer,
                    // A client that disconnects cancels its request, as nothing receives the progress any more.
                    Ok(()) = shown.changed() => {
                        let now = *shown.borrow_and_update();
                        if let Some(progress) = now {
                            write_line(&mut writer, &Answer::Progress(progress)).await?;
                        }
                    }
                }
            }
        }
        _ => Answer::Refused(Refusal {
            reason: Reason::BadRequest,
            message: format!(
                "the running process speaks version {VERSION} of the operator protocol; use the same version of `tweeter`"
            ),
        }),
    };
    write_line(&mut writer, &answer).await?;
    writer.shutdown().await
}

async fn write_line(writer: &mut (impl AsyncWriteExt + Unpin), answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    writer.write_all(&line).await
}

/// Sends a request to the process that uses `data_dir`. `None` if none listens there.
pub async fn ask(data_dir: &Path, question: &Question) -> io::Result<Option<Answer>> {
    ask_showing(data_dir, question, |_| ()).await
}

/// Like [`ask`], but shows the progress.
pub async fn ask_showing(
    data_dir: &Path,
    question: &Question,
    mut show: impl FnMut(Progress),
) -> io::Result<Option<Answer>> {
    let connected = match ShortPath::to(data_dir, SOCKET) {
        Ok(short) => UnixStream::connect(short.dir.join(SOCKET)).await,
        Err(error) => Err(error),
    };
    let mut stream = match connected {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Ok(None);
        }
        Err(error) => return Err(error),
    };
    let mut line = serde_json::to_vec(&Request { v: VERSION, question: question.clone() })?;
    line.push(b'\n');
    stream.write_all(&line).await?;
    let mut lines = BufReader::new(stream).lines();
    while let Some(line) = lines.next_line().await? {
        match serde_json::from_str(&line)? {
            Answer::Progress(progress) => show(progress),
            answer => return Ok(Some(answer)),
        }
    }
    Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the process ended before it answered"))
}
