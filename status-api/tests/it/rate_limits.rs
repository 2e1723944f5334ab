//! How often one may do what, through HTTP.

use std::{net::IpAddr, num::NonZeroUsize, time::Duration};

use crate::support::{Answer, PASSWORD, TestApi, metrics::Metrics, registration, request};
use axum::body::Body;
use domain::UserId;
use http::{HeaderName, Method, header::CONTENT_TYPE};
use http_api::{HttpOptions, PeerAddress, TrustedProxy};
use rstest::rstest;
use serde_json::{Value, json};
use service::{
    passwords::HashingOptions,
    rates::{Limit, RateLimiter},
};
use telemetry::names;

fn limited() -> TestApi {
    limited_behind(None)
}

fn limited_behind(trusted_proxy: Option<TrustedProxy>) -> TestApi {
    let options = HttpOptions { trusted_proxy, ..HttpOptions::default() };
    // Limits are exact while the store answers in time, however busy the machine is.
    TestApi::start_limited(&HashingOptions::cheap(), &options, true, |store| {
        RateLimiter::with_patience(store, Duration::from_hours(1))
    })
}

/// Where requests come from.
#[derive(Clone, Copy)]
struct From<'a> {
    peer: &'a str,
    forwarded: Option<&'a str>,
}

impl<'a> From<'a> {
    const fn peer(peer: &'a str) -> Self {
        Self { peer, forwarded: None }
    }

    async fn post(self, api: &TestApi, path: &str, body: &Value) -> Answer {
        self.send(api, Method::POST, path, None, body).await
    }

    async fn send(self, api: &TestApi, method: Method, path: &str, token: Option<&str>, body: &Value) -> Answer {
        let mut request = request(method, path, token)
            .header(CONTENT_TYPE, "application/json")
            .extension(PeerAddress(self.peer.parse::<IpAddr>().unwrap()));
        if let Some(list) = self.forwarded {
            request = request.header("x-forwarded-for", list);
        }
        api.send(request.body(Body::from(body.to_string())).unwrap()).await
    }

    async fn registers(self, api: &TestApi, handle: &str) -> Answer {
        self.post(api, "/v1/auth/register", &registration(handle)).await
    }

    async fn logs_in(self, api: &TestApi, name: Value, password: &str) -> Answer {
        let mut body = name;
        body["password"] = password.into();
        self.post(api, "/v1/auth/login", &body).await
    }

    /// The status of the `number`th try to register and of the one after it; the others are 201.
    async fn register_until(self, api: &TestApi, prefix: &str, number: usize) {
        for at in 0..number {
            self.registers(api, &format!("{prefix}{at}")).await.is(201);
        }
        self.registers(api, &format!("{prefix}_more")).await.problem(429, "rate-limited");
    }
}

/// The token of a user who registers from a network where nobody else does.
async fn person(api: &TestApi, handle: &str) -> String {
    let address = format!("10.0.{}.{}", handle.len(), handle.as_bytes()[0]);
    From::peer(&address).registers(api, handle).await.is(201).text_of("access_token")
}

async fn publish(api: &TestApi, token: &str, text: &str) -> Answer {
    api.post("/v1/posts", Some(token), &json!({ "text": text })).await
}

async fn publish_with_key(api: &TestApi, token: &str, key: &str, text: &str) -> Answer {
    let request = request(Method::POST, "/v1/posts", Some(token))
        .header(CONTENT_TYPE, "application/json")
        .header("idempotency-key", key);
    api.send(request.body(Body::from(json!({ "text": text }).to_string())).unwrap()).await
}

fn seconds_to_wait(answer: &Answer) -> u64 {
    answer.header("retry-after").expect("a 429 says when to come again").parse().unwrap()
}

#[tokio::test]
async fn the_61st_post_of_an_hour_is_refused_until_the_hour_is_over() {
    let (api, metrics) = (limited(), Metrics::of_this_thread());
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    for number in 0..60 {
        publish(&api, &alice, &format!("Post {number}")).await.is(201);
    }
    let refused = publish(&api, &alice, "One more").await.problem(429, "rate-limited");
    let story = api.get("/v1/users/me/posts?limit=100", &alice).await.is(200).json();
    assert_eq!(story["items"].as_array().unwrap().len(), 60, "a refused request changes nothing");
    publish(&api, &bob, "Another user").await.is(201);
    assert_eq!(metrics.value(&format!("{}{{limit=\"posts\"}}", names::RATE_LIMITED)), 1);

    // Tokens live for 15 minutes, so a new one for the next hour.
    let wait = Duration::from_secs(seconds_to_wait(&refused));
    assert!(wait <= Duration::from_hours(1));
    api.clock.advance(wait);
    let login = From::peer("10.9.9.9").logs_in(&api, json!({"handle": "alice"}), PASSWORD).await.is(200);
    publish(&api, &login.text_of("access_token"), "The next hour").await.is(201);
}

#[tokio::test]
async fn what_is_not_valid_does_not_count_as_a_post() {
    let api = limited();
    let alice = person(&api, "alice").await;
    for _ in 0..100 {
        publish(&api, &alice, " ").await.is(422);
    }
    publish(&api, &alice, "Valid").await.is(201);
}

#[tokio::test]
async fn a_key_of_another_body_counts_as_no_post() {
    let api = limited();
    let alice = person(&api, "alice").await;
    publish_with_key(&api, &alice, "k", "Once").await.is(201);
    for _ in 0..100 {
        publish_with_key(&api, &alice, "k", "Another").await.problem(422, "invalid");
    }
    publish(&api, &alice, "Valid").await.is(201);
}

#[tokio::test]
async fn a_post_sent_again_counts_once_and_is_answered_when_no_more_may_be_made() {
    let api = limited();
    let alice = person(&api, "alice").await;
    let first = publish_with_key(&api, &alice, "k", "Once").await.is(201);
    for _ in 0..100 {
        assert_eq!(publish_with_key(&api, &alice, "k", "Once").await.is(201).text, first.text);
    }
    for number in 1..60 {
        publish(&api, &alice, &format!("Post {number}")).await.is(201);
    }
    publish(&api, &alice, "One more").await.problem(429, "rate-limited");
    publish_with_key(&api, &alice, "other", "One more").await.problem(429, "rate-limited");
    assert_eq!(publish_with_key(&api, &alice, "k", "Once").await.is(201).text, first.text);
    publish_with_key(&api, &alice, "k", "Another").await.problem(422, "invalid");
}

#[tokio::test]
async fn likes_follows_and_comments_have_limits_of_their_own() {
    let api = limited();
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    let post = publish(&api, &alice, "Hello").await.is(201).text_of("post_id");
    let (like, comments) = (format!("/v1/posts/{post}/like"), format!("/v1/posts/{post}/comments"));
    let comment = json!({"text": "Well said"});
    for _ in 0..600 {
        api.bare(Method::PUT, &like, Some(&bob)).await.is(204);
        api.bare(Method::PUT, "/v1/users/@alice/follow", Some(&bob)).await.is(204);
    }
    for _ in 0..120 {
        api.post(&comments, Some(&bob), &comment).await.is(201);
    }
    api.bare(Method::PUT, &like, Some(&bob)).await.problem(429, "rate-limited");
    api.bare(Method::PUT, "/v1/users/@alice/follow", Some(&bob)).await.problem(429, "rate-limited");
    api.post(&comments, Some(&bob), &comment).await.problem(429, "rate-limited");
    // Taking back has limits of its own, and so has another user.
    api.bare(Method::DELETE, &like, Some(&bob)).await.is(204);
    api.bare(Method::DELETE, "/v1/users/@alice/follow", Some(&bob)).await.is(204);
    api.bare(Method::PUT, &like, Some(&alice)).await.is(204);
    api.post(&comments, Some(&alice), &comment).await.is(201);
}

/// An API, and the limiter that it asks: to use limits up without as many requests.
fn limited_with_limiter() -> (TestApi, RateLimiter) {
    let mut limiter = None;
    let keep = |store| limiter.insert(RateLimiter::new(store)).clone();
    let api = TestApi::start_limited(&HashingOptions::cheap(), &HttpOptions::default(), true, keep);
    (api, limiter.expect("the API has one"))
}

/// Uses up what `user` has of a limit.
async fn use_up(api: &TestApi, limiter: &RateLimiter, limit: Limit, user: UserId) {
    for _ in 0..limit.rate().uses {
        limiter.admit(limit, user, api.clock.now()).await.unwrap();
    }
}

async fn id_of(api: &TestApi, token: &str) -> UserId {
    api.get("/v1/users/me", token).await.is(200).text_of("user_id").parse().unwrap()
}

#[test]
fn undoing_is_limited_to_ten_times_doing() {
    for (doing, undoing) in [
        (Limit::Posts, Limit::PostDeletions),
        (Limit::Likes, Limit::Unlikes),
        (Limit::Follows, Limit::Unfollows),
        (Limit::Comments, Limit::CommentDeletions),
        (Limit::Posts, Limit::ProfileEdits),
    ] {
        let (doing, undoing) = (doing.rate(), undoing.rate());
        assert_eq!((undoing.uses, undoing.window), (10 * doing.uses, doing.window));
    }
}

#[rstest]
#[case(Limit::PostDeletions, "/v1/posts/{post}")]
#[case(Limit::PostDeletions, "/v1/posts/no-post")]
#[case(Limit::Unlikes, "/v1/posts/{post}/like")]
#[case(Limit::Unlikes, "/v1/posts/no-post/like")]
#[case(Limit::Unfollows, "/v1/users/@alice/follow")]
#[case(Limit::Unfollows, "/v1/users/@nobody/follow")]
#[case(Limit::CommentDeletions, "/v1/posts/{post}/comments/{post}")]
#[tokio::test]
async fn undoing_too_often_is_refused(#[case] limit: Limit, #[case] path: &str) {
    let (api, limiter) = limited_with_limiter();
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    let post = publish(&api, &alice, "Hello").await.is(201).text_of("post_id");
    let path = path.replace("{post}", &post);
    let undo = async |token: &str| api.bare(Method::DELETE, &path, Some(token)).await;
    assert_ne!(undo(&bob).await.status, 429, "the first is one of many");
    let user = id_of(&api, &bob).await;
    while limiter.admit(limit, user, api.clock.now()).await.is_ok() {}
    let refused = undo(&bob).await.problem(429, "rate-limited");
    assert!(seconds_to_wait(&refused) > 0);
    assert_ne!(undo(&alice).await.status, 429, "another user has a limit of their own");
}

#[tokio::test]
async fn editing_too_often_is_refused_after_422_before_403() {
    let (api, limiter) = limited_with_limiter();
    let (alice, bob) = (person(&api, "alice").await, person(&api, "bob").await);
    use_up(&api, &limiter, Limit::ProfileEdits, id_of(&api, &bob).await).await;
    let edit = json!({"bio": "Anew"});
    for path in ["/v1/users/me", "/v1/users/@alice", "/v1/users/@nobody"] {
        let refused = api.patch(path, Some(&bob), &edit).await.problem(429, "rate-limited");
        assert!(seconds_to_wait(&refused) > 0);
        api.patch(path, Some(&bob), &json!({"bio": 5})).await.problem(422, "invalid");
    }
    api.patch("/v1/users/me", Some(&alice), &edit).await.is(200);
}

#[tokio::test]
async fn following_oneself_is_invalid_however_often() {
    let (api, limiter) = limited_with_limiter();
    let alice = person(&api, "alice").await;
    use_up(&api, &limiter, Limit::Follows, id_of(&api, &alice).await).await;
    for me in ["me", "@alice"] {
        api.bare(Method::PUT, &format!("/v1/users/{me}/follow"), Some(&alice)).await.problem(422, "invalid");
    }
    api.bare(Method::PUT, "/v1/users/@nobody/follow", Some(&alice)).await.problem(429, "rate-limited");
}

#[tokio::test]
async fn a_caller_without_a_token_uses_up_nothing_and_learns_nothing() {
    let api = limited();
    for _ in 0..70 {
        api.post("/v1/posts", None, &json!({"text": "x"})).await.problem(401, "unauthenticated");
    }
}

#[tokio::test]
async fn five_tries_to_register_a_minute_from_one_address_taken_or_invalid_ones_too() {
    let api = limited();
    let here = From::peer("192.0.2.1");
    here.registers(&api, "alice").await.is(201);
    here.registers(&api, "alice").await.is(409);
    here.registers(&api, "a").await.is(422);
    // What cannot be read is no try.
    here.post(&api, "/v1/auth/register", &json!([])).await.is(422);
    here.registers(&api, "bob").await.is(201);
    here.registers(&api, "carol").await.is(201);
    let refused = here.registers(&api, "dave").await.problem(429, "rate-limited");
    From::peer("192.0.2.2").registers(&api, "dave").await.is(201);
    api.clock.advance(Duration::from_secs(seconds_to_wait(&refused)));
    here.registers(&api, "erin").await.is(201);
}

#[tokio::test]
async fn ipv6_neighbours_in_one_64_share_and_others_do_not() {
    let api = limited();
    for (at, host) in ["1", "2", "ffff", "a:b:c:d", "1:0:0:1"].into_iter().enumerate() {
        From::peer(&format!("2001:db8:1:2::{host}").replace("::a:b:c:d", ":a:b:c:d").replace("::1:0:0:1", ":1:0:0:1"))
            .registers(&api, &format!("user{at}"))
            .await
            .is(201);
    }
    From::peer("2001:db8:1:2::6").registers(&api, "user6").await.problem(429, "rate-limited");
    From::peer("2001:db8:1:3::6").registers(&api, "user6").await.is(201);
}

#[tokio::test]
async fn an_ipv4_address_is_the_same_through_a_socket_for_both() {
    let api = limited();
    From::peer("192.0.2.1").register_until(&api, "user", 5).await;
    From::peer("::ffff:192.0.2.1").registers(&api, "mapped").await.problem(429, "rate-limited");
    From::peer("::ffff:192.0.2.2").registers(&api, "mapped").await.is(201);
}

#[tokio::test]
async fn a_forwarding_header_is_not_believed_unless_it_is_configured() {
    let api = limited();
    for (at, name) in ["u1", "u2", "u3", "u4", "u5", "u6"].into_iter().enumerate() {
        let list = format!("198.51.100.{at}");
        let here = From { peer: "192.0.2.1", forwarded: Some(&list) };
        let answer = here.registers(&api, &format!("user_{name}")).await;
        assert_eq!(answer.status.as_u16(), if at < 5 { 201 } else { 429 });
    }
}

#[tokio::test]
async fn behind_proxies_the_client_counts_and_what_it_writes_into_the_header_does_not() {
    let header = HeaderName::from_static("x-forwarded-for");
    let api = limited_behind(Some(TrustedProxy { header, hops: NonZeroUsize::new(2).unwrap() }));
    for at in 0..6 {
        let list = format!("203.0.113.{at}, 198.51.100.7, 10.0.0.1");
        let here = From { peer: "10.0.0.2", forwarded: Some(&list) };
        let answer = here.registers(&api, &format!("user{at}")).await;
        assert_eq!(answer.status.as_u16(), if at < 5 { 201 } else { 429 });
    }
    let another = From { peer: "10.0.0.2", forwarded: Some("198.51.100.8, 10.0.0.1") };
    another.registers(&api, "another").await.is(201);
}

#[tokio::test]
async fn after_ten_failed_logins_not_even_the_right_password_is_hashed() {
    let (api, metrics) = (limited(), Metrics::of_this_thread());
    person(&api, "alice").await;
    let here = From::peer("192.0.2.1");
    let by_handle = || json!({"handle": "alice"});
    for _ in 0..20 {
        here.logs_in(&api, by_handle(), PASSWORD).await.is(200);
    }
    // By either name it is one account.
    for at in 0..10 {
        let name = if at % 2 == 0 { by_handle() } else { json!({"email": "Alice@example.org"}) };
        here.logs_in(&api, name, "a wrong password").await.is(401);
    }
    let hashed = metrics.passwords_hashed();
    for password in ["a wrong password", PASSWORD] {
        here.logs_in(&api, by_handle(), password).await.problem(429, "rate-limited");
    }
    let refused = here.logs_in(&api, json!({"email": "alice@example.org"}), PASSWORD).await;
    assert_eq!(metrics.passwords_hashed(), hashed, "hashing is no lever");
    // From elsewhere, and later.
    From::peer("192.0.2.2").logs_in(&api, by_handle(), PASSWORD).await.is(200);
    api.clock.advance(Duration::from_secs(seconds_to_wait(&refused)));
    here.logs_in(&api, by_handle(), PASSWORD).await.is(200);
}

#[tokio::test]
async fn a_token_is_no_way_to_guess_the_password_faster_than_by_logging_in() {
    let (api, metrics) = (limited(), Metrics::of_this_thread());
    let alice = person(&api, "alice").await;
    let here = From::peer("192.0.2.1");
    let change = async |from: From<'static>, current: &str| {
        let body = json!({"current": current, "new": PASSWORD});
        from.send(&api, Method::PUT, "/v1/users/me/password", Some(&alice), &body).await
    };
    let delete = async |from: From<'static>, password: &str| {
        from.send(&api, Method::DELETE, "/v1/users/me", Some(&alice), &json!({ "password": password })).await
    };
    for _ in 0..15 {
        change(here, PASSWORD).await.is(204);
    }
    // Whose it is comes first, and is no guess.
    let body = json!({"current": PASSWORD, "new": PASSWORD});
    for _ in 0..15 {
        here.send(&api, Method::PUT, "/v1/users/@nobody/password", Some(&alice), &body).await.is(404);
    }
    for at in 0..10 {
        match at % 3 {
            0 => change(here, "a wrong password").await.problem(403, "wrong-password"),
            1 => delete(here, "a wrong password").await.problem(403, "wrong-password"),
            _ => here.logs_in(&api, json!({"handle": "alice"}), "a wrong password").await.is(401),
        };
    }
    let hashed = metrics.passwords_hashed();
    let refused = change(here, PASSWORD).await.problem(429, "rate-limited");
    delete(here, PASSWORD).await.problem(429, "rate-limited");
    here.logs_in(&api, json!({"handle": "alice"}), PASSWORD).await.problem(429, "rate-limited");
    assert_eq!(metrics.passwords_hashed(), hashed, "hashing is no lever");
    // From elsewhere, and later.
    change(From::peer("192.0.2.2"), PASSWORD).await.is(204);
    api.clock.advance(Duration::from_secs(seconds_to_wait(&refused)));
    delete(here, PASSWORD).await.is(202);
}

#[tokio::test]
async fn an_address_that_is_nobodys_is_one_however_it_is_written() {
    let api = limited();
    let here = From::peer("192.0.2.1");
    for at in 0..10 {
        let email = if at % 2 == 0 { "nobody@example.org" } else { "NoBody@Example.org" };
        here.logs_in(&api, json!({ "email": email }), PASSWORD).await.is(401);
    }
    here.logs_in(&api, json!({"email": "NOBODY@example.org"}), PASSWORD).await.problem(429, "rate-limited");
}

#[tokio::test]
async fn an_account_that_does_not_exist_is_refused_like_one_that_does() {
    let api = limited();
    let here = From::peer("192.0.2.1");
    for _ in 0..10 {
        here.logs_in(&api, json!({"handle": "nobody"}), PASSWORD).await.is(401);
    }
    here.logs_in(&api, json!({"handle": "nobody"}), PASSWORD).await.problem(429, "rate-limited");
    here.logs_in(&api, json!({"handle": "nobody_else"}), PASSWORD).await.is(401);
}

#[tokio::test]
async fn many_guesses_at_once_are_no_way_around_the_limit() {
    let api = limited();
    person(&api, "alice").await;
    let guess = || From::peer("192.0.2.1").logs_in(&api, json!({"handle": "alice"}), "a wrong password");
    let answers = futures::future::join_all((0..30).map(|_| guess())).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 401).count(), 10);
    assert_eq!(answers.iter().filter(|answer| answer.status == 429).count(), 20);
}

/// Fails to log in under so many names that nobody has.
async fn fail_under_new_names(api: &TestApi, from: From<'_>, number: usize) {
    for at in 0..number {
        from.logs_in(api, json!({ "handle": format!("nobody_{at}") }), PASSWORD).await.is(401);
    }
}

#[tokio::test]
async fn the_61st_failure_of_a_network_is_refused_unhashed() {
    let (api, metrics) = (limited(), Metrics::of_this_thread());
    person(&api, "alice").await;
    let here = From::peer("2001:db8:1:2::1");
    for _ in 0..100 {
        here.logs_in(&api, json!({"handle": "alice"}), PASSWORD).await.is(200);
    }
    fail_under_new_names(&api, here, 60).await;
    let hashed = metrics.passwords_hashed();
    let neighbour = From::peer("2001:db8:1:2:ffff::1");
    neighbour.logs_in(&api, json!({"handle": "somebody_new"}), PASSWORD).await.problem(429, "rate-limited");
    let refused = here.logs_in(&api, json!({"handle": "alice"}), PASSWORD).await.problem(429, "rate-limited");
    assert_eq!(metrics.passwords_hashed(), hashed);
    From::peer("2001:db8:1:3::1").logs_in(&api, json!({"handle": "alice"}), PASSWORD).await.is(200);
    api.clock.advance(Duration::from_secs(seconds_to_wait(&refused)));
    here.logs_in(&api, json!({"handle": "alice"}), PASSWORD).await.is(200);
}

#[tokio::test]
async fn failures_of_every_kind_count_to_the_network() {
    let (api, metrics) = (limited(), Metrics::of_this_thread());
    let alice = person(&api, "alice").await;
    let here = From::peer("192.0.2.1");
    let wrong = json!({"current": "a wrong password", "new": PASSWORD});
    let right = json!({"current": PASSWORD, "new": PASSWORD});
    fail_under_new_names(&api, here, 57).await;
    here.registers(&api, "alice").await.problem(409, "taken");
    here.send(&api, Method::PUT, "/v1/users/me/password", Some(&alice), &wrong).await.is(403);
    let wrong = json!({"password": "a wrong password"});
    here.send(&api, Method::DELETE, "/v1/users/me", Some(&alice), &wrong).await.is(403);
    let hashed = metrics.passwords_hashed();
    here.registers(&api, "bob").await.problem(429, "rate-limited");
    here.send(&api, Method::PUT, "/v1/users/me/password", Some(&alice), &right).await.problem(429, "rate-limited");
    let password = json!({ "password": PASSWORD });
    here.send(&api, Method::DELETE, "/v1/users/me", Some(&alice), &password).await.problem(429, "rate-limited");
    assert_eq!(metrics.passwords_hashed(), hashed);
}

#[tokio::test]
async fn an_account_that_is_refused_uses_up_nothing_of_its_network() {
    let api = limited();
    let here = From::peer("192.0.2.1");
    let nobody = || json!({"handle": "nobody"});
    for at in 0..200 {
        here.logs_in(&api, nobody(), PASSWORD).await.is(if at < 10 { 401 } else { 429 });
    }
    fail_under_new_names(&api, here, 50).await;
    here.logs_in(&api, json!({"handle": "somebody_new"}), PASSWORD).await.problem(429, "rate-limited");
}

#[tokio::test]
async fn a_flood_of_one_network_leaves_logins_to_others() {
    let running = NonZeroUsize::MIN;
    let hashing = HashingOptions { running, waiting: 4, waiting_per_network: 4, ..HashingOptions::default() };
    let api = TestApi::start_with(&hashing, &HttpOptions::default(), true);
    person(&api, "alice").await;
    let flood: Vec<_> = (0..24).map(|at| json!({ "handle": format!("nobody_{at}") })).collect();
    let flood =
        futures::future::join_all(flood.into_iter().map(|name| From::peer("192.0.2.1").logs_in(&api, name, PASSWORD)));
    let login = From::peer("192.0.2.2").logs_in(&api, json!({"handle": "alice"}), PASSWORD);
    let (flood, login) = futures::join!(flood, login);
    login.is(200);
    assert!(flood.iter().all(|answer| [401, 503].contains(&answer.status.as_u16())));
}

#[tokio::test]
async fn the_31st_refresh_of_a_minute_spends_nothing() {
    let api = limited();
    let mut token = From::peer("192.0.2.1").registers(&api, "alice").await.is(201).text_of("refresh_token");
    let login = From::peer("192.0.2.1").logs_in(&api, json!({"handle": "alice"}), PASSWORD).await.is(200);
    for _ in 0..30 {
        token = api.refresh(&token).await.is(200).text_of("refresh_token");
    }
    let refused = api.refresh(&token).await.problem(429, "rate-limited");
    api.refresh(&login.text_of("refresh_token")).await.is(200);
    api.clock.advance(Duration::from_secs(seconds_to_wait(&refused)));
    api.refresh(&token).await.is(200);
}

#[tokio::test]
async fn a_stolen_token_is_found_out_beyond_the_limit_too() {
    let api = limited();
    let stolen = From::peer("192.0.2.1").registers(&api, "alice").await.is(201).text_of("refresh_token");
    let mut token = api.refresh(&stolen).await.is(200).text_of("refresh_token");
    api.clock.advance(Duration::from_mins(2));
    while let Some(next) = refreshed(&api, &token).await {
        token = next;
    }
    api.refresh(&stolen).await.problem(401, "unauthenticated");
    api.refresh(&token).await.problem(401, "unauthenticated");
}

/// The next token, until the limit is used up.
async fn refreshed(api: &TestApi, token: &str) -> Option<String> {
    let answer = api.refresh(token).await;
    (answer.status == 200).then(|| answer.text_of("refresh_token"))
}
