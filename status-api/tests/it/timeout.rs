//! A request that never completes.

use std::sync::{Arc, Mutex};

use crate::it::support::{SECRET, START, TestApi, metrics::Metrics, request};
use axum::body::Body;
use domain::UserId;
use http::Method;
use http_api::HttpOptions;
use ports::signing::TokenKeys;
use serde_json::{Value, json};
use service::{passwords::HashingOptions, tokens::AccessTokens};

/// Captured log output.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl std::io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self) -> Vec<Value> {
        let bytes = self.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn a_timed_out_request_is_logged_and_counted() {
    let (log, metrics) = (Log::default(), Metrics::of_this_thread());
    let logging = {
        let log = log.clone();
        tracing_subscriber::fmt().json().with_writer(move || log.clone()).finish()
    };
    // With a single dispatcher, `tracing` asks only the thread that first reaches a log line whether it has a
    // subscriber, and that may be another test's thread. A second dispatcher makes it ask every dispatcher.
    let _second = tracing::Dispatch::new(tracing_subscriber::registry());
    let _logging = tracing::subscriber::set_default(logging);
    let options =
        HttpOptions { cors_origins: vec!["https://app.example.org".parse().unwrap()], ..HttpOptions::default() };
    let api = TestApi::start_with(&HashingOptions::cheap(), &options, true);
    api.watched.hang_reads();
    let token = AccessTokens::new(&TokenKeys::new(SECRET)).issue(UserId::random(), START);
    let request = request(Method::GET, "/v1/users/me", Some(&token))
        .header("x-request-id", "stuck")
        .header("origin", "https://app.example.org");
    let asked = tokio::time::Instant::now();
    let answer = api.send(request.body(Body::empty()).unwrap()).await.problem(503, "unavailable");
    assert_eq!(asked.elapsed().as_secs(), options.request_timeout.as_secs(), "by the paused clock");
    for (name, value) in [
        ("retry-after", "1"),
        ("x-request-id", "stuck"),
        ("x-content-type-options", "nosniff"),
        ("cache-control", "no-store"),
        ("access-control-allow-origin", "https://app.example.org"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{name}");
    }
    let counted = "tweeter_http_requests_total{route=\"/v1/users/{user}\",method=\"GET\",status=\"503\"}";
    assert_eq!(metrics.value(counted), 1);
    let lines = log.lines();
    let about: Vec<_> = lines.iter().map(|line| &line["fields"]).filter(|f| f["request.id"] == "stuck").collect();
    assert_eq!(about.len(), 2, "{lines:#?}");
    assert_eq!(about[0]["error"], "the request was aborted after 30 s");
    assert_eq!((&about[1]["http.status"], &about[1]["http.route"]), (&json!(503), &json!("/v1/users/{user}")));
}
