//! The web client, beside the API.

use std::fs;

use crate::support::{Answer, TestApp, hooks};
use http::{HeaderMap, Method};
use rstest::rstest;
use tweeter::web::WebClient;

const BROWSER: [(&str, &str); 2] = [("accept", "text/html,*/*;q=0.8"), ("accept-encoding", "gzip, br")];

async fn get(app: &TestApp, path: &str, headers: &[(&str, &str)]) -> Answer {
    app.request_with(Method::GET, path, None, None, headers).await
}

fn header<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).map_or("", |value| value.to_str().unwrap())
}

fn page(answer: &Answer) -> &str {
    let text = answer.body.as_str().unwrap_or_else(|| panic!("no page: {answer:#?}"));
    assert!(text.starts_with("<!doctype html>"), "{text}");
    text
}

async fn app_with(web: WebClient) -> TestApp {
    TestApp::start_configured(|config| config.web = web, hooks()).await
}

/// A file name of the page, such as `/app-0123456789abcdef/main.js`.
fn module_of(page: &str) -> String {
    let (_, rest) = page.split_once("<script type=\"module\" src=\"").unwrap();
    rest.split_once('"').unwrap().0.to_owned()
}

#[tokio::test]
async fn client_routes_answer_with_the_page() {
    let app = TestApp::start().await;
    for path in ["/", "/login", "/@alice", "/@alice/followers", "/notifications", "/settings/sessions"] {
        let answer = get(&app, path, &[]).await.expect(200);
        page(&answer);
        assert_eq!(header(&answer.headers, "content-type"), "text/html; charset=utf-8", "{path}");
        assert_eq!(header(&answer.headers, "cache-control"), "no-cache", "{path}");
    }
}

#[tokio::test]
async fn the_page_allows_no_foreign_or_inline_script() {
    let app = TestApp::start().await;
    let answer = get(&app, "/", &[]).await.expect(200);
    let policy = header(&answer.headers, "content-security-policy");
    assert!(policy.starts_with("default-src 'none'; script-src 'self' 'sha256-"), "{policy}");
    for forbidden in ["unsafe", "http:", "https:", "data:", "*"] {
        assert!(!policy.contains(forbidden), "{policy}");
    }
    assert_eq!(page(&answer).matches("<script").count(), page(&answer).matches(" src=\"/app").count() + 1);
    assert_eq!(header(&answer.headers, "x-content-type-options"), "nosniff");
}

#[tokio::test]
async fn versioned_modules_are_compressed_and_immutable() {
    let app = TestApp::start().await;
    let module = module_of(page(&get(&app, "/", &[]).await));
    assert!(module.starts_with("/app-"), "{module}");
    let answer = get(&app, &module, &BROWSER).await.expect(200);
    assert_eq!(header(&answer.headers, "cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(header(&answer.headers, "content-type"), "text/javascript; charset=utf-8");
    assert_eq!(header(&answer.headers, "content-encoding"), "br");
    assert_eq!(header(&answer.headers, "vary"), "accept-encoding");
    let plain = get(&app, &module, &[("accept-encoding", "br;q=0, gzip")]).await.expect(200);
    assert!(!plain.headers.contains_key("content-encoding"));
    assert!(plain.body.as_str().unwrap().contains("import"));
    get(&app, "/app-0000000000000000/main.js", &[]).await.expect(404);
}

#[tokio::test]
async fn a_known_entity_tag_saves_the_body() {
    let app = TestApp::start().await;
    let first = get(&app, "/", &[]).await.expect(200);
    let etag = header(&first.headers, "etag").to_owned();
    let second = get(&app, "/login", &[("if-none-match", &etag)]).await.expect(304);
    assert!(second.body.is_null());
    assert_eq!(header(&second.headers, "etag"), etag);
    get(&app, "/", &[("if-none-match", "W/\"other\"")]).await.expect(200);
}

#[rstest]
#[case("/v1/nothing")]
#[case("/v1")]
#[case("/metrics")]
#[tokio::test]
async fn unknown_api_paths_stay_problems(#[case] path: &str) {
    let app = TestApp::start().await;
    let answer = get(&app, path, &BROWSER).await.expect(404);
    assert_eq!(answer.body["type"], "/problems/no-such-route");
}

#[tokio::test]
async fn api_routes_are_not_shadowed() {
    let app = TestApp::start().await;
    get(&app, "/healthz", &BROWSER).await.expect(200);
    assert_eq!(get(&app, "/openapi.json", &[("accept", "text/html")]).await.expect(200).body["openapi"], "3.1.0");
    get(&app, "/v1/feed", &BROWSER).await.expect(401);
    app.request(Method::POST, "/", None, None).await.expect(404);
}

#[tokio::test]
async fn browsers_see_a_page_for_unknown_paths() {
    let app = TestApp::start().await;
    page(&get(&app, "/nowhere/at/all", &[("accept", "text/html,*/*;q=0.8")]).await.expect(404));
    let answer = get(&app, "/nowhere/at/all", &[("accept", "application/json")]).await.expect(404);
    assert_eq!(answer.body["type"], "/problems/no-such-route");
}

#[tokio::test]
async fn head_requests_carry_no_body() {
    let app = TestApp::start().await;
    let answer = app.request(Method::HEAD, "/", None, None).await.expect(200);
    assert!(answer.body.is_null());
    assert_ne!(header(&answer.headers, "content-length"), "0");
}

#[tokio::test]
async fn a_disabled_client_leaves_the_api() {
    let app = app_with(WebClient::Off).await;
    assert_eq!(get(&app, "/", &BROWSER).await.expect(404).body["type"], "/problems/no-such-route");
    get(&app, "/healthz", &[]).await.expect(200);
}

#[tokio::test]
async fn a_directory_is_read_at_each_request() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("app")).unwrap();
    fs::write(dir.path().join("index.html"), "<!doctype html>one").unwrap();
    fs::write(dir.path().join("app/main.js"), "export const a = 1;").unwrap();
    fs::write(dir.path().join("secret.txt"), "hidden").unwrap();
    let app = app_with(WebClient::Directory(dir.path().to_owned())).await;
    assert_eq!(page(&get(&app, "/@alice", &[]).await.expect(200)), "<!doctype html>one");
    fs::write(dir.path().join("index.html"), "<!doctype html>two").unwrap();
    assert_eq!(page(&get(&app, "/", &[]).await.expect(200)), "<!doctype html>two");
    let module = get(&app, "/app/main.js", &[]).await.expect(200);
    assert_eq!(header(&module.headers, "cache-control"), "no-cache");
    for path in ["/secret.txt", "/app/../secret.txt", "/app/%2e%2e/secret.txt", "/app", "/app/none.js"] {
        get(&app, path, &[]).await.expect(404);
    }
}
