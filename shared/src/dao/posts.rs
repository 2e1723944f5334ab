//! Posts, and the stories that list them by author.

use std::{collections::HashMap, sync::Arc};

use super::page_from;
use crate::{
    domain::{Page, Post, PostId, PostText, UserId},
    keys,
    store::{
        Consistency, Item, MalformedItem, Order, Projection, Query, SortRange, Store, StoreError, Table, Write,
        with_retries,
    },
};

mod attr {
    pub const AUTHOR_ID: &str = "author_id";
    pub const TEXT: &str = "text";
}

/// Posts and story entries, in Social.
#[derive(Debug, Clone)]
pub struct Posts {
    store: Arc<dyn Store>,
}

impl Posts {
    /// Posts in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// The posts that exist of these, by id.
    pub async fn get_all(&self, posts: &[PostId]) -> Result<HashMap<PostId, Post>, StoreError> {
        super::get_all(self.store.as_ref(), Table::Social, posts, keys::post, post_from).await
    }

    /// One post. Asked eventually first; a miss is asked again consistently.
    pub async fn get(&self, post: PostId) -> Result<Option<Post>, StoreError> {
        Ok(self.get_all(&[post]).await?.remove(&post))
    }

    /// The ids of an author's posts, newest first. Read consistently: the author sees their own post at once.
    pub async fn page_of_author(
        &self,
        author: UserId,
        after: Option<PostId>,
        limit: u32,
    ) -> Result<Page<PostId, PostId>, StoreError> {
        let query = Query {
            table: Table::Social,
            partition: keys::story_partition(author),
            range: SortRange::All,
            order: Order::Descending,
            start_after: after.map(|post| post.to_string()),
            limit: Some(limit),
            consistency: Consistency::Strong,
            projection: Projection::Keys,
        };
        page_from(with_retries(|| self.store.query(&query)).await?, Item::parsed_sort)
    }

    /// The writes that make a post and its place in the author's story. Unconditional, so that they may be repeated.
    pub fn creation(post: &Post) -> [(Table, Write); 2] {
        let item = Item::new(keys::post(post.post_id))
            .with(attr::AUTHOR_ID, post.author_id.to_string())
            .with(attr::TEXT, post.text.as_str());
        let story_entry = Item::new(keys::story_entry(post.author_id, post.post_id));
        [(Table::Social, Write::put(item)), (Table::Social, Write::put(story_entry))]
    }
}

fn post_from(post_id: PostId, item: &Item) -> Result<Post, MalformedItem> {
    Ok(Post {
        post_id,
        author_id: item.parsed(attr::AUTHOR_ID)?,
        text: PostText::from_stored(item.text(attr::TEXT)?.to_owned()),
    })
}
