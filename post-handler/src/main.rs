//! The Lambda function behind `POST /v1/posts`: telemetry, configuration, clients, run.

use std::sync::Arc;

use lambda_http::Error;
use post_handler::{PublishApi, config::Config, router};
use shared::{
    aws::{DynamoStore, SqsOptions, SqsQueue, config as aws, emf::FunctionMetrics},
    domain::{Clock, IdGenerator},
    http::Authentication,
    service::{posts::PublishService, tokens::AccessTokens},
    store::Store,
    telemetry::{self, LogFormat},
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init(LogFormat::Json);
    let metrics = FunctionMetrics::install();
    let config = Config::from_lookup(aws::environment)?;
    let sdk = aws::load_sdk_config().await;
    let store: Arc<dyn Store> = Arc::new(DynamoStore::new(&aws::dynamodb_client(&sdk), config.tables));
    let queue = Arc::new(SqsQueue::new(&aws::sqs_client(&sdk), config.queues, SqsOptions::default()));

    let clock = Clock::System;
    let secret = Arc::new(aws::signing_secret(&sdk, &config.signing_secret));
    let tokens = AccessTokens::from_source(secret, clock.now()).await?;
    let api = PublishApi {
        publishing: PublishService::new(Arc::clone(&store), queue, Arc::new(IdGenerator::new())),
        authentication: Authentication { tokens, clock },
    };
    lambda_http::run(metrics.flushed_after(router(api, store, &config.http))).await
}
