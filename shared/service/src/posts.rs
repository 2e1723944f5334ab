//! Posts: publishing, reading, deleting and restoring; stories.

use std::{collections::HashMap, sync::Arc, time::Duration};

use futures::FutureExt as _;
use sha2::{Digest as _, Sha256};
use tracing::warn;

use super::{
    ServiceError,
    live::LiveService,
    media::attaching::{attachable, shown},
    pages::{self, Candidate},
    promotion::{DeliveryReview, PullThreshold, review::Standing},
    rates::{Limit, RateLimiter},
    stories::Stories,
    user_refs,
    views::PostViews,
};
use crate::live::Topic;
use data::{
    Committed, Counts, Db, Delivery, DeliveryMode, DeliveryModes, Erasures, Feeds, IdempotencyRecord,
    IdempotencyRecords, Likes, MediaItems, Outbox, Part, Posts, Refusal, StoredPost, Transaction, Users,
    messages::{FanOutMessage, FanOutTag, V1},
};
use domain::{
    Attachment, IdGenerator, Media, MediaId, Page, PageLimit, Post, PostCounts, PostId, PostMedia, PostText, PostView,
    Profile, Timestamp, UserId, UserRef, limits,
};
use ports::{
    queue::{OutgoingMessage, Queue, QueueError, QueueName},
    store::StoreError,
};
use telemetry::chain;

/// An `Idempotency-Key`: 1 to 255 visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IdempotencyKey(String);

impl IdempotencyKey {
    /// `None` when the text has another form.
    pub fn parse(text: &str) -> Option<Self> {
        let visible = text.bytes().all(|byte| byte.is_ascii_graphic());
        (limits::IDEMPOTENCY_KEY_CHARS.contains(&text.len()) && visible).then(|| Self(text.to_owned()))
    }

    /// The key.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A post to publish.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewPost {
    /// The text; may be empty if there are pictures.
    pub text: PostText,
    /// The author's pictures, in the order in which they are shown: at most [`limits::MAX_MEDIA_PER_POST`], each once.
    pub media: Vec<MediaId>,
}

impl From<PostText> for NewPost {
    fn from(text: PostText) -> Self {
        Self { text, media: Vec::new() }
    }
}

/// The field of a request that names a post's pictures.
const MEDIA_IDS: &str = "media_ids";

/// The outcome of publishing.
enum Published {
    /// The post was made now.
    New(PostView),
    /// The post was made before, under the same `Idempotency-Key`.
    Before(PostView),
}

/// Publishes posts; used by post-handler.
#[derive(Debug, Clone)]
pub struct PublishService {
    db: Db,
    queue: Arc<dyn Queue>,
    ids: Arc<IdGenerator>,
    users: Users,
    records: IdempotencyRecords,
    posts: Posts,
    media: MediaItems,
    counts: Counts,
    likes: Likes,
    rates: RateLimiter,
    review: DeliveryReview,
    stories: Option<Stories>,
    live: Option<LiveService>,
}

impl PublishService {
    /// Publishes to `store`, limited by `rates`, and announces posts on `queue`.
    pub fn new(db: impl Into<Db>, queue: Arc<dyn Queue>, ids: Arc<IdGenerator>, rates: RateLimiter) -> Self {
        let db = db.into();
        Self {
            users: Users::new(db.clone()),
            records: IdempotencyRecords::new(db.clone()),
            posts: Posts::new(db.clone()),
            media: MediaItems::new(db.clone()),
            counts: Counts::new(db.clone()),
            likes: Likes::new(db.clone()),
            review: DeliveryReview::new(db.clone(), Arc::clone(&queue), Arc::clone(&ids), PullThreshold::default()),
            db,
            queue,
            ids,
            rates,
            stories: None,
            live: None,
        }
    }

    /// The same, announcing pulled posts to the feeds that read from `stories`.
    #[must_use]
    pub fn with_stories(self, stories: Stories) -> Self {
        Self { stories: Some(stories), ..self }
    }

    /// The same, sending live events to connected authors about their own posts.
    #[must_use]
    pub fn with_live_events(self, live: Option<LiveService>) -> Self {
        Self { live, ..self }
    }

    /// The same, pulling the posts of authors with this many followers.
    #[must_use]
    pub fn with_pull_threshold(self, threshold: PullThreshold) -> Self {
        Self { review: self.review.with_threshold(threshold), ..self }
    }

    /// Publishes a post: to its author's story and feed at once, to the followers' feeds through PostQ, or when these
    /// are read if the author's posts are pulled.
    ///
    /// The same `key` with the same post returns the same post and fans out once; with another one it is invalid
    /// (field `Idempotency-Key`). [`ServiceError::Unauthenticated`] for an author without an account. Pictures must be
    /// the author's ([`ServiceError::Invalid`]), ready and in no other place ([`ServiceError::MediaNotReady`],
    /// [`ServiceError::MediaInUse`]).
    ///
    /// Each post is a use of [`Limit::Posts`]; repeated and invalid requests are not. [`ServiceError::RateLimited`]
    /// when no use is left, though repeated requests still return their post. A duplicate that overlaps with its
    /// original may be refused when the original takes the last use, because the post does not exist yet.
    pub async fn publish(
        &self,
        author: UserId,
        new: impl Into<NewPost>,
        key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> Result<PostView, ServiceError> {
        let new = new.into();
        let admitted = futures::try_join!(
            self.rates.admit(Limit::Posts, author, now),
            self.profile(author).map(Ok),
            self.review.standing(author).map(Ok),
            self.attachable(author, &new).map(Ok),
        );
        let (taken, profile, standing, media) = match (admitted, key) {
            (Ok(admitted), _) => admitted,
            (Err(refused), None) => return Err(refused),
            (Err(refused), Some(key)) => return self.published_before(author, new, key, now).await?.ok_or(refused),
        };
        let published = match (media, key) {
            (Ok(media), _) => self.publish_once(profile?, standing?, &new, &media, key, now).await,
            (Err(refused), None) => Err(refused),
            // The pictures of a repeated request are in its own post.
            (Err(refused), Some(key)) => match self.published_before(author, new, key, now).await {
                Ok(before) => before.map(Published::Before).ok_or(refused),
                Err(error) => Err(error),
            },
        };
        match published {
            Ok(Published::New(post)) => Ok(post),
            Ok(Published::Before(post)) => {
                taken.give_back().await;
                Ok(post)
            }
            Err(error) => {
                if is_refusal(&error) {
                    taken.give_back().await;
                }
                Err(error)
            }
        }
    }

    async fn attachable(&self, author: UserId, new: &NewPost) -> Result<Vec<Media>, ServiceError> {
        attachable(&self.media, author, &new.media, MEDIA_IDS).await
    }

    async fn profile(&self, author: UserId) -> Result<Profile, ServiceError> {
        self.users.get_own(author).await?.ok_or(ServiceError::Unauthenticated)
    }

    async fn publish_once(
        &self,
        profile: Profile,
        standing: Standing,
        new: &NewPost,
        media: &[Media],
        key: Option<&IdempotencyKey>,
        now: Timestamp,
    ) -> Result<Published, ServiceError> {
        let author = profile.user.user_id;
        let (post_id, text) = (self.ids.next_post_id(now), new.text.clone());
        let post = Post { post_id, author_id: author, text, media: shown(media) };
        let recorded = self.record(&post, media, key, standing.mode, now).await;
        if let (Err(_), Some(live)) = (&recorded, &self.live) {
            // The post may have been recorded despite the error.
            live.unsure(author, Topic::Feed);
        }
        let delivery = match (recorded?, key) {
            (Recorded::Now(delivery), _) => delivery,
            (Recorded::Before, Some(key)) => {
                let post_id = self.replayed(author, new, key).await?;
                return self.known(Post { post_id, ..post }, profile).await.map(Published::Before);
            }
            (Recorded::Before, None) => return Err(StoreError::Conflict.into()),
        };
        self.announce(&post, delivery).await;
        self.review.review(author, standing, now).await;
        Ok(Published::New(fresh(post, profile)))
    }

    /// The post that an earlier request with this key made, if any. A key that was used with another post is invalid,
    /// as when publishing.
    async fn published_before(
        &self,
        author: UserId,
        new: NewPost,
        key: &IdempotencyKey,
        now: Timestamp,
    ) -> Result<Option<PostView>, ServiceError> {
        let Some(record) = self.records.get(author, key.as_str()).await? else { return Ok(None) };
        if now.since(record.post_id.created_at()) >= limits::IDEMPOTENCY_TTL {
            return Ok(None);
        }
        let post_id = made_by(&record, &new)?;
        let profile = self.profile(author).await?;
        let media = self.media_of(post_id, &new).await?;
        self.known(Post { post_id, author_id: author, text: new.text, media }, profile).await.map(Some)
    }

    /// The pictures of an existing post, which was made from `new`.
    async fn media_of(&self, post: PostId, new: &NewPost) -> Result<Vec<PostMedia>, StoreError> {
        if new.media.is_empty() {
            return Ok(Vec::new());
        }
        let stored = self.posts.get_all_strongly(&[post]).await?.remove(&post);
        Ok(stored.map(|stored| stored.post.media).unwrap_or_default())
    }

    /// The current view of an existing post for its author.
    async fn known(&self, post: Post, author: Profile) -> Result<PostView, ServiceError> {
        let ids = [post.post_id];
        let (counts, liked) =
            futures::try_join!(self.counts.of_posts(&ids), self.likes.liked_of(post.author_id, &ids))?;
        let counts = counts.get(&post.post_id).copied().unwrap_or_default();
        Ok(PostView { author: author.user, counts, liked_by_me: liked.contains(&post.post_id), post })
    }

    /// Records the post as its author's mode demands. A post that was to be pulled is pushed if the mode has changed
    /// meanwhile.
    async fn record(
        &self,
        post: &Post,
        media: &[Media],
        key: Option<&IdempotencyKey>,
        mode: DeliveryMode,
        now: Timestamp,
    ) -> Result<Recorded, ServiceError> {
        if let DeliveryMode::Pull { since } = mode
            && post.post_id >= since
            && let Some(recorded) = self.record_as(post, media, key, mode, now).await?
        {
            return Ok(recorded);
        }
        let pushed = self.record_as(post, media, key, DeliveryMode::DEFAULT, now).await?;
        Ok(pushed.unwrap_or(Recorded::Before))
    }

    /// Writes the post, its story entry, the author's feed entry, the claim of the key, the attachment of its pictures
    /// and, unless the post is pulled, the outbox entry atomically. `None` when the mode is no longer the one to pull by.
    ///
    /// Without the check of the mode, a pulled post could be committed after a demotion and a second promotion, which
    /// followers of the time between merge only from later posts on.
    ///
    /// Retrying after a lost answer is safe: the post's id is new, so if the condition on the post fails, the lost try
    /// was applied in full.
    async fn record_as(
        &self,
        post: &Post,
        media: &[Media],
        key: Option<&IdempotencyKey>,
        mode: DeliveryMode,
        now: Timestamp,
    ) -> Result<Option<Recorded>, ServiceError> {
        let mut transaction = Transaction::new();
        let is_pulled = matches!(mode, DeliveryMode::Pull { .. });
        let delivery = if is_pulled { Delivery::Pulled } else { Delivery::Pushed };
        let itself = transaction.add(Posts::creation_for(post, delivery));
        transaction.add(Feeds::own_entry(post.author_id, post.post_id));
        let delivered = transaction.add(match delivery {
            Delivery::Pushed => Outbox::creation(post.post_id, post.author_id, now),
            Delivery::Pulled => DeliveryModes::is_unchanged(post.author_id, mode),
        });
        let claim = key.map(|key| {
            let record = IdempotencyRecord { digest: digest_of(&post.text, media_ids(post)), post_id: post.post_id };
            transaction.add(IdempotencyRecords::claim(post.author_id, key.as_str(), &record, now))
        });
        let place = Attachment::Post(post.post_id);
        let attached = transaction.add(media.iter().map(|media| MediaItems::attachment(media, place)).collect());
        let Committed::Refused(refusal) = transaction.commit(&self.db).await? else {
            return Ok(Some(Recorded::Now(delivery)));
        };
        match (Conditions { itself, claim, attached, delivered }).judge(&refusal)? {
            Failed::Itself => Ok(Some(Recorded::Now(delivery))),
            Failed::Claim => Ok(Some(Recorded::Before)),
            Failed::Attachment => {
                // Attached elsewhere or erased meanwhile; otherwise described meanwhile.
                attachable(&self.media, post.author_id, &media_ids(post).collect::<Vec<_>>(), MEDIA_IDS).await?;
                Err(StoreError::Conflict.into())
            }
            Failed::Delivery => Ok(None),
        }
    }

    /// The post that a used key stands for.
    async fn replayed(&self, author: UserId, new: &NewPost, key: &IdempotencyKey) -> Result<PostId, ServiceError> {
        let record = self.records.get(author, key.as_str()).await?;
        // No record: it expired between the two reads, and a retry finds the key free.
        let record = record.ok_or(ServiceError::Busy { retry_after: Duration::from_secs(1) })?;
        made_by(&record, new)
    }

    /// Notifies the author's own streams and puts the post on PostQ. If that fails, the post is still accepted: its
    /// outbox entry makes the sweeper send it. A pulled post has neither.
    async fn announce(&self, post: &Post, delivery: Delivery) {
        if let Some(live) = &self.live {
            live.own_post(post.author_id, post.post_id);
        }
        if delivery == Delivery::Pulled {
            if let Some(stories) = &self.stories {
                stories.changed(post.author_id);
            }
            if let Some(live) = &self.live {
                live.pulled_post(post.post_id, post.author_id);
            }
            return;
        }
        let message = FanOutMessage {
            tag: FanOutTag::FanOut,
            v: V1,
            post_id: post.post_id,
            author_id: post.author_id,
            generation: 0,
            hop: 0,
        };
        if let Err(error) = send_fan_out(self.queue.as_ref(), &message).await {
            warn!(post.id = %post.post_id, error = %chain(&error), "Could not put post {} on PostQ; the sweeper will", post.post_id);
        }
    }
}

/// The outcome of recording a post.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Recorded {
    /// It was recorded, and reaches followers in this way.
    Now(Delivery),
    /// Its `Idempotency-Key` stands for another post.
    Before,
}

/// The parts with conditions of the transaction that records a post.
#[derive(Debug, Clone, Copy)]
struct Conditions {
    itself: Part,
    claim: Option<Part>,
    attached: Part,
    delivered: Part,
}

/// The first part whose condition failed. The post itself comes first: it exists, so an earlier try was applied in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Failed {
    Itself,
    Claim,
    Attachment,
    Delivery,
}

impl Conditions {
    /// The part that failed. A refusal for none of them is an error: nothing was written, so it must not count as
    /// recorded.
    fn judge(self, refusal: &Refusal) -> Result<Failed, StoreError> {
        if refusal.includes(self.itself) {
            Ok(Failed::Itself)
        } else if self.claim.is_some_and(|claim| refusal.includes(claim)) {
            Ok(Failed::Claim)
        } else if refusal.includes(self.attached) {
            Ok(Failed::Attachment)
        } else if refusal.includes(self.delivered) {
            Ok(Failed::Delivery)
        } else {
            Err(StoreError::Rejected("a condition failed that recording a post does not know".into()))
        }
    }
}

/// Puts a fan-out on PostQ, in its author's message group.
pub(super) async fn send_fan_out(queue: &dyn Queue, message: &FanOutMessage) -> Result<(), QueueError> {
    let outgoing =
        OutgoingMessage { body: message.encode(), group: message.author_id.to_string(), delay: Duration::ZERO };
    let unsent = queue.send(QueueName::PostQ, vec![outgoing]).await?;
    if unsent.is_empty() { Ok(()) } else { Err(QueueError::Throttled) }
}

/// Whether the request can never succeed as it is: it does not count towards the limit.
const fn is_refusal(error: &ServiceError) -> bool {
    matches!(error, ServiceError::Invalid { .. } | ServiceError::MediaNotReady { .. } | ServiceError::MediaInUse { .. })
}

fn media_ids(post: &Post) -> impl Iterator<Item = MediaId> + '_ {
    post.media.iter().map(|media| media.media_id)
}

/// The record's post, if it was made from this one.
fn made_by(record: &IdempotencyRecord, new: &NewPost) -> Result<PostId, ServiceError> {
    if record.digest != digest_of(&new.text, new.media.iter().copied()) {
        return Err(ServiceError::Invalid {
            field: "Idempotency-Key",
            message: "was used with another body in the last 24 hours",
        });
    }
    Ok(record.post_id)
}

/// The digest that distinguishes request bodies. No text has a NUL, so pictures cannot be mistaken for text.
fn digest_of(text: &PostText, media: impl Iterator<Item = MediaId>) -> String {
    let mut digest = Sha256::new_with_prefix(text.as_str());
    for id in media {
        digest.update("\0");
        digest.update(id.to_string());
    }
    hex::encode(digest.finalize())
}

/// The view of a new post.
fn fresh(post: Post, author: Profile) -> PostView {
    PostView { post, author: author.user, counts: PostCounts::default(), liked_by_me: false }
}

/// Reads, deletes and restores posts, and reads stories; used by status-api. An id may be `None`, for a path segment
/// that is no id: such a post is not found.
///
/// A deleted post is marked and stays in place, with its likes, comments and entries in feeds and stories: reads leave
/// it out, and restoring it removes the mark. So a fan-out in progress continues, and its entries are not shown. Posts
/// not restored within [`limits::DELETED_TTL`] are erased.
#[derive(Debug, Clone)]
pub struct PostService {
    db: Db,
    posts: Posts,
    views: PostViews,
    stories: PostViews,
    users: Users,
    rates: RateLimiter,
}

impl PostService {
    /// Posts in `store`, with deletions limited by `rates`.
    pub fn new(db: impl Into<Db>, rates: RateLimiter) -> Self {
        let db = db.into();
        Self {
            posts: Posts::new(db.clone()),
            views: PostViews::uncached(db.clone()),
            stories: PostViews::uncached(db.clone()),
            users: Users::new(db.clone()),
            db,
            rates,
        }
    }

    /// The same, reading stories through `views`, which may be cached.
    #[must_use]
    pub fn with_stories(self, stories: PostViews) -> Self {
        Self { stories, ..self }
    }

    /// A visible post, for a write that needs it; otherwise not found. Read consistently, so that authors see their own
    /// deletions at once.
    pub async fn live(&self, post: impl Into<Option<PostId>>) -> Result<Post, ServiceError> {
        let stored = self.found(post.into()).await?;
        let live = stored.live().ok_or(ServiceError::NotFound)?;
        self.users.get(live.author_id).await?.ok_or(ServiceError::NotFound)?;
        Ok(live.clone())
    }

    /// A post as `reader` sees it.
    pub async fn get(&self, reader: UserId, post: PostId) -> Result<PostView, ServiceError> {
        let found = self.views.find(reader, &[post]).await?;
        let authors = self.views.authors_for(reader, &found.authors()).await?;
        found.view(post, &authors).ok_or(ServiceError::NotFound)
    }

    /// Deletes a post of the caller's. Idempotent for [`limits::DELETED_TTL`], then not found. Another user's post is
    /// forbidden if shown, else not found.
    pub async fn delete(
        &self,
        caller: UserId,
        post: impl Into<Option<PostId>>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let found = self.found(post.into());
        let stored = self.rates.admit_beside(Limit::PostDeletions, caller, now, found).await?;
        let post = stored.post.post_id;
        if stored.post.author_id != caller {
            self.live(post).await?;
            return Err(ServiceError::Forbidden);
        }
        if let Some(erased_from) = stored.erased_from() {
            return if now < erased_from { Ok(()) } else { Err(ServiceError::NotFound) };
        }
        let erasure = Erasures::schedule_post(post, now.plus(limits::DELETED_TTL));
        let deletion = Transaction::from(Posts::deletion(&stored.post, now).and(erasure));
        if deletion.commit(&self.db).await?.is_applied() {
            return Ok(());
        }
        match self.stored(post).await? {
            // By another call, or by an earlier try whose answer was lost.
            Some(stored) if stored.deleted_at.is_some() => Ok(()),
            Some(_) => Err(StoreError::Conflict.into()),
            None => Err(ServiceError::NotFound),
        }
    }

    /// Restores a deleted post. Not found when it does not exist, is not deleted, was deleted more than
    /// [`limits::DELETED_TTL`] ago, or its author's account is gone.
    pub async fn restore(&self, post: PostId, now: Timestamp) -> Result<(), ServiceError> {
        let stored = self.stored(post).await?.ok_or(ServiceError::NotFound)?;
        let (deleted_at, erased_from) = stored.deleted_at.zip(stored.erased_from()).ok_or(ServiceError::NotFound)?;
        if erased_from <= now || self.users.get_own(stored.post.author_id).await?.is_none() {
            return Err(ServiceError::NotFound);
        }
        let restoration = Posts::restoration(post, deleted_at).and(Erasures::cancel_post(post, erased_from));
        if Transaction::from(restoration).commit(&self.db).await?.is_applied() {
            return Ok(());
        }
        match self.stored(post).await? {
            // By another call, or by an earlier try whose answer was lost.
            Some(now) if now.deleted_at.is_none() => Ok(()),
            // Restored and deleted again meanwhile.
            Some(now) if now.deleted_at != stored.deleted_at => Err(StoreError::Conflict.into()),
            // Its erasure has started or finished.
            _ => Err(ServiceError::NotFound),
        }
    }

    /// A stored post, deleted or not. `None`, a path segment that is no id, is not found.
    async fn found(&self, post: Option<PostId>) -> Result<StoredPost, ServiceError> {
        self.stored(post.ok_or(ServiceError::NotFound)?).await?.ok_or(ServiceError::NotFound)
    }

    async fn stored(&self, post: PostId) -> Result<Option<StoredPost>, StoreError> {
        Ok(self.posts.get_all_strongly(&[post]).await?.remove(&post))
    }

    /// An author's posts as `reader` sees them, newest first. An absent author is not found.
    pub async fn story(
        &self,
        reader: UserId,
        author: impl Into<UserRef>,
        after: Option<PostId>,
        limit: PageLimit,
    ) -> Result<Page<PostView, PostId>, ServiceError> {
        let author = user_refs::named(&self.users, reader, &author.into()).await?;
        let profile = self.users.get_for(reader, author).await?.ok_or(ServiceError::NotFound)?;
        let authors = &HashMap::from([(author, profile.user)]);
        pages::fill(after, limit, |after, count| async move {
            let page = self.posts.page_of_author(author, after, count).await?;
            let found = self.stories.find(reader, &page.items).await?;
            Ok(page.map(|post| Candidate { position: post, shown: found.view(post, authors) }))
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use data::Readers;
    use domain::Rule;

    #[tokio::test]
    async fn an_unknown_refusal_is_an_error() {
        let home = service_testkit::Embedded::open();
        let [user, author] = [UserId::random(), UserId::random()];
        let mut transaction = Transaction::new();
        let [itself, attached, delivered] = [PostId::MIN, PostId::from_uuid(uuid::Uuid::from_u128(1)), PostId::MAX]
            .map(|post| transaction.add(Outbox::creation(post, author, Timestamp::default())));
        transaction.add(Readers::is_unchanged(user, author, Some(Rule::LEFT)));
        let db = Db::from(Arc::clone(&home.store));
        let Committed::Refused(refusal) = transaction.commit(&db).await.unwrap() else { panic!("there is no rule") };
        let judged = Conditions { itself, claim: None, attached, delivered }.judge(&refusal);
        assert!(judged.is_err(), "{judged:?}");
    }

    #[test]
    fn an_idempotency_key_is_visible_ascii() {
        assert!(IdempotencyKey::parse("!~").is_some());
        assert!(IdempotencyKey::parse(&"k".repeat(255)).is_some());
        for bad in ["", "a b", "ä", "a\u{7f}", &"k".repeat(256)] {
            assert!(IdempotencyKey::parse(bad).is_none(), "{bad}");
        }
    }
}
