//! Carries out due erasures in a separate loop, so that a large account delays neither changes nor sweeps.

use std::{sync::Arc, time::Duration};

use service::{erasure::ErasureService, safe_time::SafeTime};
use telemetry::chain;
use tokio::{sync::Notify, time::Instant};
use tokio_util::sync::CancellationToken;
use tracing::warn;

/// Maximum duration of a run, after which newer erasures get a turn. Shorter than an erasure's lease.
const BUDGET: Duration = Duration::from_secs(20);

/// Erases at the start and whenever woken, until no erasure is due; then waits. Ends after `stop`; an erasure in
/// progress is dropped at its next await and resumes after the next start.
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

/// Whether more erasures are due.
async fn run(eraser: &ErasureService, time: &SafeTime) -> bool {
    match eraser.run_due(time.now(), Instant::now() + BUDGET).await {
        Ok(erased) => erased.is_cut_short,
        Err(error) => {
            warn!(error = chain(&error), "Could not carry out due erasures; retrying in a minute");
            false
        }
    }
}
