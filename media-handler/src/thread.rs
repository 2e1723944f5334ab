//! The thread on which pictures are decoded, scaled and encoded, one at a time.
//!
//! It runs at a lower priority than the rest of the process: a resize takes the processor time that feeds and fan-outs
//! leave over.

use std::{
    io,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use bytes::Bytes;
use pictures::{Announced, Processed, Rejection};
use service::ServiceError;
use telemetry::chain;
use tokio::sync::oneshot;
use tracing::warn;

/// The increment of the thread's nice value: the kernel gives it a tenth of the weight of other threads, so that pictures
/// still progress on a busy machine.
const NICENESS: i32 = 10;
/// When to retry after the thread has ended, which it does only with the process.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// An upload, and where its result is awaited.
#[derive(Debug)]
struct Job {
    upload: Bytes,
    announced: Announced,
    done: oneshot::Sender<Result<Processed, Rejection>>,
}

/// A thread that processes pictures. It ends when the last clone is dropped.
#[derive(Debug, Clone)]
pub struct PictureThread {
    jobs: Sender<Job>,
}

impl PictureThread {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread left.
    pub fn start() -> io::Result<Self> {
        let (jobs, received) = channel();
        thread::Builder::new().name("pictures".to_owned()).spawn(move || run(&received))?;
        Ok(Self { jobs })
    }

    /// Processes an upload after those before it. Dropping the future does not interrupt a picture in progress; one that
    /// still waits is skipped.
    ///
    /// # Errors
    /// [`ServiceError::Busy`] when the thread has ended.
    pub async fn process(
        &self,
        upload: Bytes,
        announced: Announced,
    ) -> Result<Result<Processed, Rejection>, ServiceError> {
        let (done, result) = oneshot::channel();
        let ended = ServiceError::Busy { retry_after: RETRY_AFTER };
        if self.jobs.send(Job { upload, announced, done }).is_err() {
            return Err(ended);
        }
        result.await.map_err(|_ended| ended)
    }
}

fn run(jobs: &Receiver<Job>) {
    // On Linux the nice value is the calling thread's own.
    if let Err(error) = rustix::process::nice(NICENESS) {
        warn!(error = chain(&error), "Could not lower the priority of the picture thread; pictures may delay requests");
    }
    while let Ok(Job { upload, announced, done }) = jobs.recv() {
        if !done.is_closed() {
            // The caller may have given up meanwhile.
            let _ = done.send(pictures::process(&upload, announced));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_thread_answers_each_upload_in_turn() {
        let thread = PictureThread::start().unwrap();
        let announced = Announced { bytes: 3 };
        for _ in 0..2 {
            let result = thread.process(Bytes::from_static(b"GIF"), announced).await.unwrap();
            assert!(matches!(result, Err(Rejection::Unsupported(_))), "{result:?}");
        }
    }
}
