//! `tweeter --store aws` as an operator runs it, against the engines over HTTP.

use std::{net::TcpListener, process::Command};

use crate::support::{
    ApiClient,
    process::{Server, tweeter},
};
use aws::{DynamoStore, TableNames};
use axum::{Router, http::header::CONTENT_TYPE};
use data::keys;
use ports::{
    queue::QueueName,
    store::{Item, Store as _, Table, Write},
};
use serde_json::Value;
use testkit::endpoints::Endpoints;

/// The binary with AWS at these endpoints.
fn on(endpoints: &Endpoints, args: &[&str]) -> Command {
    let mut command = tweeter(args);
    command.envs(endpoints.environment());
    command
}

#[track_caller]
fn stdout(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// Asserts the exit code and a single line on standard error, and returns the line.
#[track_caller]
fn refusal(command: &mut Command, code: i32) -> String {
    let output = command.output().unwrap();
    let line = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(code), "{line}");
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

fn json(command: &mut Command) -> Value {
    serde_json::from_str(&stdout(command)).unwrap()
}

const TABLES_AND_QUEUES: usize = Table::ALL.len() + QueueName::ALL.len();

fn made(set_up: &Value) -> Vec<bool> {
    let states = ["tables", "queues"].into_iter().flat_map(|kind| set_up[kind].as_array().unwrap());
    states.map(|state| state["made"].as_bool().unwrap()).collect()
}

#[test]
fn setup_creates_and_reports_missing_resources() {
    let endpoints = Endpoints::start(0, 0).unwrap();
    let setup = ["setup", "--store", "aws", "--json"];
    assert_eq!(made(&json(&mut on(&endpoints, &setup))), [true; TABLES_AND_QUEUES]);
    assert_eq!(made(&json(&mut on(&endpoints, &setup))), [false; TABLES_AND_QUEUES]);
    let text = stdout(&mut on(&endpoints, &["setup", "--store", "aws", "--feed-table", "my-feeds"]));
    assert!(text.contains("tweeter-JobQ       was there") && text.contains("my-feeds           made"), "{text}");
}

#[test]
fn the_embedded_store_needs_no_setup() {
    assert!(stdout(&mut tweeter(&["setup"])).starts_with("Nothing to set up"));
}

#[test]
fn a_service_runs_on_resources_from_setup() {
    let (endpoints, dir) = (Endpoints::start(0, 0).unwrap(), tempfile::tempdir().unwrap());
    stdout(&mut on(&endpoints, &["setup", "--store", "aws", "--prefix", "town-"]));
    let aws = ["--store", "aws", "--prefix", "town-"];
    let server = Server::start_with_environment(&dir.path().join("data"), &aws, endpoints.environment());
    let states = json(&mut on(&endpoints, &[&["queues", "--json"], &aws[..]].concat()));
    assert_eq!(states.as_array().unwrap().len(), QueueName::ALL.len(), "{states}");
    let (code, log) = server.stop("TERM");
    assert_eq!(code, Some(0), "{log}");
    assert!(log.contains("Stopped"), "{log}");
    assert!(!dir.path().join("data/db").exists(), "the embedded database is not created");
}

#[test]
fn dead_letters_are_found_by_url_alone() {
    let endpoints = Endpoints::start(0, 0).unwrap();
    let set_up = json(&mut on(&endpoints, &["setup", "--store", "aws", "--json"]));
    let url_of = |name: &str| {
        let queues = set_up["queues"].as_array().unwrap();
        queues.iter().find(|queue| queue["queue"] == name).unwrap()["url"].as_str().unwrap().to_owned()
    };
    let (jobs, dead) = (url_of("JobQ"), url_of("JobDLQ"));
    let named = ["--store", "aws", "--prefix", "nothing-", "--jobq-url", &jobs, "--jobdlq-url", &dead];
    assert_eq!(
        json(&mut on(&endpoints, &[&["dlq", "list", "JobQ", "--json"], &named[..]].concat())),
        Value::Array(vec![])
    );
    let text = stdout(&mut on(&endpoints, &[&["dlq", "redrive", "JobQ"], &named[..]].concat()));
    assert_eq!(text, "0 messages moved from JobDLQ to JobQ\n");
}

#[test]
fn missing_resources_are_named() {
    let endpoints = Endpoints::start(0, 0).unwrap();
    let line = refusal(&mut on(&endpoints, &["queues", "--store", "aws"]), 2);
    assert!(line.contains("there is no queue tweeter-") && line.contains("tweeter setup --store aws"), "{line}");
    let serve = ["serve", "--store", "aws", "--ephemeral", "--listen", "127.0.0.1:0", "--metrics-listen", "off"];
    let line = refusal(&mut on(&endpoints, &serve), 2);
    assert!(line.contains("there is no") && line.contains("tweeter setup --store aws"), "{line}");
}

#[test]
fn missing_region_or_credentials_are_reported() {
    let (nowhere, dir) = (Endpoints::start(0, 0).unwrap(), tempfile::tempdir().unwrap());
    let without = |variables: &[&str]| {
        let mut command = on(&nowhere, &["queues", "--store", "aws"]);
        command.env("HOME", dir.path()).env("AWS_EC2_METADATA_DISABLED", "true");
        for variable in variables {
            command.env_remove(variable);
        }
        refusal(&mut command, 2)
    };
    let line = without(&["AWS_REGION"]);
    assert!(line.contains("no AWS region is set"), "{line}");
    let line = without(&["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]);
    assert!(line.contains("no AWS credentials found"), "{line}");
}

#[test]
fn an_unreachable_endpoint_is_named() {
    let endpoints = Endpoints::start(0, 0).unwrap();
    // The port is free again, so connections are refused.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let nowhere = format!("http://127.0.0.1:{port}");
    let mut command = on(&endpoints, &["queues", "--store", "aws"]);
    let line = refusal(command.env("AWS_ENDPOINT_URL_SQS", &nowhere), 1);
    assert!(line.contains("SQS") && line.contains(&nowhere) && line.contains("refused"), "{line}");
}

/// Starts a Secrets Manager with one secret on its own thread; returns its URL.
fn secrets_manager(secret: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = serde_json::json!({ "SecretString": secret }).to_string();
    let router =
        Router::new().fallback(move || async move { ([(CONTENT_TYPE, "application/x-amz-json-1.1")], answer) });
    // Ends with the tests.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            axum::serve(listener, router).await.unwrap();
        });
    });
    url
}

#[tokio::test]
async fn processes_with_one_secret_share_tokens() {
    let (endpoints, dir) = (Endpoints::start(0, 0).unwrap(), tempfile::tempdir().unwrap());
    stdout(&mut on(&endpoints, &["setup", "--store", "aws"]));
    let secret = "0123456789abcdef".repeat(4);
    let environment: Vec<_> = endpoints
        .environment()
        .into_iter()
        .chain([("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets_manager(&secret))])
        .collect();
    let named = ["--store", "aws", "--signing-secret-arn", "arn:aws:secretsmanager:us-east-1:000000000000:secret:s"];
    let start = |name| Server::start_with_environment(&dir.path().join(name), &named, environment.clone());
    let (one, other) = (start("one"), start("other"));

    let alice = ApiClient::new(format!("http://{}", one.address)).register("alice").await;
    ApiClient::new(format!("http://{}", other.address)).feed(&alice, "").await.expect(200);
    for server in [one, other] {
        let (_, log) = server.stop("TERM");
        assert!(!log.contains(&secret), "{log}");
    }
    assert!(!dir.path().join("one").exists(), "no key is stored");
}

#[test]
fn an_invalid_secret_is_named_but_not_shown() {
    let endpoints = Endpoints::start(0, 0).unwrap();
    stdout(&mut on(&endpoints, &["setup", "--store", "aws"]));
    let mut command = on(&endpoints, &["--store", "aws", "--listen", "127.0.0.1:0", "--metrics-listen", "off"]);
    command
        .env("AWS_ENDPOINT_URL_SECRETS_MANAGER", secrets_manager("half a k"))
        .env("TWEETER_SIGNING_SECRET_ARN", "my-secret");
    let line = refusal(&mut command, 2);
    assert!(line.contains("my-secret") && !line.contains("half a k"), "{line}");
}

#[test]
fn a_recount_fixes_counts_in_the_tables() {
    let (endpoints, dir) = (Endpoints::start(0, 0).unwrap(), tempfile::tempdir().unwrap());
    stdout(&mut on(&endpoints, &["setup", "--store", "aws"]));
    let server = Server::start_with_environment(&dir.path().join("data"), &["--store", "aws"], endpoints.environment());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let address = format!("http://{}", server.address);
    let alice = runtime.block_on(async { ApiClient::new(address).register("alice").await });
    server.stop("TERM");
    plant_followers(&runtime, &endpoints, &alice.user_id, 3);

    let recount = |args: &[&str], code: i32| {
        let output =
            on(&endpoints, &[&["recount", "--store", "aws", "--settle", "1"], args].concat()).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{output:?}");
        String::from_utf8(output.stdout).unwrap()
    };
    for args in [&["--user", "@alice"][..], &["--user", &alice.user_id], &["--counts-only", "--rate", "500"]] {
        let text = recount(args, 1);
        assert!(text.contains("followers  3      0") && text.contains("1 difference in the counts of"), "{text}");
    }
    assert!(recount(&["--user", "@alice", "--fix"], 0).ends_with("1 difference in the counts of user @alice\n"));
    assert_eq!(recount(&[], 0), "0 differences in the counts of all (users: 1, posts: 0)\n");
    let line = refusal(&mut on(&endpoints, &["recount", "--store", "aws", "--user", "@bob"]), 1);
    assert!(line.contains("there is no user @bob"), "{line}");
    let line = refusal(&mut tweeter(&["recount", "--rate", "5"]), 2);
    assert!(line.contains("--store aws"), "{line}");
}

/// Stores a follower count without any follower.
fn plant_followers(runtime: &tokio::runtime::Runtime, endpoints: &Endpoints, user: &str, followers: i64) {
    let config = aws_sdk_dynamodb::Config::builder()
        .behavior_version_latest()
        .region(aws_sdk_dynamodb::config::Region::from_static("us-east-1"))
        .credentials_provider(aws_sdk_dynamodb::config::Credentials::for_tests())
        .endpoint_url(endpoints.dynamodb_url())
        .build();
    let name = aws::setup::table_name("tweeter-", Table::Social);
    let tables = TableNames::default().with(Table::Social, name);
    let store = DynamoStore::new(&aws_sdk_dynamodb::Client::from_conf(config), tables);
    let counts = Item::new(keys::user_counts(user.parse().unwrap())).with("followers", followers);
    assert!(runtime.block_on(store.write(Table::Social, Write::put(counts))).unwrap().is_applied());
}
