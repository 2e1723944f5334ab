//! Lists, shows and redrives dead letters through the queue port, identically for the embedded queue and SQS.
//!
//! A queue can only be read by receiving. Messages read are hidden for at most [`HIDDEN`] and made visible again at
//! once; a killed command leaves them hidden for that long.

use std::{collections::HashSet, time::Duration};

use domain::{Timestamp, limits};
use ports::queue::{OutgoingMessage, Queue, QueueError, QueueName, Receipt, ReceivedMessage, delete_all, send_all};

/// How long messages are hidden while they are read.
const HIDDEN: Duration = Duration::from_mins(2);

/// The dead letters that a command is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Selection {
    /// All of them.
    All,
    /// Those with these message ids.
    Ids(HashSet<String>),
}

impl Selection {
    /// The messages with these ids, or all if `ids` is empty.
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

    /// The requested ids that are missing from `found`.
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

/// Why a command about dead letters failed.
#[derive(Debug, thiserror::Error)]
pub enum DeadLetterError {
    /// Not a dead-letter queue, so nothing can be redriven from it.
    #[error("{} holds no dead letters", .0.name())]
    NotDeadLetters(QueueName),
    /// Requested messages are not in the queue.
    #[error("no message {} in {}", ids.join(", "), queue.name())]
    NotFound {
        /// The dead-letter queue.
        queue: QueueName,
        /// The missing ids.
        ids: Vec<String>,
    },
    /// The queue failed.
    #[error(transparent)]
    Queue(#[from] QueueError),
}

/// The dead-letter queue that a queue name refers to: the named one, or that of the named source queue.
pub fn dead_letter_queue(name: QueueName) -> QueueName {
    name.dead_letter_queue().unwrap_or(name)
}

/// The dead letters of one queue.
#[derive(Debug, Clone, Copy)]
pub struct DeadLetters<'a> {
    /// The queues.
    pub queue: &'a dyn Queue,
    /// The dead-letter queue.
    pub name: QueueName,
    /// How long to wait for messages before the queue counts as empty.
    pub patience: Duration,
}

impl DeadLetters<'_> {
    /// The selected messages, at most `limit`, oldest first. Fails if a message requested by id is missing.
    pub async fn look(&self, selection: &Selection, limit: usize) -> Result<Vec<ReceivedMessage>, DeadLetterError> {
        let mut taken = Taken::default();
        let read = self.take(&mut taken, selection, limit).await;
        self.give_back(&mut taken).await?;
        read?;
        self.require(&taken, selection)?;
        taken.selected.sort_by(|a, b| (a.sent_at, &a.message_id).cmp(&(b.sent_at, &b.message_id)));
        Ok(taken.selected)
    }

    /// Sends the selected messages to the source queue, each before it is deleted here: a failure may duplicate a
    /// message but never loses one. Returns the number of messages.
    ///
    /// Messages sent after `now` stay, so that a message that fails again at once is not redriven in circles. If a
    /// requested id is missing, nothing is redriven.
    pub async fn redrive(&self, selection: &Selection, now: Timestamp) -> Result<usize, DeadLetterError> {
        let source = self.name.source_queue().ok_or(DeadLetterError::NotDeadLetters(self.name))?;
        match selection {
            Selection::All => Ok(self.redrive_all(source, now).await?),
            Selection::Ids(ids) => self.redrive_named(source, selection, ids.len()).await,
        }
    }

    async fn redrive_named(
        &self,
        source: QueueName,
        selection: &Selection,
        count: usize,
    ) -> Result<usize, DeadLetterError> {
        let mut taken = Taken::default();
        let read = self.take(&mut taken, selection, count).await;
        let moved = match read.map_err(DeadLetterError::from).and_then(|()| self.require(&taken, selection)) {
            Ok(()) => self.send_back(source, &mut taken.selected).await.map_err(DeadLetterError::from),
            Err(error) => Err(error),
        };
        self.give_back(&mut taken).await?;
        moved
    }

    async fn redrive_all(&self, source: QueueName, now: Timestamp) -> Result<usize, QueueError> {
        let (mut moved, mut newer) = (0, Vec::new());
        loop {
            let received = self.receive().await?;
            if received.is_empty() {
                break;
            }
            let (mut old, new): (Vec<_>, Vec<_>) = received.into_iter().partition(|message| message.sent_at <= now);
            newer.extend(new.into_iter().map(|message| message.receipt));
            if !old.is_empty() {
                moved += self.send_back(source, &mut old).await?;
            }
        }
        self.make_visible(newer).await?;
        Ok(moved)
    }

    /// Sends the messages to `source`, then deletes them here; removes deleted ones from `messages`.
    async fn send_back(&self, source: QueueName, messages: &mut Vec<ReceivedMessage>) -> Result<usize, QueueError> {
        let copies = messages.iter().map(|message| OutgoingMessage {
            body: message.body.clone(),
            group: message.group.clone(),
            delay: Duration::ZERO,
        });
        send_all(self.queue, source, copies.collect()).await?;
        delete_all(self.queue, self.name, messages.iter().map(|message| message.receipt.clone()).collect()).await?;
        Ok(std::mem::take(messages).len())
    }

    async fn receive(&self) -> Result<Vec<ReceivedMessage>, QueueError> {
        self.queue.receive(self.name, limits::MAX_QUEUE_BATCH, self.patience, Some(HIDDEN)).await
    }

    /// Receives until `limit` messages are selected or the queue is empty.
    async fn take(&self, taken: &mut Taken, selection: &Selection, limit: usize) -> Result<(), QueueError> {
        while taken.selected.len() < limit {
            let received = self.receive().await?;
            if received.is_empty() {
                break;
            }
            for message in received {
                if selection.holds(&message) && taken.selected.len() < limit {
                    taken.selected.push(message);
                } else {
                    taken.others.push(message.receipt);
                }
            }
        }
        Ok(())
    }

    fn require(&self, taken: &Taken, selection: &Selection) -> Result<(), DeadLetterError> {
        let found = taken.selected.iter().map(|message| message.message_id.clone()).collect();
        let ids = selection.missing(&found);
        if ids.is_empty() { Ok(()) } else { Err(DeadLetterError::NotFound { queue: self.name, ids }) }
    }

    /// Makes all received messages visible again.
    async fn give_back(&self, taken: &mut Taken) -> Result<(), QueueError> {
        let mut receipts = std::mem::take(&mut taken.others);
        receipts.extend(taken.selected.iter().map(|message| message.receipt.clone()));
        self.make_visible(receipts).await
    }

    async fn make_visible(&self, receipts: Vec<Receipt>) -> Result<(), QueueError> {
        for chunk in receipts.chunks(limits::MAX_QUEUE_BATCH) {
            // Messages not made visible here become so when their visibility timeout expires.
            let changes = chunk.iter().map(|receipt| (receipt.clone(), Duration::ZERO)).collect();
            self.queue.change_visibility(self.name, changes).await?;
        }
        Ok(())
    }
}

/// Received messages, hidden for now.
#[derive(Default)]
struct Taken {
    selected: Vec<ReceivedMessage>,
    others: Vec<Receipt>,
}
