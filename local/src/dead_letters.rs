//! Listing, showing and redriving dead letters, over the port alone: the same for embedded queues and for SQS.
//!
//! A queue can only be read by receiving. What is read stays hidden for [`HIDDEN`] at the most and is made visible
//! again at once; a command that is killed leaves it hidden for that long.

use std::{collections::HashSet, time::Duration};

use shared::{
    domain::Timestamp,
    limits,
    queue::{OutgoingMessage, Queue, QueueError, QueueName, Receipt, ReceivedMessage, delete_all, send_all},
};

/// For how long messages are hidden while they are looked at.
const HIDDEN: Duration = Duration::from_mins(2);

/// Which dead letters a command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// Every one.
    All,
    /// Those with these message ids.
    Ids(HashSet<String>),
}

impl Selection {
    /// The messages named, or all when none is.
    pub fn of(ids: impl IntoIterator<Item = String>) -> Self {
        let ids: HashSet<_> = ids.into_iter().collect();
        if ids.is_empty() { Self::All } else { Self::Ids(ids) }
    }

    fn holds(&self, message: &ReceivedMessage) -> bool {
        match self {
            Self::All => true,
            Self::Ids(ids) => ids.contains(&message.message_id),
        }
    }

    /// The ids asked for that are not among the messages found.
    fn missing(&self, found: &HashSet<String>) -> Vec<String> {
        match self {
            Self::All => Vec::new(),
            Self::Ids(ids) => {
                let mut missing: Vec<_> = ids.difference(found).cloned().collect();
                missing.sort();
                missing
            }
        }
    }
}

/// Why a command about dead letters was not done.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// The queue is no dead-letter queue, so nothing can be redriven from it.
    #[error("{} holds no dead letters", .0.name())]
    NotDeadLetters(QueueName),
    /// Messages asked for are not in the queue.
    #[error("no message {} in {}", ids.join(", "), queue.name())]
    NotFound {
        /// The queue looked through.
        queue: QueueName,
        /// The ids that are not there.
        ids: Vec<String>,
    },
    /// The queue did not do its part.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// The dead-letter queue that a command means by a queue's name: its own, or that of the source queue named.
pub fn dead_letter_queue(name: QueueName) -> QueueName {
    name.dead_letter_queue().unwrap_or(name)
}

/// The selected messages, at most `limit`, oldest first. All of those asked for by id must be there.
pub async fn look(
    queue: &dyn Queue,
    name: QueueName,
    selection: &Selection,
    limit: usize,
) -> Result<Vec<ReceivedMessage>, DeadLetterError> {
    let mut taken = Taken::default();
    let read = taken.read(queue, name, selection, limit).await;
    taken.give_back(queue, name).await?;
    read?;
    taken.require(name, selection)?;
    taken.selected.sort_by(|a, b| (a.sent_at, &a.message_id).cmp(&(b.sent_at, &b.message_id)));
    Ok(taken.selected)
}

/// Sends the selected messages back to the source queue, each before it is deleted here: one may be there twice after a
/// failure, never not at all. Returns how many.
///
/// What was sent after `now` is left: a message that comes right back is not redriven in circles. When an id asked for
/// is not there, nothing is redriven.
pub async fn redrive(
    queue: &dyn Queue,
    name: QueueName,
    selection: &Selection,
    now: Timestamp,
) -> Result<usize, DeadLetterError> {
    let source = name.source_queue().ok_or(DeadLetterError::NotDeadLetters(name))?;
    if let Selection::Ids(ids) = selection {
        let mut taken = Taken::default();
        let read = taken.read(queue, name, selection, ids.len()).await;
        let moved = match read.map_err(DeadLetterError::from).and_then(|()| taken.require(name, selection)) {
            Ok(()) => send_back(queue, name, source, &mut taken.selected).await.map_err(DeadLetterError::from),
            Err(error) => Err(error),
        };
        taken.give_back(queue, name).await?;
        return moved;
    }
    redrive_all(queue, name, source, now).await
}

async fn redrive_all(
    queue: &dyn Queue,
    name: QueueName,
    source: QueueName,
    now: Timestamp,
) -> Result<usize, DeadLetterError> {
    let (mut moved, mut newer) = (0, Vec::new());
    loop {
        let received = receive(queue, name).await?;
        if received.is_empty() {
            break;
        }
        let (mut old, new): (Vec<_>, Vec<_>) = received.into_iter().partition(|message| message.sent_at <= now);
        newer.extend(new.into_iter().map(|message| message.receipt));
        moved += send_back(queue, name, source, &mut old).await?;
    }
    make_visible(queue, name, newer).await?;
    Ok(moved)
}

/// Sends the messages to `source`, then deletes them from `name`; empties `messages` of what is gone.
async fn send_back(
    queue: &dyn Queue,
    name: QueueName,
    source: QueueName,
    messages: &mut Vec<ReceivedMessage>,
) -> Result<usize, QueueError> {
    let copies = messages.iter().map(|message| OutgoingMessage {
        body: message.body.clone(),
        group: message.group.clone(),
        delay: Duration::ZERO,
    });
    send_all(queue, source, copies.collect()).await?;
    delete_all(queue, name, messages.iter().map(|message| message.receipt.clone()).collect()).await?;
    Ok(std::mem::take(messages).len())
}

async fn receive(queue: &dyn Queue, name: QueueName) -> Result<Vec<ReceivedMessage>, QueueError> {
    queue.receive(name, limits::MAX_QUEUE_BATCH, Duration::ZERO, Some(HIDDEN)).await
}

/// What was received and is hidden.
#[derive(Default)]
struct Taken {
    selected: Vec<ReceivedMessage>,
    others: Vec<Receipt>,
}

impl Taken {
    /// Receives until `limit` messages are selected or the queue gives no more.
    async fn read(
        &mut self,
        queue: &dyn Queue,
        name: QueueName,
        selection: &Selection,
        limit: usize,
    ) -> Result<(), QueueError> {
        while self.selected.len() < limit {
            let received = receive(queue, name).await?;
            if received.is_empty() {
                break;
            }
            for message in received {
                if selection.holds(&message) && self.selected.len() < limit {
                    self.selected.push(message);
                } else {
                    self.others.push(message.receipt);
                }
            }
        }
        Ok(())
    }

    fn require(&self, name: QueueName, selection: &Selection) -> Result<(), DeadLetterError> {
        let found = self.selected.iter().map(|message| message.message_id.clone()).collect();
        let ids = selection.missing(&found);
        if ids.is_empty() { Ok(()) } else { Err(DeadLetterError::NotFound { queue: name, ids }) }
    }

    /// Makes everything visible again.
    async fn give_back(&mut self, queue: &dyn Queue, name: QueueName) -> Result<(), QueueError> {
        let mut receipts = std::mem::take(&mut self.others);
        receipts.extend(self.selected.iter().map(|message| message.receipt.clone()));
        make_visible(queue, name, receipts).await
    }
}

async fn make_visible(queue: &dyn Queue, name: QueueName, receipts: Vec<Receipt>) -> Result<(), QueueError> {
    for chunk in receipts.chunks(limits::MAX_QUEUE_BATCH) {
        // What is not changed becomes visible by itself when it has been hidden for long enough.
        queue.change_visibility(name, chunk.iter().map(|receipt| (receipt.clone(), Duration::ZERO)).collect()).await?;
    }
    Ok(())
}
