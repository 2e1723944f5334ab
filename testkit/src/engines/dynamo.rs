//! dynoxide as the engine of a DynamoDB client.

use std::{
    collections::BTreeMap,
    sync::{Arc, mpsc},
    thread,
};

use aws::{DynamoStore, TableNames, setup};
use aws_sdk_dynamodb::config::{BehaviorVersion, Credentials, Region};
use aws_smithy_runtime_api::client::result::ConnectorError;
use bytes::Bytes;
use dynoxide::{Database, DynoxideError};
use parking_lot::Mutex;
use ports::store::Table;
use serde::{Serialize, de::DeserializeOwned};
use tokio::sync::oneshot;

use super::{
    REGION,
    connector::{Answer, Call, FunctionClient},
};

/// A separate, empty DynamoDB with the three tables. It lives as long as its clients.
#[derive(Debug, Clone)]
pub struct DynamoEngine {
    /// A client of the engine.
    pub client: aws_sdk_dynamodb::Client,
    /// The engine's tables.
    pub tables: TableNames,
    pub(super) calls: CallCounts,
}

/// How often the SDK sent each operation.
type CallCounts = Arc<Mutex<BTreeMap<String, u64>>>;

impl DynamoEngine {
    /// How often the SDK sent each operation, such as `BatchGetItem`, since the last call.
    pub fn take_calls(&self) -> BTreeMap<String, u64> {
        std::mem::take(&mut *self.calls.lock())
    }

    /// A store on the engine.
    pub fn store(&self) -> DynamoStore {
        DynamoStore::new(&self.client, self.tables.clone())
    }
}

/// Starts an engine.
///
/// # Panics
/// When it does not start.
pub async fn dynamo() -> DynamoEngine {
    let (engine, calls) = (connect(), CallCounts::default());
    let counted = Arc::clone(&calls);
    let client = dynamo_client(FunctionClient::new(move |call: Call| {
        *counted.lock().entry(call.operation.clone()).or_default() += 1;
        engine(call)
    }));
    let tables = Table::ALL.into_iter().fold(TableNames::default(), |names, table| names.with(table, table.name()));
    setup::create_tables(&client, &tables).await.expect("the engine makes tables");
    DynamoEngine { client, tables, calls }
}

pub(crate) fn dynamo_client(http: FunctionClient) -> aws_sdk_dynamodb::Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static(REGION))
        .credentials_provider(Credentials::new("test", "test", None, None, "testkit"))
        .endpoint_url("http://dynamodb.invalid")
        .http_client(http)
        .build();
    aws_sdk_dynamodb::Client::from_conf(config)
}

/// Returns a function that runs a call on the engine's dedicated thread, because the engine blocks and is not shared.
/// The thread ends when the function is dropped.
fn connect() -> impl Fn(Call) -> futures::future::BoxFuture<'static, Result<Answer, ConnectorError>> + Send + Sync {
    let database = Database::memory().expect("a database in memory opens");
    let (calls, inbox) = mpsc::channel::<(Call, oneshot::Sender<Answer>)>();
    thread::spawn(move || {
        for (call, answer) in inbox {
            // The send fails only if the caller no longer waits.
            let _ = answer.send(perform(&database, &call));
        }
    });
    move |call| {
        let (sender, receiver) = oneshot::channel();
        let sent = calls.send((call, sender));
        Box::pin(async move {
            let gone = || ConnectorError::io("the engine's thread has ended".into());
            sent.map_err(|_| gone())?;
            receiver.await.map_err(|_| gone())
        })
    }
}

fn perform(database: &Database, call: &Call) -> Answer {
    let body = &call.body;
    let result = match call.operation.as_str() {
        "BatchGetItem" => run(body, |request| database.batch_get_item(request)),
        "BatchWriteItem" => run(body, |request| database.batch_write_item(request)),
        "CreateTable" => run(body, |request| database.create_table(request)),
        "DeleteItem" => run(body, |request| database.delete_item(request)),
        "DeleteTable" => run(body, |request| database.delete_table(request)),
        "DescribeTable" => run(body, |request| database.describe_table(request)),
        "DescribeTimeToLive" => run(body, |request| database.describe_time_to_live(request)),
        "GetItem" => run(body, |request| database.get_item(request)),
        "PutItem" => run(body, |request| database.put_item(request)),
        "Query" => run(body, |request| database.query(request)),
        "Scan" => run(body, |request| database.scan(request)),
        "TransactWriteItems" => run(body, |request| database.transact_write_items(request)),
        "UpdateItem" => run(body, |request| database.update_item(request)),
        "UpdateTimeToLive" => run(body, |request| database.update_time_to_live(request)),
        unknown => Err(DynoxideError::ValidationException(format!("no operation {unknown} here"))),
    };
    match result {
        Ok(body) => Answer { status: 200, body },
        Err(error) => Answer { status: error.status_code(), body: error.to_json().into() },
    }
}

fn run<I: DeserializeOwned, O: Serialize>(
    body: &[u8],
    operation: impl FnOnce(I) -> dynoxide::Result<O>,
) -> dynoxide::Result<Bytes> {
    let wrong = |error: serde_json::Error| DynoxideError::SerializationException(error.to_string());
    let request = serde_json::from_slice(body).map_err(wrong)?;
    let response = operation(request)?;
    serde_json::to_vec(&response).map(Bytes::from).map_err(wrong)
}
