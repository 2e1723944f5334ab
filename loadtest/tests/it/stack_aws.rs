//! The binary against a simulated stack: the API of one process whose tables are on an independent DynamoDB, and
//! `CloudFormation`, Secrets Manager and SQS with prepared answers.

use std::{
    process::{Output, Stdio},
    sync::Arc,
};

use aws::{DynamoStore, TableNames, setup};
use aws_sdk_dynamodb::{
    Client,
    config::{BehaviorVersion, Credentials, Region},
    types::Select,
};
use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode};
use dynoxide::Database;
use ports::store::{Store, Table};
use serde_json::{Value, json};
use tokio::{net::TcpListener, process::Command, task::JoinHandle};
use tweeter::{Application, Config, DataDir, Handle, TestHooks};

use super::process::loadtest;

const OUTPUTS: [(&str, &str); 7] = [
    ("PostQUrl", "http://sqs.invalid/PostQ"),
    ("JobQUrl", "http://sqs.invalid/JobQ"),
    ("PostDLQUrl", "http://sqs.invalid/PostDLQ"),
    ("JobDLQUrl", "http://sqs.invalid/JobDLQ"),
    ("AuthTable", "auth"),
    ("SocialTable", "social"),
    ("FeedTable", "feed"),
];

/// A simulated stack.
struct Parts {
    handle: Handle,
    tables: Client,
    dynamodb_url: String,
    others_url: String,
    servers: [JoinHandle<()>; 2],
}

impl Parts {
    async fn start() -> Self {
        let (dynamodb, dynamodb_url) = listen().await;
        let dynamodb = tokio::spawn(dynoxide::server::serve_on(dynamodb, Database::memory().unwrap()));
        let tables = client(&dynamodb_url);
        let names = Table::ALL.into_iter().fold(TableNames::default(), |names, table| names.with(table, table.name()));
        setup::create_tables(&tables, &names).await.unwrap();

        let store: Arc<dyn Store> = Arc::new(DynamoStore::new(&tables, names));
        let hooks = TestHooks { wrap_store: Some(Box::new(move |_| Arc::clone(&store))), ..TestHooks::default() };
        let handle = Application::build(Config::on_free_port(DataDir::Ephemeral), hooks).await.unwrap().spawn();
        let secret = std::fs::read_to_string(handle.data_dir().unwrap().join("signing-key")).unwrap().trim().to_owned();

        let (others, others_url) = listen().await;
        let router = Router::new().fallback(answer).with_state(secret);
        let others = tokio::spawn(async move { axum::serve(others, router).await.unwrap() });
        Self { handle, tables, dynamodb_url, others_url, servers: [dynamodb, others] }
    }

    /// Runs `loadtest fanout` with these options and the environment of the stack.
    async fn fanout(&self, options: &[&str]) -> Output {
        self.command(options).output().await.unwrap()
    }

    fn command(&self, options: &[&str]) -> Command {
        let arguments = [&["fanout", "--followers", "60", "--posts", "2", "--no-targets"], options].concat();
        let environment = [
            ("AWS_ENDPOINT_URL", self.others_url.as_str()),
            ("AWS_ENDPOINT_URL_DYNAMODB", self.dynamodb_url.as_str()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_ACCESS_KEY_ID", "test"),
            ("AWS_SECRET_ACCESS_KEY", "test"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            // Hides the user's AWS profile.
            ("HOME", "/nowhere"),
        ];
        loadtest(&arguments, &environment, true).into()
    }

    fn api(&self) -> String {
        format!("http://{}", self.handle.address())
    }

    async fn items(&self, table: Table) -> i32 {
        let counted = self.tables.scan().table_name(table.name()).select(Select::Count).send().await.unwrap();
        counted.count()
    }

    async fn stop(self) {
        self.handle.stop().await.unwrap();
        self.servers.iter().for_each(JoinHandle::abort);
    }
}

async fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    (listener, url)
}

fn client(url: &str) -> Client {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::from_static("us-east-1"))
        .credentials_provider(Credentials::new("test", "test", None, None, "test"))
        .endpoint_url(url);
    Client::from_conf(config.build())
}

/// Answers for `CloudFormation`, Secrets Manager and SQS.
async fn answer(State(secret): State<String>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    let target = headers.get("x-amz-target").and_then(|target| target.to_str().ok()).unwrap_or_default();
    let body = String::from_utf8_lossy(&body);
    match target {
        "secretsmanager.GetSecretValue" => {
            let asked: Value = serde_json::from_str(&body).unwrap();
            assert_eq!(asked, json!({ "SecretId": "arn:the-secret", "VersionStage": "AWSCURRENT" }));
            (StatusCode::OK, json!({ "SecretString": secret }).to_string())
        }
        "AmazonSQS.GetQueueAttributes" => {
            let names =
                ["", "NotVisible", "Delayed"].map(|kind| (format!("ApproximateNumberOfMessages{kind}"), json!("0")));
            (StatusCode::OK, json!({ "Attributes": serde_json::Map::from_iter(names) }).to_string())
        }
        _ if body.contains("Action=DescribeStacks") && body.contains("StackName=tweeter") => {
            (StatusCode::OK, described())
        }
        _ => (
            StatusCode::BAD_REQUEST,
            "<ErrorResponse><Error><Type>Sender</Type><Code>ValidationError</Code>\
             <Message>Stack with id other does not exist</Message></Error></ErrorResponse>"
                .to_owned(),
        ),
    }
}

fn described() -> String {
    let member = |(key, value): (&str, &str)| {
        format!("<member><OutputKey>{key}</OutputKey><OutputValue>{value}</OutputValue></member>")
    };
    let outputs: String = OUTPUTS.into_iter().chain([("SigningSecretArn", "arn:the-secret")]).map(member).collect();
    format!(
        "<DescribeStacksResponse><DescribeStacksResult><Stacks><member><StackName>tweeter</StackName>\
         <CreationTime>2025-11-21T00:00:00Z</CreationTime><StackStatus>CREATE_COMPLETE</StackStatus>\
         <Outputs>{outputs}</Outputs></member></Stacks></DescribeStacksResult></DescribeStacksResponse>"
    )
}

fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).trim().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stack_is_driven_by_name_and_cleaned() {
    let parts = Parts::start().await;
    let directory = tempfile::tempdir().unwrap();
    let json = directory.path().join("report.json");
    let output = parts.fanout(&["--url", &parts.api(), "--stack", "tweeter", "--json", json.to_str().unwrap()]).await;
    assert!(output.status.success(), "{output:?}");
    let report: Value = serde_json::from_slice(&std::fs::read(&json).unwrap()).unwrap();
    assert_eq!([&report["entries_found"], &report["duplicates"]], [&json!(120), &json!(0)], "{report}");
    assert_eq!(report["not_removed"], json!([]));
    for table in Table::ALL {
        assert_eq!(parts.items(table).await, 0, "{}", table.name());
    }
    parts.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn errors_are_reported_in_one_line() {
    let parts = Parts::start().await;
    let api = parts.api();
    let output = parts.fanout(&["--url", &api, "--stack", "other"]).await;
    assert_eq!(stderr(&output), "error: CloudFormation: Stack with id other does not exist");
    assert_eq!(output.status.code(), Some(1));

    let output = parts.fanout(&["--url", "http://127.0.0.1:1", "--stack", "tweeter"]).await;
    let unreachable = "error: the API at http://127.0.0.1:1 is not healthy: the service did not answer";
    assert!(stderr(&output).starts_with(unreachable) && !stderr(&output).contains('\n'), "{output:?}");

    let mut without = parts.command(&["--url", &api, "--stack", "tweeter"]);
    let output = without.env_remove("AWS_ACCESS_KEY_ID").output().await.unwrap();
    assert!(stderr(&output).contains("credentials") && !stderr(&output).contains('\n'), "{output:?}");

    let mut nowhere = parts.command(&["--url", &api, "--stack", "tweeter"]);
    let output = nowhere.env_remove("AWS_REGION").output().await.unwrap();
    assert_eq!(stderr(&output), "error: no AWS region is set: set AWS_REGION, or a region in the profile");
    parts.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn ctrl_c_ends_a_run_and_cleans_up() {
    let parts = Parts::start().await;
    let mut command = parts.command(&["--url", &parts.api(), "--stack", "tweeter", "--seed-rate", "100"]);
    let child = command.stderr(Stdio::piped()).spawn().unwrap();
    // 181 rows take more than a second.
    while parts.items(Table::Social).await == 0 {}
    let pid = child.id().unwrap().to_string();
    assert!(Command::new("kill").args(["-INT", &pid]).status().await.unwrap().success());
    let output = child.wait_with_output().await.unwrap();
    assert_eq!(stderr(&output), "interrupted; removing the seeded rows\nerror: interrupted");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(parts.items(Table::Social).await, 0);
    parts.stop().await;
}
