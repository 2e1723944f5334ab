//! Timeouts, deadlines and schedules.

use std::{fs, sync::Arc, time::Duration};

use axum::{Router, body::Body, extract::Request, http::StatusCode, middleware::map_request, routing};
use deploy_checks::Function;
use domain::{Clock, limits};
use embedded::{EmbeddedStore, Engine, EngineOptions};
use http_api::{
    HttpOptions,
    middleware::{ANSWER_MARGIN, REQUEST_TIMEOUT},
    with_middleware,
};
use lambda::function;
use lambda_runtime::Context;
use ports::store::Store;
use tower::ServiceExt as _;

use super::{function, interval, repository, template};

/// The timeout of a function.
fn timeout(function: &Function<'_>) -> Duration {
    Duration::from_secs(function.properties()["Timeout"].as_u64().unwrap())
}

#[test]
fn timeouts_leave_time_to_report_a_failure() {
    let template = template();
    for function in template.functions() {
        // One call with its retries while a table is slow, and the work after it.
        let needed = limits::LONGEST_CALL
            + match function.code() {
                "post-handler" | "status-api" => ANSWER_MARGIN,
                "outbox-sweeper" => limits::SWEEP_ERASURE_BUDGET,
                "stream-handler" => limits::STREAM_ERASURE_BUDGET + limits::LONGEST_CALL,
                "follow-fetcher" | "job-handler" => limits::GIVE_BACK_LIMIT,
                // Looks for the upload, reads it, writes three sizes, removes the upload.
                "media-handler" => 6 * limits::BLOB_CALL_TIMEOUT + limits::GIVE_BACK_LIMIT,
                other => panic!("{other}: add the time that it needs after a slow call"),
            };
        assert!(timeout(&function) > needed, "{}: {:?} of {needed:?}", function.name, timeout(&function));
    }
    assert_eq!(timeout(&function(&template, "job-handler")).as_secs(), 10);
}

#[test]
fn function_timeouts_are_below_the_gateways() {
    let template = template();
    for function in template.functions().into_iter().filter(|function| !function.routes().is_empty()) {
        assert!(timeout(&function) <= REQUEST_TIMEOUT, "{}: {:?}", function.name, timeout(&function));
        let main = fs::read_to_string(repository().join(function.code()).join("src/main.rs")).unwrap();
        assert!(
            main.contains("function::with_deadline(request)"),
            "{} passes no deadline to its requests",
            function.name
        );
    }
}

#[tokio::test(start_paused = true)]
async fn a_stuck_request_is_answered_before_the_timeout() {
    let template = template();
    let directory = tempfile::tempdir().unwrap();
    let engine = Engine::open(EngineOptions::at(directory.path())).unwrap();
    let store: Arc<dyn Store> = Arc::new(EmbeddedStore::new(engine.clone()));
    let stuck = Router::new().route("/stuck", routing::get(async || std::future::pending::<()>().await));
    let router = with_middleware(stuck, store, &HttpOptions::default())
        .layer(map_request(async |request: Request| function::with_deadline(request)));
    for function in template.functions().into_iter().filter(|function| !function.routes().is_empty()) {
        let mut invocation = Context::default();
        invocation.deadline = Clock::System.now().plus(timeout(&function)).as_millis();
        let mut request = Request::builder().uri("/stuck").body(Body::empty()).unwrap();
        request.extensions_mut().insert(invocation);
        let asked = tokio::time::Instant::now();
        let answer = router.clone().oneshot(request).await.unwrap();
        assert_eq!(answer.status(), StatusCode::SERVICE_UNAVAILABLE, "{}", function.name);
        let (took, timeout) = (asked.elapsed(), timeout(&function));
        assert!(took + ANSWER_MARGIN <= timeout, "{}: {took:?} of {timeout:?} on the paused clock", function.name);
        assert!(took > limits::LONGEST_CALL, "{}: {took:?} is too short for one slow call", function.name);
    }
    engine.close();
}

#[test]
fn slow_changes_are_dead_lettered_before_the_timeout() {
    let template = template();
    let timeout = function(&template, "stream-handler").properties()["Timeout"].as_u64().unwrap();
    let last_letter = limits::RETRY_BUDGET + limits::CALL_TIMEOUT;
    assert!(timeout > (limits::CHANGES_BATCH_BUDGET + last_letter).as_secs(), "{timeout} s");
}

#[test]
fn the_sweepers_schedule_matches_the_leases() {
    let template = template();
    let schedules = function(&template, "outbox-sweeper").properties()["Events"].clone();
    assert_eq!(limits::SWEEP_INTERVAL.as_secs(), 60);
    assert_eq!(schedules["EveryMinute"]["Properties"]["Schedule"], "rate(1 minute)");
}

#[test]
fn every_scheduled_function_runs_in_the_process() {
    let parts = fs::read_to_string(repository().join("tweeter/src/parts.rs")).unwrap();
    for function in template().functions() {
        let Some(scheduled) = interval(&function) else { continue };
        let interval = match function.code() {
            "outbox-sweeper" => limits::SWEEP_INTERVAL,
            other => panic!("{other}: add the interval at which tweeter/src/parts.rs runs its work"),
        };
        assert_eq!(interval, scheduled, "{}", function.name);
        let handler = format!("use {}::", function.code().replace('-', "_"));
        assert!(parts.contains(&handler), "tweeter/src/parts.rs does not run the handler of {}", function.name);
    }
}
