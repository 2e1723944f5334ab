//! The Lambda function behind the HTTP API: telemetry, configuration, clients, run.

use std::sync::Arc;

use lambda_http::Error;
use shared::{
    aws::{DynamoStore, config as aws},
    domain::{Clock, IdGenerator},
    limits,
    service::{
        accounts::AccountService, comments::CommentService, feeds::FeedService, graph::GraphService,
        likes::LikeService, passwords::HashingOptions, posts::PostService,
    },
    store::Store,
    telemetry::{self, LogFormat},
};
use status_api::{Api, config::Config, router};

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init(LogFormat::Json);
    let config = Config::from_lookup(aws::environment)?;
    let client = aws::dynamodb_client(&aws::load_sdk_config().await);
    let store: Arc<dyn Store> = Arc::new(DynamoStore::new(&client, config.tables));

    // post-handler makes the posts' ids, on another machine.
    let ids = Arc::new(IdGenerator::new());
    let graph = GraphService::new(Arc::clone(&store), Arc::clone(&ids)).with_clock_skew(limits::MAX_CLOCK_SKEW);
    let api = Api {
        accounts: AccountService::new(Arc::clone(&store), graph.clone(), &config.keys, &HashingOptions::default()),
        graph,
        posts: PostService::new(Arc::clone(&store)),
        feeds: FeedService::new(Arc::clone(&store)),
        likes: LikeService::new(Arc::clone(&store)),
        comments: CommentService::new(Arc::clone(&store), ids),
        store,
        clock: Clock::System,
    };
    lambda_http::run(router(api, None, &config.http)).await
}
