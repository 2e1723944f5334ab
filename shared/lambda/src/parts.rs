//! The parts of a function: its metrics, store, queues, buckets and options.

use std::sync::Arc;

use aws::{BucketNames, DynamoStore, S3Blobs, SqsOptions, SqsQueue, config};
use aws_config::SdkConfig;
use domain::Clock;
use ports::signing::KeySourceError;
use service::{Foundation, tokens::AccessTokens};

use crate::{
    config::{ApiOptions, Config, ConfigError, Needs, environment},
    emf::FunctionMetrics,
    function::warm_up,
};

/// The parts of a function, built once before its first event.
#[derive(Debug)]
pub struct Parts<O = ()> {
    /// The metrics, written after each invocation.
    pub metrics: FunctionMetrics,
    /// The tables.
    pub store: Arc<DynamoStore>,
    /// The function's own options.
    pub options: O,
    queues: aws::QueueUrls,
    buckets: BucketNames,
    sdk: SdkConfig,
}

impl<O> Parts<O> {
    /// Builds the parts that a function needs from its environment. Opens no connection.
    pub async fn load(needs: &Needs<O>) -> Result<Self, ConfigError> {
        let metrics = FunctionMetrics::install();
        let Config { tables, queues, buckets, options } = needs.read(&environment)?;
        let sdk = config::load_sdk_config().await;
        let store = Arc::new(DynamoStore::new(&config::dynamodb_client(&sdk), tables));
        Ok(Self { metrics, store, options, queues, buckets, sdk })
    }

    /// The queues. A function without queues does not call this and so does not link SQS's client.
    pub fn queue(&self) -> SqsQueue {
        SqsQueue::new(&config::sqs_client(&self.sdk), self.queues.clone(), SqsOptions::default())
    }

    /// Object storage. A function without buckets does not call this and so does not link S3's client.
    pub fn blobs(&self) -> S3Blobs {
        S3Blobs::new(&config::s3_client(&self.sdk), self.buckets.clone())
    }

    /// The queues, once connections to them and to the tables are open: see [`warm_up`].
    pub async fn connected_queue(&self) -> SqsQueue {
        let queue = self.queue();
        warm_up(&self.store, Some(&queue)).await;
        queue
    }
}

impl<O: AsRef<ApiOptions>> Parts<O> {
    /// The dependencies of the API's services. Opens connections while the signing secret is fetched.
    ///
    /// # Errors
    /// When the secret cannot be fetched or holds no keys.
    pub async fn foundation(&self, queue: Option<&SqsQueue>) -> Result<Foundation, KeySourceError> {
        let clock = Clock::System;
        let secret = Arc::new(config::signing_secret(&self.sdk, &self.options.as_ref().signing_secret));
        let tokens = AccessTokens::from_source(secret, clock.now());
        let (tokens, ()) = tokio::join!(tokens, warm_up(&self.store, queue));
        let options = self.options.as_ref();
        let rates = options.rate_limits.limiter(self.store.clone());
        let foundation = Foundation::new(self.store.clone(), clock, tokens?, rates);
        Ok(Foundation { media_urls: options.media_urls.clone(), ..foundation })
    }
}
