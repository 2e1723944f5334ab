//! The services of one process, over its store and its queue.

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

/// How often [`Services::drain`] looks again when no invocation ends meanwhile.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Everything a test or a load test seeds and looks at: the API's services, on ports that are wrapped where the hooks
/// wrap them.
#[derive(Debug, Clone)]
pub struct Services {
    api: service::Services,
    /// The queues, as the services see them.
    pub queue: Arc<dyn Queue>,
    /// Makes post ids.
    pub ids: Arc<IdGenerator>,
    /// What is kept of the time.
    pub time: Timekeeper,
    pipeline: Pipeline,
}

impl Deref for Services {
    type Target = service::Services;

    fn deref(&self) -> &service::Services {
        &self.api
    }
}

/// The ports under their wrappers, and a number that grows with each invocation.
#[derive(Debug, Clone)]
pub(crate) struct Pipeline {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) queue: Arc<dyn Queue>,
    /// The log of changes, when there is one.
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

    /// The ports under their wrappers.
    pub(crate) fn bare_ports(&self) -> (Arc<dyn Store>, Arc<dyn Queue>) {
        (Arc::clone(&self.pipeline.store), Arc::clone(&self.pipeline.queue))
    }

    /// The log of changes under its wrapper, where there is one.
    pub(crate) fn change_log(&self) -> Option<Arc<dyn ChangeLog>> {
        self.pipeline.changes.clone()
    }

    /// Waits until every post published before this call has reached every follower, and everything done before it is
    /// counted and notified of: no fan-out is unfinished, PostQ, JobQ and ChangeQ hold nothing, nor anything in flight,
    /// every change is passed, and nothing is to be erased by now. Without workers, or with a clock that stands still before
    /// a delayed message, that is never.
    pub async fn drain(&self) {
        let mut progress = self.pipeline.progress.clone();
        loop {
            progress.borrow_and_update();
            if self.is_drained().await {
                return;
            }
            // Either way there is reason to look again; an invocation is only the sooner one.
            let _ = tokio::time::timeout(LOOK_AGAIN, progress.changed()).await;
        }
    }

    /// The queues' depth first, as it costs next to nothing; then in the order in which work moves on, so that what
    /// moves meanwhile is met further along. Looks under the wrappers: what they break is not broken for this.
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
        for name in [QueueName::PostQ, QueueName::JobQ, QueueName::ChangeQ] {
            let depth = self.pipeline.queue.depth(name).await?;
            if depth.visible + depth.in_flight + depth.delayed > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }
}
