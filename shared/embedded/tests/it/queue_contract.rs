//! The queue's contract on the embedded engine.

use embedded::{EmbeddedQueue, Engine, EngineOptions, QueueSettingsOf};
use ports::queue::QueueName;
use testkit::contract::queue::{QueueHarness, settings};

fn open() -> QueueHarness {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let engine = Engine::open(EngineOptions::at(directory.path())).expect("the engine opens");
    let settings =
        QueueName::ALL.into_iter().fold(QueueSettingsOf::default(), |all, queue| all.with(queue, settings(queue)));
    let queue = EmbeddedQueue::open(engine, settings).expect("the queues open");
    QueueHarness::new(queue).keeping(directory)
}

testkit::queue_contract!(std::future::ready(open()));
