//! `MediaQ -> [media-handler] -> object storage, Social`: makes the three sizes of each uploaded picture.
//!
//! - [`MediaHandler`]: handles one batch of MediaQ.
//! - [`thread`]: the thread that decodes and scales, one picture at a time.

pub mod thread;

use std::{io, sync::Arc};

use data::messages::decode_uploads;
use domain::MediaId;
use ports::queue::{Queue, QueueName, ReceivedMessage};
use service::{ServiceError, media::processing::ProcessingService};
use worker::{BatchDriver, BatchOutcome, RetryPauses};

use crate::thread::PictureThread;

/// The environment that the Lambda function needs. `template.yaml` sets exactly this.
#[cfg(feature = "lambda")]
pub const NEEDS: lambda::Needs =
    lambda::Needs::of(&[ports::store::Table::Social], &[QueueName::MediaQ]).with_buckets(&ports::blobs::Bucket::ALL);

/// Handles batches of MediaQ.
#[derive(Debug, Clone)]
pub struct MediaHandler {
    driver: BatchDriver,
    processing: ProcessingService,
    thread: PictureThread,
}

impl MediaHandler {
    /// A handler that processes with `processing` on a thread of its own, and makes failed messages visible again on
    /// `queue`.
    ///
    /// # Errors
    /// When the thread cannot be started.
    pub fn new(processing: ProcessingService, queue: Arc<dyn Queue>, pauses: RetryPauses) -> io::Result<Self> {
        // One at a time: a decoded picture takes up to 200 MB.
        let driver = BatchDriver::new(queue, QueueName::MediaQ, pauses, 1);
        Ok(Self { driver, processing, thread: PictureThread::start()? })
    }

    /// Handles one batch; the outcome names the failed messages.
    pub async fn handle(&self, batch: Vec<ReceivedMessage>) -> BatchOutcome {
        self.driver.drive(batch, decode_uploads, |media| self.process_all(media)).await
    }

    async fn process_all(&self, media: Vec<MediaId>) -> Result<(), ServiceError> {
        for media in media {
            self.processing.process(media, |upload, announced| self.thread.process(upload, announced)).await?;
        }
        Ok(())
    }
}
