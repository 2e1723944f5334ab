//! A small town: people who follow, post, like, comment and take it back, a model of what must be seen of it, and the
//! stream of its changes, delivered as badly as streams may.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, hash_map::DefaultHasher},
    hash::{Hash as _, Hasher as _},
    sync::Arc,
    time::Duration,
};

use data::{
    Audit, Comments, Counted, Counter, Counts, Db, Follows, Likes, Notifications, Posts, Transaction, Users, Writes,
};
use domain::{
    Act, ActKind, Bio, Comment, CommentId, CommentText, DisplayName, Handle, IdGenerator, NotificationId, PageLimit,
    Post, PostId, PostText, Profile, Timestamp, User, UserId,
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

use crate::changing::ChangingStore;

/// What someone does. Numbers name people, posts and comments; they wrap round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Posts.
    Post(usize),
    /// Deletes a post.
    Delete(usize),
    /// Restores a deleted post.
    Restore(usize),
    /// The first follows the second.
    Follow(usize, usize),
    /// The first follows the second no more.
    Unfollow(usize, usize),
    /// The first likes the second, a post.
    Like(usize, usize),
    /// The first likes the post no more.
    Unlike(usize, usize),
    /// The first comments on the second, a post.
    Comment(usize, usize),
    /// Deletes a comment.
    DeleteComment(usize),
}

/// The people, and what is true of them.
#[derive(Debug)]
pub struct Town {
    /// The store that notes what happens.
    pub store: Arc<ChangingStore>,
    /// The time of the town.
    pub now: Timestamp,
    /// Who lives here.
    pub people: Vec<UserId>,
    /// The posts that are stored: whose, and whether they are live.
    pub posts: BTreeMap<PostId, (UserId, bool)>,
    ids: IdGenerator,
    follows: BTreeSet<(UserId, UserId)>,
    likes: BTreeSet<(UserId, PostId)>,
    comments: BTreeMap<CommentId, (PostId, UserId, bool)>,
    /// By recipient and act, the notification that was seen first.
    seen: HashMap<(UserId, Act), NotificationId>,
}

fn comment_of(post_id: PostId, comment_id: CommentId, author_id: UserId) -> Comment {
    let text = CommentText::parse("well said").expect("a comment may say so");
    Comment { comment_id, post_id, author_id, text }
}

fn at<T: Copy>(of: impl ExactSizeIterator<Item = T>, number: usize) -> Option<T> {
    let place = number.checked_rem(of.len())?;
    of.into_iter().nth(place)
}

impl Town {
    /// So many people more in a store.
    pub async fn of(people: usize, store: Arc<dyn Store>, now: Timestamp) -> Self {
        let mut town = Self {
            store: Arc::new(ChangingStore::new(store)),
            now,
            people: Vec::new(),
            posts: BTreeMap::new(),
            ids: IdGenerator::new(),
            follows: BTreeSet::new(),
            likes: BTreeSet::new(),
            comments: BTreeMap::new(),
            seen: HashMap::new(),
        };
        for _ in 0..people {
            let user_id = UserId::random();
            let handle = Handle::parse(&user_id.as_uuid().simple().to_string()[..30]).expect("a handle");
            let user = User { user_id, display_name: DisplayName::from(&handle), handle };
            town.people.push(user.user_id);
            let profile = Profile { user, bio: Bio::default(), created_at: now };
            town.write(Users::claim(&profile).and(Users::creation(&profile))).await;
        }
        town
    }

    async fn write(&self, writes: Writes) {
        let committed = Transaction::from(writes).commit(&Db::from(Arc::clone(&self.store))).await;
        assert!(committed.expect("the town's store does not fail").is_applied());
    }

    fn person(&self, number: usize) -> UserId {
        at(self.people.iter().copied(), number).expect("someone lives here")
    }

    /// Does it, as the services would; what makes no sense now is not done.
    pub async fn does(&mut self, deed: Deed) {
        let post_of = |number| at(self.posts.keys().copied(), number);
        match deed {
            Deed::Post(who) => {
                let (author, post) = (self.person(who), self.ids.next_post_id(self.now));
                self.posts.insert(post, (author, true));
                let text = PostText::parse("hello").expect("a post may say so");
                self.write(Posts::creation(&Post { post_id: post, author_id: author, text })).await;
            }
            Deed::Delete(number) | Deed::Restore(number) => {
                let Some(post) = post_of(number) else { return };
                self.set_live(post, matches!(deed, Deed::Restore(_))).await;
            }
            Deed::Follow(who, whom) | Deed::Unfollow(who, whom) => {
                let (who, whom) = (self.person(who), self.person(whom));
                if who != whom {
                    self.set_follow(who, whom, matches!(deed, Deed::Follow(..))).await;
                }
            }
            Deed::Like(who, number) => {
                let Some(post) = post_of(number).filter(|post| self.posts[post].1) else { return };
                self.set_like(self.person(who), post, true).await;
            }
            Deed::Unlike(who, number) => {
                let Some(post) = post_of(number) else { return };
                self.set_like(self.person(who), post, false).await;
            }
            Deed::Comment(who, number) => {
                let Some(post) = post_of(number).filter(|post| self.posts[post].1) else { return };
                let (who, comment) = (self.person(who), self.ids.next_comment_id(self.now));
                self.comments.insert(comment, (post, who, true));
                let made = self.comment_dao().create(&comment_of(post, comment, who)).await;
                made.expect("the town's store does not fail");
            }
            Deed::DeleteComment(number) => {
                let Some(comment) = at(self.comments.keys().copied(), number) else { return };
                let (post, author, was_live) = self.comments[&comment];
                if was_live {
                    self.comments.insert(comment, (post, author, false));
                    let deleted = self.comment_dao().delete(&comment_of(post, comment, author), self.now).await;
                    assert!(deleted.expect("the town's store does not fail").is_applied());
                }
            }
        }
    }

    async fn set_live(&mut self, post: PostId, is_live: bool) {
        let (author, was_live) = self.posts[&post];
        if was_live == is_live {
            return;
        }
        self.posts.insert(post, (author, is_live));
        let posts = PostService::new(Arc::clone(&self.store) as Arc<dyn Store>, RateLimiter::off());
        let done =
            if is_live { posts.restore(post, self.now).await } else { posts.delete(author, post, self.now).await };
        done.expect("the town's store does not fail");
    }

    fn comment_dao(&self) -> Comments {
        Comments::new(Arc::clone(&self.store) as Arc<dyn Store>)
    }

    async fn set_follow(&mut self, who: UserId, whom: UserId, follows: bool) {
        let graph = Follows::new(Arc::clone(&self.store) as Arc<dyn Store>);
        if follows {
            self.follows.insert((who, whom));
            let made = graph.create(who, whom, self.now, self.ids.next_post_id(self.now), self.now).await;
            let _either_way = made.expect("the town's store does not fail");
        } else {
            self.follows.remove(&(who, whom));
            graph.remove(who, whom).await.expect("the town's store does not fail");
        }
    }

    async fn set_like(&mut self, who: UserId, post: PostId, likes: bool) {
        let dao = Likes::new(Arc::clone(&self.store));
        let done = if likes && self.likes.insert((who, post)) {
            dao.create(who, post, self.now).await
        } else if !likes && self.likes.remove(&(who, post)) {
            dao.remove(who, post).await
        } else {
            Ok(())
        };
        done.expect("the town's store does not fail");
    }

    /// Erases a post with all that is about it, as is done long after it was deleted.
    pub async fn erase(&mut self, post: PostId) {
        let (author, _) = self.posts[&post];
        for who in self.people.clone() {
            self.set_like(who, post, false).await;
        }
        let comments: Vec<CommentId> =
            self.comments.iter().filter(|(_, (on, ..))| *on == post).map(|(comment, _)| *comment).collect();
        for comment in comments {
            let (_, by, _) = self.comments.remove(&comment).expect("it was just found");
            self.write(Comments::erasure(by, post, comment)).await;
        }
        let store = Arc::clone(&self.store) as Arc<dyn Store>;
        let entries = Notifications::new(Arc::clone(&store)).page_of_recipient(author, None, 10_000).await;
        let mut about = entries.expect("it can be read").items;
        about.retain(|entry| entry.notification.act.kind.post_id() == Some(post));
        let about: Vec<NotificationId> = about.iter().map(|entry| entry.notification.notification_id).collect();
        InboxWriter::new(store).erase(author, &about, self.now).await.expect("it can be erased");
        self.posts.remove(&post);
        self.write(Posts::erasure(author, post).and(Counts::erasure(Counted::Post(post)))).await;
    }

    /// The acts that someone is to be notified of, and whether they are shown now.
    fn acts_concerning(&self, user: UserId) -> BTreeMap<String, (Act, bool)> {
        let mut acts = Vec::new();
        let follows = self.follows.iter().filter(|(_, whom)| *whom == user);
        acts.extend(follows.map(|(who, _)| (Act { actor_id: *who, kind: ActKind::Follow(user) }, true)));
        for (who, post) in &self.likes {
            acts.push((Act { actor_id: *who, kind: ActKind::Like(*post) }, self.posts[post].1));
        }
        for (comment, (post, who, is_live)) in &self.comments {
            let kind = ActKind::Comment(*post, *comment);
            acts.push((Act { actor_id: *who, kind }, *is_live && self.posts[post].1));
        }
        let concerns = |act: &Act| {
            let recipient = act.kind.post_id().map_or(user, |post| self.posts[&post].0);
            recipient == user && act.actor_id != user
        };
        acts.retain(|(act, _)| concerns(act));
        acts.into_iter().map(|(act, is_shown)| (format!("{act:?}"), (act, is_shown))).collect()
    }

    /// Compares counts, notifications and unread of everyone and everything in `store` with the model.
    pub async fn assert_settled(&mut self, store: &Arc<dyn Store>, when: &str) {
        self.assert_counts(store, when).await;
        for user in self.people.clone() {
            self.assert_notifications(store, user, when).await;
        }
    }

    async fn assert_counts(&self, store: &Arc<dyn Store>, when: &str) {
        let count = |is: bool| i64::from(is);
        for user in &self.people {
            let followers: i64 = self.follows.iter().map(|(_, whom)| count(whom == user)).sum();
            let following: i64 = self.follows.iter().map(|(who, _)| count(who == user)).sum();
            let posts: i64 = self.posts.values().map(|(author, is_live)| count(author == user && *is_live)).sum();
            let expected = [(Counter::Followers, followers), (Counter::Following, following), (Counter::Posts, posts)];
            assert_stored(store, Counted::User(*user), &expected, when).await;
        }
        for post in self.posts.keys() {
            let likes: i64 = self.likes.iter().map(|(_, of)| count(of == post)).sum();
            let comments: i64 = self.comments.values().map(|(of, _, is_live)| count(of == post && *is_live)).sum();
            assert_stored(store, Counted::Post(*post), &[(Counter::Likes, likes), (Counter::Comments, comments)], when)
                .await;
        }
    }

    async fn assert_notifications(&mut self, store: &Arc<dyn Store>, user: UserId, when: &str) {
        let acts = self.acts_concerning(user);
        let entries = Notifications::new(Arc::clone(store)).page_of_recipient(user, None, 10_000).await;
        let mut found = BTreeSet::new();
        for entry in entries.expect("it can be read").items {
            let (act, id) = (entry.notification.act, entry.notification.notification_id);
            let is_shown = acts.get(&format!("{act:?}")).is_some_and(|(_, is_shown)| *is_shown);
            assert_eq!(entry.is_visible(), is_shown, "{when}: {entry:?}");
            assert!(found.insert(format!("{act:?}")), "{when}: there twice: {act:?}");
            assert_eq!(*self.seen.entry((user, act)).or_insert(id), id, "{when}: not as it was: {act:?}");
        }
        for (name, (_, is_shown)) in &acts {
            assert!(!is_shown || found.contains(name), "{when}: missing: {name}");
        }
        let (service, mut unread, mut after) = (NotificationService::new(Arc::clone(store)), 0, None);
        let limit = PageLimit::new(7).expect("a page of 7 is allowed");
        loop {
            let read = service.page(user, after, limit, self.now).await.expect("it can be read");
            unread += read.page.items.iter().filter(|view| !view.read).count() as u64;
            if read.page.next.is_none() {
                assert_eq!(read.unread, unread, "{when}: unread of {user}");
                return;
            }
            after = read.page.next;
        }
    }
}

async fn assert_stored(store: &Arc<dyn Store>, of: Counted, expected: &[(Counter, i64)], when: &str) {
    let audit = Audit::new(Arc::clone(store));
    for (counter, number) in expected {
        let stored = audit.stored(of, *counter).await.expect("it can be read").found.number();
        assert_eq!(stored, *number, "{when}: {} of {of:?}", counter.name());
    }
}

/// A change stream of a few shards, each in order, each delivered again and again until it is passed.
#[derive(Debug)]
pub struct Stream {
    shards: Vec<Shard>,
}

/// For how long a record of a stream lives: nothing older is delivered once more.
const RECORD_LIFE: Duration = Duration::from_hours(24);

#[derive(Debug, Default)]
struct Shard {
    changes: Vec<Change>,
    passed: usize,
    /// How many there were at what time.
    history: Vec<(Timestamp, usize)>,
    /// Before this place none lives any more.
    first_living: usize,
}

/// Some changes that are handed over together.
#[derive(Debug)]
pub struct Batch {
    shard: usize,
    from: usize,
    /// The changes, in order.
    pub changes: Vec<Change>,
}

impl Stream {
    /// A stream of so many shards.
    pub fn of(shards: usize) -> Self {
        Self { shards: (0..shards).map(|_| Shard::default()).collect() }
    }

    /// Puts changes on the stream: those of one item on one shard.
    pub fn extend(&mut self, changes: Vec<Change>) {
        for change in changes {
            let mut hasher = DefaultHasher::new();
            change.key.hash(&mut hasher);
            let count = self.shards.len() as u64;
            let place = usize::try_from(hasher.finish() % count).expect("few shards");
            self.shards[place].changes.push(change);
        }
    }

    /// It is later now. What was passed and has lived its time is not delivered again; what was not passed is, however
    /// late.
    pub fn time_passes(&mut self, now: Timestamp) {
        for shard in &mut self.shards {
            shard.history.push((now, shard.changes.len()));
            let dead = shard.history.partition_point(|(made, _)| made.plus(RECORD_LIFE) <= now);
            let dead = dead.checked_sub(1).map_or(0, |place| shard.history[place].1);
            shard.first_living = dead.min(shard.passed);
        }
    }

    /// Some changes of some shard: as a rule the next ones, now and then ones that were passed long ago.
    pub fn batch(&self, rng: &mut StdRng) -> Batch {
        let shard = rng.random_range(0..self.shards.len());
        let Shard { changes, passed, first_living, .. } = &self.shards[shard];
        let from = if rng.random_bool(0.25) { rng.random_range(*first_living..=*passed) } else { *passed };
        let to = (from + rng.random_range(1..=40)).min(changes.len());
        Batch { shard, from, changes: changes[from..to].to_vec() }
    }

    /// Passes what was applied of a batch, up to the first change that was not.
    ///
    /// # Panics
    /// When a change could never be applied.
    pub fn pass(&mut self, batch: &Batch, outcomes: &[Applied]) {
        assert_eq!(batch.changes.len(), outcomes.len());
        for outcome in outcomes {
            assert!(!matches!(outcome, Applied::Poison(_)), "{outcome:?}");
        }
        let done = outcomes.iter().take_while(|outcome| matches!(outcome, Applied::Done)).count();
        let shard = &mut self.shards[batch.shard];
        shard.passed = shard.passed.max(batch.from + done);
    }

    /// Delivers in order what is not passed yet, until all is.
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
