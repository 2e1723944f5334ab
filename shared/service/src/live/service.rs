//! Telling those who are connected what has become theirs to see. Whoever is not connected costs a look into a map.

use tracing::warn;

use crate::live::{Hub, LiveEvent, Topic};
use data::{Db, Follows, Posts, Users};
use domain::{Notification, PostId, UserId};
use ports::store::StoreError;

/// Tells the streams of one process what happens.
///
/// Nobody learns by an event of what a read would not show them: it is decided when the event is sent, from what the
/// store says then. Where the store does not say, they are told to read.
#[derive(Debug, Clone)]
pub struct LiveService {
    hub: Hub,
    posts: Posts,
    users: Users,
    follows: Follows,
}

impl LiveService {
    /// What happens in `store`, for the streams of `hub`.
    pub fn new(db: impl Into<Db>, hub: Hub) -> Self {
        let db = db.into();
        Self { posts: Posts::new(db.clone()), users: Users::new(db.clone()), follows: Follows::new(db), hub }
    }

    /// The streams.
    pub const fn hub(&self) -> &Hub {
        &self.hub
    }

    /// A post of the author's own is in their feed.
    pub fn own_post(&self, author_id: UserId, post_id: PostId) {
        self.hub.tell(author_id, LiveEvent::Feed { post_id, author_id });
    }

    /// A post has come into the feeds of these readers. Costs those who are connected one batch get of their follows,
    /// and one read each of post and author.
    pub async fn feed_entries(&self, post_id: PostId, author_id: UserId, readers: &[UserId]) {
        let connected = self.hub.connected(readers);
        if connected.is_empty() {
            return;
        }
        match self.shown_to(post_id, author_id, &connected).await {
            Ok(shown) => {
                for reader in shown {
                    self.hub.tell(reader, LiveEvent::Feed { post_id, author_id });
                }
            }
            Err(error) => {
                warn!(post.id = %post_id, %error, "Could not check which readers may see the post; asked them to reload");
                for reader in connected {
                    self.unsure(reader, Topic::Feed);
                }
            }
        }
    }

    /// Those of `readers` whom their feed would show the post.
    async fn shown_to(&self, post: PostId, author: UserId, readers: &[UserId]) -> Result<Vec<UserId>, StoreError> {
        let (wanted, author_of_it) = ([post], [author]);
        let (windows, posts, authors) = futures::try_join!(
            self.follows.edges_to(author, readers),
            self.posts.get_all_strongly(&wanted),
            self.users.get_all(&author_of_it),
        )?;
        let is_live = posts.get(&post).is_some_and(|stored| stored.live().is_some()) && authors.contains_key(&author);
        let shows = |reader: &UserId| is_live && windows.get(reader).is_some_and(|window| window.shows(post));
        Ok(readers.iter().copied().filter(shows).collect())
    }

    /// A notification is to be seen that was not. Costs a recipient who is connected one read of the actor.
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
                warn!(notification.id = %notification_id, %error, "Could not load the actor; asked the recipient to reload");
                self.unsure(recipient_id, Topic::Notifications);
            }
        }
    }

    /// Something may have come for this user: the answer of who wrote it was lost, or does not say.
    pub fn unsure(&self, user: UserId, topic: Topic) {
        self.hub.tell(user, LiveEvent::Reload(topic));
    }

    /// Ends the streams whose tokens have expired and those of users who are no more. To be called every
    /// [`domain::limits::STREAM_CHECK_INTERVAL`]. Costs a batch get a hundred users.
    ///
    /// # Errors
    /// When the store does not say who is there: their streams stay until the next call.
    pub async fn end_outdated(&self) -> Result<(), StoreError> {
        self.hub.end_expired();
        let connected = self.hub.users();
        let there = self.users.get_all(&connected).await?;
        connected.iter().filter(|user| !there.contains_key(user)).for_each(|user| self.hub.end_of(*user));
        Ok(())
    }
}
