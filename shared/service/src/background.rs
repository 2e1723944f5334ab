//! Work that no answer waits for, and that may be lost: the next request does it again.

use std::sync::Arc;

use tokio::sync::Semaphore;
use tracing::Instrument as _;

/// Runs a bounded number of tasks beside the requests. Clones share the bound.
///
/// A Lambda function is frozen between requests; its tasks continue with the next one.
#[derive(Debug, Clone)]
pub struct Background {
    free: Arc<Semaphore>,
    at_once: u32,
}

impl Background {
    /// Runs up to `at_once` tasks at a time.
    pub fn new(at_once: u32) -> Self {
        Self { free: Arc::new(Semaphore::new(at_once as usize)), at_once }
    }

    /// Starts a task, unless as many are running as may. Returns whether it was started.
    pub fn run(&self, task: impl Future<Output = ()> + Send + 'static) -> bool {
        let Ok(place) = Arc::clone(&self.free).try_acquire_owned() else { return false };
        let task = async move {
            task.await;
            drop(place);
        };
        drop(tokio::spawn(task.in_current_span()));
        true
    }

    /// Waits until no task is running.
    pub async fn idle(&self) {
        // Fails only when closed, which it never is.
        let _all = self.free.acquire_many(self.at_once).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn no_more_tasks_run_than_may() {
        let (background, go) = (Background::new(2), Arc::new(Semaphore::new(0)));
        let wait = || {
            let go = Arc::clone(&go);
            async move { drop(go.acquire().await) }
        };
        assert_eq!([background.run(wait()), background.run(wait()), background.run(wait())], [true, true, false]);
        go.add_permits(2);
        background.idle().await;
        assert!(background.run(async {}));
    }
}
