//! The settings of queues.

use std::collections::HashMap;

use ports::queue::{QueueName, QueueSettings};

/// The settings of each queue; queues without settings get the defaults.
#[derive(Debug, Clone, Default)]
pub struct QueueSettingsOf {
    others: QueueSettings,
    named: HashMap<QueueName, QueueSettings>,
}

impl QueueSettingsOf {
    /// The same settings for every queue.
    pub fn all(settings: QueueSettings) -> Self {
        Self { others: settings, named: HashMap::new() }
    }

    /// Sets the settings of one queue.
    #[must_use]
    pub fn with(mut self, queue: QueueName, settings: QueueSettings) -> Self {
        self.named.insert(queue, settings);
        self
    }

    /// The settings of one queue.
    pub fn of(&self, queue: QueueName) -> QueueSettings {
        self.named.get(&queue).copied().unwrap_or(self.others)
    }
}
