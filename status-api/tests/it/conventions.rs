//! The conventions of every route: the order of checks, tokens, headers, CORS, durability, health, the description.

use std::time::Duration;

use crate::it::support::{SECRET, START, TestApi, registration, request};
use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use domain::{Timestamp, UserId, limits};
use http::{Method, Request, header::CONTENT_TYPE};
use http_api::HttpOptions;
use ports::signing::TokenKeys;
use serde_json::{Value, json};
use service::{passwords::HashingOptions, tokens::AccessTokens};

const JSON: &str = "application/json";

/// Method, path, token, media type, body, and the expected status.
type Row<'a> = (Method, &'a str, Option<&'a str>, &'a str, &'a str, u16);

#[tokio::test]
async fn errors_come_in_the_order_of_the_contract() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    let big = "x".repeat(limits::MAX_BODY_BYTES + 1);
    let (good, bad) = (Some(token.as_str()), Some("bad"));
    let table: [Row; 42] = [
        (Method::DELETE, "/v1/nothing", bad, "text/plain", &big, 404),
        (Method::POST, "/v1/posts/", bad, "text/plain", &big, 404),
        (Method::POST, "/v1/feed", bad, "text/plain", &big, 405),
        (Method::DELETE, "/v1/auth/logout", bad, "text/plain", &big, 405),
        (Method::POST, "/v1/auth/logout", None, "text/plain", &big, 401),
        (Method::POST, "/v1/auth/logout", bad, "text/plain", &big, 401),
        (Method::POST, "/v1/posts", None, JSON, "{", 401),
        (Method::GET, "/v1/feed?limit=abc&cursor=x", bad, "", "", 401),
        (Method::GET, "/v1/users/nobody/posts?cursor=x", None, "", "", 401),
        (Method::POST, "/v1/auth/logout", good, "text/plain", &big, 413),
        (Method::POST, "/v1/auth/register", None, "text/plain", &big, 413),
        (Method::POST, "/v1/posts", good, "text/plain", "{", 415),
        (Method::POST, "/v1/auth/login", None, "", "{}", 415),
        (Method::POST, "/v1/posts", good, JSON, "{\"text\": 5", 400),
        (Method::POST, "/v1/auth/register", None, JSON, "", 400),
        (Method::GET, "/v1/users/nobody/followers?limit=abc", good, "", "", 400),
        (Method::GET, "/v1/users/nobody/followers?limit=0&cursor=x", good, "", "", 400),
        (Method::GET, "/v1/users/nobody/following?limit=0", good, "", "", 422),
        (Method::GET, "/v1/users/nobody/posts?limit=101", good, "", "", 422),
        (Method::POST, "/v1/posts", good, JSON, "{\"text\": 5}", 422),
        (Method::GET, "/v1/users/nobody/posts?limit=100", good, "", "", 404),
        (Method::PUT, "/v1/users/nobody/follow", good, "", "", 404),
        (Method::PATCH, "/v1/users/nobody", bad, "text/plain", &big, 401),
        (Method::PATCH, "/v1/users/nobody", good, "text/plain", &big, 413),
        (Method::PATCH, "/v1/users/nobody", good, "text/plain", "{", 415),
        (Method::PATCH, "/v1/users/nobody", good, JSON, "{\"bio\": 5", 400),
        (Method::PATCH, "/v1/users/nobody", good, JSON, "{\"bio\": 5}", 422),
        (Method::PATCH, "/v1/users/nobody", good, JSON, "{\"bio\": \"b\"}", 404),
        (Method::POST, "/v1/posts/nothing/comments", None, JSON, "{", 401),
        (Method::POST, "/v1/posts/nothing/comments", good, JSON, "{\"text\": \"\"}", 422),
        (Method::POST, "/v1/posts/nothing/comments", good, JSON, "{\"text\": \"a\"}", 404),
        (Method::GET, "/v1/posts/nothing/likes?cursor=x", good, "", "", 400),
        (Method::GET, "/v1/posts/nothing/comments?limit=0", good, "", "", 422),
        (Method::DELETE, "/v1/posts/nothing/comments/nothing", None, "", "", 401),
        (Method::PATCH, "/v1/media/nothing", bad, "text/plain", &big, 401),
        (Method::PATCH, "/v1/media/nothing", good, JSON, "{\"description\": 5}", 422),
        (Method::PATCH, "/v1/media/nothing", good, JSON, "{\"description\": \"a\"}", 404),
        (Method::GET, "/v1/media/nothing", good, "", "", 404),
        (Method::POST, "/v1/media", good, JSON, "{\"content_type\": 5}", 422),
        (Method::GET, "/v1/users/nobody/sessions?cursor=x", good, "", "", 400),
        (Method::GET, "/v1/users/nobody/sessions", good, "", "", 404),
        (Method::DELETE, "/v1/users/me/sessions/nothing", good, "", "", 404),
    ];
    for (method, path, token, media_type, body, status) in table {
        let mut builder = request(method.clone(), path, token);
        if !media_type.is_empty() {
            builder = builder.header(CONTENT_TYPE, media_type);
        }
        let answer = api.send(builder.body(Body::from(body.to_owned())).unwrap()).await;
        assert_eq!(answer.status.as_u16(), status, "{method} {path} {token:?} {media_type}: {}", answer.text);
        assert_eq!(answer.header("content-type"), Some("application/problem+json"), "{method} {path}");
    }
}

/// The methods of a described path as `Allow` lists them, sorted. A route for GET also answers HEAD.
fn methods_of(path_item: &Value) -> Vec<String> {
    let described = path_item.as_object().unwrap().keys().map(|method| method.to_uppercase());
    let mut methods: Vec<_> = described.collect();
    if methods.iter().any(|method| method == "GET") {
        methods.push("HEAD".to_owned());
    }
    methods.sort_unstable();
    methods
}

#[tokio::test]
async fn other_methods_get_405_with_allow() {
    for publishes in [true, false] {
        let api = TestApi::start_with(&HashingOptions::cheap(), &HttpOptions::default(), publishes);
        let document = api.bare(Method::GET, "/openapi.json", None).await.json();
        for (template, path_item) in document["paths"].as_object().unwrap() {
            let path = template.replace(['{', '}'], "");
            for method in [Method::TRACE, Method::OPTIONS, Method::from_bytes(b"BREW").unwrap()] {
                let answer = api.bare(method, &path, None).await.problem(405, "method-not-allowed");
                let mut allowed: Vec<_> = answer.header("allow").unwrap().split(", ").collect();
                allowed.sort_unstable();
                assert_eq!(allowed, methods_of(path_item), "{template}");
            }
        }
    }
}

#[tokio::test]
async fn a_trailing_slash_is_another_route() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    for path in ["/", "/v1", "/v1/feed/", "/v1/users/", "/v1/users/me/", "//v1/feed", "/V1/feed", "/v1/feed%2f"] {
        api.get(path, &token).await.problem(404, "no-such-route");
    }
}

#[tokio::test]
async fn an_empty_path_segment_is_an_unknown_route() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    for path in ["/v1/users//posts", "/v1/users//follow", "/v1/users/me//posts", "/v1//feed", "//"] {
        for token in [None, Some(token.as_str())] {
            for method in [Method::GET, Method::PUT, Method::PATCH] {
                api.bare(method, path, token).await.problem(404, "no-such-route");
            }
        }
    }
    api.get("/v1/feed?x=//", &token).await.is(200);
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    let answer = api.bare(Method::HEAD, "/v1/users/me", Some(&token)).await.is(200);
    assert_eq!(answer.text, "");
    api.bare(Method::HEAD, "/v1/users/me", None).await.is(401);
}

#[tokio::test]
async fn a_body_may_have_64_kib() {
    let api = TestApi::start();
    let body_of = |bytes: usize| {
        let frame = json!({"refresh_token": ""}).to_string();
        json!({"refresh_token": "x".repeat(bytes - frame.len())}).to_string()
    };
    api.post_text("/v1/auth/refresh", None, body_of(limits::MAX_BODY_BYTES)).await.is(401);
    api.post_text("/v1/auth/refresh", None, body_of(limits::MAX_BODY_BYTES + 1)).await.problem(413, "body-too-large");
    let chunks: Vec<Result<_, std::io::Error>> = vec![Ok(vec![b' '; limits::MAX_BODY_BYTES]), Ok(b"{}".to_vec())];
    let unannounced = Body::from_stream(futures::stream::iter(chunks));
    api.post_text("/v1/auth/refresh", None, unannounced).await.problem(413, "body-too-large");
}

#[tokio::test]
async fn every_json_media_type_is_accepted() {
    let api = TestApi::start();
    for (media_type, status) in [
        ("application/json", 401),
        ("Application/JSON; charset=utf-8", 401),
        ("application/merge-patch+json", 401),
        ("text/json", 415),
        ("application/x-www-form-urlencoded", 415),
        ("json", 415),
    ] {
        let request = Request::post("/v1/auth/refresh").header(CONTENT_TYPE, media_type);
        let body = Body::from(json!({"refresh_token": "x"}).to_string());
        api.send(request.body(body).unwrap()).await.is(status);
    }
}

fn tokens_of(secret: [u8; 32]) -> AccessTokens {
    AccessTokens::new(&TokenKeys::new(secret))
}

#[tokio::test]
async fn an_invalid_token_is_unauthenticated() {
    let api = TestApi::start();
    let answer = api.register("alice").await.is(201);
    let token = answer.text_of("access_token");
    let user: UserId = answer.json()["user"]["user_id"].as_str().unwrap().parse().unwrap();
    let expired = Timestamp::from_millis(START.as_millis() - 900_000);
    let (message, signature) = token.rsplit_once('.').unwrap();
    let (header, claims) = message.split_once('.').unwrap();
    let none = URL_SAFE_NO_PAD.encode(json!({"alg": "none", "typ": "at+jwt"}).to_string());
    let bad = [
        String::new(),
        "abc".to_owned(),
        answer.text_of("refresh_token"),
        tokens_of([8; 32]).issue(user, START),
        tokens_of(SECRET).issue(user, expired),
        format!("{none}.{claims}."),
        format!("{none}.{claims}.{signature}"),
        format!("{header}.{claims}."),
        format!("{header}.{}.{signature}", URL_SAFE_NO_PAD.encode("{}")),
    ];
    for token in bad {
        let answer = api.get("/v1/users/me", &token).await.problem(401, "unauthenticated");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer"));
    }
    for header in [token.clone(), format!("Basic {token}"), format!("Bearer{token}"), "Bearer".to_owned()] {
        let request = Request::get("/v1/users/me").header("authorization", header);
        api.send(request.body(Body::empty()).unwrap()).await.is(401);
    }
    let twice = request(Method::GET, "/v1/users/me", Some(&token)).header("authorization", format!("Bearer {token}"));
    api.send(twice.body(Body::empty()).unwrap()).await.is(401);
    let lower = Request::get("/v1/users/me").header("authorization", format!("bearer {token}"));
    api.send(lower.body(Body::empty()).unwrap()).await.is(200);
    api.clock.advance(limits::ACCESS_TOKEN_TTL);
    api.get("/v1/users/me", &token).await.is(401);
}

#[tokio::test]
async fn every_answer_has_its_headers() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    for path in ["/v1/users/me", "/v1/users/@nobody", "/nothing", "/healthz", "/openapi.json"] {
        let answer = api.get(path, &token).await;
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
        assert_eq!(answer.header("cache-control"), Some("no-store"), "{path}");
        assert_eq!(answer.header("x-request-id").unwrap().len(), 36, "{path}");
    }
    let named = request(Method::GET, "/nothing", None).header("x-request-id", "trace-1");
    let answer = api.send(named.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.header("x-request-id"), Some("trace-1"));
}

fn preflight(origin: &str) -> Request<Body> {
    Request::options("/v1/posts")
        .header("origin", origin)
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "authorization,content-type,idempotency-key")
        .body(Body::empty())
        .unwrap()
}

#[tokio::test]
async fn only_configured_origins_may_call() {
    let options =
        HttpOptions { cors_origins: vec!["https://app.example.org".parse().unwrap()], ..HttpOptions::default() };
    let api = TestApi::start_with(&HashingOptions::cheap(), &options, true);
    let answer = api.send(preflight("https://app.example.org")).await.is(200);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.org"));
    assert_eq!(answer.header("access-control-allow-headers"), Some("authorization,content-type,idempotency-key"));
    assert_eq!(answer.header("access-control-allow-methods"), Some("GET,POST,PUT,PATCH,DELETE"));
    assert!(answer.header("x-request-id").is_some());
    let answer = api.send(preflight("https://evil.example.org")).await;
    assert_eq!(answer.header("access-control-allow-origin"), None);

    let refused = Request::get("/v1/feed").header("origin", "https://app.example.org").body(Body::empty()).unwrap();
    let answer = api.send(refused).await.is(401);
    assert_eq!(answer.header("access-control-allow-origin"), Some("https://app.example.org"));
    assert_eq!(answer.header("access-control-expose-headers"), Some("x-request-id,retry-after,location"));
    api.bare(Method::OPTIONS, "/v1/feed", None).await.problem(405, "method-not-allowed");
}

#[tokio::test]
async fn without_configured_origins_there_is_no_cors() {
    let api = TestApi::start();
    let answer = api.send(preflight("https://app.example.org")).await.problem(405, "method-not-allowed");
    assert_eq!(answer.header("access-control-allow-origin"), None);
}

#[tokio::test]
async fn a_successful_write_waits_until_durable() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    assert_eq!(api.watched.syncs(), 1);
    api.get("/v1/users/me", &token).await.is(200);
    api.register("alice").await.is(409);
    assert_eq!(api.watched.syncs(), 1, "neither a read nor a refusal waits");
    let nothing_to_do = json!({"refresh_token": "x"});
    api.post("/v1/auth/logout", Some(&token), &nothing_to_do).await.is(204);
    assert_eq!(api.watched.syncs(), 2, "a write without effect waits as well");
    api.watched.fail_durable();
    let answer = api.register("bob").await.problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), Some("1"));
}

#[tokio::test]
async fn an_internal_error_hides_its_cause() {
    let api = TestApi::start();
    let token = api.token_of("alice").await;
    api.watched.fail_reads();
    let answer = api.get("/v1/users/me", &token).await.problem(500, "internal");
    assert!(!answer.text.contains("prod-auth"), "{}", answer.text);
}

#[tokio::test]
async fn concurrent_health_checks_share_a_probe() {
    let api = TestApi::start();
    let answers = futures::future::join_all((0..20).map(|_| api.bare(Method::GET, "/healthz", None))).await;
    assert!(answers.iter().all(|answer| answer.status == 200 && answer.json() == json!({"status": "ok"})));
    assert_eq!(api.watched.probes(), 1);
}

#[tokio::test(start_paused = true)]
async fn health_follows_the_stores() {
    let api = TestApi::start();
    api.bare(Method::GET, "/healthz", None).await.is(200);
    api.watched.fail_probe();
    api.bare(Method::GET, "/healthz", None).await.is(200);
    tokio::time::advance(Duration::from_secs(2)).await;
    let answer = api.bare(Method::GET, "/healthz", None).await.problem(503, "unavailable");
    assert_eq!(answer.header("retry-after"), Some("2"));
}

/// Every operation of the document: path, method, description.
fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let paths = document["paths"].as_object().unwrap();
    paths
        .iter()
        .flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .iter()
                .map(move |(method, operation)| (path.clone(), method.clone(), operation.clone()))
        })
        .collect()
}

#[tokio::test]
async fn the_description_lists_every_route_in_both_modes() {
    let whole = TestApi::start().bare(Method::GET, "/openapi.json", None).await.is(200);
    let split = TestApi::start_with(&HashingOptions::cheap(), &HttpOptions::default(), false);
    assert_eq!(whole.text, split.bare(Method::GET, "/openapi.json", None).await.text);
    assert_eq!(whole.header("content-type"), Some(JSON));
    assert_eq!(whole.json()["openapi"], "3.1.0");
    let listed: Vec<_> =
        operations(&whole.json()).into_iter().map(|(path, method, _)| format!("{method} {path}")).collect();
    insta::assert_snapshot!(listed.join("\n"));
}

/// `docs/openapi.json`, of which the web client's types are generated. `UPDATE_OPENAPI=1` writes it.
#[test]
fn the_committed_description_is_current() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");
    let current = status_api::description::openapi_document().to_pretty_json().unwrap() + "\n";
    if std::env::var_os("UPDATE_OPENAPI").is_some() {
        std::fs::write(path, &current).unwrap();
    }
    let committed = std::fs::read_to_string(path).unwrap();
    assert!(
        committed == current,
        "docs/openapi.json is stale: run this test with UPDATE_OPENAPI=1, then `npm run types` in web/"
    );
}

#[tokio::test]
async fn the_description_types_avatars_nullable_and_names_string() {
    let document = TestApi::start().bare(Method::GET, "/openapi.json", None).await.json();
    let members = &document["components"]["schemas"]["EditProfileRequest"]["properties"];
    let type_of = |member: &str| members[member]["type"].clone();
    assert_eq!(["display_name", "bio"].map(type_of), ["string", "string"]);
    assert_eq!(type_of("avatar_media_id"), json!(["string", "null"]));
    assert_eq!(document["components"]["schemas"]["EditProfileRequest"].get("required"), None);
}

#[tokio::test]
async fn the_description_declares_security_and_problems() {
    let document = TestApi::start().bare(Method::GET, "/openapi.json", None).await.json();
    for (path, method, operation) in operations(&document) {
        let public = ["register", "login", "refresh", "healthz", "openapi.json"].iter().any(|end| path.ends_with(end));
        assert_eq!(operation.get("security").is_none(), public, "{method} {path}");
        let responses = operation["responses"].as_object().unwrap();
        assert!(public || responses.contains_key("401"), "{method} {path}");
        assert!(responses.contains_key("500") && responses.contains_key("503"), "{method} {path}");
        if operation.get("requestBody").is_some() {
            assert!(["400", "413", "415", "422"].iter().all(|status| responses.contains_key(*status)), "{path}");
        }
        for (status, response) in responses.iter().filter(|(status, _)| status.as_str() >= "400") {
            assert!(response["content"].get("application/problem+json").is_some(), "{method} {path} {status}");
        }
    }
    assert_eq!(document["components"]["securitySchemes"]["bearer"]["scheme"], "bearer");
}

#[tokio::test]
async fn every_reference_in_the_description_resolves() {
    let document = TestApi::start().bare(Method::GET, "/openapi.json", None).await.json();
    let text = document.to_string();
    let references: Vec<_> = text.split("\"$ref\":\"#").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    assert!(!references.is_empty());
    for reference in references {
        assert!(document.pointer(reference).is_some(), "{reference}");
    }
}

#[tokio::test]
async fn publishing_is_absent_when_served_elsewhere() {
    let api = TestApi::start_with(&HashingOptions::cheap(), &HttpOptions::default(), false);
    api.post("/v1/posts", None, &json!({"text": "hello"})).await.problem(404, "no-such-route");
    api.post("/v1/auth/register", None, &registration("alice")).await.is(201);
}
