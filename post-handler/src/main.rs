//! The Lambda function behind `POST /v1/posts`: telemetry, configuration, clients, run.

use std::{process::ExitCode, sync::Arc};

use axum::{extract::Request, middleware::map_request};
use lambda_http::Error;
use post_handler::{PublishApi, config::Config, router};
use shared::{
    aws::{DynamoStore, SqsOptions, SqsQueue, config as aws, emf::FunctionMetrics, function},
    domain::{Clock, IdGenerator},
    http::Authentication,
    service::{liveness::Liveness, posts::PublishService, tokens::AccessTokens},
    store::Store,
};

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve).await
}

async fn serve() -> Result<(), Error> {
    let metrics = FunctionMetrics::install();
    let config = Config::from_lookup(aws::environment)?;
    let sdk = aws::load_sdk_config().await;
    let store = Arc::new(DynamoStore::new(&aws::dynamodb_client(&sdk), config.tables));
    let queue = Arc::new(SqsQueue::new(&aws::sqs_client(&sdk), config.queues, SqsOptions::default()));

    let clock = Clock::System;
    let secret = Arc::new(aws::signing_secret(&sdk, &config.signing_secret));
    let tokens = AccessTokens::from_source(secret, clock.now());
    let (tokens, ()) = tokio::join!(tokens, function::warm_up(&store, Some(&queue)));

    let store: Arc<dyn Store> = store;
    let api = PublishApi {
        publishing: PublishService::new(Arc::clone(&store), queue, Arc::new(IdGenerator::new())),
        authentication: Authentication { tokens: tokens?, liveness: Liveness::new(Arc::clone(&store)), clock },
        rates: config.rate_limits.limiter(Arc::clone(&store)),
    };
    let router =
        router(api, store, &config.http).layer(map_request(async |request: Request| function::with_deadline(request)));
    lambda_http::run(metrics.flushed_after(router)).await
}
