//! The queue messages that a start must know before it resumes unfinished fan-outs.

use std::collections::HashSet;

use data::messages::FanOutMessage;
use domain::PostId;
use embedded::EmbeddedQueue;
use ports::queue::{QueueError, QueueName};

/// Messages read per call.
const PAGE: usize = 1_000;

/// The posts that have a message in PostQ or among its dead letters. Those messages will be received or redriven
/// unchanged; a message of a newer generation would turn them into no-ops.
pub async fn announced(queue: &EmbeddedQueue) -> Result<HashSet<PostId>, QueueError> {
    let mut posts = HashSet::new();
    for name in [QueueName::PostQ, QueueName::PostDlq] {
        let mut after = None;
        loop {
            let messages = queue.browse(name, after, PAGE).await?;
            posts.extend(
                messages.iter().filter_map(|message| FanOutMessage::decode(&message.body).ok()).map(|it| it.post_id),
            );
            match messages.last() {
                Some(last) if messages.len() == PAGE => after = Some(last.sequence),
                _ => break,
            }
        }
    }
    Ok(posts)
}
