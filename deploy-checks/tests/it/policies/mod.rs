//! Each function's policy allows exactly the requests that the function makes.
//!
//! The functions' code runs here on the embedded store, through every use case; the calls through its ports are
//! recorded as the requests that IAM would see. `deployment` holds the functions and `use_cases` drives them: a new
//! route is one line there, and a test fails while it is missing.

mod deployment;
mod use_cases;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use deploy_checks::{
    Function, Template,
    policy::{Policy, Request},
    referent,
};
use deployment::{Deployment, Evidence, SIGNING_SECRET_ARN, template};
use testkit::recording::{Access, Resource};

/// The requests of all use cases to the functions, and of the functions to their ports.
static DRIVEN: LazyLock<Evidence> = LazyLock::new(|| {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    let deployment = Deployment::start();
    runtime.block_on(use_cases::all(&deployment));
    deployment.evidence()
});

/// All requests made with a function's role.
fn requests_of(template: &Template, function: &Function<'_>) -> BTreeSet<Request> {
    let own = DRIVEN.accesses_of(function.code()).into_iter().map(request);
    own.chain(requests_around(template, function)).collect()
}

fn request(access: Access) -> Request {
    let resource = match access.resource {
        Resource::Table(table) => deployment::resource_of(table).to_owned(),
        Resource::Queue(queue) => queue.name().to_owned(),
        Resource::Bucket(bucket) => deployment::resource_of_bucket(bucket).to_owned(),
    };
    Request { action: access.action.to_owned(), resource, leading_keys: access.leading_keys }
}

/// The requests that are made outside the ports.
fn requests_around(template: &Template, function: &Function<'_>) -> Vec<Request> {
    let mut asked = Vec::new();
    let mut ask = |resource: &str, actions: &[&str]| {
        asked.extend(actions.iter().map(|action| Request {
            action: (*action).to_owned(),
            resource: resource.to_owned(),
            leading_keys: BTreeSet::new(),
        }));
    };
    // Lambda receives messages from a mapped queue with the function's role.
    for mapping in function.mappings() {
        let queue = referent(&mapping["Queue"]).expect("a mapping names its queue");
        ask(queue, &["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"]);
    }
    // It reads records of a mapped change stream in the same way.
    for mapping in function.stream_mappings() {
        let stream = referent(&mapping["Stream"]).expect("a mapping names its stream");
        ask(stream, &["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator"]);
        ask("*", &["dynamodb:ListStreams"]);
    }
    // Lambda writes the function's logs and traces.
    let group = referent(&function.properties()["LoggingConfig"]["LogGroup"]).expect("a function names its logs");
    ask(group, &["logs:CreateLogStream", "logs:PutLogEvents"]);
    if template.0["Globals"]["Function"]["Tracing"] == "Active" {
        ask("*", &["xray:PutTraceSegments", "xray:PutTelemetryRecords"]);
    }
    // The function reads the secret before its first event, outside the ports.
    if function.variables().contains(SIGNING_SECRET_ARN) {
        ask("SigningSecret", &["secretsmanager:GetSecretValue"]);
    }
    asked
}

#[test]
fn each_function_has_the_permissions_it_needs() {
    let template = template();
    let mut denied = BTreeMap::new();
    for function in template.functions() {
        let policy = Policy::of(&function).expect("every kind of statement is supported");
        let asked = requests_of(&template, &function);
        denied.insert(function.name, policy.denied(&asked).into_iter().cloned().collect::<Vec<_>>());
    }
    denied.retain(|_, requests| !requests.is_empty());
    assert!(denied.is_empty(), "functions lack permissions for these requests: {denied:#?}");
}

#[test]
fn no_function_has_an_unused_permission() {
    let template = template();
    let mut unneeded = BTreeMap::new();
    for function in template.functions() {
        let policy = Policy::of(&function).expect("every kind of statement is supported");
        let asked = requests_of(&template, &function);
        unneeded.insert(function.name, policy.unneeded(&asked).into_iter().copied().collect::<Vec<_>>());
    }
    unneeded.retain(|_, grants| !grants.is_empty());
    assert!(unneeded.is_empty(), "functions have permissions that no use case needs: {unneeded:#?}");
}

#[test]
fn every_route_of_the_api_was_requested() {
    let document = serde_json::to_value(status_api::description::openapi_document()).expect("the document serialises");
    let paths = document["paths"].as_object().expect("the document has paths");
    let described: BTreeSet<String> = paths
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().expect("a path has methods").keys();
            methods.map(move |method| format!("{} {path}", method.to_uppercase()))
        })
        .collect();
    assert_eq!(DRIVEN.routes, described);
}
