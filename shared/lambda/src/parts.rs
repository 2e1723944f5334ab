//! What a function works with: its metrics, its store, its queues, its options.

use std::sync::Arc;

use aws::{DynamoStore, SqsOptions, SqsQueue, config};
use aws_config::SdkConfig;
use domain::Clock;
use ports::signing::KeySourceError;
use service::{Foundation, tokens::AccessTokens};

use crate::{
    config::{ApiOptions, Config, ConfigError, Needs, environment},
    emf::FunctionMetrics,
    function::warm_up,
};

/// The parts of a function, made once before its first event.
#[derive(Debug)]
pub struct Parts<O = ()> {
    /// Written out after each invocation.
    pub metrics: FunctionMetrics,
    /// The tables.
    pub store: Arc<DynamoStore>,
    /// The function's own options.
    pub options: O,
    queues: aws::QueueUrls,
    sdk: SdkConfig,
}

impl<O> Parts<O> {
    /// The parts that a function needs, as its environment describes them. No connection is open yet.
    pub async fn load(needs: &Needs<O>) -> Result<Self, ConfigError> {
        let metrics = FunctionMetrics::install();
        let Config { tables, queues, options } = needs.read(&environment)?;
        let sdk = config::load_sdk_config().await;
        let store = Arc::new(DynamoStore::new(&config::dynamodb_client(&sdk), tables));
        Ok(Self { metrics, store, options, queues, sdk })
    }

    /// The queues. Called only where there are any: so a function without queues does not carry SQS's client.
    pub fn queue(&self) -> SqsQueue {
        SqsQueue::new(&config::sqs_client(&self.sdk), self.queues.clone(), SqsOptions::default())
    }

    /// The queues, when connections to them and to the tables are open: see [`warm_up`].
    pub async fn connected_queue(&self) -> SqsQueue {
        let queue = self.queue();
        warm_up(&self.store, Some(&queue)).await;
        queue
    }
}

impl Parts<ApiOptions> {
    /// What the API's services stand on. Connections are opened while the signing secret is fetched.
    ///
    /// # Errors
    /// When the secret cannot be fetched, or holds no keys.
    pub async fn foundation(&self, queue: Option<&SqsQueue>) -> Result<Foundation, KeySourceError> {
        let clock = Clock::System;
        let secret = Arc::new(config::signing_secret(&self.sdk, &self.options.signing_secret));
        let tokens = AccessTokens::from_source(secret, clock.now());
        let (tokens, ()) = tokio::join!(tokens, warm_up(&self.store, queue));
        let rates = self.options.rate_limits.limiter(self.store.clone());
        Ok(Foundation::new(self.store.clone(), clock, tokens?, rates))
    }
}
