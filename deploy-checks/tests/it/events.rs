//! The functions accept the sample events.

use std::{fs, path::Path};

use aws_lambda_events::{apigw::ApiGatewayV2httpRequest, eventbridge::EventBridgeEvent, sqs::SqsEvent};
use data::messages::{FanOutMessage, FeedJob, decode_uploads};
use deploy_checks::Template;
use serde::de::DeserializeOwned;
use stream_handler::event::Event;

fn read(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn event<T: DeserializeOwned>(function: &str) -> T {
    serde_json::from_str(&read(&format!("events/{function}.json"))).unwrap()
}

fn bodies(event: SqsEvent) -> Vec<String> {
    event.records.into_iter().filter_map(|record| record.body).collect()
}

#[test]
fn every_function_has_an_event_and_its_command() {
    let readme = read("events/README.md");
    for function in Template::parse(&read("template.yaml")).unwrap().functions() {
        let name = function.code();
        let _is_json: serde_json::Value = event(name);
        let line = format!("`cargo lambda invoke {name} --data-file events/{name}.json`");
        assert!(readme.contains(&line), "{line}");
    }
}

#[test]
fn sample_queue_messages_decode() {
    for body in bodies(event("follow-fetcher")) {
        FanOutMessage::decode(&body).unwrap();
    }
    for body in bodies(event("job-handler")) {
        FeedJob::decode(&body).unwrap();
    }
    for body in bodies(event("media-handler")) {
        assert_eq!(decode_uploads(&body).unwrap().len(), 1);
    }
    let messages = ["follow-fetcher", "job-handler", "media-handler"].map(|function| bodies(event(function)).len());
    assert_eq!(messages, [1; 3]);
}

#[test]
fn sample_requests_match_the_templates_routes() {
    let post: ApiGatewayV2httpRequest = event("post-handler");
    assert_eq!(post.route_key.as_deref(), Some("POST /v1/posts"));
    let health: ApiGatewayV2httpRequest = event("status-api");
    assert_eq!(health.route_key.as_deref(), Some("$default"));
}

#[test]
fn the_sample_stream_event_is_recognised() {
    let event = Event::of(event("stream-handler")).unwrap();
    assert!(matches!(event, Event::Stream(_)), "{event:?}");
}

#[test]
fn the_sample_sweep_event_is_scheduled() {
    let scheduled: EventBridgeEvent = event("outbox-sweeper");
    assert_eq!(scheduled.detail_type, "Scheduled Event");
}
