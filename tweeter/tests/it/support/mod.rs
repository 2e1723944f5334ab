//! The whole service on a free port with a temporary directory, and a client with a method per endpoint.
#![allow(dead_code, reason = "each test file uses its own part of it")]

pub mod crash_oracle;
pub mod database;
pub mod process;

use std::{
    path::PathBuf,
    sync::{Arc, OnceLock},
    time::Duration,
};

use embedded::Engine;
use futures::{StreamExt as _, stream};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, client::legacy::connect::HttpConnector, rt::TokioExecutor};
use ports::{queue::Queue, store::Store};
use serde_json::{Value, json};
use service::passwords::HashingOptions;
use tempfile::TempDir;
use tweeter::{Application, Config, DataDir, Handle, TestHooks, services::Services};

/// Longer than any wait of a test, so that a missing event fails with a message.
const WAIT_BOUND: Duration = Duration::from_mins(1);

/// Number of concurrent requests of one kind in tests that need many.
const AT_ONCE: usize = 16;

/// The password of all users.
pub const PASSWORD: &str = "correct horse battery";

/// A running service.
pub struct TestApp {
    /// The service.
    pub handle: Handle,
    /// The client.
    pub client: ApiClient,
    closing: Closing,
    dir: TempDir,
}

/// Closes the database before its directory is removed: a directory removed under a running engine ends the process.
struct Closing(Option<Engine>);

impl Drop for Closing {
    fn drop(&mut self) {
        if let Some(engine) = &self.0 {
            engine.close();
        }
    }
}

impl TestApp {
    /// The production service, except for cheap password hashes.
    pub async fn start() -> Self {
        Self::start_with(hooks()).await
    }

    /// The service with faults, counters or a clock; start from [`test_hooks`].
    pub async fn start_with(hooks: TestHooks) -> Self {
        Self::start_configured(|_| {}, hooks).await
    }

    /// The service with a different configuration.
    pub async fn start_configured(configure: impl FnOnce(&mut Config), hooks: TestHooks) -> Self {
        Self::start_in(tempfile::tempdir().unwrap(), configure, hooks).await
    }

    async fn start_in(dir: TempDir, configure: impl FnOnce(&mut Config), hooks: TestHooks) -> Self {
        let mut config = Config::on_free_port(DataDir::Path(dir.path().join("data")));
        configure(&mut config);
        let handle = Application::build(config, hooks).await.unwrap().spawn();
        let client = ApiClient::new(format!("http://{}", handle.address()));
        let closing = Closing(handle.engine().cloned());
        Self { handle, client, closing, dir }
    }

    /// Stops as on SIGTERM and restarts on the same data with the default hooks.
    pub async fn restart(self, hooks: TestHooks) -> Self {
        self.stop().await.start(hooks).await
    }

    /// Stops as on SIGTERM.
    pub async fn stop(self) -> StoppedApp {
        let Self { handle, client, closing, dir } = self;
        drop(client);
        handle.stop().await.unwrap();
        drop(closing);
        StoppedApp { dir }
    }

    /// The services on the same database.
    pub fn services(&self) -> &Services {
        self.handle.services()
    }

    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.handle.data_dir().unwrap().to_owned()
    }

    /// Waits until everything published has reached all followers.
    pub async fn drain(&self) {
        in_time(self.handle.drain()).await;
    }
}

/// A stopped service and its data.
pub struct StoppedApp {
    dir: TempDir,
}

impl StoppedApp {
    /// The data directory.
    pub fn data_dir(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// Restarts on the same data with the default hooks.
    pub async fn start(self, hooks: TestHooks) -> TestApp {
        TestApp::start_in(self.dir, |_| {}, hooks).await
    }
}

impl std::ops::Deref for TestApp {
    type Target = ApiClient;

    fn deref(&self) -> &ApiClient {
        &self.client
    }
}

/// Awaits a future for at most [`WAIT_BOUND`].
#[track_caller]
pub fn in_time<T>(wait: impl Future<Output = T>) -> impl Future<Output = T> {
    let caller = std::panic::Location::caller();
    async move {
        let came = tokio::time::timeout(WAIT_BOUND, wait).await;
        came.unwrap_or_else(|_| panic!("{caller} waited longer than {WAIT_BOUND:?}"))
    }
}

/// The default hooks with cheap password hashes.
pub fn hooks() -> TestHooks {
    TestHooks { hashing: HashingOptions::cheap(), ..TestHooks::default() }
}

/// A wrapper around a port, accessible to the test once the service is built.
#[derive(Debug)]
pub struct Wrapped<W>(Arc<OnceLock<Arc<W>>>);

impl<W> std::ops::Deref for Wrapped<W> {
    type Target = W;

    fn deref(&self) -> &W {
        self.0.get().expect("the service is built")
    }
}

/// Wraps the store of one service.
pub fn wrap_store<W: Store>(hooks: &mut TestHooks, wrap: impl Fn(Arc<dyn Store>) -> W + Send + 'static) -> Wrapped<W> {
    let built = Arc::new(OnceLock::new());
    let wrapped = Wrapped(Arc::clone(&built));
    hooks.wrap_store = Some(Box::new(move |bare| built.get_or_init(|| Arc::new(wrap(bare))).clone()));
    wrapped
}

/// Wraps the queues of one service.
pub fn wrap_queue<W: Queue>(hooks: &mut TestHooks, wrap: impl Fn(Arc<dyn Queue>) -> W + Send + 'static) -> Wrapped<W> {
    let built = Arc::new(OnceLock::new());
    let wrapped = Wrapped(Arc::clone(&built));
    hooks.wrap_queue = Some(Box::new(move |bare| built.get_or_init(|| Arc::new(wrap(bare))).clone()));
    wrapped
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// The body; null if empty, a string if it is not JSON.
    pub body: Value,
}

impl Answer {
    /// The answer, if it has this status; panics otherwise.
    #[track_caller]
    pub fn expect(self, status: u16) -> Self {
        assert_eq!(self.status.as_u16(), status, "{self:#?}");
        self
    }

    /// The items of a page.
    #[track_caller]
    pub fn items(&self) -> &[Value] {
        self.body["items"].as_array().unwrap_or_else(|| panic!("no page: {self:#?}"))
    }

    /// The texts of a page of posts.
    #[track_caller]
    pub fn texts(&self) -> Vec<&str> {
        self.items().iter().map(|post| post["text"].as_str().unwrap()).collect()
    }

    /// The ids of a page of posts.
    #[track_caller]
    pub fn post_ids(&self) -> Vec<String> {
        post_ids(self.items())
    }

    /// The cursor of the next page.
    pub fn next_cursor(&self) -> Option<&str> {
        self.body["next_cursor"].as_str()
    }
}

/// A logged-in user.
#[derive(Debug, Clone)]
pub struct Person {
    /// The user's id.
    pub user_id: String,
    /// The handle.
    pub handle: String,
    /// The access token.
    pub access_token: String,
    /// The refresh token.
    pub refresh_token: String,
}

/// An HTTP client of a service, with one method per endpoint.
#[derive(Debug, Clone)]
pub struct ApiClient {
    /// The service's base URL, such as `http://127.0.0.1:8080`.
    pub base: String,
    http: Client<HttpConnector, Full<bytes::Bytes>>,
}

impl ApiClient {
    /// A client of the service at `base`, such as `http://127.0.0.1:8080`.
    pub fn new(base: String) -> Self {
        Self { base, http: Client::builder(TokioExecutor::new()).build_http() }
    }

    /// Any request: with a token, with a JSON body.
    pub async fn request(&self, method: Method, path: &str, token: Option<&str>, body: Option<Value>) -> Answer {
        self.request_with(method, path, token, body, &[]).await
    }

    /// Any request with additional headers.
    pub async fn request_with(
        &self,
        method: Method,
        path: &str,
        token: Option<&str>,
        body: Option<Value>,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(format!("{}{path}", self.base));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(token) = token {
            request = request.header("authorization", format!("Bearer {token}"));
        }
        if body.is_some() {
            request = request.header("content-type", "application/json");
        }
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        self.send(request.body(Full::from(body)).unwrap()).await
    }

    /// Sends a request unchanged.
    pub async fn send(&self, request: Request<Full<bytes::Bytes>>) -> Answer {
        self.try_send(request).await.unwrap()
    }

    /// A request to a service that may die before it answers.
    pub async fn try_send(&self, request: Request<Full<bytes::Bytes>>) -> Option<Answer> {
        let (head, body) = self.http.request(request).await.ok()?.into_parts();
        let bytes = body.collect().await.ok()?.to_bytes();
        let body = match serde_json::from_slice(&bytes) {
            Ok(value) => value,
            Err(_) if bytes.is_empty() => Value::Null,
            Err(_) => Value::String(String::from_utf8_lossy(&bytes).into_owned()),
        };
        Some(Answer { status: head.status, headers: head.headers, body })
    }

    async fn get(&self, path: &str, person: &Person) -> Answer {
        self.request(Method::GET, path, Some(&person.access_token), None).await
    }

    /// Registers and logs in a user with this handle.
    pub async fn register(&self, handle: &str) -> Person {
        let body = json!({ "handle": handle, "email": format!("{handle}@example.org"), "password": PASSWORD });
        let answer = self.try_register(body).await.expect(201);
        person_of(&answer)
    }

    /// `POST /v1/auth/register` with any body.
    pub async fn try_register(&self, body: Value) -> Answer {
        self.request(Method::POST, "/v1/auth/register", None, Some(body)).await
    }

    /// `POST /v1/auth/login` with any body.
    pub async fn login(&self, body: Value) -> Answer {
        self.request(Method::POST, "/v1/auth/login", None, Some(body)).await
    }

    /// `POST /v1/auth/refresh`.
    pub async fn refresh(&self, refresh_token: &str) -> Answer {
        let body = json!({ "refresh_token": refresh_token });
        self.request(Method::POST, "/v1/auth/refresh", None, Some(body)).await
    }

    /// `POST /v1/auth/logout`.
    pub async fn logout(&self, person: &Person) -> Answer {
        let body = json!({ "refresh_token": person.refresh_token });
        self.request(Method::POST, "/v1/auth/logout", Some(&person.access_token), Some(body)).await
    }

    /// `GET /v1/users/{user}`.
    pub async fn profile(&self, person: &Person, user: &str) -> Answer {
        self.get(&format!("/v1/users/{user}"), person).await
    }

    /// Registers this many users, with `name` and a number as handles.
    pub async fn register_many(&self, name: &str, count: usize) -> Vec<Person> {
        let handles: Vec<String> = (0..count).map(|number| format!("{name}_{number}")).collect();
        stream::iter(&handles).map(|handle| self.register(handle)).buffered(AT_ONCE).collect().await
    }

    /// Makes each of the followers follow the followee.
    pub async fn follow_all(&self, followers: &[Person], followee: &Person) {
        stream::iter(followers).for_each_concurrent(AT_ONCE, |follower| self.follow(follower, followee)).await;
    }

    /// `PUT /v1/users/{user}/follow`, which must succeed.
    pub async fn follow(&self, follower: &Person, followee: &Person) {
        self.try_follow(follower, &followee.user_id).await.expect(204);
    }

    /// `PUT /v1/users/{user}/follow`.
    pub async fn try_follow(&self, follower: &Person, user: &str) -> Answer {
        self.request(Method::PUT, &format!("/v1/users/{user}/follow"), Some(&follower.access_token), None).await
    }

    /// `DELETE /v1/users/{user}/follow`, which must succeed.
    pub async fn unfollow(&self, follower: &Person, followee: &Person) {
        self.try_unfollow(follower, &followee.user_id).await.expect(204);
    }

    /// `DELETE /v1/users/{user}/follow`.
    pub async fn try_unfollow(&self, follower: &Person, user: &str) -> Answer {
        self.request(Method::DELETE, &format!("/v1/users/{user}/follow"), Some(&follower.access_token), None).await
    }

    /// `GET /v1/users/{user}/followers`; `query` is empty or begins with `?`.
    pub async fn followers(&self, person: &Person, user: &str, query: &str) -> Answer {
        self.get(&format!("/v1/users/{user}/followers{query}"), person).await
    }

    /// `GET /v1/users/{user}/following`.
    pub async fn following(&self, person: &Person, user: &str, query: &str) -> Answer {
        self.get(&format!("/v1/users/{user}/following{query}"), person).await
    }

    /// `POST /v1/posts`, which must succeed. The post's id.
    pub async fn post(&self, author: &Person, text: &str) -> String {
        let answer = self.try_post(author, json!({ "text": text })).await.expect(201);
        answer.body["post_id"].as_str().unwrap().to_owned()
    }

    /// `POST /v1/posts` with any body.
    pub async fn try_post(&self, author: &Person, body: Value) -> Answer {
        self.request(Method::POST, "/v1/posts", Some(&author.access_token), Some(body)).await
    }

    /// `POST /v1/posts` with an `Idempotency-Key`.
    pub async fn post_with_key(&self, author: &Person, text: &str, key: &str) -> Answer {
        let (token, body) = (Some(author.access_token.as_str()), Some(json!({ "text": text })));
        self.request_with(Method::POST, "/v1/posts", token, body, &[("idempotency-key", key)]).await
    }

    /// `GET /v1/posts/{id}`.
    pub async fn get_post(&self, person: &Person, post: &str) -> Answer {
        self.get(&format!("/v1/posts/{post}"), person).await
    }

    /// `GET /v1/users/{user}/posts`.
    pub async fn story(&self, person: &Person, user: &str, query: &str) -> Answer {
        self.get(&format!("/v1/users/{user}/posts{query}"), person).await
    }

    /// `GET /v1/feed`.
    pub async fn feed(&self, person: &Person, query: &str) -> Answer {
        self.get(&format!("/v1/feed{query}"), person).await
    }

    /// The texts of a whole feed, read page by page.
    pub async fn whole_feed(&self, person: &Person, limit: u32) -> Vec<String> {
        let posts = self.whole_list(person, "/v1/feed", limit).await;
        posts.iter().map(|post| post["text"].as_str().unwrap().to_owned()).collect()
    }

    /// The items of a list, read page by page; every page but the last must be full.
    pub async fn whole_list(&self, person: &Person, path: &str, limit: u32) -> Vec<Value> {
        let mut items = Vec::new();
        let mut query = format!("?limit={limit}");
        loop {
            let page = self.get(&format!("{path}{query}"), person).await.expect(200);
            items.extend_from_slice(page.items());
            let Some(cursor) = page.next_cursor() else { return items };
            let next = format!("?limit={limit}&cursor={cursor}");
            assert_ne!(next, query, "a page has its own cursor as the next");
            query = next;
            assert_eq!(page.items().len(), limit as usize, "a page that is not the last is full");
        }
    }

    /// `GET /healthz`.
    pub async fn health(&self) -> Answer {
        self.request(Method::GET, "/healthz", None, None).await
    }

    /// `GET /openapi.json`.
    pub async fn openapi(&self) -> Answer {
        self.request(Method::GET, "/openapi.json", None, None).await
    }
}

/// The ids of posts.
#[track_caller]
pub fn post_ids(posts: &[Value]) -> Vec<String> {
    posts.iter().map(|post| post["post_id"].as_str().unwrap().to_owned()).collect()
}

/// The user of an answer to register or login.
#[track_caller]
pub fn person_of(answer: &Answer) -> Person {
    let text = |value: &Value| value.as_str().unwrap_or_else(|| panic!("{answer:#?}")).to_owned();
    Person {
        user_id: text(&answer.body["user"]["user_id"]),
        handle: text(&answer.body["user"]["handle"]),
        access_token: text(&answer.body["access_token"]),
        refresh_token: text(&answer.body["refresh_token"]),
    }
}
