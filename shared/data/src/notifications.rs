//! Notifications by recipient, the notification of each act, and each recipient's [`Inbox`].

use std::{collections::HashMap, str::FromStr as _};

use strum::{EnumString, IntoStaticStr};
use uuid::Uuid;

use super::page_from;
use crate::{Committed, DELETED_AT, Db, Transaction, Writes, keys};
use domain::{
    Act, ActKind, Inbox, InboxEntry, Notification, NotificationId, NotifiedAct, Page, Recount, Scan, UserId, limits,
};
use ports::store::{
    Condition, Consistency, EXPIRES_AT, Item, Key, MalformedItem, Order, Query, SortRange, StoreError, Table, Test,
    Write,
};

mod attr {
    pub const KIND: &str = "kind";
    pub const ACTOR_ID: &str = "actor_id";
    pub const POST_ID: &str = "post_id";
    pub const COMMENT_ID: &str = "comment_id";
    pub const UNDONE: &str = "undone";
    pub const POST_GONE: &str = "post_gone";
    pub const RECIPIENT_ID: &str = "recipient_id";
    pub const NOTIFICATION_ID: &str = "notification_id";
    pub const VERSION: &str = "version";
    pub const UNREAD: &str = "unread";
    pub const READ_UP_TO: &str = "read_up_to";
    pub const COUNTED_AFTER: &str = "counted_after";
    pub const RECOUNTED: &str = "recounted";
    pub const RECOUNTED_AFTER: &str = "recounted_after";
    pub const RECOUNTED_UP_TO: &str = "recounted_up_to";
}

/// The place of an act's current notification.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Notified {
    /// The recipient.
    pub recipient_id: UserId,
    /// The notification's id.
    pub notification_id: NotificationId,
}

/// Notifications, in Social. Every read is consistent: a new watermark counts at once, and writers must know the
/// current state.
#[derive(Debug, Clone)]
pub struct Notifications {
    db: Db,
}

impl Notifications {
    /// Notifications in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { db: db.into() }
    }

    /// The inboxes of these distinct users; new ones where none is stored.
    pub async fn inboxes(&self, users: &[UserId]) -> Result<HashMap<UserId, Inbox>, StoreError> {
        let of_key: HashMap<Key, UserId> = users.iter().map(|user| (keys::unread(*user), *user)).collect();
        let mut inboxes: HashMap<UserId, Inbox> = users.iter().map(|user| (*user, Inbox::new(*user))).collect();
        for item in self.get_all(&of_key).await? {
            if let Some(user) = of_key.get(&item.key) {
                inboxes.insert(*user, inbox_from(*user, &item)?);
            }
        }
        Ok(inboxes)
    }

    /// One user's inbox; a new one where none is stored.
    pub async fn inbox(&self, user: UserId) -> Result<Inbox, StoreError> {
        let key = keys::unread(user);
        let item = self.db.0.get(Table::Social, &key, Consistency::Strong).await?;
        Ok(item.map_or_else(|| Ok(Inbox::new(user)), |item| inbox_from(user, &item))?)
    }

    /// The current notifications of these distinct acts.
    pub async fn notified(&self, acts: &[Act]) -> Result<HashMap<Act, Notified>, StoreError> {
        let of_key: HashMap<Key, Act> = acts.iter().map(|act| (keys::notified(act), *act)).collect();
        let items = self.get_all(&of_key).await?;
        let found = items.iter().filter_map(|item| Some((*of_key.get(&item.key)?, item)));
        Ok(found.map(|(act, item)| Ok((act, notified_from(item)?))).collect::<Result<_, MalformedItem>>()?)
    }

    /// The entries at these distinct places, omitting missing ones.
    pub async fn entries(&self, places: &[Notified]) -> Result<HashMap<Notified, InboxEntry>, StoreError> {
        let key = |place: &Notified| keys::notification(place.recipient_id, place.notification_id);
        let of_key: HashMap<Key, Notified> = places.iter().map(|place| (key(place), *place)).collect();
        let items = self.get_all(&of_key).await?;
        let found = items.iter().filter_map(|item| Some((*of_key.get(&item.key)?, item)));
        let read = |(place, item): (Notified, &Item)| Ok((place, entry_from(place.recipient_id, item)?));
        Ok(found.map(read).collect::<Result<_, MalformedItem>>()?)
    }

    async fn get_all<T: Sync>(&self, of_key: &HashMap<Key, T>) -> Result<Vec<Item>, StoreError> {
        let keys: Vec<Key> = of_key.keys().cloned().collect();
        self.db.0.get_all(Table::Social, &keys, Consistency::Strong).await
    }

    /// Reads a stored entry.
    ///
    /// # Errors
    /// When an attribute is missing or unknown, such as a kind that a newer version writes.
    pub(crate) fn entry_of(recipient: UserId, item: &Item) -> Result<InboxEntry, MalformedItem> {
        entry_from(recipient, item)
    }

    /// A user's entries, hidden ones included, newest first.
    pub async fn page_of_recipient(
        &self,
        user: UserId,
        after: Option<NotificationId>,
        limit: u32,
    ) -> Result<Page<InboxEntry, NotificationId>, StoreError> {
        let start_after = after.map(|id| id.to_string());
        let query = Query { start_after, limit: Some(limit), ..entries_of(user, SortRange::All, Order::Descending) };
        page_from(self.db.0.query(&query).await?, |item| entry_from(user, item))
    }

    /// The newest entry with an id up to `id`, hidden or not.
    pub async fn newest_up_to(&self, user: UserId, id: NotificationId) -> Result<Option<NotificationId>, StoreError> {
        let range = SortRange::Between(NotificationId::from_uuid(Uuid::nil()).to_string(), id.to_string());
        let mut query = Query { limit: Some(1), ..entries_of(user, range, Order::Descending) };
        loop {
            let page = self.db.0.query(&query).await?;
            if let Some(item) = page.items.first() {
                return Ok(Some(item.parsed_sort()?));
            }
            if page.next.is_none() {
                return Ok(None);
            }
            query.start_after = page.next;
        }
    }

    /// Reads the page that a scan needs, at most `limit` entries, and returns the inbox updated with them. Store it
    /// only if the inbox was not written since it was read.
    pub async fn scanned(&self, scan: Scan, limit: u32) -> Result<Inbox, StoreError> {
        let (user, range) = (scan.recipient_id(), SortRange::Between(scan.first.to_string(), scan.last.to_string()));
        let query = Query { limit: Some(limit), ..entries_of(user, range, Order::Ascending) };
        let page = self.db.0.query(&query).await?;
        let page: Page<InboxEntry, NotificationId> = page_from(page, |item| entry_from(user, item))?;
        Ok(scan.found(&page.items, page.next))
    }

    /// The writes that store an inbox: refused when it was written since it was read. The first write of an inbox is
    /// also refused when the account is deleted.
    pub fn keeping(inbox: &Inbox) -> Writes {
        let item = inbox_item(inbox);
        if inbox.version > 0 {
            let condition = Condition::Where(vec![Test::Equals(attr::VERSION, inbox.version.into())]);
            return Writes::to(Table::Social, [Write::Put { item, condition }]);
        }
        let exists = Condition::Where(vec![Test::Missing(DELETED_AT)]);
        let check = Write::Check { key: keys::profile(inbox.recipient_id), condition: exists };
        Writes::to(Table::Social, [Write::create(item), check])
    }

    /// Stores an inbox, with the writes `beside` it. A refusal may also mean that an earlier try of this call was
    /// applied: read again.
    pub async fn keep(&self, inbox: &Inbox, beside: Option<Writes>) -> Result<Committed, StoreError> {
        let writes = Self::keeping(inbox).and(beside.unwrap_or_default());
        Transaction::from(writes).commit(&self.db).await
    }

    /// The write that stores an entry.
    pub fn put(entry: &InboxEntry) -> Writes {
        let InboxEntry { notification: Notification { notification_id, recipient_id, act }, undone, post_gone } =
            *entry;
        let mut item = Item::new(keys::notification(recipient_id, notification_id))
            .with(attr::ACTOR_ID, act.actor_id.to_string())
            .with(EXPIRES_AT, expiry(notification_id));
        item = with_kind(item, act.kind);
        let flags = [(attr::UNDONE, undone), (attr::POST_GONE, post_gone)];
        item = flags.into_iter().filter(|(_, is_set)| *is_set).fold(item, |item, (flag, _)| item.with(flag, true));
        Writes::to(Table::Social, [Write::put(item)])
    }

    /// The write that makes an entry the current one of its act.
    pub fn point_to(notification: &Notification) -> Writes {
        let item = Item::new(keys::notified(&notification.act))
            .with(attr::RECIPIENT_ID, notification.recipient_id.to_string())
            .with(attr::NOTIFICATION_ID, notification.notification_id.to_string())
            .with(EXPIRES_AT, expiry(notification.notification_id));
        Writes::to(Table::Social, [Write::put(item)])
    }

    /// The acts of `actor` that others were notified of, with the places of the notifications. Read consistently.
    ///
    /// # Errors
    /// Also when the kind of an act is unknown, such as one that a newer version writes.
    pub async fn page_of_actor(
        &self,
        actor: UserId,
        after: Option<NotifiedAct>,
        limit: u32,
    ) -> Result<Page<(NotifiedAct, Notified), NotifiedAct>, StoreError> {
        let query = Query {
            start_after: after.map(keys::notified_sort),
            limit: Some(limit),
            ..Query::all_of(Table::Social, keys::notified_partition(actor))
        };
        let page = self.db.0.query(&query).await?;
        let act = |sort: &str| keys::notified_from_sort(sort).map_err(|_| MalformedItem { attribute: "SK" });
        let read = |item: &Item| Ok((act(&item.key.sort)?, notified_from(item)?));
        let items = page.items.iter().map(read).collect::<Result<_, MalformedItem>>()?;
        Ok(Page { items, next: page.next.as_deref().map(act).transpose()? })
    }

    /// The write that erases the pointer of an act, as listed by [`Self::page_of_actor`].
    pub fn pointer_erasure(actor: UserId, act: NotifiedAct) -> Writes {
        Writes::deleting(Table::Social, [keys::notified_in_list(actor, act)])
    }

    /// The write that erases the pointer of an act whose notification is gone.
    pub fn pointer_to_nothing(act: &Act) -> Writes {
        Writes::deleting(Table::Social, [keys::notified(act)])
    }

    /// Erases a user's inbox. Concurrent writes to it are refused from then on, and a user whose account is deleted
    /// gets no new inbox.
    pub async fn erase_inbox(&self, user: UserId) -> Result<(), StoreError> {
        // Unconditional, hence never refused.
        let _applied = self.db.0.write(Table::Social, Write::delete(keys::unread(user))).await?;
        Ok(())
    }

    /// The writes that erase an entry and its pointer.
    pub fn erasure(notification: &Notification) -> Writes {
        let entry = keys::notification(notification.recipient_id, notification.notification_id);
        Writes::deleting(Table::Social, [entry, keys::notified(&notification.act)])
    }
}

/// The name of an act's kind in items. The names of both directions are derived from one declaration, and both matches
/// below are exhaustive: a new [`ActKind`] does not compile until it is written and read.
#[derive(Debug, Clone, Copy, EnumString, IntoStaticStr)]
#[strum(serialize_all = "snake_case")]
enum StoredKind {
    Follow,
    Like,
    Comment,
}

impl StoredKind {
    const fn of(kind: ActKind) -> Self {
        match kind {
            ActKind::Follow(_) => Self::Follow,
            ActKind::Like(_) => Self::Like,
            ActKind::Comment(..) => Self::Comment,
        }
    }

    /// Reads an act of this kind. A follow names no target: it is of the recipient.
    fn read(self, recipient: UserId, item: &Item) -> Result<ActKind, MalformedItem> {
        Ok(match self {
            Self::Follow => ActKind::Follow(recipient),
            Self::Like => ActKind::Like(item.parsed(attr::POST_ID)?),
            Self::Comment => ActKind::Comment(item.parsed(attr::POST_ID)?, item.parsed(attr::COMMENT_ID)?),
        })
    }
}

/// The item with the act's kind and target.
fn with_kind(item: Item, kind: ActKind) -> Item {
    let item = item.with(attr::KIND, <&str>::from(StoredKind::of(kind)));
    match kind {
        ActKind::Follow(_) => item,
        ActKind::Like(post) => item.with(attr::POST_ID, post.to_string()),
        ActKind::Comment(post, comment) => {
            item.with(attr::POST_ID, post.to_string()).with(attr::COMMENT_ID, comment.to_string())
        }
    }
}

fn entries_of(user: UserId, range: SortRange, order: Order) -> Query {
    Query { range, order, ..Query::all_of(Table::Social, keys::notifications_partition(user)) }
}

/// The first whole second in which the notification is no longer shown: removed earlier, it would still be counted.
fn expiry(notification: NotificationId) -> i64 {
    notification.created_at().plus(limits::NOTIFICATION_TTL).as_secs().cast_signed() + 1
}

/// The inbox as stored by its next write.
fn inbox_item(inbox: &Inbox) -> Item {
    let item = Item::new(keys::unread(inbox.recipient_id))
        .with(attr::VERSION, inbox.version + 1)
        .with(attr::UNREAD, inbox.unread)
        .with(attr::READ_UP_TO, inbox.read_up_to.to_string())
        .with(attr::COUNTED_AFTER, inbox.counted_after.to_string());
    match inbox.recount {
        None => item,
        Some(recount) => item
            .with(attr::RECOUNTED, recount.unread)
            .with(attr::RECOUNTED_AFTER, recount.after.to_string())
            .with(attr::RECOUNTED_UP_TO, recount.up_to.to_string()),
    }
}

fn inbox_from(recipient_id: UserId, item: &Item) -> Result<Inbox, MalformedItem> {
    let recount = |unread| {
        let (after, up_to) = (item.parsed(attr::RECOUNTED_AFTER)?, item.parsed(attr::RECOUNTED_UP_TO)?);
        Ok(Recount { unread, after, up_to })
    };
    Ok(Inbox {
        recipient_id,
        version: item.number(attr::VERSION)?,
        unread: item.number(attr::UNREAD)?,
        read_up_to: item.parsed(attr::READ_UP_TO)?,
        counted_after: item.parsed(attr::COUNTED_AFTER)?,
        recount: item.number_if_any(attr::RECOUNTED)?.map(recount).transpose()?,
    })
}

fn notified_from(item: &Item) -> Result<Notified, MalformedItem> {
    Ok(Notified {
        recipient_id: item.parsed(attr::RECIPIENT_ID)?,
        notification_id: item.parsed(attr::NOTIFICATION_ID)?,
    })
}

fn entry_from(recipient_id: UserId, item: &Item) -> Result<InboxEntry, MalformedItem> {
    let kind = StoredKind::from_str(item.text(attr::KIND)?).map_err(|_| MalformedItem { attribute: attr::KIND })?;
    let kind = kind.read(recipient_id, item)?;
    let act = Act { actor_id: item.parsed(attr::ACTOR_ID)?, kind };
    Ok(InboxEntry {
        notification: Notification { notification_id: item.parsed_sort()?, recipient_id, act },
        undone: item.attributes.contains_key(attr::UNDONE),
        post_gone: item.attributes.contains_key(attr::POST_GONE),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{CommentId, PostId};

    /// The kind listed after `kind`. A new kind does not compile until it has its place in the list.
    fn next(kind: ActKind) -> Option<ActKind> {
        match kind {
            ActKind::Like(post) => Some(ActKind::Comment(post, CommentId::from_uuid(Uuid::from_u128(2)))),
            ActKind::Comment(..) => Some(ActKind::Follow(UserId::from_uuid(Uuid::from_u128(3)))),
            ActKind::Follow(_) => None,
        }
    }

    #[test]
    fn every_kind_reads_back_from_its_item() {
        let (actor_id, recipient_id) = (UserId::from_uuid(Uuid::from_u128(4)), UserId::from_uuid(Uuid::from_u128(3)));
        let first = ActKind::Like(PostId::from_uuid(Uuid::from_u128(1)));
        for kind in std::iter::successors(Some(first), |kind| next(*kind)) {
            let notification_id = NotificationId::from_uuid(Uuid::from_u128(5));
            let notification = Notification { notification_id, recipient_id, act: Act { actor_id, kind } };
            let entry = InboxEntry { notification, undone: true, post_gone: false };
            let written = Notifications::put(&entry).into_iter().next();
            let Some((_, Write::Put { item, .. })) = written else { panic!("{written:?} puts no item") };
            assert_eq!(entry_from(recipient_id, &item).ok(), Some(entry), "{kind:?}");
        }
    }
}
