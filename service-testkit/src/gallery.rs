//! Users who upload pictures, with every step under the test's control: uploads, messages, changes of the stream, and the
//! sweeper.

use std::{
    collections::BTreeSet,
    io,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use domain::{
    ClientNetwork, Clock, Email, Handle, IdGenerator, Media, MediaDescription, MediaId, MediaType, Password, PostId,
    PostText, UserId, UserRef,
};
use embedded::{BlobOptions, EmbeddedBlobs, EmbeddedQueue, EmbeddedStore, Engine, EngineOptions, QueueSettingsOf};
use image::{RgbImage, codecs::jpeg::JpegEncoder};
use media_handler::MediaHandler;
use ports::{
    blobs::{Blob, Blobs, Bucket},
    changes::Change,
    queue::{Queue, QueueName, QueueSettings, delete_all},
    signing::TokenKeys,
    store::{Item, Store, Table},
};
use service::{
    ServiceError,
    accounts::{AccountService, LoginOrigin, Registration},
    changes::{Applied, ChangeService},
    erasure::ErasureService,
    export::ExportService,
    graph::GraphService,
    media::{MediaService, NewMedia, announce_upload, files::PictureFiles, processing::ProcessingService},
    passwords::HashingOptions,
    posts::{NewPost, PostService, PublishService},
    rates::RateLimiter,
};
use testkit::changing::ChangingStore;
use tokio::time::Instant;
use worker::RetryPauses;

use crate::pipeline::START;

const PASSWORD: &str = "correct horse battery";

/// The services on one store that records its changes, and object storage in a folder.
#[expect(missing_debug_implementations, reason = "tests print the fields")]
pub struct Gallery {
    /// The ports, which a test may replace by wrappers.
    pub ports: Ports,
    /// The clock, which stands still until a test advances it.
    pub clock: Clock,
    /// Whether the disk of object storage is full.
    pub full: Arc<AtomicBool>,
    /// Records the changes of the store.
    pub changing: Arc<ChangingStore>,
    /// Every change delivered so far.
    pub delivered: Vec<Change>,
    ids: Arc<IdGenerator>,
    scanned: EmbeddedStore,
    folder: PathBuf,
    engine: Engine,
    _directory: tempfile::TempDir,
}

/// The ports of the services.
#[derive(Debug, Clone)]
pub struct Ports {
    /// The tables.
    pub store: Arc<dyn Store>,
    /// The queues.
    pub queue: Arc<dyn Queue>,
    /// Object storage.
    pub blobs: Arc<dyn Blobs>,
}

impl Drop for Gallery {
    /// Closes the database before its directory is removed: the engine aborts the process if its directory vanishes.
    fn drop(&mut self) {
        self.engine.close();
    }
}

/// A JPEG of this size, in one colour.
pub fn photo(width: u32, height: u32) -> Bytes {
    let mut jpeg = Vec::new();
    let pixels = RgbImage::from_pixel(width, height, image::Rgb([200, 80, 40]));
    JpegEncoder::new(&mut jpeg).encode_image(&pixels).expect("a small picture is encoded");
    jpeg.into()
}

impl Ports {
    fn files(&self) -> PictureFiles {
        PictureFiles::new(Some(Arc::clone(&self.blobs)))
    }

    /// Erasures.
    pub fn erasure(&self) -> ErasureService {
        ErasureService::new(Arc::clone(&self.store)).with_files(self.files(), Arc::clone(&self.queue))
    }

    /// The change stream's consumer.
    pub fn changes(&self, ids: &Arc<IdGenerator>) -> ChangeService {
        ChangeService::new(Arc::clone(&self.store), Arc::clone(ids)).with_files(self.files())
    }

    /// The consumer of MediaQ.
    pub fn handler(&self) -> MediaHandler {
        let processing = ProcessingService::new(Arc::clone(&self.store), self.files());
        MediaHandler::new(processing, Arc::clone(&self.queue), RetryPauses::default()).expect("a thread starts")
    }

    /// Posts and their deletion.
    pub fn posts(&self) -> PostService {
        PostService::new(Arc::clone(&self.store), RateLimiter::off())
    }
}

impl Gallery {
    /// An empty database and folder.
    pub fn open() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let clock = Clock::manual(START);
        let options = EngineOptions {
            clock: clock.clone(),
            // Changes are recorded by the port's wrapper.
            log_changes: false,
            ..EngineOptions::at(directory.path().join("db"))
        };
        let engine = Engine::open(options).expect("a fresh database opens");
        let settings = QueueSettingsOf::all(QueueSettings::default());
        let queue = EmbeddedQueue::open(engine.clone(), settings).expect("a fresh queue opens");
        let folder = directory.path().join("blobs");
        let full = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&full);
        let before_write =
            Arc::new(move || if seen.load(Ordering::SeqCst) { Err(io::ErrorKind::StorageFull.into()) } else { Ok(()) });
        let options = BlobOptions { before_write, ..BlobOptions::at(&folder, TokenKeys::new([7; 32])) };
        let scanned = EmbeddedStore::new(engine.clone());
        let changing = Arc::new(ChangingStore::new(Arc::new(scanned.clone())));
        let blobs = EmbeddedBlobs::open(options).expect("a fresh folder opens");
        Self {
            ports: Ports { store: changing.clone(), queue: Arc::new(queue), blobs: Arc::new(blobs) },
            clock,
            full,
            changing,
            delivered: Vec::new(),
            ids: Arc::new(IdGenerator::new()),
            scanned,
            folder,
            engine,
            _directory: directory,
        }
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.ports.store)
    }

    /// Pictures.
    pub fn media(&self) -> MediaService {
        MediaService::new(self.store(), Arc::clone(&self.ports.blobs), Arc::clone(&self.ids), RateLimiter::off())
    }

    /// Publishing.
    pub fn publishing(&self) -> PublishService {
        PublishService::new(self.store(), Arc::clone(&self.ports.queue), Arc::clone(&self.ids), RateLimiter::off())
    }

    /// Accounts.
    pub fn accounts(&self) -> AccountService {
        let graph = GraphService::new(self.store(), Arc::clone(&self.ids), RateLimiter::off());
        let keys = TokenKeys::new([7; 32]);
        AccountService::new(self.store(), graph, &keys, &HashingOptions::cheap(), RateLimiter::off())
    }

    /// Exports.
    pub fn export(&self) -> ExportService {
        ExportService::new(self.store(), self.accounts())
    }

    /// A new account.
    pub async fn user(&self, handle: &str) -> UserId {
        let registration = Registration {
            handle: Handle::parse(handle).expect("a test's handle is valid"),
            email: Email::parse(&format!("{handle}@example.org")).expect("an address"),
            password: Password::parse(PASSWORD).expect("a password"),
            display_name: None,
        };
        let origin = LoginOrigin { network: ClientNetwork::UNKNOWN, user_agent: None };
        let registered = self.accounts().register(Ok::<_, ServiceError>(registration), origin, self.clock.now()).await;
        registered.expect("the account is created").user.profile.user.user_id
    }

    /// Deletes an account.
    pub async fn delete_account(&self, user: UserId) {
        let password = Password::parse(PASSWORD).expect("a password");
        let origin = LoginOrigin { network: ClientNetwork::UNKNOWN, user_agent: None };
        let deleted = self.accounts().delete(user, &UserRef::Me, password, origin, self.clock.now()).await;
        deleted.expect("the account is deleted");
    }

    /// Announces a JPEG of this many bytes.
    pub async fn announce(&self, owner: UserId, bytes: usize) -> MediaId {
        let description = MediaDescription::parse("a crab").expect("a description");
        let new = NewMedia { content_type: MediaType::Jpeg, bytes: bytes as u64, description };
        let (media, _permission) = self.media().announce(owner, new, self.clock.now()).await.expect("it is announced");
        media.media_id
    }

    /// Stores an upload, without its event.
    pub async fn store_upload(&self, media: MediaId, content: Bytes) {
        let blob = Blob { body: content, content_type: "image/jpeg".to_owned() };
        let put = self.ports.blobs.put(Bucket::Uploads, &data::keys::blobs::upload(media), blob).await;
        put.expect("the upload is stored");
    }

    /// Stores an upload and announces it.
    pub async fn upload(&self, media: MediaId, content: Bytes) {
        self.store_upload(media, content).await;
        announce_upload(self.ports.queue.as_ref(), media).await.expect("it is announced");
    }

    /// Announces and uploads a picture, and processes all messages.
    pub async fn picture(&self, owner: UserId) -> MediaId {
        let content = photo(8, 6);
        let media = self.announce(owner, content.len()).await;
        self.upload(media, content).await;
        self.work().await;
        media
    }

    /// Processes the messages of MediaQ until none is left. Returns their number.
    pub async fn work(&self) -> usize {
        let (handler, queue, mut handled) = (self.ports.handler(), self.ports.queue.as_ref(), 0);
        loop {
            let batch = queue.receive(QueueName::MediaQ, 10, Duration::ZERO, None).await.expect("the queue answers");
            if batch.is_empty() {
                return handled;
            }
            handled += batch.len();
            let receipts = batch.iter().map(|message| message.receipt.clone()).collect();
            let outcome = handler.handle(batch).await;
            assert_eq!(outcome.failed, Vec::<String>::new());
            delete_all(queue, QueueName::MediaQ, receipts).await.expect("the messages are deleted");
        }
    }

    /// Publishes a post of these pictures, without text.
    pub async fn post(&self, author: UserId, media: &[MediaId]) -> Result<PostId, ServiceError> {
        let text = PostText::parse_caption("").expect("a post with pictures needs no text");
        let new = NewPost { text, media: media.to_vec() };
        Ok(self.publishing().publish(author, new, None, self.clock.now()).await?.post.post_id)
    }

    /// Applies the changes recorded since the last call.
    pub async fn stream(&mut self) {
        loop {
            let changes = self.changing.take_changes();
            if changes.is_empty() {
                return;
            }
            self.apply(&changes).await;
            self.delivered.extend(changes);
        }
    }

    /// Applies changes, redelivered ones included.
    pub async fn apply(&self, changes: &[Change]) {
        let service = self.ports.changes(&self.ids);
        for batch in changes.chunks(50) {
            for outcome in service.apply(batch, self.clock.now()).await {
                assert!(matches!(outcome, Applied::Done), "{outcome:?}");
            }
        }
    }

    /// The consumer of the change stream on other ports.
    pub fn changes_on(&self, ports: &Ports) -> ChangeService {
        ports.changes(&self.ids)
    }

    /// Runs due erasures until none is left.
    pub async fn sweep(&self) {
        loop {
            let deadline = Instant::now() + Duration::from_mins(1);
            let erased = self.ports.erasure().run_due(self.clock.now(), deadline).await.expect("the store answers");
            if !erased.is_cut_short {
                return;
            }
        }
    }

    /// The stored picture for its owner.
    pub async fn stored(&self, owner: UserId, media: MediaId) -> Media {
        self.media().get(owner, media).await.expect("the picture exists")
    }

    /// The keys of all objects, in both buckets.
    pub fn objects(&self) -> BTreeSet<String> {
        let mut keys = BTreeSet::new();
        for bucket in Bucket::ALL {
            for shard in std::fs::read_dir(self.folder.join(bucket.name())).expect("the bucket's folder") {
                for file in std::fs::read_dir(shard.expect("a shard").path()).expect("the shard's folder") {
                    let name = file.expect("a file").file_name().into_string().expect("keys are ASCII");
                    keys.insert(name.replace('+', "/"));
                }
            }
        }
        keys
    }

    /// The keys of served objects.
    pub fn served(&self) -> BTreeSet<String> {
        self.objects().into_iter().filter(|key| key.starts_with(Bucket::SERVED)).collect()
    }

    /// Every item of every table.
    pub async fn items(&self) -> Vec<(Table, Item)> {
        let mut all = Vec::new();
        for table in Table::ALL {
            let items = self.scanned.scan(table, None, 1_000_000).await.expect("the table can be read");
            all.extend(items.into_iter().map(|item| (table, item)));
        }
        all
    }
}
