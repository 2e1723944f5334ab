//! The trace that a message sent in Lambda belongs to.

use std::{env, process::Command, time::Duration};

use ports::queue::{OutgoingMessage, Queue, QueueName};
use serde_json::json;
use testkit::canned::{Canned, CannedService};

/// The environment variable with the trace of an invocation, set by Lambda's runtime and read by the SDK.
const TRACE: &str = "_X_AMZN_TRACE_ID";
const ROOT: &str = "Root=1-5759e988-bd862e3fe1be46a994272793;Lineage=a87bd80c:1";

#[test]
fn only_copies_start_a_new_trace() {
    // The environment is shared by all tests, so this one runs again in a separate process.
    if env::var_os(TRACE).is_none() {
        let name = "it::traces::only_copies_start_a_new_trace";
        let again = Command::new(env::current_exe().unwrap())
            .args(["--exact", name])
            .env("AWS_LAMBDA_FUNCTION_NAME", "job-handler")
            .env(TRACE, ROOT)
            .output()
            .unwrap();
        let text = String::from_utf8_lossy(&again.stdout);
        assert!(again.status.success() && text.contains("1 passed"), "{text}");
        return;
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        assert_eq!(sent_by(|service| Box::new(service.queue())).await, [Some(ROOT.to_owned())]);
        assert_eq!(sent_by(|service| Box::new(service.queue().beginning_traces())).await, [None]);
    });
}

async fn sent_by(queue: impl Fn(&CannedService) -> Box<dyn Queue>) -> Vec<Option<String>> {
    let service = CannedService::new([Canned::ok(json!({ "Successful": [], "Failed": [] }))]);
    let copy = OutgoingMessage { body: "a".to_owned(), group: "alice".to_owned(), delay: Duration::ZERO };
    assert_eq!(queue(&service).send(QueueName::JobQ, vec![copy]).await.unwrap(), []);
    service.traces()
}
