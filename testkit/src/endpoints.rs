//! The engines as servers: DynamoDB and SQS over HTTP on the loopback interface, for programs that take an endpoint
//! URL.
//!
//! Each has a thread with a separate runtime. dynoxide works on the calling thread, so on a shared runtime it would
//! block all other tasks.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    sync::Arc,
    thread::{self, JoinHandle},
};

use dynoxide::Database;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustack_sqs_core::{config::SqsConfig, handler::RustackSqsHandler, provider::RustackSqs};
use rustack_sqs_http::service::{SqsHttpConfig, SqsHttpService};
use tokio::{runtime, sync::watch, task::JoinSet};

/// The addresses of DynamoDB and SQS. Dropping this stops both and discards their data, which is in memory.
#[derive(Debug)]
pub struct Endpoints {
    dynamodb: SocketAddr,
    sqs: SocketAddr,
    stop: watch::Sender<bool>,
    threads: Vec<JoinHandle<()>>,
}

impl Endpoints {
    /// Starts both, empty, on these ports of the loopback interface; 0 takes a free one.
    ///
    /// # Errors
    /// When a port is taken, or a thread or the database cannot be created.
    pub fn start(dynamodb_port: u16, sqs_port: u16) -> io::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let (dynamodb, dynamodb_listener) = listen(dynamodb_port)?;
        let (sqs, sqs_listener) = listen(sqs_port)?;
        let database = Database::memory().map_err(io::Error::other)?;
        let threads = vec![
            spawn("dynamodb", stopped.clone(), async move || serve_dynamodb(dynamodb_listener, database).await)?,
            spawn("sqs", stopped, async move || serve_sqs(sqs_listener, sqs).await)?,
        ];
        Ok(Self { dynamodb, sqs, stop, threads })
    }

    /// The value for `AWS_ENDPOINT_URL_DYNAMODB`.
    pub fn dynamodb_url(&self) -> String {
        format!("http://{}", self.dynamodb)
    }

    /// The value for `AWS_ENDPOINT_URL_SQS`.
    pub fn sqs_url(&self) -> String {
        format!("http://{}", self.sqs)
    }

    /// The environment variables that a process needs to use both: the endpoints, a region and credentials (which the
    /// SDK requires and the engines ignore), and the setting that a message's group is not sent as `MessageGroupId`.
    pub fn environment(&self) -> [(&'static str, String); 6] {
        [
            ("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb_url()),
            ("AWS_ENDPOINT_URL_SQS", self.sqs_url()),
            ("AWS_REGION", "us-east-1".to_owned()),
            ("AWS_ACCESS_KEY_ID", "test".to_owned()),
            ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
            ("TWEETER_FAIR_QUEUES", "false".to_owned()),
        ]
    }
}

impl Drop for Endpoints {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            // The thread panicked, which is already reported.
            let _ = thread.join();
        }
    }
}

fn listen(port: u16) -> io::Result<(SocketAddr, TcpListener)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))?;
    listener.set_nonblocking(true)?;
    Ok((listener.local_addr()?, listener))
}

/// Serves on a dedicated thread until `stopped`; requests in progress are then cut off.
fn spawn<S>(name: &str, mut stopped: watch::Receiver<bool>, serve: S) -> io::Result<JoinHandle<()>>
where
    S: AsyncFnOnce() -> io::Result<()> + Send + 'static,
{
    let runtime = runtime::Builder::new_current_thread().enable_all().build()?;
    let work = move || {
        runtime.block_on(async {
            tokio::select! {
                served = serve() => served.expect("a listener serves until it is stopped"),
                // A closed channel also means stop: the sender is dropped only with the endpoints.
                _ = stopped.wait_for(|stopped| *stopped) => {}
            }
        });
    };
    thread::Builder::new().name(name.to_owned()).spawn(work)
}

async fn serve_dynamodb(listener: TcpListener, database: Database) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let forever = std::future::pending();
    dynoxide::server::serve_with_shutdown(listener, database, forever).await.map_err(io::Error::other)
}

async fn serve_sqs(listener: TcpListener, address: SocketAddr) -> io::Result<()> {
    let listener = tokio::net::TcpListener::from_std(listener)?;
    let config = SqsConfig { host: address.ip().to_string(), port: address.port(), ..SqsConfig::default() };
    let handler = Arc::new(RustackSqsHandler::new(Arc::new(RustackSqs::new(config))));
    let service = SqsHttpService::new(handler, SqsHttpConfig::default());
    // Dropped with this future, which ends the connections.
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        while connections.try_join_next().is_some() {}
        let serving =
            http1::Builder::new().timer(TokioTimer::new()).serve_connection(TokioIo::new(stream), service.clone());
        // An error here means that the client closed the connection, which is harmless.
        connections.spawn(async move { serving.await.unwrap_or_default() });
    }
}
