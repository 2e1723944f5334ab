//! The Lambda function behind the HTTP API: telemetry, configuration, clients, run.

use std::{process::ExitCode, sync::Arc};

use aws::{DynamoStore, config};
use axum::middleware::map_request;
use domain::{Clock, IdGenerator};
use lambda::{config::environment, emf::FunctionMetrics, function};
use lambda_http::Error;
use ports::store::Store;
use service::{
    accounts::AccountService, comments::CommentService, feeds::FeedService, graph::GraphService, likes::LikeService,
    notifications::NotificationService, passwords::HashingOptions, posts::PostService, tokens::AccessTokens,
};
use status_api::{Api, config::Config, gateway, router};

/// Each password hash takes 19 MiB for a moment. The system's allocator keeps them in the arenas of the threads that
/// hashed: 94 MB after ten logins, where this one stays below 50.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    function::run(serve).await
}

async fn serve() -> Result<(), Error> {
    let metrics = FunctionMetrics::install();
    let config = Config::from_lookup(environment)?;
    let sdk = config::load_sdk_config().await;
    let store = Arc::new(DynamoStore::new(&config::dynamodb_client(&sdk), config.tables));

    let clock = Clock::System;
    let secret = Arc::new(config::signing_secret(&sdk, &config.signing_secret));
    let tokens = AccessTokens::from_source(secret, clock.now());
    let (tokens, ()) = tokio::join!(tokens, function::warm_up(&store, None));

    let store: Arc<dyn Store> = store;
    let ids = Arc::new(IdGenerator::new());
    let graph = GraphService::new(Arc::clone(&store), Arc::clone(&ids));
    let api = Api {
        accounts: AccountService::new(Arc::clone(&store), graph.clone(), tokens?, &HashingOptions::default()),
        graph,
        posts: PostService::new(Arc::clone(&store)),
        feeds: FeedService::new(Arc::clone(&store)),
        notifications: NotificationService::new(Arc::clone(&store)),
        likes: LikeService::new(Arc::clone(&store)),
        comments: CommentService::new(Arc::clone(&store), ids),
        live: None,
        changes: None,
        rates: config.rate_limits.limiter(Arc::clone(&store)),
        store,
        clock,
    };
    let router = router(api, None, &config.http)
        .layer(map_request(async |request| gateway::with_peer(function::with_deadline(request))));
    lambda_http::run(metrics.flushed_after(router)).await
}
