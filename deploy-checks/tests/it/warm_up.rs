//! The connections that a function opens before its first event.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use aws::{DynamoStore, QueueUrls, SqsOptions, SqsQueue, TableNames};
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use domain::limits;
use lambda::function::warm_up;
use ports::{
    queue::{Queue as _, QueueName},
    store::{Consistency, Key, Store as _, Table},
};
use tokio::{
    io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader},
    net::{TcpListener, TcpStream},
    time::Instant,
};

/// A store and a queue that share one endpoint.
fn clients_of(endpoint: &str) -> (DynamoStore, SqsQueue) {
    let credentials = || Credentials::new("test", "test", None, None, "test");
    let dynamodb = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(credentials())
        .endpoint_url(endpoint)
        .build();
    let sqs = aws_sdk_sqs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(credentials())
        .endpoint_url(endpoint)
        .build();
    let tables = TableNames::default().with(Table::Feed, "feed");
    let queues = QueueUrls::default().with(QueueName::JobQ, format!("{endpoint}/0/jobs"));
    (
        DynamoStore::new(&aws_sdk_dynamodb::Client::from_conf(dynamodb), tables),
        SqsQueue::new(&aws_sdk_sqs::Client::from_conf(sqs), queues, SqsOptions::default()),
    )
}

async fn listener() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", listener.local_addr().unwrap());
    (listener, endpoint)
}

/// The duration of warming up, by a clock that jumps to the next timer.
async fn waited_for(endpoint: &str) -> std::time::Duration {
    let (store, queue) = clients_of(endpoint);
    let started = Instant::now();
    warm_up(&store, Some(&queue)).await;
    started.elapsed()
}

/// A tokio timer may fire up to a millisecond late.
const GRANULARITY: std::time::Duration = std::time::Duration::from_millis(1);

#[tokio::test(start_paused = true)]
async fn a_silent_endpoint_is_abandoned_in_time() {
    let (_listening, endpoint) = listener().await;
    let waited = waited_for(&endpoint).await;
    assert!((limits::WARM_UP_LIMIT..=limits::WARM_UP_LIMIT + GRANULARITY).contains(&waited), "{waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_refusing_endpoint_fails_nothing() {
    let (listening, endpoint) = listener().await;
    drop(listening);
    let waited = waited_for(&endpoint).await;
    assert!(waited <= limits::WARM_UP_LIMIT + GRANULARITY, "{waited:?}");
}

#[tokio::test]
async fn a_refused_call_keeps_the_connection_open() {
    let (listening, endpoint) = listener().await;
    let opened = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&opened);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listening.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            tokio::spawn(deny(stream));
        }
    });

    let (store, queue) = clients_of(&endpoint);
    warm_up(&store, Some(&queue)).await;
    assert_eq!(opened.load(Ordering::SeqCst), 2);
    assert!(store.get(Table::Feed, &Key::probe(), Consistency::Eventual).await.is_err());
    assert!(queue.depth(QueueName::JobQ).await.is_err());
    assert_eq!(opened.load(Ordering::SeqCst), 2);
}

/// Answers each request of a connection with the error for a missing permission.
async fn deny(stream: TcpStream) {
    let mut stream = BufReader::new(stream);
    while let Some(length) = head(&mut stream).await {
        let mut body = vec![0; length];
        stream.read_exact(&mut body).await.unwrap();
        let body = r#"{"__type":"AccessDeniedException","message":"no"}"#;
        let answer = format!(
            "HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.0\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(answer.as_bytes()).await.unwrap();
    }
}

/// Reads a request's head. Returns the length of its body, or `None` if there is no further request.
async fn head(stream: &mut BufReader<TcpStream>) -> Option<usize> {
    let mut length = 0;
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await.ok()? == 0 {
            return None;
        }
        match line.trim_end().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse().ok()?,
            None if line == "\r\n" => return Some(length),
            _ => {}
        }
    }
}
