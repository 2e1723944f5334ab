//! The export of a user's data, page by page: one kind after the other, each in the order of its list.

use std::collections::{HashMap, HashSet};

use super::{ServiceError, accounts::AccountService, notifications::NotificationService};
use data::{
    Comments, Counts, Db, Edge, Feeds, Follows, IdempotencyRecords, Likes, MediaItems, Notifications, Notified, Posts,
    Sessions, StoredMedia, StoredSession, UsedKey, Users,
};
use domain::{
    ExportItem, ExportKind, ExportPlace, ExportPosition, Handle, InboxEntry, NotificationId, NotifiedAct, Other, Page,
    PageLimit, Timestamp, UserId, UserRef,
};
use ports::store::StoreError;
use uuid::Uuid;

/// Exports.
#[derive(Debug, Clone)]
pub struct ExportService {
    accounts: AccountService,
    inboxes: NotificationService,
    users: Users,
    sessions: Sessions,
    posts: Posts,
    counts: Counts,
    comments: Comments,
    likes: Likes,
    follows: Follows,
    notifications: Notifications,
    feeds: Feeds,
    idempotency: IdempotencyRecords,
    media: MediaItems,
}

/// Items of one kind with their positions, and the position to continue from if the list goes on.
type Part = Page<(Option<ExportPlace>, ExportItem), ExportPlace>;

impl ExportService {
    /// Exports the data in `store`; `accounts` resolves users.
    pub fn new(db: impl Into<Db>, accounts: AccountService) -> Self {
        let db = db.into();
        Self {
            accounts,
            inboxes: NotificationService::new(db.clone()),
            users: Users::new(db.clone()),
            sessions: Sessions::new(db.clone()),
            posts: Posts::new(db.clone()),
            counts: Counts::new(db.clone()),
            comments: Comments::new(db.clone()),
            likes: Likes::new(db.clone()),
            follows: Follows::new(db.clone()),
            notifications: Notifications::new(db.clone()),
            feeds: Feeds::new(db.clone()),
            idempotency: IdempotencyRecords::new(db.clone()),
            media: MediaItems::new(db),
        }
    }

    /// A page of the data stored about `caller`. Forbidden for another user's data, not found for an absent user.
    pub async fn page(
        &self,
        caller: UserId,
        user: &UserRef,
        after: Option<ExportPosition>,
        limit: PageLimit,
        now: Timestamp,
    ) -> Result<Page<ExportItem, ExportPosition>, ServiceError> {
        self.accounts.require_own(caller, user).await?;
        let mut at = after.unwrap_or(ExportPosition::beginning_of(ExportKind::Profile));
        let (mut items, mut next) = (Vec::with_capacity(limit.get()), None);
        loop {
            // One extra item tells whether another page follows.
            let wanted = u32::try_from(limit.get() - items.len()).unwrap_or(u32::MAX).saturating_add(1);
            let part = self.part(caller, at.clone(), wanted, now).await?;
            for (place, item) in part.items {
                if items.len() == limit.get() {
                    return Ok(Page { items, next });
                }
                items.push(item);
                next = behind(at.kind, place);
            }
            at = match (part.next, at.kind.next()) {
                (Some(last), _) => ExportPosition { kind: at.kind, last: Some(last) },
                (None, Some(kind)) => ExportPosition::beginning_of(kind),
                (None, None) => return Ok(Page { items, next: None }),
            };
        }
    }

    async fn part(&self, user: UserId, at: ExportPosition, limit: u32, now: Timestamp) -> Result<Part, ServiceError> {
        match at.kind {
            ExportKind::Profile => Ok(only(self.profile(user).await?)),
            ExportKind::Inbox => Ok(only(self.inbox(user, now).await?)),
            ExportKind::Session => self.sessions(user, &at, limit, now).await,
            ExportKind::Post => self.posts(user, &at, limit).await,
            ExportKind::Comment => self.comments(user, &at, limit, now).await,
            ExportKind::Like => self.likes(user, &at, limit).await,
            ExportKind::Following => self.following(user, &at, limit).await,
            ExportKind::Follower => self.followers(user, &at, limit).await,
            ExportKind::Notification => self.notifications(user, &at, limit, now).await,
            ExportKind::Notified => self.notified(user, act_at(&at), limit).await,
            ExportKind::FeedEntry => self.feed(user, &at, limit).await,
            ExportKind::IdempotencyKey => self.idempotency_keys(user, key_at(&at), limit, now).await,
            ExportKind::Media => self.media(user, &at, limit).await,
        }
    }

    async fn profile(&self, user: UserId) -> Result<ExportItem, ServiceError> {
        Ok(ExportItem::Profile(Box::new(self.accounts.profile(user, &UserRef::Me).await?)))
    }

    async fn inbox(&self, user: UserId, now: Timestamp) -> Result<ExportItem, ServiceError> {
        let unread = self.inboxes.unread_count(user, now).await?;
        let inbox = self.notifications.inbox(user).await?;
        let read_up_to = (!inbox.read_up_to.as_uuid().is_nil()).then_some(inbox.read_up_to);
        Ok(ExportItem::Inbox { unread, read_up_to })
    }

    async fn sessions(
        &self,
        user: UserId,
        at: &ExportPosition,
        limit: u32,
        now: Timestamp,
    ) -> Result<Part, ServiceError> {
        let mut page = self.sessions.page_of_user(user, place(at), limit).await?;
        page.items.retain(|session| now < session.expires_at);
        let item = |stored: StoredSession| {
            let StoredSession { session, epoch: _, created_at, last_used_at, user_agent, expires_at } = stored;
            let item = ExportItem::Session { session_id: session, created_at, last_used_at, user_agent, expires_at };
            (Some(id_of(session)), item)
        };
        Ok(part(page.items.into_iter().map(item).collect(), page.next))
    }

    async fn posts(&self, user: UserId, at: &ExportPosition, limit: u32) -> Result<Part, ServiceError> {
        let page = self.posts.page_of_author(user, place(at), limit).await?;
        let (mut posts, counts) =
            futures::try_join!(self.posts.get_all_strongly(&page.items), self.counts.of_posts(&page.items))?;
        let item = |id| {
            let stored = posts.remove(&id)?;
            let counts = counts.get(&id).copied().unwrap_or_default();
            Some((Some(id_of(id)), ExportItem::Post { post: stored.post, deleted_at: stored.deleted_at, counts }))
        };
        Ok(part(page.items.into_iter().filter_map(item).collect(), page.next))
    }

    async fn comments(
        &self,
        user: UserId,
        at: &ExportPosition,
        limit: u32,
        now: Timestamp,
    ) -> Result<Part, ServiceError> {
        let page = self.comments.page_of_author(user, place(at), limit).await?;
        let mut comments = self.comments.get_all(&page.items).await?;
        comments.retain(|_, stored| !stored.is_expired(now));
        let item = |(id, _)| {
            let stored = comments.remove(&id)?;
            let item = ExportItem::Comment { comment: stored.comment, deleted_at: stored.deleted_at };
            Some((Some(id_of(id)), item))
        };
        Ok(part(page.items.into_iter().filter_map(item).collect(), page.next))
    }

    async fn likes(&self, user: UserId, at: &ExportPosition, limit: u32) -> Result<Part, ServiceError> {
        let page = self.likes.page_of_user(user, place(at), limit).await?;
        let item = |(post_id, liked_at)| (Some(id_of(post_id)), ExportItem::Like { post_id, liked_at });
        Ok(part(page.items.into_iter().map(item).collect(), page.next))
    }

    async fn following(&self, user: UserId, at: &ExportPosition, limit: u32) -> Result<Part, ServiceError> {
        let page = self.follows.page_of_following(user, place(at), limit).await?;
        self.people(page, |other, followed_at| ExportItem::Following { other, followed_at }).await
    }

    async fn followers(&self, user: UserId, at: &ExportPosition, limit: u32) -> Result<Part, ServiceError> {
        let page = self.follows.page_of_followers(user, place(at), limit).await?;
        self.people(page, |other, followed_at| ExportItem::Follower { other, followed_at }).await
    }

    async fn people(
        &self,
        page: Page<Edge, UserId>,
        item: impl Fn(Other, Timestamp) -> ExportItem,
    ) -> Result<Part, ServiceError> {
        let handles = self.handles(page.items.iter().map(|edge| edge.user_id)).await?;
        let item = |edge: Edge| (Some(id_of(edge.user_id)), item(other(edge.user_id, &handles), edge.followed_at));
        Ok(part(page.items.into_iter().map(item).collect(), page.next))
    }

    async fn notifications(
        &self,
        user: UserId,
        at: &ExportPosition,
        limit: u32,
        now: Timestamp,
    ) -> Result<Part, ServiceError> {
        let inbox = self.notifications.inbox(user).await?;
        let page = self.notifications.page_of_recipient(user, place::<NotificationId>(at), limit).await?;
        let handles = self.handles(page.items.iter().map(|entry| entry.notification.act.actor_id)).await?;
        let item = |entry: InboxEntry| {
            let id = entry.notification.notification_id;
            let actor = other(entry.notification.act.actor_id, &handles);
            (Some(id_of(id)), ExportItem::Notification { entry, actor, read: inbox.is_read(id) })
        };
        let kept = page.items.into_iter().filter(|entry| !entry.is_expired(now));
        Ok(part(kept.map(item).collect(), page.next))
    }

    async fn notified(&self, user: UserId, after: Option<NotifiedAct>, limit: u32) -> Result<Part, ServiceError> {
        let page = self.notifications.page_of_actor(user, after, limit).await?;
        let item = |(act, place): (NotifiedAct, Notified)| {
            let (recipient_id, notification_id) = (place.recipient_id, place.notification_id);
            (Some(ExportPlace::Act(act)), ExportItem::Notified { act, recipient_id, notification_id })
        };
        let next = page.next.map(ExportPlace::Act);
        Ok(Page { items: page.items.into_iter().map(item).collect(), next })
    }

    async fn feed(&self, user: UserId, at: &ExportPosition, limit: u32) -> Result<Part, ServiceError> {
        let page = self.feeds.page_of_reader(user, place(at), limit).await?;
        let item = |post_id| (Some(id_of(post_id)), ExportItem::FeedEntry { post_id });
        Ok(part(page.items.into_iter().map(item).collect(), page.next))
    }

    async fn idempotency_keys(
        &self,
        user: UserId,
        after: Option<String>,
        limit: u32,
        now: Timestamp,
    ) -> Result<Part, ServiceError> {
        let mut page = self.idempotency.page_of_user(user, after, limit).await?;
        page.items.retain(|used| now < used.expires_at);
        let item = |UsedKey { key, post_id, expires_at }| {
            (Some(ExportPlace::Key(String::clone(&key))), ExportItem::IdempotencyKey { key, post_id, expires_at })
        };
        let next = page.next.map(ExportPlace::Key);
        Ok(Page { items: page.items.into_iter().map(item).collect(), next })
    }

    async fn media(&self, user: UserId, at: &ExportPosition, limit: u32) -> Result<Part, ServiceError> {
        let page = self.media.page_of_owner(user, place(at), limit).await?;
        let mut stored = self.media.get_all(&page.items).await?;
        let item = |id| {
            let media = stored.remove(&id).and_then(StoredMedia::live)?;
            Some((Some(id_of(id)), ExportItem::Media(Box::new(media))))
        };
        Ok(part(page.items.into_iter().filter_map(item).collect(), page.next))
    }

    async fn handles(&self, users: impl Iterator<Item = UserId>) -> Result<HashMap<UserId, Handle>, StoreError> {
        let users: Vec<UserId> = users.collect::<HashSet<_>>().into_iter().collect();
        let profiles = self.users.get_all(&users).await?;
        Ok(profiles.into_iter().map(|(id, profile)| (id, profile.user.handle)).collect())
    }
}

/// The position after an item: the next of its kind, or the next kind when there is only one item of a kind.
fn behind(kind: ExportKind, place: Option<ExportPlace>) -> Option<ExportPosition> {
    match place {
        Some(_) => Some(ExportPosition { kind, last: place }),
        None => kind.next().map(ExportPosition::beginning_of),
    }
}

fn only(item: ExportItem) -> Part {
    Page { items: vec![(None, item)], next: None }
}

fn part<Id: Into<Uuid>>(items: Vec<(Option<ExportPlace>, ExportItem)>, next: Option<Id>) -> Part {
    Page { items, next: next.map(id_of) }
}

fn id_of(id: impl Into<Uuid>) -> ExportPlace {
    ExportPlace::Id(id.into())
}

/// The id to continue after. Cursors of kinds listed by id hold only an id.
fn place<Id: From<Uuid>>(at: &ExportPosition) -> Option<Id> {
    match at.last {
        Some(ExportPlace::Id(id)) => Some(id.into()),
        _ => None,
    }
}

const fn act_at(at: &ExportPosition) -> Option<NotifiedAct> {
    match at.last {
        Some(ExportPlace::Act(act)) => Some(act),
        _ => None,
    }
}

fn key_at(at: &ExportPosition) -> Option<String> {
    match &at.last {
        Some(ExportPlace::Key(key)) => Some(key.clone()),
        _ => None,
    }
}

fn other(user_id: UserId, handles: &HashMap<UserId, Handle>) -> Other {
    Other { user_id, handle: handles.get(&user_id).cloned() }
}
