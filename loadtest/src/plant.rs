//! Posts and feed entries written directly to the store, as a deployment that has been in use would have.

use std::sync::Arc;

use data::{Db, Feeds, Posts, Transaction};
use domain::{Post, PostId, UserId};
use futures::{StreamExt as _, TryStreamExt as _};
use ports::store::StoreError;

use crate::{progress, service::Service};

/// Concurrent writes.
const WRITES_IN_FLIGHT: usize = 64;

/// Writes posts with their story entries, without delivering them.
///
/// # Errors
/// If the store fails.
pub async fn posts(service: &Service, posts: Vec<Post>) -> Result<(), StoreError> {
    let (db, progress) = (&Db::from(Arc::clone(&service.services().store)), progress::bar("posts", posts.len() as u64));
    futures::stream::iter(posts)
        .map(|post| async move { Transaction::from(Posts::creation(&post)).commit(db).await })
        .buffer_unordered(WRITES_IN_FLIGHT)
        .try_for_each(|_| {
            progress.inc(1);
            std::future::ready(Ok(()))
        })
        .await
}

/// Writes the entries of each reader's feed.
///
/// # Errors
/// If the store fails.
pub async fn feeds(service: &Service, feeds: Vec<(UserId, Vec<PostId>)>) -> Result<(), StoreError> {
    let (dao, progress) =
        (&Feeds::new(Arc::clone(&service.services().store)), progress::bar("feeds", feeds.len() as u64));
    let now = service.services().clock.now();
    futures::stream::iter(feeds)
        .map(|(reader, posts)| async move { dao.put_for_reader(reader, &posts, now).await })
        .buffer_unordered(WRITES_IN_FLIGHT)
        .try_for_each(|()| {
            progress.inc(1);
            std::future::ready(Ok(()))
        })
        .await
}
