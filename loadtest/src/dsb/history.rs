//! Posts of before the run, written directly to the store.

use std::time::Duration;

use domain::{IdGenerator, Post, PostText};

use super::{
    graph::FriendGraph,
    mix::POST_TEXT,
    timelines::{DEEPEST, Timelines},
};
use crate::{error::LoadtestError, plant, service::Service};

/// Time between two posts of the history.
const BETWEEN: Duration = Duration::from_millis(20);

/// Writes `each` posts of each user and the newest entries of each feed, as many as pages reach.
///
/// # Errors
/// If the store fails.
///
/// # Panics
/// Never: the text is valid.
pub async fn write(service: &Service, graph: &FriendGraph, each: u32) -> Result<Timelines, LoadtestError> {
    let users = graph.users.len();
    let (timelines, ids) = (Timelines::new(users), IdGenerator::new());
    let text = PostText::parse(POST_TEXT).expect("256 letters");
    let count = u32::try_from(users).unwrap_or(u32::MAX).saturating_mul(each);
    let mut time = service.services().clock.now().minus(BETWEEN * count);
    let mut posts = Vec::new();
    // Users take turns, so that every feed mixes its authors.
    for author in (0..each).flat_map(|_| 0..users) {
        time = time.plus(BETWEEN);
        let post_id = ids.next_post_id(time);
        timelines.add(author, post_id, &graph.friends[author]);
        posts.push(Post { post_id, author_id: graph.users[author], text: text.clone(), media: Vec::new() });
    }
    let newest = |(place, reader)| (reader, timelines.newest_of_feed(place, DEEPEST));
    let feeds = graph.users.iter().copied().enumerate().map(newest).collect();
    plant::posts(service, posts).await.map_err(LoadtestError::Seed)?;
    plant::feeds(service, feeds).await.map_err(LoadtestError::Seed)?;
    Ok(timelines)
}
