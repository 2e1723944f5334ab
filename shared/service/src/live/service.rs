//! Sends live events to connected users. A user without a stream costs one map lookup.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tracing::{Instrument as _, warn};

use crate::{
    live::{Hub, LiveEvent, Topic},
    visibility::Grounds,
};
use data::{Db, Follows, Posts, Readers, Users};
use domain::{Notification, PostId, UserId, limits};
use ports::store::StoreError;

/// Sends events to the streams of one process.
///
/// An event reveals only what a read would show: visibility is checked against the store when the event is sent. When
/// the store fails, the readers are asked to reload instead.
#[derive(Debug, Clone)]
pub struct LiveService {
    hub: Hub,
    posts: Posts,
    users: Users,
    follows: Follows,
    readers: Readers,
    announcing: Arc<Semaphore>,
}

impl LiveService {
    /// Sends events about `store` to the streams of `hub`.
    pub fn new(db: impl Into<Db>, hub: Hub) -> Self {
        let db = db.into();
        Self {
            posts: Posts::new(db.clone()),
            users: Users::new(db.clone()),
            follows: Follows::new(db.clone()),
            readers: Readers::new(db),
            announcing: Arc::new(Semaphore::new(1)),
            hub,
        }
    }

    /// The streams.
    pub const fn hub(&self) -> &Hub {
        &self.hub
    }

    /// Announces an author's own post in their feed.
    pub fn own_post(&self, author_id: UserId, post_id: PostId) {
        self.hub.tell(author_id, LiveEvent::Feed { post_id, author_id });
    }

    /// Announces a post to these readers' feeds. For connected readers, costs one batch get of their rules and one
    /// read each of post and author.
    pub async fn feed_entries(&self, post_id: PostId, author_id: UserId, readers: &[UserId]) {
        let connected = self.hub.connected(readers);
        if !connected.is_empty() {
            self.announce(post_id, author_id, connected, |grounds| grounds.shows(post_id)).await;
        }
    }

    /// Announces a pulled post, beside the caller, to the connected readers whose feed merges it. Posts are announced one
    /// after another. Costs one batch get of rules per [`limits::MAX_BATCH_GET`] connected readers.
    pub fn pulled_post(&self, post_id: PostId, author_id: UserId) {
        let live = self.clone();
        let announcement = async move {
            // Fails only when closed, which it never is.
            let _turn = live.announcing.acquire().await;
            for readers in live.hub.users().chunks(limits::MAX_BATCH_GET) {
                let readers = readers.iter().copied().filter(|reader| *reader != author_id).collect();
                let merges = |grounds: &Grounds| {
                    grounds.rule.merged_since().is_some_and(|since| post_id >= since) && grounds.shows(post_id)
                };
                live.announce(post_id, author_id, readers, merges).await;
            }
        };
        drop(tokio::spawn(announcement.in_current_span()));
    }

    /// Waits until the posts passed to [`Self::pulled_post`] so far, and begun, are announced.
    pub async fn announced(&self) {
        // Fails only when closed, which it never is.
        let _turn = self.announcing.acquire().await;
    }

    /// Sends an event about the post to the readers whose feed shows it, as `is_shown` decides.
    async fn announce(
        &self,
        post_id: PostId,
        author_id: UserId,
        connected: Vec<UserId>,
        is_shown: impl Fn(&Grounds) -> bool,
    ) {
        match self.shown_to(post_id, author_id, &connected, is_shown).await {
            Ok(shown) => {
                for reader in shown {
                    self.hub.tell(reader, LiveEvent::Feed { post_id, author_id });
                }
            }
            Err(error) => {
                warn!(post.id = %post_id, error = telemetry::chain(&error), "Could not check which readers may see the post; asked them to reload");
                for reader in connected {
                    self.unsure(reader, Topic::Feed);
                }
            }
        }
    }

    /// The readers whose feed shows the post.
    async fn shown_to(
        &self,
        post: PostId,
        author: UserId,
        readers: &[UserId],
        is_shown: impl Fn(&Grounds) -> bool,
    ) -> Result<Vec<UserId>, StoreError> {
        let (wanted, author_of_it) = ([post], [author]);
        let (grounds, posts, authors) = futures::try_join!(
            self.grounds(post, author, readers),
            self.posts.get_all_strongly(&wanted),
            self.users.get_all(&author_of_it),
        )?;
        let is_live = posts.get(&post).is_some_and(|stored| stored.live().is_some()) && authors.contains_key(&author);
        Ok(grounds.into_iter().filter(|(_, grounds)| is_live && is_shown(grounds)).map(|(reader, _)| reader).collect())
    }

    /// The grounds on which each reader's feed shows the post.
    async fn grounds(
        &self,
        post: PostId,
        author: UserId,
        readers: &[UserId],
    ) -> Result<Vec<(UserId, Grounds)>, StoreError> {
        let rules = self.readers.towards(author, readers).await?;
        let grounds = |(reader, (activity, rule))| (reader, Grounds { activity, rule, window: None });
        let mut all: Vec<(UserId, Grounds)> = rules.into_iter().map(grounds).collect();
        let of_follow = all.iter().filter(|(_, grounds)| grounds.needs_window(post)).map(|(reader, _)| *reader);
        let windows = self.follows.edges_to(author, &of_follow.collect::<Vec<_>>()).await?;
        for (reader, grounds) in &mut all {
            grounds.window = windows.get(reader).copied();
        }
        Ok(all)
    }

    /// Announces a notification that became visible. For a connected recipient, costs one read of the actor.
    pub async fn notification(&self, notification: &Notification) {
        let Notification { notification_id, recipient_id, act } = *notification;
        if self.hub.connected(&[recipient_id]).is_empty() {
            return;
        }
        match self.users.get(act.actor_id).await {
            Ok(Some(_)) => {
                self.hub.tell(recipient_id, LiveEvent::Notification { notification_id, kind: act.kind });
            }
            Ok(None) => {}
            Err(error) => {
                warn!(notification.id = %notification_id, error = telemetry::chain(&error), "Could not load the actor; asked the recipient to reload");
                self.unsure(recipient_id, Topic::Notifications);
            }
        }
    }

    /// Asks a user to reload a topic: whether an event is due is unknown, because the write's answer was lost or is
    /// inconclusive.
    pub fn unsure(&self, user: UserId, topic: Topic) {
        self.hub.tell(user, LiveEvent::Reload(topic));
    }

    /// Ends the streams of expired tokens and deleted users. Call it every [`domain::limits::STREAM_CHECK_INTERVAL`].
    /// Costs one batch get per hundred users.
    ///
    /// # Errors
    /// When the accounts cannot be read; their streams stay until the next call.
    pub async fn end_outdated(&self) -> Result<(), StoreError> {
        self.hub.end_expired();
        let connected = self.hub.users();
        let there = self.users.get_all(&connected).await?;
        connected.iter().filter(|user| !there.contains_key(user)).for_each(|user| self.hub.end_of(*user));
        Ok(())
    }
}
