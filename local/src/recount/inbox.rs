//! One user's notifications: what each is about, looked up again, beside what is hidden and what is kept as unread.

use shared::{
    domain::{NotificationId, Timestamp, UserId},
    embedded::EmbeddedStore,
    keys, limits,
    store::{Condition, Consistency, Item, Key, SortRange, Store as _, StoreError, Table, Test, Value, Write},
};

use super::{Verdict, look};

/// What a look found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InboxVerdict {
    /// Of how many are kept as unread.
    pub unread: Verdict,
    /// Of how many are hidden and should not be, or the other way round.
    pub misjudged: Verdict,
}

/// Notifications that are changed in one transaction beside the inbox.
const PER_TRANSACTION: usize = limits::MAX_TRANSACT - 1;

/// What a user's notifications should be.
struct Audit {
    /// The inbox as it is kept.
    kept: Option<Item>,
    /// Entries whose time is not over that are hidden and should not be, or the other way round, as they should be. Why
    /// one is hidden is kept right only as far as it decides that.
    wrong: Vec<Item>,
    /// The entries that should be unread, oldest first.
    unread: Vec<NotificationId>,
    /// Whether whoever reads counts anew, so that what is kept is not what is shown.
    is_counted_at_read: bool,
}

/// Compares a user's notifications with what they are about.
pub async fn look(store: &EmbeddedStore, user: UserId, now: Timestamp) -> Result<InboxVerdict, StoreError> {
    let audit = audit(store, user, now).await?;
    let after = store.get(Table::Social, &keys::unread(user), Consistency::Strong).await?;
    if after != audit.kept {
        return Ok(InboxVerdict { unread: Verdict::Moving, misjudged: Verdict::Moving });
    }
    let found = audit.kept.as_ref().map_or(Ok(0), |item| item.number("unread"))?;
    let unread =
        if audit.is_counted_at_read { Verdict::Right } else { Verdict::of(found, as_number(audit.unread.len())) };
    Ok(InboxVerdict { unread, misjudged: Verdict::of(as_number(audit.wrong.len()), 0) })
}

/// Makes entries and inbox what they should be, if nobody wrote the inbox meanwhile.
pub async fn mend(store: &EmbeddedStore, user: UserId, now: Timestamp) -> Result<bool, StoreError> {
    let audit = audit(store, user, now).await?;
    let Some(mut inbox) = audit.kept else { return Ok(false) };
    let mut wrong = audit.wrong;
    loop {
        let rest = wrong.split_off(wrong.len().min(PER_TRANSACTION));
        let version = inbox.number("version")?;
        let mut next = inbox.clone().with("version", version + 1);
        if rest.is_empty() {
            next = next.with("unread", as_number(audit.unread.len()));
            next = next.with("counted_after", counted_after(&audit.unread, &inbox, now)?.to_string());
            // A recount under way is replaced by this one.
            next.attributes.retain(|name, _| !name.starts_with("recounted"));
        }
        let condition = Condition::Where(vec![Test::Equals("version", version.into())]);
        let mut writes = vec![(Table::Social, Write::Put { item: next.clone(), condition })];
        writes.extend(wrong.into_iter().map(|entry| (Table::Social, Write::put(entry))));
        if !store.transact(writes).await?.is_applied() {
            return Ok(false);
        }
        if rest.is_empty() {
            return Ok(true);
        }
        (inbox, wrong) = (next, rest);
    }
}

/// Just before the oldest that is unread; before anything that may still be shown when none is.
fn counted_after(unread: &[NotificationId], inbox: &Item, now: Timestamp) -> Result<NotificationId, StoreError> {
    let before = |id: NotificationId| NotificationId::from_uuid(uuid_before(id));
    let read_up_to: NotificationId = inbox.parsed("read_up_to")?;
    let none = read_up_to.max(NotificationId::first_of(now.minus(limits::NOTIFICATION_TTL)));
    Ok(unread.first().map_or(none, |oldest| before(*oldest)))
}

fn uuid_before(id: NotificationId) -> uuid::Uuid {
    uuid::Uuid::from_u128(id.as_uuid().as_u128().saturating_sub(1))
}

async fn audit(store: &EmbeddedStore, user: UserId, now: Timestamp) -> Result<Audit, StoreError> {
    let kept = store.get(Table::Social, &keys::unread(user), Consistency::Strong).await?;
    let read_up_to: Option<NotificationId> = kept.as_ref().map(|item| item.parsed("read_up_to")).transpose()?;
    let counted_after: Option<NotificationId> = kept.as_ref().map(|item| item.parsed("counted_after")).transpose()?;
    let is_over = |id: NotificationId| id.created_at().plus(limits::NOTIFICATION_TTL) <= now;
    let mut entries = Vec::new();
    look::each(store, &keys::notifications_partition(user), SortRange::All, |item| entries.push(item.clone())).await?;
    let (mut wrong, mut unread) = (Vec::new(), Vec::new());
    for entry in entries {
        let id: NotificationId = entry.parsed_sort()?;
        if is_over(id) {
            continue;
        }
        let (right, is_shown) = as_it_should_be(store, user, &entry).await?;
        if is_shown && read_up_to.is_none_or(|read| id > read) {
            unread.push(id);
        }
        let is_hidden = ["undone", "post_gone"].iter().any(|flag| entry.attributes.contains_key(*flag));
        wrong.extend((is_hidden == is_shown).then_some(right));
    }
    Ok(Audit { kept, wrong, unread, is_counted_at_read: counted_after.is_some_and(is_over) })
}

/// The entry as it should be, and whether it is to be shown.
async fn as_it_should_be(store: &EmbeddedStore, user: UserId, entry: &Item) -> Result<(Item, bool), StoreError> {
    let live = async |key: Key| {
        let item = store.get(Table::Social, &key, Consistency::Strong).await?;
        Ok::<_, StoreError>(item.as_ref().is_some_and(look::is_live))
    };
    let actor: UserId = entry.parsed("actor_id")?;
    let (stands, post_is_live) = match entry.text("kind")? {
        "follow" => (live(keys::follower_edge(user, actor)).await?, true),
        kind => {
            let post = entry.parsed("post_id")?;
            let act = if kind == "like" {
                keys::liker(post, actor)
            } else {
                keys::comment(post, entry.parsed("comment_id")?)
            };
            (live(act).await?, live(keys::post(post)).await?)
        }
    };
    let mut right = entry.clone();
    for (flag, is_set) in [("undone", !stands), ("post_gone", !post_is_live)] {
        right.attributes.remove(flag);
        if is_set {
            right.attributes.insert(flag.into(), Value::Bool(true));
        }
    }
    Ok((right, stands && post_is_live))
}

fn as_number(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}
