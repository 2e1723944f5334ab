//! The services of one process, over its store and its queues.

use std::{ops::Deref, sync::Arc, time::Duration};

use data::Outbox;
use domain::IdGenerator;
use ports::{
    changes::ChangeLog,
    queue::{Queue, QueueName},
    store::Store,
};
use service::{Foundation, ServiceError, ServiceOptions, erasure::ErasureService, timekeeper::Timekeeper};
use tokio::sync::watch;

/// How often [`Services::drain`] polls if no invocation ends meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// The services that tests and load tests seed and inspect, over ports wrapped by the hooks.
#[derive(Debug, Clone)]
pub struct Services {
    api: service::Services,
    /// The queues, as the services see them.
    pub queue: Arc<dyn Queue>,
    /// Generates post ids.
    pub ids: Arc<IdGenerator>,
    /// The remembered time.
    pub time: Timekeeper,
    pipeline: Pipeline,
}

impl Deref for Services {
    type Target = service::Services;

    fn deref(&self) -> &service::Services {
        &self.api
    }
}

/// The ports inside their wrappers, and a number that grows with each invocation.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) queue: Arc<dyn Queue>,
    /// The change log, in the embedded store.
    pub(crate) changes: Option<Arc<dyn ChangeLog>>,
    pub(crate) progress: watch::Receiver<u64>,
}

impl Services {
    pub(crate) fn new(
        on: &Foundation,
        queue: Arc<dyn Queue>,
        options: &ServiceOptions,
        time: Timekeeper,
        pipeline: Pipeline,
    ) -> Self {
        let api = service::Services::new(on, Some(Arc::clone(&queue)), options);
        Self { api, queue, ids: Arc::clone(&on.ids), time, pipeline }
    }

    /// The services behind the API.
    pub(crate) const fn api(&self) -> &service::Services {
        &self.api
    }

    /// The ports inside their wrappers.
    pub(crate) fn bare_ports(&self) -> (Arc<dyn Store>, Arc<dyn Queue>) {
        (Arc::clone(&self.pipeline.store), Arc::clone(&self.pipeline.queue))
    }

    /// The change log inside its wrapper, if there is one.
    pub(crate) fn change_log(&self) -> Option<Arc<dyn ChangeLog>> {
        self.pipeline.changes.clone()
    }

    /// Waits until every post published before this call has reached all followers, and everything done before it is
    /// counted and notified: no fan-out is unfinished, PostQ, JobQ, ChangeQ and MediaQ hold no messages, not even in flight,
    /// every change is passed, and no erasure is due. Never returns without workers, or if the clock stands still
    /// before a delayed message is due.
    pub async fn drain(&self) {
        let mut progress = self.pipeline.progress.clone();
        loop {
            progress.borrow_and_update();
            if self.is_drained().await {
                return;
            }
            // Poll in either case; an invocation only makes it sooner.
            let _ = tokio::time::timeout(LOOK_AGAIN, progress.changed()).await;
        }
    }

    /// Checks the depth of the queues first, as that is nearly free; then the stages in the order in which work moves,
    /// so that work that moves meanwhile is seen at a later stage. Reads inside the wrappers, so that injected faults
    /// do not affect it.
    async fn is_drained(&self) -> bool {
        let outbox = Outbox::new(Arc::clone(&self.pipeline.store));
        self.are_empty().await.unwrap_or(false)
            && outbox.is_empty().await.unwrap_or(false)
            && self.erasures().is_idle(self.time.safe_time().now()).await.unwrap_or(false)
            && self.are_empty().await.unwrap_or(false)
    }

    fn erasures(&self) -> ErasureService {
        ErasureService::new(Arc::clone(&self.pipeline.store))
    }

    async fn are_empty(&self) -> Result<bool, ServiceError> {
        if let Some(changes) = &self.pipeline.changes
            && !changes.is_empty().await?
        {
            return Ok(false);
        }
        for name in [QueueName::PostQ, QueueName::JobQ, QueueName::ChangeQ, QueueName::MediaQ] {
            let depth = self.pipeline.queue.depth(name).await?;
            if depth.visible + depth.in_flight + depth.delayed > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
