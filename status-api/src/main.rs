//! The Lambda function behind the HTTP API: telemetry, configuration, clients, run.

use std::{env, sync::Arc};

use lambda_http::Error;
use shared::{
    aws::{DynamoStore, config},
    domain::{Clock, IdGenerator},
    http::HttpOptions,
    service::{
        accounts::AccountService, feeds::FeedService, graph::GraphService, passwords::HashingOptions,
        posts::PostService, tokens::TokenKeys,
    },
    store::{Store, Table},
    telemetry::{self, LogFormat},
};
use status_api::{Api, router};

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init(LogFormat::Json);
    let keys = TokenKeys::from_lookup(|variable| env::var(variable).ok())?;
    let options = HttpOptions::from_lookup(|variable| env::var(variable).ok())?;
    let tables = config::table_names(&Table::ALL)?;
    let client = config::dynamodb_client(&config::load_sdk_config().await);
    let store: Arc<dyn Store> = Arc::new(DynamoStore::new(&client, tables));

    let graph = GraphService::new(Arc::clone(&store), Arc::new(IdGenerator::new()));
    let api = Api {
        accounts: AccountService::new(Arc::clone(&store), graph.clone(), &keys, &HashingOptions::default()),
        graph,
        posts: PostService::new(Arc::clone(&store)),
        feeds: FeedService::new(Arc::clone(&store)),
        store,
        clock: Clock::System,
    };
    lambda_http::run(router(api, None, &options)).await
}
