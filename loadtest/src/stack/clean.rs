//! Removes the seeded rows and those of the posts, also after a failed or interrupted run.

use std::{collections::BTreeSet, sync::Arc, time::Duration};

use data::Posts;
use domain::PostId;
use indicatif::ProgressBar;
use ports::{
    queue::{Queue, QueueError, QueueName},
    store::{BatchWrite, Store, StoreError, Table},
};

use super::{
    bulk::{BulkWriter, Undone},
    people::{People, SEEDED},
};
use crate::progress;

/// Posts per page of the author's story.
const PAGE: u32 = 100;
/// Reads of the story: an aborted request may still publish a post after the first one.
const PASSES: usize = 3;
/// Time limit for jobs in progress, and polling interval.
const JOBS_PATIENCE: (Duration, Duration) = (Duration::from_mins(1), Duration::from_secs(1));

/// The stores that a run wrote to.
#[derive(Debug, Clone)]
pub struct Place {
    /// The stack's tables.
    pub store: Arc<dyn Store>,
    /// The stack's queues.
    pub queue: Arc<dyn Queue>,
}

/// Removes everything but the ledger's entries, one per post, which expire within two days and can be found only by the
/// ids of changes. Returns a line for each kind of rows that could not be removed.
///
/// `posts` are the known ones; others are found in the author's story. `all_seen` means that every feed has shown every
/// post; otherwise waits for jobs in progress, since they could write entries after the cleanup.
pub async fn clean(
    place: &Place,
    writer: &BulkWriter,
    people: &People,
    posts: &[PostId],
    all_seen: bool,
) -> Vec<String> {
    let mut left = Vec::new();
    let mut posts: BTreeSet<PostId> = posts.iter().copied().collect();
    let known: Vec<PostId> = posts.iter().copied().collect();
    // Without outbox entry, author and edges, no further post or fan-out is possible.
    remove(writer, SEEDED, People::outbox_removals(&known), known.len() as u64, &mut left).await;
    remove(writer, SEEDED, people.removals(), people.row_count(), &mut left).await;
    remove(writer, SEEDED, std::iter::once(people.counts_removal()), 1, &mut left).await;
    if !all_seen && let Err(reason) = jobs_done(place.queue.as_ref()).await {
        left.push(format!("perhaps feed entries of jobs still in progress: {reason}"));
    }
    let mut done = BTreeSet::new();
    for pass in 0..PASSES {
        match story(place, people).await {
            Ok(found) => posts.extend(found),
            Err(error) => left.push(format!("perhaps posts of author {}: {error}", people.author)),
        }
        let new: Vec<PostId> = posts.difference(&done).copied().collect();
        if new.is_empty() && (all_seen || pass > 0) {
            break;
        }
        remove_posts(writer, people, &new, &mut left).await;
        done.extend(new);
    }
    left
}

async fn remove_posts(writer: &BulkWriter, people: &People, posts: &[PostId], left: &mut Vec<String>) {
    let (posts_len, readers) = (posts.len() as u64, people.followers.len() as u64 + 1);
    remove(writer, SEEDED, People::outbox_removals(posts), posts_len, left).await;
    remove(writer, Table::Feed, people.entry_removals(posts), posts_len * readers, left).await;
    // Last: as long as they exist, the rows left by an interrupted cleanup can be found from them.
    remove(writer, SEEDED, people.post_removals(posts), posts_len * 2, left).await;
}

async fn remove(
    writer: &BulkWriter,
    table: Table,
    rows: impl Iterator<Item = BatchWrite> + Send,
    count: u64,
    left: &mut Vec<String>,
) {
    let progress: ProgressBar = progress::bar("removing", count);
    if let Err(Undone { rows, error }) = writer.write(table, rows, &progress).await {
        left.push(format!("{rows} rows of the {} table: {}", table.name(), chain(&error)));
    }
}

/// The author's existing posts.
async fn story(place: &Place, people: &People) -> Result<Vec<PostId>, StoreError> {
    let (dao, mut posts, mut after) = (Posts::new(Arc::clone(&place.store)), Vec::new(), None);
    loop {
        let page = dao.page_of_author(people.author, after, PAGE).await?;
        posts.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(posts);
        }
    }
}

/// Waits until JobQ is empty by its approximate counts; this includes other users' jobs.
async fn jobs_done(queue: &dyn Queue) -> Result<(), String> {
    let (patience, pause) = JOBS_PATIENCE;
    let empty = async {
        loop {
            let depth = queue.depth(QueueName::JobQ).await?;
            if depth.visible + depth.in_flight + depth.delayed == 0 {
                return Ok::<_, QueueError>(());
            }
            tokio::time::sleep(pause).await;
        }
    };
    match tokio::time::timeout(patience, empty).await {
        Ok(outcome) => outcome.map_err(|error| chain(&error)),
        Err(_) => Err(format!("JobQ was not empty within {} s", patience.as_secs())),
    }
}

/// Formats an error with its causes on one line.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |&error| error.source());
    causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"))
}
