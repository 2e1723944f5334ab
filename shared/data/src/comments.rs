//! Comments, under their post and by their author.

use std::collections::HashMap;

use crate::{DELETED_AT, Db, Writes, keys};
use domain::{Comment, CommentId, CommentText, Page, PostId, Timestamp, UserId, limits};
use ports::store::{
    Changes, Condition, Consistency, EXPIRES_AT, Item, Key, MalformedItem, Order, Outcome, Query, Retrying, SortRange,
    StoreError, Table, Test, Write,
};

mod attr {
    pub const AUTHOR_ID: &str = "author_id";
    pub const TEXT: &str = "text";
    pub const POST_ID: &str = "post_id";
}

/// A stored comment, shown only while it is not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredComment {
    /// The comment.
    pub comment: Comment,
    /// When it was deleted. It expires [`limits::DELETED_TTL`] later.
    pub deleted_at: Option<Timestamp>,
}

impl StoredComment {
    /// Whether it has expired but is not yet removed.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.deleted_at.is_some_and(|at| at.plus(limits::DELETED_TTL) <= now)
    }

    /// The comment, unless it is deleted.
    pub fn live(self) -> Option<Comment> {
        self.deleted_at.is_none().then_some(self.comment)
    }
}

/// Comments, in Social.
#[derive(Debug, Clone)]
pub struct Comments {
    store: Retrying,
}

impl Comments {
    /// Comments in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// One comment of a post, even if deleted, but not if expired. Read consistently, because the caller may just have
    /// created or deleted it.
    pub async fn get(
        &self,
        post: PostId,
        comment: CommentId,
        now: Timestamp,
    ) -> Result<Option<StoredComment>, StoreError> {
        let key = keys::comment(post, comment);
        let item = self.store.get(Table::Social, &key, Consistency::Strong).await?;
        let stored = item.map(|item| comment_from(post, &item)).transpose()?;
        Ok(stored.filter(|stored| !stored.is_expired(now)))
    }

    /// The comments on a post, newest first, deleted ones included. Read consistently: users see their own at once.
    pub async fn page_of_post(
        &self,
        post: PostId,
        after: Option<CommentId>,
        limit: u32,
    ) -> Result<Page<StoredComment, CommentId>, StoreError> {
        let query = Query {
            range: SortRange::Prefix(keys::COMMENT_PREFIX.to_owned()),
            order: Order::Descending,
            start_after: after.map(|comment| keys::comment(post, comment).sort),
            limit: Some(limit),
            ..Query::all_of(Table::Social, keys::post_partition(post))
        };
        let page = self.store.query(&query).await?;
        Ok(Page {
            items: page.items.iter().map(|item| comment_from(post, item)).collect::<Result<_, _>>()?,
            next: page.next.as_deref().map(id_from).transpose()?,
        })
    }

    /// Creates a comment under its post and by its author, in one transaction. The id is new, so an existing comment
    /// comes from an earlier try whose answer was lost; it is left alone, as it may be deleted by now.
    pub async fn create(&self, comment: &Comment) -> Result<(), StoreError> {
        let [under_post, by_author] = Self::both_sides(comment);
        let writes = vec![(Table::Social, Write::create(under_post)), (Table::Social, Write::create(by_author))];
        let _either_way: Outcome = self.store.transact(writes).await?;
        Ok(())
    }

    /// The two items of a comment, under its post and by its author. For direct use only when filling a store that is
    /// not yet in use.
    pub fn both_sides(comment: &Comment) -> [Item; 2] {
        let under_post = Item::new(keys::comment(comment.post_id, comment.comment_id))
            .with(attr::AUTHOR_ID, comment.author_id.to_string())
            .with(attr::TEXT, comment.text.as_str());
        let by_author = Item::new(keys::comment_by(comment.author_id, comment.comment_id))
            .with(attr::POST_ID, comment.post_id.to_string());
        [under_post, by_author]
    }

    /// The comments by `author` with their posts, newest first, deleted ones included. Read consistently.
    pub async fn page_of_author(
        &self,
        author: UserId,
        after: Option<CommentId>,
        limit: u32,
    ) -> Result<Page<(CommentId, PostId), CommentId>, StoreError> {
        let query = Query {
            order: Order::Descending,
            start_after: after.map(|comment| comment.to_string()),
            limit: Some(limit),
            ..Query::all_of(Table::Social, keys::comments_partition(author))
        };
        let page = self.store.query(&query).await?;
        super::page_from(page, |item| Ok((item.parsed_sort()?, item.parsed(attr::POST_ID)?)))
    }

    /// The stored comments among these, deleted ones included. Read consistently.
    pub async fn get_all(
        &self,
        comments: &[(CommentId, PostId)],
    ) -> Result<HashMap<CommentId, StoredComment>, StoreError> {
        let of_key: HashMap<Key, (CommentId, PostId)> =
            comments.iter().map(|(comment, post)| (keys::comment(*post, *comment), (*comment, *post))).collect();
        let keys: Vec<Key> = of_key.keys().cloned().collect();
        let items = self.store.get_all(Table::Social, &keys, Consistency::Strong).await?;
        let found = items.iter().filter_map(|item| Some((*of_key.get(&item.key)?, item)));
        let read = |((comment, post), item): ((CommentId, PostId), &Item)| Ok((comment, comment_from(post, item)?));
        Ok(found.map(read).collect::<Result<_, MalformedItem>>()?)
    }

    /// The writes that erase both items of a comment.
    pub fn erasure(author: UserId, post: PostId, comment: CommentId) -> Writes {
        Writes::deleting(Table::Social, [keys::comment(post, comment), keys::comment_by(author, comment)])
    }

    /// Marks a comment deleted and makes both its items expire [`limits::DELETED_TTL`] later, in one transaction.
    /// Refused when it is already deleted (also by an earlier try whose answer was lost) or gone.
    pub async fn delete(&self, comment: &Comment, now: Timestamp) -> Result<Outcome, StoreError> {
        let expires_at = now.plus(limits::DELETED_TTL).as_secs().cast_signed();
        let expiring = Changes { set: [(EXPIRES_AT.into(), expires_at.into())].into(), ..Changes::default() };
        let mut deleted = expiring.clone();
        deleted.set.insert(DELETED_AT.into(), now.as_millis().cast_signed().into());
        let under_post = Write::Update {
            key: keys::comment(comment.post_id, comment.comment_id),
            changes: deleted,
            condition: Condition::Where(vec![Test::Missing(DELETED_AT)]),
        };
        let by_author = Write::Update {
            key: keys::comment_by(comment.author_id, comment.comment_id),
            changes: expiring,
            condition: Condition::Present,
        };
        let writes = vec![(Table::Social, under_post), (Table::Social, by_author)];
        self.store.transact(writes).await
    }
}

fn comment_from(post_id: PostId, item: &Item) -> Result<StoredComment, MalformedItem> {
    let deleted_at = item.number_if_any(DELETED_AT)?;
    Ok(StoredComment {
        comment: Comment {
            comment_id: id_from(&item.key.sort)?,
            post_id,
            author_id: item.parsed(attr::AUTHOR_ID)?,
            text: CommentText::from_stored(item.text(attr::TEXT)?.to_owned()),
        },
        deleted_at: deleted_at.map(|millis| Timestamp::from_millis(millis.cast_unsigned())),
    })
}

fn id_from(sort: &str) -> Result<CommentId, MalformedItem> {
    let id = sort.strip_prefix(keys::COMMENT_PREFIX).and_then(|id| id.parse().ok());
    id.ok_or(MalformedItem { attribute: "SK" })
}
