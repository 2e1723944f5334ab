//! `tweeter demo`.

use std::{
    io::{BufRead as _, BufReader, Read as _},
    process::{Child, Stdio},
};

use crate::support::{ApiClient, process::tweeter};
use http::Method;
use serde_json::json;

/// A running demo; killed if the test ends early.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test]
async fn the_demo_serves_a_populated_feed() {
    let mut demo = Demo(tweeter(&["demo", "--listen", "127.0.0.1:0"]).stdout(Stdio::piped()).spawn().unwrap());
    let mut output = BufReader::new(demo.0.stdout.take().unwrap());
    let mut first = String::new();
    output.read_line(&mut first).unwrap();
    let client = ApiClient::new(first.trim().strip_prefix("Tweeter is at ").unwrap().to_owned());

    let login = client.login(json!({ "handle": "ada", "password": "kingfisher" })).await.expect(200);
    let token = login.body["access_token"].as_str().unwrap();
    let get = async |path| client.request(Method::GET, path, Some(token), None).await.expect(200);
    let feed = get("/v1/feed?limit=40").await;
    assert_eq!(feed.items().len(), 40);
    assert!(feed.items().iter().any(|post| post["likes_count"].as_u64() > Some(0)));
    assert!(feed.items().iter().any(|post| post["comments_count"].as_u64() > Some(0)));
    let days: std::collections::BTreeSet<_> =
        feed.items().iter().map(|post| post["created_at"].as_str().unwrap()[..10].to_owned()).collect();
    assert!(days.len() > 1, "posts have ages: {days:?}");
    assert!(get("/v1/notifications").await.body["unread_count"].as_u64() > Some(0));
    client.request(Method::GET, "/", None, None).await.expect(200);

    let pid = demo.0.id().to_string();
    assert!(std::process::Command::new("kill").arg(pid).status().unwrap().success());
    assert!(demo.0.wait().unwrap().success());
    let mut rest = String::new();
    output.read_to_string(&mut rest).unwrap();
    assert!(rest.contains("handle ada") && rest.contains("handle noor"), "{rest}");
}
