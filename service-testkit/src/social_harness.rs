//! Users who follow, post, like, comment and undo it, compared with the social model, and the stream of
//! their changes, with every kind of redelivery that streams allow.

use std::{
    collections::{HashMap, HashSet, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    sync::Arc,
    time::Duration,
};

use data::{
    Audit, Comments, Counted, Counter, Counts, Db, Follows, Likes, Notifications, Posts, Transaction, Users, Writes,
};
use domain::{
    Act, Bio, Comment, CommentId, CommentText, DisplayName, Handle, IdGenerator, NotificationId, PageLimit, Post,
    PostCounts, PostId, PostText, Profile, Timestamp, User, UserCounts, UserId,
};
use ports::{changes::Change, store::Store};
use rand::{RngExt as _, rngs::StdRng};
use service::{
    changes::{Applied, ChangeService},
    inbox::InboxWriter,
    notifications::NotificationService,
    posts::PostService,
    rates::RateLimiter,
};

use testkit::{
    changing::ChangingStore,
    social::{Action, SocialModel},
};

/// An action. Numbers name users, posts and comments; they wrap around.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// A user publishes a post.
    Post(usize),
    /// Deletes a post.
    Delete(usize),
    /// Restores a deleted post.
    Restore(usize),
    /// The first follows the second.
    Follow(usize, usize),
    /// The first unfollows the second.
    Unfollow(usize, usize),
    /// The first likes the second, a post.
    Like(usize, usize),
    /// The first unlikes the second, a post.
    Unlike(usize, usize),
    /// The first comments on the second, a post.
    Comment(usize, usize),
    /// Deletes a comment.
    DeleteComment(usize),
}

/// The users, and the model of their actions.
#[derive(Debug)]
pub struct SocialHarness {
    /// The store, which records its changes.
    pub store: Arc<ChangingStore>,
    /// The clock.
    pub now: Timestamp,
    /// The users.
    pub people: Vec<UserId>,
    /// The model of their actions.
    pub model: SocialModel,
    ids: IdGenerator,
    /// The first notification seen, by recipient and act.
    seen: HashMap<(UserId, Act), NotificationId>,
}

fn comment_of(post_id: PostId, comment_id: CommentId, author_id: UserId) -> Comment {
    let text = CommentText::parse("well said").expect("a comment may say so");
    Comment { comment_id, post_id, author_id, text }
}

fn at<T>(mut of: impl ExactSizeIterator<Item = T>, number: usize) -> Option<T> {
    let place = number.checked_rem(of.len())?;
    of.nth(place)
}

impl SocialHarness {
    /// Registers this many users in a store.
    pub async fn of(people: usize, store: Arc<dyn Store>, now: Timestamp) -> Self {
        let mut social = Self {
            store: Arc::new(ChangingStore::new(store)),
            now,
            people: Vec::new(),
            model: SocialModel::default(),
            ids: IdGenerator::new(),
            seen: HashMap::new(),
        };
        for _ in 0..people {
            let user_id = UserId::random();
            let handle = Handle::parse(&user_id.as_uuid().simple().to_string()[..30]).expect("a handle");
            let user = User { user_id, display_name: DisplayName::from(&handle), handle, avatar: None };
            social.people.push(user.user_id);
            let profile = Profile { user, bio: Bio::default(), created_at: now };
            social.write(Users::claim(&profile).and(Users::creation(&profile))).await;
        }
        social
    }

    async fn write(&self, writes: Writes) {
        let committed = Transaction::from(writes).commit(&Db::from(Arc::clone(&self.store))).await;
        assert!(committed.expect("the store does not fail").is_applied());
    }

    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }

    fn person(&self, number: usize) -> UserId {
        at(self.people.iter().copied(), number).expect("someone lives here")
    }

    fn post(&self, number: usize) -> Option<PostId> {
        at(self.model.posts(), number).map(|(post, ..)| post)
    }

    fn live_post(&self, number: usize) -> Option<PostId> {
        self.post(number).filter(|post| self.model.is_live(*post))
    }

    /// The oldest post.
    pub fn first_post(&self) -> Option<PostId> {
        self.post(0)
    }

    /// Performs an action through the services; skips one that is impossible in the current state.
    pub async fn does(&mut self, deed: Deed) {
        if let Some(action) = self.action_of(deed) {
            self.perform(action).await;
            self.model.apply(action);
        }
    }

    fn action_of(&self, deed: Deed) -> Option<Action> {
        Some(match deed {
            Deed::Post(who) => Action::Post(self.person(who), self.ids.next_post_id(self.now)),
            Deed::Delete(number) => Action::Delete(self.live_post(number)?),
            Deed::Restore(number) => Action::Restore(self.post(number).filter(|post| !self.model.is_live(*post))?),
            Deed::Follow(who, whom) | Deed::Unfollow(who, whom) => {
                let (who, whom) = (self.person(who), self.person(whom));
                if who == whom {
                    return None;
                }
                if matches!(deed, Deed::Follow(..)) { Action::Follow(who, whom) } else { Action::Unfollow(who, whom) }
            }
            Deed::Like(who, number) => Action::Like(self.person(who), self.live_post(number)?),
            Deed::Unlike(who, number) => Action::Unlike(self.person(who), self.post(number)?),
            Deed::Comment(who, number) => {
                Action::Comment(self.person(who), self.live_post(number)?, self.ids.next_comment_id(self.now))
            }
            Deed::DeleteComment(number) => {
                let (comment, .., stands) = at(self.model.comments(), number)?;
                if !stands {
                    return None;
                }
                Action::DeleteComment(comment)
            }
        })
    }

    async fn perform(&self, action: Action) {
        match action {
            Action::Post(author, post) => {
                let text = PostText::parse("hello").expect("a post may say so");
                self.write(Posts::creation(&Post { post_id: post, author_id: author, text, media: Vec::new() })).await;
            }
            Action::Delete(post) => {
                let author = self.author_of(post);
                PostService::new(self.store(), RateLimiter::off())
                    .delete(author, post, self.now)
                    .await
                    .expect("it is deleted");
            }
            Action::Restore(post) => {
                PostService::new(self.store(), RateLimiter::off())
                    .restore(post, self.now)
                    .await
                    .expect("it is restored");
            }
            Action::Follow(who, whom) => {
                let (marker, lease_until) = (self.ids.next_post_id(self.now), self.now);
                let made = Follows::new(self.store()).create(who, whom, self.now, marker, lease_until).await;
                let _either_way = made.expect("the store does not fail");
            }
            Action::Unfollow(who, whom) => {
                let removed = Follows::new(self.store()).remove(who, whom, self.now).await;
                let _either_way = removed.expect("the store does not fail");
            }
            Action::Like(who, post) if !self.model.likes(who, post) => {
                Likes::new(self.store()).create(who, post, self.now).await.expect("the store does not fail");
            }
            Action::Unlike(who, post) if self.model.likes(who, post) => {
                Likes::new(self.store()).remove(who, post).await.expect("the store does not fail");
            }
            Action::Like(..) | Action::Unlike(..) => {}
            Action::Comment(author, post, comment) => {
                let made = Comments::new(self.store()).create(&comment_of(post, comment, author)).await;
                made.expect("the store does not fail");
            }
            Action::DeleteComment(comment) => {
                let (_, post, author, _) = self.comment(comment);
                let deleted = Comments::new(self.store()).delete(&comment_of(post, comment, author), self.now).await;
                assert!(deleted.expect("the store does not fail").is_applied());
            }
        }
    }

    fn author_of(&self, post: PostId) -> UserId {
        self.model.posts().find(|(id, ..)| *id == post).expect("it was posted").1
    }

    fn comment(&self, comment: CommentId) -> (CommentId, PostId, UserId, bool) {
        self.model.comments().find(|(id, ..)| *id == comment).expect("it was made")
    }

    /// Erases a post with its reactions, as happens long after its deletion.
    pub async fn erase(&mut self, post: PostId) {
        let author = self.author_of(post);
        for who in &self.people {
            self.perform(Action::Unlike(*who, post)).await;
        }
        for (comment, _, by, _) in self.model.comments().filter(|(_, on, ..)| *on == post) {
            self.write(Comments::erasure(by, post, comment)).await;
        }
        let entries = Notifications::new(self.store()).page_of_recipient(author, None, 10_000).await;
        let mut about = entries.expect("the store can be read").items;
        about.retain(|entry| entry.notification.act.kind.post_id() == Some(post));
        let about: Vec<NotificationId> = about.iter().map(|entry| entry.notification.notification_id).collect();
        InboxWriter::new(self.store()).erase(author, &about, self.now).await.expect("the inbox can be erased");
        self.write(Posts::erasure(author, post).and(Counts::erasure(Counted::Post(post)))).await;
        self.model.erase(post);
    }

    /// Compares all counts, notifications and unread counts in `store` with the model.
    pub async fn assert_settled(&mut self, store: &Arc<dyn Store>, when: &str) {
        self.assert_counts(store, when).await;
        for user in self.people.clone() {
            self.assert_notifications(store, user, when).await;
        }
    }

    async fn assert_counts(&self, store: &Arc<dyn Store>, when: &str) {
        for user in &self.people {
            let UserCounts { followers, following, posts } = self.model.user_counts(*user);
            let expected = [(Counter::Followers, followers), (Counter::Following, following), (Counter::Posts, posts)];
            assert_stored(store, Counted::User(*user), &expected, when).await;
        }
        for (post, ..) in self.model.posts() {
            let PostCounts { likes, comments } = self.model.post_counts(post);
            let expected = [(Counter::Likes, likes), (Counter::Comments, comments)];
            assert_stored(store, Counted::Post(post), &expected, when).await;
        }
    }

    async fn assert_notifications(&mut self, store: &Arc<dyn Store>, user: UserId, when: &str) {
        let acts: HashMap<Act, bool> = self.model.acts_concerning(user).into_iter().collect();
        let entries = Notifications::new(Arc::clone(store)).page_of_recipient(user, None, 10_000).await;
        let mut found = HashSet::new();
        for entry in entries.expect("the store can be read").items {
            let (act, id) = (entry.notification.act, entry.notification.notification_id);
            assert_eq!(entry.is_visible(), acts.get(&act) == Some(&true), "{when}: {entry:?}");
            assert!(found.insert(act), "{when}: there twice: {act:?}");
            assert_eq!(
                *self.seen.entry((user, act)).or_insert(id),
                id,
                "{when}: the notification's id changed: {act:?}"
            );
        }
        for (act, is_shown) in &acts {
            assert!(!is_shown || found.contains(act), "{when}: missing: {act:?}");
        }
        self.assert_unread(store, user, when).await;
    }

    async fn assert_unread(&self, store: &Arc<dyn Store>, user: UserId, when: &str) {
        let (service, mut unread, mut after) = (NotificationService::new(Arc::clone(store)), 0, None);
        let limit = PageLimit::new(7).expect("a page of 7 is allowed");
        loop {
            let read = service.page(user, after, limit, self.now).await.expect("the store can be read");
            unread += read.page.items.iter().filter(|view| !view.read).count() as u64;
            if read.page.next.is_none() {
                assert_eq!(read.unread, unread, "{when}: unread of {user}");
                return;
            }
            after = read.page.next;
        }
    }
}

async fn assert_stored(store: &Arc<dyn Store>, of: Counted, expected: &[(Counter, u64)], when: &str) {
    let audit = Audit::new(Arc::clone(store));
    for (counter, number) in expected {
        let stored = audit.stored(of, *counter).await.expect("the store can be read").found.number();
        assert_eq!(stored, number.cast_signed(), "{when}: {} of {of:?}", counter.name());
    }
}

/// A change stream of a few ordered shards; each change is redelivered until it is passed.
#[derive(Debug)]
pub struct Stream {
    shards: Vec<Shard>,
}

/// The lifetime of a record in a stream. Passed records that are older are not redelivered.
const RECORD_LIFE: Duration = Duration::from_hours(24);

#[derive(Debug, Default)]
struct Shard {
    changes: Vec<Change>,
    passed: usize,
    /// The number of records at each time.
    history: Vec<(Timestamp, usize)>,
    /// All records before this index have expired.
    first_living: usize,
}

/// Changes that are delivered together.
#[derive(Debug)]
pub struct Batch {
    shard: usize,
    from: usize,
    /// The changes, in order.
    pub changes: Vec<Change>,
}

impl Stream {
    /// A stream of this many shards.
    pub fn of(shards: usize) -> Self {
        Self { shards: (0..shards).map(|_| Shard::default()).collect() }
    }

    /// Appends changes to the stream; those of one item go to one shard.
    pub fn extend(&mut self, changes: Vec<Change>) {
        for change in changes {
            let mut hasher = DefaultHasher::new();
            change.key.hash(&mut hasher);
            let count = self.shards.len() as u64;
            let place = usize::try_from(hasher.finish() % count).expect("few shards");
            self.shards[place].changes.push(change);
        }
    }

    /// Advances the time. Passed records that have expired are not redelivered; unpassed ones are, at any age.
    pub fn time_passes(&mut self, now: Timestamp) {
        for shard in &mut self.shards {
            shard.history.push((now, shard.changes.len()));
            let dead = shard.history.partition_point(|(made, _)| made.plus(RECORD_LIFE) <= now);
            let dead = dead.checked_sub(1).map_or(0, |place| shard.history[place].1);
            shard.first_living = dead.min(shard.passed);
        }
    }

    /// Changes of a random shard: usually the next ones, occasionally ones that were passed long ago.
    pub fn batch(&self, rng: &mut StdRng) -> Batch {
        let shard = rng.random_range(0..self.shards.len());
        let Shard { changes, passed, first_living, .. } = &self.shards[shard];
        let from = if rng.random_bool(0.25) { rng.random_range(*first_living..=*passed) } else { *passed };
        let to = (from + rng.random_range(1..=40)).min(changes.len());
        Batch { shard, from, changes: changes[from..to].to_vec() }
    }

    /// Passes the applied changes of a batch, up to the first that was not applied.
    ///
    /// # Panics
    /// When a change is poison.
    pub fn pass(&mut self, batch: &Batch, outcomes: &[Applied]) {
        assert_eq!(batch.changes.len(), outcomes.len());
        for outcome in outcomes {
            assert!(!matches!(outcome, Applied::Poison(_)), "{outcome:?}");
        }
        let done = outcomes.iter().take_while(|outcome| matches!(outcome, Applied::Done)).count();
        let shard = &mut self.shards[batch.shard];
        shard.passed = shard.passed.max(batch.from + done);
    }

    /// Delivers the unpassed changes in order until all are passed.
    pub async fn drain(&mut self, service: &ChangeService, now: Timestamp) {
        for shard in &mut self.shards {
            while shard.passed < shard.changes.len() {
                let to = (shard.passed + 100).min(shard.changes.len());
                let outcomes = service.apply(&shard.changes[shard.passed..to], now).await;
                assert!(outcomes.iter().all(|outcome| matches!(outcome, Applied::Done)), "{outcomes:?}");
                shard.passed = to;
            }
        }
    }
}
