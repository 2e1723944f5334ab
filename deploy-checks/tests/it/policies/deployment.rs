//! The functions as the template deploys them, in one process, each on ports that record its requests.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use aws::config::table_variable;
use axum::{Router, body::Body};
use data::{Created, Db, Follows, MediaItems, Readers, StoredMedia, Transaction, keys, messages::ChangeMessage};
use deploy_checks::Template;
use domain::{Clock, IdGenerator, MediaId, PostId, Rule, Timestamp, UserId, limits};
use embedded::{
    BlobOptions, EmbeddedBlobs, EmbeddedChanges, EmbeddedQueue, EmbeddedStore, Engine, EngineOptions, QueueSettingsOf,
};
use follow_fetcher::FollowFetcher;
use http::{Request, header};
use http_api::HttpOptions;
use http_body_util::BodyExt as _;
use job_handler::JobHandler;
use media_handler::MediaHandler;
use outbox_sweeper::OutboxSweeper;
use ports::signing::TokenKeys;
use ports::{
    blobs::{Blob, Blobs, Bucket},
    changes::{Change, ChangeLog as _},
    queue::{OutgoingMessage, Queue, QueueName, ReceivedMessage, send_all},
    store::{BatchWrite, Store, StoreError, Table, Write, batch_write_all},
};
use post_handler::PublishApi;
use serde_json::Value;
use service::{
    Foundation, ServiceOptions, Services,
    background::Background,
    changes::ChangeService,
    delivery::DeliveryService,
    erasure::ErasureService,
    fan_out::{FanOutOptions, FanOutService},
    media::{announce_upload, files::PictureFiles, processing::ProcessingService},
    passwords::HashingOptions,
    posts::PostService,
    promotion::PullThreshold,
    rates::RateLimiter,
    rebuild::RebuildLimits,
    steps::StepSize,
    sweep::{SweepService, Swept},
};
use service_testkit::pipeline::START;
use stream_handler::{Eraser, StreamHandler};
use testkit::{
    faults::{FaultSwitch, FaultyStore, HookedStore, StoreCall, StoreFaults, StoreHook},
    recording::{Access, Recorder},
};
use tokio::time::Instant;
use tower::ServiceExt as _;
use worker::RetryPauses;

/// The environment variable of the functions that read the signing secret.
pub const SIGNING_SECRET_ARN: &str = "TWEETER_SIGNING_SECRET_ARN";

/// Two followers make an author's posts pulled.
const PULL_THRESHOLD: PullThreshold = PullThreshold::from(2);

/// One follower per page and job, so that three followers make a long fan-out.
const FAN_OUT: FanOutOptions = FanOutOptions { followers_per_job: 1, follower_page: Some(1), max_backlog: None };

/// One reaction and one notification per step, so that a few of them need many steps.
const STEPS: StepSize = StepSize { reactions: 1, notifications: 1, pages: 1 };

/// One follow per query and two stories per request, so that a rebuild of three stories needs two requests.
fn rebuild_limits() -> RebuildLimits {
    RebuildLimits { stories: 2, stories_per_page: 1, ..RebuildLimits::default() }
}

/// The deployed template.
pub fn template() -> Template {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../template.yaml");
    Template::read(&path).expect("template.yaml is read")
}

/// The logical name of a table in the template.
pub const fn resource_of(table: Table) -> &'static str {
    match table {
        Table::Auth => "AuthTable",
        Table::Social => "SocialTable",
        Table::Feed => "FeedTable",
    }
}

/// The logical name of a bucket in the template.
pub const fn resource_of_bucket(bucket: Bucket) -> &'static str {
    match bucket {
        Bucket::Uploads => "UploadsBucket",
        Bucket::Media => "MediaBucket",
    }
}

/// The ports of a function.
struct Ports {
    store: Arc<dyn Store>,
    queue: Arc<dyn Queue>,
    blobs: Arc<dyn Blobs>,
}

impl Ports {
    fn files(&self) -> PictureFiles {
        PictureFiles::new(Some(Arc::clone(&self.blobs)))
    }
}

/// All functions on one store.
pub struct Deployment {
    /// The clock, which stands still until it is advanced.
    pub clock: Clock,
    queue: Arc<dyn Queue>,
    recorders: BTreeMap<String, Recorder>,
    throttling: Vec<FaultSwitch>,
    /// The routers of the functions, by their API routes.
    gateway: BTreeMap<String, Router>,
    routes_asked_for: Mutex<BTreeSet<String>>,
    fetcher: FollowFetcher,
    jobs: JobHandler,
    pictures: MediaHandler,
    /// The picture that is erased just before its handler records that it is ready.
    erased_meanwhile: Arc<Mutex<Option<MediaId>>>,
    blobs: EmbeddedBlobs,
    sweeper: OutboxSweeper,
    stream_handler: StreamHandler,
    changes: EmbeddedChanges,
    engine: Engine,
    clean_ups: Background,
    _directory: tempfile::TempDir,
}

/// The requests to the functions, and those of the functions to their ports.
pub struct Evidence {
    accesses: BTreeMap<String, BTreeSet<Access>>,
    /// The requested routes, as the OpenAPI document writes them.
    pub routes: BTreeSet<String>,
}

impl Evidence {
    /// The requests of a function to its ports.
    pub fn accesses_of(&self, function: &str) -> BTreeSet<Access> {
        self.accesses.get(function).unwrap_or_else(|| panic!("no use case drives {function}")).clone()
    }
}

impl Drop for Deployment {
    fn drop(&mut self) {
        self.engine.close();
    }
}

impl Deployment {
    /// Builds the functions as their `main` does.
    pub fn start() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let clock = Clock::manual(START);
        let options = EngineOptions { clock: clock.clone(), ..EngineOptions::at(directory.path()) };
        let engine = Engine::open(options).expect("a fresh database opens");
        let queue = EmbeddedQueue::open(engine.clone(), QueueSettingsOf::default()).expect("a fresh queue opens");
        let queue: Arc<dyn Queue> = Arc::new(queue);
        let storage = BlobOptions::at(directory.path().join("blobs"), TokenKeys::new([7; 32]));
        let blobs = EmbeddedBlobs::open(storage).expect("object storage opens");
        let store = Arc::new(EmbeddedStore::new(engine.clone()));
        let mut wiring = Wiring::new(store, Arc::clone(&queue), Arc::new(blobs.clone()));

        let post_handler = post_handler(wiring.ports("post-handler"), &clock);
        let (status_api, clean_ups) = status_api(wiring.ports("status-api"), &clock);
        let Ports { store, queue: of_fetcher, .. } = wiring.ports("follow-fetcher");
        let fan_out = FanOutService::new(store, Arc::clone(&of_fetcher), clock.clone(), FAN_OUT);
        let fetcher = FollowFetcher::new(fan_out, of_fetcher, RetryPauses::default());
        let Ports { store, queue: of_jobs, .. } = wiring.ports("job-handler");
        let jobs = JobHandler::new(DeliveryService::new(store, clock.clone()), of_jobs, RetryPauses::default());
        let erased_meanwhile = Arc::new(Mutex::default());
        let Ports { store, queue: of_pictures, blobs: of_handler } = wiring.ports("media-handler");
        let erasing =
            Erasing { store: Arc::clone(&wiring.store), now: clock.now(), picture: Arc::clone(&erased_meanwhile) };
        let store = Arc::new(HookedStore::with(store, erasing));
        let pictures = media_handler(Ports { store, queue: of_pictures, blobs: of_handler });
        let ports = wiring.ports("outbox-sweeper");
        let files = ports.files();
        let sweeper = OutboxSweeper::new(SweepService::new(ports.store, ports.queue).with_files(files));
        let ports = wiring.ports("stream-handler");
        let files = ports.files();
        let Ports { store, queue: of_changes, .. } = ports;
        let changes = ChangeService::new(Arc::clone(&store), Arc::new(IdGenerator::new())).in_steps(STEPS);
        let changes = Arc::new(changes.with_files(files.clone()));
        let erasure = ErasureService::new(store).with_files(files, Arc::clone(&of_changes));
        let eraser = Eraser::Handler(Box::new(erasure));
        let stream_handler = StreamHandler::new(changes, of_changes, RetryPauses::default()).with_eraser(eraser);

        let gateway = wiring.gateway(&[("post-handler", post_handler), ("status-api", status_api)]);
        let Wiring { recorders, throttling, .. } = wiring;
        Self {
            clock,
            queue,
            recorders,
            throttling,
            gateway,
            routes_asked_for: Mutex::default(),
            fetcher,
            jobs,
            pictures,
            erased_meanwhile,
            blobs,
            sweeper,
            stream_handler,
            changes: EmbeddedChanges::new(engine.clone()),
            engine,
            clean_ups,
            _directory: directory,
        }
    }

    /// The requests so far.
    pub fn evidence(&self) -> Evidence {
        let accesses = self.recorders.iter().map(|(function, recorder)| (function.clone(), recorder.accesses()));
        Evidence { accesses: accesses.collect(), routes: self.routes_asked_for.lock().unwrap().clone() }
    }

    /// A request to a route such as `GET /v1/users/{user}`, through the API.
    pub fn ask<'a>(&'a self, route: &'a str) -> Ask<'a> {
        Ask {
            deployment: self,
            route,
            path: route.split_once(' ').unwrap().1.to_owned(),
            headers: vec![],
            body: Value::Null,
        }
    }

    /// Receives all messages of a queue, as Lambda does.
    pub async fn messages(&self, queue: QueueName) -> Vec<ReceivedMessage> {
        let mut messages = Vec::new();
        loop {
            let batch = self.queue.receive(queue, limits::MAX_QUEUE_BATCH, Duration::ZERO, None).await.unwrap();
            if batch.is_empty() {
                return messages;
            }
            messages.extend(batch);
        }
    }

    /// Runs follow-fetcher with one message. Returns the number of failures.
    pub async fn fan_out(&self, message: &ReceivedMessage, deadline: Option<Instant>) -> usize {
        self.fetcher.handle(vec![message.clone()], deadline).await.failed.len()
    }

    /// Runs job-handler with these messages. Returns the number of failures.
    pub async fn deliver(&self, messages: &[ReceivedMessage]) -> usize {
        self.jobs.handle(messages.to_vec()).await.failed.len()
    }

    /// Stores an upload. With `announced`, S3 then sends its event.
    pub async fn upload(&self, media: &str, content: &[u8], announced: bool) {
        let media: MediaId = media.parse().unwrap();
        let blob = Blob { body: content.to_vec().into(), content_type: "image/jpeg".to_owned() };
        self.blobs.put(Bucket::Uploads, &keys::blobs::upload(media), blob).await.unwrap();
        if announced {
            announce_upload(self.queue.as_ref(), media).await.unwrap();
        }
    }

    /// Runs media-handler with these messages. Returns the number of failures.
    pub async fn process(&self, messages: &[ReceivedMessage]) -> usize {
        self.pictures.handle(messages.to_vec()).await.failed.len()
    }

    /// Erases this picture while its upload is processed next.
    pub fn erase_while_processed(&self, media: &str) {
        *self.erased_meanwhile.lock().unwrap() = Some(media.parse().unwrap());
    }

    /// Restores a deleted post, as an operator does.
    pub async fn restore_post(&self, post: &str) {
        let store: Arc<dyn Store> = Arc::new(EmbeddedStore::new(self.engine.clone()));
        let posts = PostService::new(Arc::clone(&store), RateLimiter::new(store));
        posts.restore(post.parse().unwrap(), self.clock.now()).await.unwrap();
    }

    /// Runs outbox-sweeper. Returns what it swept.
    pub async fn sweep(&self) -> Swept {
        self.sweeper.handle(self.clock.now()).await.unwrap()
    }

    /// Runs stream-handler with all changes since the last call. Returns the changes.
    pub async fn handle_changes(&self) -> Vec<Change> {
        let changes = self.changes.read(usize::MAX, Duration::ZERO).await.unwrap();
        self.handle_change(&changes).await;
        if let Some(last) = changes.last() {
            self.changes.pass(last).await.unwrap();
        }
        changes
    }

    /// Runs stream-handler with changes of the stream.
    pub async fn handle_change(&self, changes: &[Change]) {
        let handled = self.stream_handler.handle(changes.to_vec(), self.clock.now()).await;
        assert_eq!(handled.retry_from, None);
    }

    /// Sends a change to ChangeQ, as an operator does with a dead letter.
    pub async fn send_back(&self, change: &Change) {
        let body = ChangeMessage::of(change.clone(), String::new()).encode();
        let letter = OutgoingMessage { body, group: change.id.clone(), delay: Duration::ZERO };
        send_all(self.queue.as_ref(), QueueName::ChangeQ, vec![letter]).await.unwrap();
    }

    /// Starts a follow that crashes after its first transaction.
    pub async fn follow_and_crash(&self, follower: &str, followee: &str) {
        let [follower, followee] = [follower, followee].map(|user| user.parse().unwrap());
        let (now, marker) = (self.clock.now(), PostId::first_of(self.clock.now()));
        let lease_until = now.plus(limits::BACKFILL_LEASE);
        let follows = Follows::new(Arc::new(EmbeddedStore::new(self.engine.clone())));
        let made = follows.create(follower, followee, now, marker, lease_until).await.unwrap();
        assert!(matches!(made, Created::Now(_)));
    }

    /// Leaves a reader as an earlier version would have, which had neither activities nor rules.
    pub async fn predate_rules(&self, reader: &str, author: &str) {
        let [reader, author] = [reader, author].map(|user| user.parse().unwrap());
        for key in [keys::activity(reader), keys::reader_rule(reader, author)] {
            let store = EmbeddedStore::new(self.engine.clone());
            assert!(store.write(Table::Social, Write::delete(key)).await.unwrap().is_applied());
        }
    }

    /// Gives a reader more rules than a page reads, whose queries may exceed [`limits::RULES_READ`] by one. All are about
    /// lower ids than a user has, so that the page reads none about the users of these tests.
    pub async fn give_many_rules(&self, reader: &str) {
        let (store, reader) = (EmbeddedStore::new(self.engine.clone()), reader.parse().unwrap());
        let author = |number| -> UserId { format!("00000000-0000-4000-8000-{number:012x}").parse().unwrap() };
        let rule = |number| Readers::rule_item(reader, author(number), &Rule::LEFT, self.clock.now());
        let read = limits::RULES_READ + limits::RULES_READ_WHOLE as usize;
        let rules: Vec<BatchWrite> = (0..=read).map(rule).map(BatchWrite::Put).collect();
        for rules in rules.chunks(limits::MAX_BATCH_WRITE) {
            assert!(batch_write_all(&store, Table::Social, rules.to_vec()).await.unwrap().is_empty());
        }
    }

    /// Gives a reader a rule that merges an author.
    pub async fn merge(&self, reader: &str, author: &str) {
        let [reader, author] = [reader, author].map(|user| user.parse().unwrap());
        let since = PostId::first_of(self.clock.now());
        let readers = Readers::new(Arc::new(EmbeddedStore::new(self.engine.clone())));
        readers.merge_from(reader, author, since).await.unwrap();
    }

    /// Waits for what pages of feeds have left to the background.
    pub async fn clean_ups(&self) {
        self.clean_ups.idle().await;
    }

    /// Runs stream-handler with redriven changes. Returns the number of failures.
    pub async fn handle_again(&self, messages: &[ReceivedMessage]) -> usize {
        self.stream_handler.handle_queue(messages.to_vec(), self.clock.now()).await.failed.len()
    }

    /// Runs `work` while every call to the store is throttled. Pauses between attempts take no time.
    pub async fn throttled<T>(&self, work: impl Future<Output = T>) -> T {
        self.throttling.iter().for_each(FaultSwitch::turn_on);
        tokio::time::pause();
        let done = work.await;
        tokio::time::resume();
        self.throttling.iter().for_each(FaultSwitch::turn_off);
        done
    }
}

fn foundation(store: &Arc<dyn Store>, clock: &Clock) -> Foundation {
    Foundation::new(Arc::clone(store), clock.clone(), &TokenKeys::new([7; 32]), RateLimiter::new(Arc::clone(store)))
}

fn post_handler(Ports { store, queue, .. }: Ports, clock: &Clock) -> Router {
    let on = Foundation { pull_threshold: PULL_THRESHOLD, ..foundation(&store, clock) };
    let api = PublishApi::new(&on, queue);
    post_handler::router(api, store, &HttpOptions::default())
}

/// Erases a picture just before its handler records that it is ready.
#[derive(Debug)]
struct Erasing {
    store: Arc<dyn Store>,
    now: Timestamp,
    picture: Arc<Mutex<Option<MediaId>>>,
}

impl StoreHook for Erasing {
    async fn around<T: Send>(
        &self,
        call: StoreCall<'_>,
        make: impl Future<Output = Result<T, StoreError>> + Send,
    ) -> Result<T, StoreError> {
        let is_ready =
            |write: &Write| matches!(write, Write::Update { changes, .. } if changes.set.contains_key("blurhash"));
        if let StoreCall::Write(_, write) = call
            && is_ready(write)
        {
            let picture = self.picture.lock().unwrap().take();
            if let Some(picture) = picture {
                self.erase(picture).await;
            }
        }
        make.await
    }
}

impl Erasing {
    async fn erase(&self, picture: MediaId) {
        let db = Db::from(Arc::clone(&self.store));
        let stored = MediaItems::new(db.clone()).get(picture).await.unwrap();
        let media = stored.and_then(StoredMedia::live).unwrap();
        let marked = Transaction::from(MediaItems::marking(&media, self.now)).commit(&db).await.unwrap();
        assert!(marked.is_applied());
    }
}

fn media_handler(ports: Ports) -> MediaHandler {
    let files = ports.files();
    let processing = ProcessingService::new(ports.store, files);
    MediaHandler::new(processing, ports.queue, RetryPauses::default()).expect("a thread starts")
}

fn status_api(Ports { store, blobs, .. }: Ports, clock: &Clock) -> (Router, Background) {
    let options = ServiceOptions { hashing: HashingOptions::cheap(), steps: STEPS };
    let on = Foundation { blobs: Some(blobs), ..foundation(&store, clock) };
    let mut services = Services::new(&on, None, &options);
    services.feeds = services.feeds.rebuilding_within(rebuild_limits());
    let clean_ups = services.feeds.background().clone();
    (status_api::router(services, None, &HttpOptions::default()), clean_ups)
}

/// Gives each function separate ports on the same store.
struct Wiring {
    template: Template,
    store: Arc<dyn Store>,
    queue: Arc<dyn Queue>,
    blobs: Arc<dyn Blobs>,
    recorders: BTreeMap<String, Recorder>,
    throttling: Vec<FaultSwitch>,
}

impl Wiring {
    fn new(store: Arc<dyn Store>, queue: Arc<dyn Queue>, blobs: Arc<dyn Blobs>) -> Self {
        Self { template: template(), store, queue, blobs, recorders: BTreeMap::new(), throttling: Vec::new() }
    }

    fn ports(&mut self, code: &str) -> Ports {
        let throttles = StoreFaults { throttled: 1.0, ..StoreFaults::default() };
        let store = FaultyStore::new(Arc::clone(&self.store), throttles, 1);
        store.switch().turn_off();
        self.throttling.push(store.switch());
        let recorder = self.recorders.entry(code.to_owned()).or_default();
        let functions = self.template.functions();
        let function = functions.iter().find(|function| function.code() == code).expect("the function is deployed");
        let known_tables = Table::ALL.into_iter().filter(|table| function.variables().contains(table_variable(*table)));
        Ports {
            store: recorder.store(Arc::new(store), known_tables),
            queue: recorder.queue(Arc::clone(&self.queue)),
            blobs: recorder.blobs(Arc::clone(&self.blobs)),
        }
    }

    fn gateway(&self, routers: &[(&str, Router)]) -> BTreeMap<String, Router> {
        let mut gateway = BTreeMap::new();
        for function in self.template.functions() {
            for route in function.routes() {
                let (_, router) = routers.iter().find(|(code, _)| *code == function.code()).expect("it has a router");
                gateway.insert(route.to_owned(), router.clone());
            }
        }
        gateway
    }
}

/// A request under construction.
pub struct Ask<'a> {
    deployment: &'a Deployment,
    route: &'a str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Value,
}

impl Ask<'_> {
    /// Fills the next parameter of the path.
    pub fn of(mut self, parameter: &str) -> Self {
        let (from, to) = (self.path.find('{').expect("a parameter is left"), self.path.find('}').unwrap());
        self.path.replace_range(from..=to, parameter);
        self
    }

    /// Requests the page after this cursor.
    pub fn at(mut self, cursor: &str) -> Self {
        self.path = format!("{}?cursor={cursor}", self.path);
        self
    }

    /// Adds an access token.
    pub fn by(self, access_token: &str) -> Self {
        self.with("authorization", &format!("Bearer {access_token}"))
    }

    /// Adds a header.
    pub fn with(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    /// Adds a JSON body.
    pub fn sends(mut self, body: Value) -> Self {
        self.body = body;
        self.with(header::CONTENT_TYPE.as_str(), "application/json")
    }

    /// Sends the request and checks the response's status. Returns the body.
    pub async fn gets(self, status: u16) -> Value {
        let Self { deployment, route, path, headers, body } = self;
        deployment.routes_asked_for.lock().unwrap().insert(route.to_owned());
        let router = deployment.gateway.get(route).unwrap_or_else(|| &deployment.gateway["$default"]);
        let mut request = Request::builder().method(route.split_once(' ').unwrap().0).uri(&path);
        for (name, value) in headers {
            request = request.header(name, value);
        }
        let body = if body.is_null() { Body::empty() } else { Body::from(body.to_string()) };
        let response = router.clone().oneshot(request.body(body).unwrap()).await.unwrap();
        let answered = response.status();
        let text = response.into_body().collect().await.unwrap().to_bytes();
        assert_eq!(answered, status, "{route}: {}", String::from_utf8_lossy(&text));
        serde_json::from_slice(&text).unwrap_or_default()
    }
}
