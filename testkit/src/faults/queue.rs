//! A queue that fails and delivers twice.

use std::{collections::HashMap, sync::Arc, time::Duration};

use async_trait::async_trait;
use parking_lot::Mutex;
use ports::queue::{OutgoingMessage, Queue, QueueDepth, QueueError, QueueName, Receipt, ReceivedMessage};

use super::dice::{Dice, Fate, FaultCounts, FaultSwitch, Injected};

/// Probabilities, 0 to 1. The first three apply to a call and are mutually exclusive (their sum is at most 1).
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct QueueFaults {
    /// The call is throttled and not made.
    pub throttled: f64,
    /// The queue is unavailable; the call is not made.
    pub unavailable_before: f64,
    /// The call is made, but answered as if the queue were unavailable: received messages stay in flight, unknown to
    /// the receiver, until their timeout.
    pub unavailable_after: f64,
    /// An entry of a batch fails.
    pub undone: f64,
    /// A received message is received once more, later, in any order, even after its deletion.
    pub duplicated: f64,
}

impl QueueFaults {
    /// Every fault with this probability, at most 1/3.
    pub const fn all(probability: f64) -> Self {
        Self {
            throttled: probability,
            unavailable_before: probability,
            unavailable_after: probability,
            undone: probability,
            duplicated: probability,
        }
    }
}

/// A queue that fails at random. `depth` always passes through and does not count pending duplicates: see
/// [`FaultyQueue::pending_duplicates`].
#[derive(Debug)]
pub struct FaultyQueue {
    inner: Arc<dyn Queue>,
    faults: QueueFaults,
    dice: Dice,
    repeats: Mutex<HashMap<QueueName, Vec<ReceivedMessage>>>,
}

impl FaultyQueue {
    /// A queue with these faults. The same seed and the same calls in the same order meet the same faults.
    pub fn new(inner: Arc<dyn Queue>, faults: QueueFaults, seed: u64) -> Self {
        Self { inner, faults, dice: Dice::new(seed), repeats: Mutex::default() }
    }

    /// The switch of the faults. Pending duplicates are still delivered after it is turned off.
    pub fn switch(&self) -> FaultSwitch {
        self.dice.switch()
    }

    /// The number of faults so far.
    pub fn counts(&self) -> FaultCounts {
        self.dice.counts()
    }

    /// The number of messages yet to be received a second time.
    pub fn pending_duplicates(&self, queue: QueueName) -> usize {
        self.repeats.lock().get(&queue).map_or(0, Vec::len)
    }

    async fn call<T>(&self, call: impl Future<Output = Result<T, QueueError>> + Send) -> Result<T, QueueError> {
        let faults = &self.faults;
        match self.dice.fate(faults.throttled, faults.unavailable_before, faults.unavailable_after) {
            Fate::Passes => call.await,
            Fate::Throttled => Err(QueueError::Throttled),
            Fate::FailsBefore => Err(QueueError::Unavailable(Box::new(Injected::before()))),
            Fate::FailsAfter => {
                call.await?;
                Err(QueueError::Unavailable(Box::new(Injected::after())))
            }
        }
    }

    /// Takes up to `max` pending duplicates, in any order.
    fn take_repeats(&self, queue: QueueName, max: usize) -> Vec<ReceivedMessage> {
        let mut repeats = self.repeats.lock();
        let waiting = repeats.entry(queue).or_default();
        let places = std::iter::from_fn(|| Some(waiting.swap_remove(self.dice.place(waiting.len())?)));
        places.take(max).collect()
    }

    fn note_repeats(&self, queue: QueueName, received: &[ReceivedMessage]) {
        let repeated = received.iter().filter(|_| self.dice.happens(self.faults.duplicated));
        let repeated =
            repeated.map(|message| ReceivedMessage { receive_count: message.receive_count + 1, ..message.clone() });
        self.repeats.lock().entry(queue).or_default().extend(repeated);
    }
}

#[async_trait]
impl Queue for FaultyQueue {
    async fn send(&self, queue: QueueName, messages: Vec<OutgoingMessage>) -> Result<Vec<OutgoingMessage>, QueueError> {
        self.call(async {
            let (done, left) = self.dice.part(messages, self.faults.undone);
            let mut unsent = if done.is_empty() { Vec::new() } else { self.inner.send(queue, done).await? };
            unsent.extend(left);
            Ok(unsent)
        })
        .await
    }

    async fn receive(
        &self,
        queue: QueueName,
        max: usize,
        wait: Duration,
        visibility: Option<Duration>,
    ) -> Result<Vec<ReceivedMessage>, QueueError> {
        self.call(async {
            let repeats = self.take_repeats(queue, max);
            if !repeats.is_empty() {
                return Ok(repeats);
            }
            let received = self.inner.receive(queue, max, wait, visibility).await?;
            self.note_repeats(queue, &received);
            Ok(received)
        })
        .await
    }

    async fn delete(&self, queue: QueueName, receipts: Vec<Receipt>) -> Result<Vec<Receipt>, QueueError> {
        self.call(async {
            let (done, left) = self.dice.part(receipts, self.faults.undone);
            let mut undeleted = if done.is_empty() { Vec::new() } else { self.inner.delete(queue, done).await? };
            undeleted.extend(left);
            Ok(undeleted)
        })
        .await
    }

    async fn change_visibility(
        &self,
        queue: QueueName,
        changes: Vec<(Receipt, Duration)>,
    ) -> Result<Vec<Receipt>, QueueError> {
        self.call(async {
            let (done, left) = self.dice.part(changes, self.faults.undone);
            let mut unchanged =
                if done.is_empty() { Vec::new() } else { self.inner.change_visibility(queue, done).await? };
            unchanged.extend(left.into_iter().map(|(receipt, _)| receipt));
            Ok(unchanged)
        })
        .await
    }

    async fn depth(&self, queue: QueueName) -> Result<QueueDepth, QueueError> {
        self.inner.depth(queue).await
    }
}
