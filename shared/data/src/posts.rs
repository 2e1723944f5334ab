//! Posts, and the stories that list them by author.

use std::collections::HashMap;

use super::{counts::post_counts_from, media::post_media, page_from, users::live_profile_from};
use crate::{DELETED_AT, Db, Writes, keys};
use domain::{Page, Post, PostCounts, PostId, PostText, Profile, Timestamp, UserId, limits};
use ports::store::{
    Attributes, Changes, Condition, Consistency, Item, Key, MalformedItem, Order, Projection, Query, Retrying,
    SortRange, StoreError, Table, Test, Write,
};

mod attr {
    pub const AUTHOR_ID: &str = "author_id";
    pub const TEXT: &str = "text";
    pub const PULLED: &str = "pulled";
    pub const MEDIA: &str = "media";
}

/// How a post reaches its author's followers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Delivery {
    /// It is fanned out to the followers' feeds.
    Pushed,
    /// It is merged into the followers' feeds when these are read.
    Pulled,
}

/// An entry of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoryEntry {
    /// The post.
    pub post_id: PostId,
    /// How it reaches the author's followers.
    pub delivery: Delivery,
}

/// A stored post, shown only while it is not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredPost {
    /// The post.
    pub post: Post,
    /// When its author deleted it. It is erased [`domain::limits::DELETED_TTL`] later, and can be restored until then.
    pub deleted_at: Option<Timestamp>,
}

impl StoredPost {
    /// The post, unless it is deleted.
    pub fn live(&self) -> Option<&Post> {
        self.deleted_at.is_none().then_some(&self.post)
    }

    /// The time from which it is erased; `None` for a post that is not deleted.
    pub fn erased_from(&self) -> Option<Timestamp> {
        self.deleted_at.map(|deleted_at| deleted_at.plus(limits::DELETED_TTL))
    }
}

/// Posts and story entries, in Social.
#[derive(Debug, Clone)]
pub struct Posts {
    store: Retrying,
}

impl Posts {
    /// Posts in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// The stored posts among these, deleted ones included, by id. Eventually consistent first; missing posts are read
    /// again consistently.
    pub async fn get_all(&self, posts: &[PostId]) -> Result<HashMap<PostId, StoredPost>, StoreError> {
        super::get_all(&self.store, Table::Social, posts, keys::post, post_from).await
    }

    /// The same with the posts' counts, which lag anyway: one batch get for both.
    pub async fn get_all_with_counts(
        &self,
        posts: &[PostId],
    ) -> Result<HashMap<PostId, (StoredPost, PostCounts)>, StoreError> {
        let of_key: HashMap<Key, PostId> =
            posts.iter().flat_map(|post| [(keys::post(*post), *post), (keys::post_counts(*post), *post)]).collect();
        let both: Vec<Key> = posts.iter().flat_map(|post| [keys::post(*post), keys::post_counts(*post)]).collect();
        let (mut found, mut counts) = (HashMap::new(), HashMap::new());
        for item in self.store.get_all(Table::Social, &both, Consistency::Eventual).await? {
            let Some(post) = of_key.get(&item.key).copied() else { continue };
            if item.key == keys::post(post) {
                found.insert(post, post_from(post, &item)?);
            } else {
                counts.insert(post, post_counts_from(&item)?);
            }
        }
        let missing: Vec<PostId> = posts.iter().filter(|post| !found.contains_key(*post)).copied().collect();
        found.extend(self.get_all_strongly(&missing).await?);
        let with_counts = |(post, stored)| (post, (stored, counts.get(&post).copied().unwrap_or_default()));
        Ok(found.into_iter().map(with_counts).collect())
    }

    /// An author's own stored posts among these, and their profile unless it is deleted, with one batch get. Read
    /// consistently, so that authors see their own edits and deletions at once.
    pub async fn get_own(
        &self,
        author: UserId,
        posts: &[PostId],
    ) -> Result<(HashMap<PostId, StoredPost>, Option<Profile>), StoreError> {
        let of_key: HashMap<Key, PostId> = posts.iter().map(|post| (keys::post(*post), *post)).collect();
        let all: Vec<Key> = of_key.keys().cloned().chain([keys::profile(author)]).collect();
        let (mut found, mut profile) = (HashMap::new(), None);
        for item in self.store.get_all(Table::Social, &all, Consistency::Strong).await? {
            match of_key.get(&item.key) {
                Some(post) => drop(found.insert(*post, post_from(*post, &item)?)),
                None => profile = live_profile_from(author, &item)?,
            }
        }
        Ok((found, profile))
    }

    /// As [`Self::get_all`], read consistently: for authors, who see their own deletions at once.
    pub async fn get_all_strongly(&self, posts: &[PostId]) -> Result<HashMap<PostId, StoredPost>, StoreError> {
        let keys: HashMap<Key, PostId> = posts.iter().map(|post| (keys::post(*post), *post)).collect();
        let all: Vec<Key> = keys.keys().cloned().collect();
        let items = self.store.get_all(Table::Social, &all, Consistency::Strong).await?;
        let found = items.iter().filter_map(|item| Some((*keys.get(&item.key)?, item)));
        Ok(found.map(|(post, item)| Ok((post, post_from(post, item)?))).collect::<Result<_, MalformedItem>>()?)
    }

    /// The ids of an author's posts, newest first. Read consistently: authors see their own posts at once.
    pub async fn page_of_author(
        &self,
        author: UserId,
        after: Option<PostId>,
        limit: u32,
    ) -> Result<Page<PostId, PostId>, StoreError> {
        let query = Query {
            order: Order::Descending,
            start_after: after.map(|post| post.to_string()),
            limit: Some(limit),
            projection: Projection::Keys,
            ..Query::all_of(Table::Social, keys::story_partition(author))
        };
        page_from(self.store.query(&query).await?, Item::parsed_sort)
    }

    /// The ids of an author's posts from `since` on and before `before`, newest first. Read consistently: a rebuilt feed
    /// must have every post whose fan-out skipped its reader.
    pub async fn part_of_author(
        &self,
        author: UserId,
        since: PostId,
        before: PostId,
        limit: u32,
    ) -> Result<Page<PostId, PostId>, StoreError> {
        if since >= before {
            return Ok(Page { items: Vec::new(), next: None });
        }
        let query = Query {
            range: SortRange::Between(since.to_string(), before.to_string()),
            order: Order::Descending,
            start_after: Some(before.to_string()),
            limit: Some(limit),
            projection: Projection::Keys,
            ..Query::all_of(Table::Social, keys::story_partition(author))
        };
        page_from(self.store.query(&query).await?, Item::parsed_sort)
    }

    /// The newest entries of an author's story, newest first. Read consistently, as for a fan-out: a feed shows a
    /// pulled post as soon as this does.
    pub async fn newest_of_author(&self, author: UserId, limit: u32) -> Result<Page<StoryEntry, PostId>, StoreError> {
        let query = Query {
            order: Order::Descending,
            limit: Some(limit),
            ..Query::all_of(Table::Social, keys::story_partition(author))
        };
        page_from(self.store.query(&query).await?, |item| {
            let is_pulled = item.attributes.contains_key(attr::PULLED);
            let delivery = if is_pulled { Delivery::Pulled } else { Delivery::Pushed };
            Ok(StoryEntry { post_id: item.parsed_sort()?, delivery })
        })
    }

    /// The writes that erase a post and its story entry.
    pub fn erasure(author: UserId, post: PostId) -> Writes {
        Writes::deleting(Table::Social, [keys::post(post), keys::story_entry(author, post)])
    }

    /// The writes that create a post and its story entry: the post first, refused when it exists. Ids are new, so an
    /// existing post comes from an earlier try. It is left alone, as it may be deleted by now, and a late try must not
    /// revive it.
    pub fn creation(post: &Post) -> Writes {
        Self::creation_for(post, Delivery::Pushed)
    }

    /// The same, recording in the story how the post reaches followers.
    pub fn creation_for(post: &Post, delivery: Delivery) -> Writes {
        let item = Item::new(keys::post(post.post_id))
            .with(attr::AUTHOR_ID, post.author_id.to_string())
            .with(attr::TEXT, post.text.as_str());
        let item = if post.media.is_empty() { item } else { item.with(attr::MEDIA, post_media::encode(&post.media)) };
        let story_entry = Item::new(keys::story_entry(post.author_id, post.post_id));
        let story_entry = match delivery {
            Delivery::Pushed => story_entry,
            Delivery::Pulled => story_entry.with(attr::PULLED, true),
        };
        Writes::to(Table::Social, [Write::create(item), Write::put(story_entry)])
    }

    /// Whether an image of a post's item has pictures.
    pub(crate) fn has_media(image: &Attributes) -> bool {
        image.contains_key(attr::MEDIA)
    }

    /// The write that marks a post deleted. Refused unless the post exists, is live and belongs to its author.
    pub fn deletion(post: &Post, now: Timestamp) -> Writes {
        let deleted_at = now.as_millis().cast_signed().into();
        let write = Write::Update {
            key: keys::post(post.post_id),
            changes: Changes { set: [(DELETED_AT.into(), deleted_at)].into(), ..Changes::default() },
            condition: Condition::Where(vec![
                Test::Equals(attr::AUTHOR_ID, post.author_id.to_string().into()),
                Test::Missing(DELETED_AT),
            ]),
        };
        Writes::to(Table::Social, [write])
    }

    /// The write that removes that mark. Refused unless the post exists and was deleted at that time.
    pub fn restoration(post: PostId, deleted_at: Timestamp) -> Writes {
        let was = Test::Equals(DELETED_AT, deleted_at.as_millis().cast_signed().into());
        let write = Write::Update {
            key: keys::post(post),
            changes: Changes { remove: vec![DELETED_AT], ..Changes::default() },
            condition: Condition::Where(vec![was]),
        };
        Writes::to(Table::Social, [write])
    }
}

fn post_from(post_id: PostId, item: &Item) -> Result<StoredPost, MalformedItem> {
    let deleted_at = item.number_if_any(DELETED_AT)?;
    Ok(StoredPost {
        post: Post {
            post_id,
            author_id: item.parsed(attr::AUTHOR_ID)?,
            text: PostText::from_stored(item.text(attr::TEXT)?.to_owned()),
            // Posts from before there were pictures have none.
            media: item.text_if_any(attr::MEDIA)?.map(post_media::decode).transpose()?.unwrap_or_default(),
        },
        deleted_at: deleted_at.map(|millis| Timestamp::from_millis(millis.cast_unsigned())),
    })
}
