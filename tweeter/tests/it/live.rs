//! Live events, over real connections.

use std::{net::SocketAddr, time::Duration};

use crate::support::{ApiClient, Person, TestApp, hooks, in_time};
use data::{
    keys,
    messages::{FeedJob, FeedJobTag, V1},
};
use domain::{Clock, PostId, Timestamp, UserId, limits};
use http::Method;
use ports::{
    queue::{OutgoingMessage, QueueName},
    store::{Changes, Condition, Table, Write},
};
use serde_json::{Value, json};
use service::live::{HubOptions, LiveEvent};
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::{TcpSocket, TcpStream},
};
use tweeter::TestHooks;

/// An item received from a stream.
#[derive(Debug, Clone, PartialEq)]
enum Heard {
    Event(String, Value),
    Comment(String),
    /// The response is complete.
    End,
    /// The connection broke before that.
    Cut,
}

/// A client's connection with an open stream.
struct Listener {
    connection: BufReader<TcpStream>,
    head: String,
}

impl Listener {
    async fn ask(connection: TcpStream, person: &Person) -> Self {
        let mut connection = BufReader::new(connection);
        let request = format!(
            "GET /v1/events HTTP/1.1\r\nhost: test\r\nconnection: close\r\nauthorization: Bearer {}\r\n\r\n",
            person.access_token
        );
        connection.write_all(request.as_bytes()).await.unwrap();
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            assert_ne!(in_time(connection.read_line(&mut head)).await.unwrap(), 0, "cut: {head}");
        }
        Self { connection, head: head.to_lowercase() }
    }

    /// Opens a stream and reads the greeting.
    async fn open(app: &TestApp, person: &Person) -> Self {
        let connection = TcpStream::connect(app.handle.address()).await.unwrap();
        let mut listener = Self::ask(connection, person).await;
        assert!(listener.head.starts_with("http/1.1 200"), "{}", listener.head);
        listener.is_greeted().await;
        listener
    }

    /// The same, for a client with a small receive buffer.
    async fn open_narrow(address: SocketAddr, person: &Person) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4_096).unwrap();
        Self::ask(socket.connect(address).await.unwrap(), person).await
    }

    async fn is_greeted(&mut self) -> Value {
        match self.next().await {
            Heard::Event(name, data) if name == "hello" => data,
            other => panic!("not greeted, but {other:?}"),
        }
    }

    /// The next event or comment. Every event is one chunk, so no line is split by the framing.
    async fn next(&mut self) -> Heard {
        let mut event = None;
        let mut line = String::new();
        loop {
            line.clear();
            if in_time(self.connection.read_line(&mut line)).await.unwrap_or(0) == 0 {
                return Heard::Cut;
            }
            match line.trim_end().split_once(": ") {
                Some(("event", name)) => event = Some(name.to_owned()),
                Some(("data", data)) => {
                    let data = serde_json::from_str(data).unwrap();
                    return Heard::Event(event.expect("events have names"), data);
                }
                Some(("", comment)) => return Heard::Comment(comment.to_owned()),
                _ if line == "0\r\n" => return Heard::End,
                _ => {}
            }
        }
    }

    async fn hears(&mut self, expected: &Heard) {
        assert_eq!(self.next().await, *expected);
    }

    async fn ends_because(&mut self, comment: &str) {
        self.hears(&Heard::Comment(comment.to_owned())).await;
        self.hears(&Heard::End).await;
    }
}

fn feed(post: &str, author: &Person) -> Heard {
    Heard::Event("feed".to_owned(), json!({ "post_id": post, "author_id": author.user_id }))
}

fn reload(event: &str) -> Heard {
    Heard::Event(event.to_owned(), json!({ "reload": true }))
}

async fn people<const N: usize>(api: &ApiClient, handles: [&str; N]) -> [Person; N] {
    let people = futures::future::join_all(handles.map(|handle| api.register(handle))).await;
    people.try_into().unwrap()
}

fn id_of(person: &Person) -> UserId {
    person.user_id.parse().unwrap()
}

#[tokio::test]
async fn a_stream_greets_at_once_without_buffering() {
    let clock = Clock::manual(Timestamp::from_millis(1_763_700_000_000));
    let app = TestApp::start_with(TestHooks { clock, ..hooks() }).await;
    let alice = app.register("alice").await;
    let connection = TcpStream::connect(app.handle.address()).await.unwrap();
    let mut listener = Listener::ask(connection, &alice).await;
    for line in [
        "http/1.1 200 ok\r\n",
        "content-type: text/event-stream\r\n",
        "cache-control: no-store\r\n",
        "x-accel-buffering: no\r\n",
        "x-content-type-options: nosniff\r\n",
        "x-request-id: ",
    ] {
        assert!(listener.head.contains(line), "{line:?} is not in {}", listener.head);
    }
    assert_eq!(listener.is_greeted().await, json!({"expires_at": "2025-11-21T04:55:00.000Z"}));
}

#[tokio::test]
async fn a_stream_needs_a_token_and_get() {
    let app = TestApp::start().await;
    let alice = app.register("alice").await;
    let events = |method, token| app.request(method, "/v1/events", token, None);
    events(Method::GET, None).await.expect(401);
    events(Method::GET, Some("another.to.ken")).await.expect(401);
    let refused = events(Method::POST, Some(&alice.access_token)).await.expect(405);
    assert_eq!(refused.headers["allow"], "GET, HEAD");
    let head = events(Method::HEAD, Some(&alice.access_token)).await.expect(200);
    assert_eq!(head.headers["content-type"], "text/event-stream");
}

#[tokio::test]
async fn only_followers_and_the_author_get_events() {
    let app = TestApp::start().await;
    let [alice, bob, carol, dave] = people(&app, ["alice", "bob", "carol", "dave"]).await;
    app.follow(&bob, &alice).await;
    app.follow(&carol, &dave).await;
    let mut listeners = Vec::new();
    for person in [&alice, &bob, &bob, &carol] {
        listeners.push(Listener::open(&app, person).await);
    }
    let post = app.post(&alice, "hello").await;
    app.drain().await;
    for listener in &mut listeners[..3] {
        listener.hears(&feed(&post, &alice)).await;
    }
    let of_dave = app.post(&dave, "hello carol").await;
    listeners[3].hears(&feed(&of_dave, &dave)).await;
}

#[tokio::test]
async fn events_follow_readable_data() {
    let app = TestApp::start().await;
    let [alice, bob] = people(&app, ["alice", "bob"]).await;
    app.follow(&bob, &alice).await;
    let mut listener = Listener::open(&app, &bob).await;
    for number in 0..20 {
        let post = app.post(&alice, &format!("number {number}")).await;
        listener.hears(&feed(&post, &alice)).await;
        assert_eq!(app.feed(&bob, "?limit=1").await.post_ids(), [post]);
    }
}

/// Sends a job that the service would no longer send: one that was in flight, or is late.
async fn deliver_late(app: &TestApp, post: &str, author: &Person, readers: &[&Person]) {
    let job = FeedJob {
        tag: FeedJobTag::Deliver,
        v: V1,
        post_id: post.parse().unwrap(),
        author_id: id_of(author),
        followers: readers.iter().map(|reader| id_of(reader)).collect(),
    };
    let message = OutgoingMessage { body: job.encode(), group: author.user_id.clone(), delay: Duration::ZERO };
    assert!(app.services().queue.send(QueueName::JobQ, vec![message]).await.unwrap().is_empty());
    app.drain().await;
}

async fn mark_deleted(app: &TestApp, post: PostId) {
    let changes = Changes { set: [("deleted_at".into(), 1_i64.into())].into(), ..Changes::default() };
    let write = Write::Update { key: keys::post(post), changes, condition: Condition::Always };
    assert!(app.services().store.write(Table::Social, write).await.unwrap().is_applied());
}

#[tokio::test]
async fn hidden_posts_send_no_events() {
    let app = TestApp::start().await;
    let [alice, bob, carol] = people(&app, ["alice", "bob", "carol"]).await;
    app.follow(&bob, &alice).await;
    app.follow(&carol, &alice).await;
    app.unfollow(&carol, &alice).await;
    let [early, deleted] = [app.post(&alice, "early").await, app.post(&alice, "deleted").await];
    app.drain().await;
    mark_deleted(&app, deleted.parse().unwrap()).await;
    let mut of_bob = Listener::open(&app, &bob).await;
    let mut of_carol = Listener::open(&app, &carol).await;
    deliver_late(&app, &early, &alice, &[&carol]).await;
    deliver_late(&app, &deleted, &alice, &[&bob]).await;
    app.unfollow(&bob, &alice).await;
    deliver_late(&app, &early, &alice, &[&bob, &carol]).await;

    for (reader, listener) in [(&bob, &mut of_bob), (&carol, &mut of_carol)] {
        let own = app.post(reader, "my own").await;
        listener.hears(&feed(&own, reader)).await;
    }
}

#[tokio::test]
async fn a_notification_sends_events_whenever_it_appears() {
    let app = TestApp::start().await;
    let [alice, bob] = people(&app, ["alice", "bob"]).await;
    let mut listener = Listener::open(&app, &alice).await;
    let post = app.post(&alice, "like this").await;
    listener.hears(&feed(&post, &alice)).await;
    let like = format!("/v1/posts/{post}/like");
    app.request(Method::PUT, &like, Some(&alice.access_token), None).await.expect(204);
    app.drain().await;

    let mut heard = Vec::new();
    for method in [Method::PUT, Method::DELETE, Method::PUT] {
        app.request(method.clone(), &like, Some(&bob.access_token), None).await.expect(204);
        app.drain().await;
        if method == Method::PUT {
            heard.push(listener.next().await);
        }
    }
    app.follow(&bob, &alice).await;
    heard.push(listener.next().await);

    let page = app.request(Method::GET, "/v1/notifications", Some(&alice.access_token), None).await.expect(200);
    let listed = |kind: &str| {
        let of_kind = page.items().iter().find(|item| item["kind"] == kind).unwrap();
        Heard::Event("notification".to_owned(), json!({"notification_id": of_kind["notification_id"], "kind": kind}))
    };
    assert_eq!(heard, [listed("like"), listed("like"), listed("follow")]);
    assert_eq!(page.items().len(), 2, "users get no notification of their own acts");
}

#[tokio::test]
async fn comments_keep_an_idle_stream_alive() {
    let live = HubOptions { heartbeat: Duration::from_millis(10), ..HubOptions::default() };
    let app = TestApp::start_with(TestHooks { live, ..hooks() }).await;
    let alice = app.register("alice").await;
    let mut listener = Listener::open(&app, &alice).await;
    for _ in 0..3 {
        listener.hears(&Heard::Comment("heartbeat".to_owned())).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slow_reader_is_asked_to_reload() {
    // More than the connection can buffer: at most 6 MB on our side and 4 KB on the client's.
    const EVENTS: u128 = 300_000;
    // A heartbeat shows that no event is queued.
    let live = HubOptions { heartbeat: Duration::from_millis(200), ..HubOptions::default() };
    let app = TestApp::start_with(TestHooks { live, ..hooks() }).await;
    let alice = app.register("alice").await;
    let mut listener = Listener::open_narrow(app.handle.address(), &alice).await;
    listener.is_greeted().await;
    let hub = app.services().live.as_ref().unwrap().hub();
    for number in 0..EVENTS {
        let post_id = PostId::from_uuid(uuid::Uuid::from_u128(number));
        hub.tell(id_of(&alice), LiveEvent::Feed { post_id, author_id: id_of(&alice) });
        if number % limits::MAX_WAITING_EVENTS as u128 == 0 {
            // Lets the connection's task run, so that it takes as many events as it can buffer.
            tokio::task::yield_now().await;
        }
    }

    let (mut fed, mut reloads) = (0, 0);
    loop {
        match listener.next().await {
            heard if heard == reload("feed") => reloads += 1,
            Heard::Event(name, _) if name == "feed" => fed += 1,
            Heard::Comment(_) if reloads == 0 => {}
            Heard::Comment(_) => break,
            other => panic!("{other:?}"),
        }
    }
    assert!(fed < EVENTS, "{reloads} reloads, although all {EVENTS} events arrived");
    let post = app.post(&alice, "now I listen").await;
    let event = loop {
        match listener.next().await {
            Heard::Comment(_) => {}
            other => break other,
        }
    };
    assert!(event == feed(&post, &alice) || event == reload("feed"), "{event:?}");
}

#[tokio::test]
async fn a_stream_ends_with_its_token() {
    let clock = Clock::manual(Timestamp::from_millis(1_763_700_000_000));
    let app = TestApp::start_with(TestHooks { clock: clock.clone(), ..hooks() }).await;
    let alice = app.register("alice").await;
    let mut listener = Listener::open(&app, &alice).await;
    clock.advance(limits::ACCESS_TOKEN_TTL);
    listener.ends_because("token expired").await;
    let refused = app.request(Method::GET, "/v1/events", Some(&alice.access_token), None).await;
    refused.expect(401);
}

#[tokio::test]
async fn a_stream_ends_with_its_account() {
    let app = TestApp::start().await;
    let [alice, bob] = people(&app, ["alice", "bob"]).await;
    let mut of_alice = Listener::open(&app, &alice).await;
    let mut of_bob = Listener::open(&app, &bob).await;
    let gone = Write::delete(keys::profile(id_of(&alice)));
    assert!(app.services().store.write(Table::Social, gone).await.unwrap().is_applied());
    of_alice.ends_because("account gone").await;
    let post = app.post(&bob, "still here").await;
    of_bob.hears(&feed(&post, &bob)).await;
}

#[tokio::test]
async fn a_further_stream_ends_the_oldest() {
    let app = TestApp::start().await;
    let alice = app.register("alice").await;
    let mut oldest = Listener::open(&app, &alice).await;
    let mut others = Vec::new();
    for _ in 0..limits::MAX_STREAMS_PER_USER {
        app.request(Method::HEAD, "/v1/events", Some(&alice.access_token), None).await.expect(200);
        others.push(Listener::open(&app, &alice).await);
    }
    oldest.ends_because("replaced").await;
    let post = app.post(&alice, "to all others").await;
    for other in &mut others {
        other.hears(&feed(&post, &alice)).await;
    }
}

#[tokio::test]
async fn a_stop_ends_streams_with_an_event() {
    let app = TestApp::start().await;
    let alice = app.register("alice").await;
    let mut listener = Listener::open(&app, &alice).await;
    in_time(app.stop()).await;
    listener.ends_because("stopping").await;
}

#[tokio::test]
async fn a_client_that_hangs_up_is_disconnected() {
    let app = TestApp::start().await;
    let alice = app.register("alice").await;
    let listener = Listener::open(&app, &alice).await;
    let hub = app.services().live.as_ref().unwrap().hub();
    assert_eq!(hub.users(), [id_of(&alice)]);
    drop(listener);
    in_time(async {
        while !hub.users().is_empty() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// The time until all listeners have received a post's event.
///
/// `cargo test --release -p tweeter --test it live -- --ignored --nocapture`
#[tokio::test(flavor = "multi_thread")]
#[ignore = "a measurement"]
async fn time_until_a_thousand_listeners_get_an_event() {
    const LISTENERS: usize = 1_000;
    let app = TestApp::start().await;
    let alice = app.register("alice").await;
    let followers = app.register_many("follower", LISTENERS).await;
    app.follow_all(&followers, &alice).await;
    app.drain().await;
    let mut listeners = Vec::new();
    for follower in &followers {
        listeners.push(Listener::open(&app, follower).await);
    }
    for round in 0..5 {
        let began = tokio::time::Instant::now();
        let post = app.post(&alice, &format!("round {round}")).await;
        let answered = began.elapsed();
        let heard = listeners.iter_mut().map(|listener| async {
            listener.hears(&feed(&post, &alice)).await;
            began.elapsed()
        });
        let mut times = futures::future::join_all(heard).await;
        times.sort_unstable();
        #[expect(clippy::print_stdout, reason = "it prints its measurements")]
        {
            println!(
                "answered {answered:?}; heard: first {:?}, half {:?}, all {:?}",
                times[0],
                times[LISTENERS / 2],
                times[LISTENERS - 1]
            );
        }
    }
}
