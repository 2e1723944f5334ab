//! The Lambda function behind `POST /v1/posts`: telemetry, configuration, clients, run.

use std::{process::ExitCode, sync::Arc};

use aws::{DynamoStore, SqsOptions, SqsQueue, config};
use axum::{extract::Request, middleware::map_request};
use domain::{Clock, IdGenerator};
use http_api::Authentication;
use lambda::{config::environment, emf::FunctionMetrics, function};
use lambda_http::Error;
use ports::store::Store;
use post_handler::{PublishApi, config::Config, router};
use service::{liveness::Liveness, posts::PublishService, tokens::AccessTokens};

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve).await
}

async fn serve() -> Result<(), Error> {
    let metrics = FunctionMetrics::install();
    let config = Config::from_lookup(environment)?;
    let sdk = config::load_sdk_config().await;
    let store = Arc::new(DynamoStore::new(&config::dynamodb_client(&sdk), config.tables));
    let queue = Arc::new(SqsQueue::new(&config::sqs_client(&sdk), config.queues, SqsOptions::default()));

    let clock = Clock::System;
    let secret = Arc::new(config::signing_secret(&sdk, &config.signing_secret));
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
