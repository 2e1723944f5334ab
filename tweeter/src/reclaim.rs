//! What a start must know of the queues before it takes unfinished fan-outs over.

use std::collections::HashSet;

use data::messages::FanOutMessage;
use domain::PostId;
use embedded::EmbeddedQueue;
use ports::queue::{QueueError, QueueName};

/// Messages read at once.
const PAGE: usize = 1_000;

/// The posts of which a message lies in PostQ or among its dead letters. Those are to be received, or redriven, as they
/// are; a message of another generation beside them would turn them into nothing.
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
