//! The Lambda function behind `POST /v1/posts`: telemetry, configuration, clients, run.

use std::{env, sync::Arc};

use lambda_http::Error;
use post_handler::{PublishApi, router};
use shared::{
    aws::{DynamoStore, SqsOptions, SqsQueue, config},
    domain::{Clock, IdGenerator},
    http::{Authentication, HttpOptions},
    queue::QueueName,
    service::{
        posts::PublishService,
        tokens::{AccessTokens, TokenKeys},
    },
    store::{Store, Table},
    telemetry::{self, LogFormat},
};

#[tokio::main]
async fn main() -> Result<(), Error> {
    telemetry::init(LogFormat::Json);
    let keys = TokenKeys::from_lookup(|variable| env::var(variable).ok())?;
    let options = HttpOptions::from_lookup(|variable| env::var(variable).ok())?;
    let tables = config::table_names(&[Table::Social, Table::Feed])?;
    let queues = config::queue_urls(&[QueueName::PostQ])?;
    let sdk = config::load_sdk_config().await;
    let store: Arc<dyn Store> = Arc::new(DynamoStore::new(&config::dynamodb_client(&sdk), tables));
    let queue = Arc::new(SqsQueue::new(&config::sqs_client(&sdk), queues, SqsOptions::default()));

    let api = PublishApi {
        publishing: PublishService::new(Arc::clone(&store), queue, Arc::new(IdGenerator::new())),
        authentication: Authentication { tokens: AccessTokens::new(&keys), clock: Clock::System },
    };
    lambda_http::run(router(api, store, &options)).await
}
