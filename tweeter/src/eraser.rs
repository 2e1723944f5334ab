//! Erasing for good what is due, in a loop of its own, so that a large account holds up no change and no sweep.

use std::{sync::Arc, time::Duration};

use service::{erasure::ErasureService, safe_time::SafeTime};
use telemetry::chain;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// For how long one run goes on before what came meanwhile has its turn too. Shorter than the lease of an erasure.
const BUDGET: Duration = Duration::from_secs(20);

/// Erases at once and whenever it is woken, until all that is due is erased; then waits. Ends after `stop`; what is
/// under way is ended where it waits, and goes on after the next start.
pub async fn erase_when_woken(eraser: ErasureService, wake: Arc<Notify>, time: SafeTime, stop: CancellationToken) {
    let rounds = async {
        loop {
            while run(&eraser, &time).await {}
            wake.notified().await;
        }
    };
    tokio::select! {
        () = stop.cancelled() => {}
        () = rounds => {}
    }
}

/// Whether there is more to do at once.
async fn run(eraser: &ErasureService, time: &SafeTime) -> bool {
    match eraser.run_due(time.now(), Instant::now() + BUDGET).await {
        Ok(erased) => erased.is_cut_short,
        Err(error) => {
            warn!(error = chain(&error), "What is due was not erased; it is tried again in a minute");
            false
        }
    }
}
