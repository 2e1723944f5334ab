//! Rate limits, through HTTP.

mod networks;
mod passwords;
mod refreshes;
mod uses;

use std::{net::IpAddr, time::Duration};

use crate::it::support::{Answer, TestApi, registration, request};
use axum::body::Body;
use domain::UserId;
use http::{Method, header::CONTENT_TYPE};
use http_api::{HttpOptions, PeerAddress, TrustedProxy};
use serde_json::{Value, json};
use service::{
    passwords::HashingOptions,
    rates::{Limit, RateLimiter},
};

fn limited() -> TestApi {
    limited_with_proxy(None)
}

fn limited_with_proxy(trusted_proxy: Option<TrustedProxy>) -> TestApi {
    let options = HttpOptions { trusted_proxy, ..HttpOptions::default() };
    // Long patience: limits are exact only while the store answers in time, and the machine may be busy.
    TestApi::start_limited(&HashingOptions::cheap(), &options, true, |store| {
        RateLimiter::with_patience(store, Duration::from_hours(1))
    })
}

/// The client address of requests.
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

    /// Registers `number` times with success; checks that the next attempt is refused.
    async fn register_until(self, api: &TestApi, prefix: &str, number: usize) {
        for at in 0..number {
            self.registers(api, &format!("{prefix}{at}")).await.is(201);
        }
        self.registers(api, &format!("{prefix}_more")).await.problem(429, "rate-limited");
    }
}

/// The token of a user who registers from a separate network.
async fn person(api: &TestApi, handle: &str) -> String {
    let address = format!("10.0.{}.{}", handle.len(), handle.as_bytes()[0]);
    From::peer(&address).registers(api, handle).await.is(201).text_of("access_token")
}

async fn publish(api: &TestApi, token: &str, text: &str) -> Answer {
    api.post("/v1/posts", Some(token), &json!({ "text": text })).await
}

fn seconds_to_wait(answer: &Answer) -> u64 {
    answer.header("retry-after").expect("a 429 says when to retry").parse().unwrap()
}

/// An API and its rate limiter, so that a test can use up limits without sending every request.
fn limited_with_limiter() -> (TestApi, RateLimiter) {
    let mut limiter = None;
    let keep = |store| limiter.insert(RateLimiter::new(store)).clone();
    let api = TestApi::start_limited(&HashingOptions::cheap(), &HttpOptions::default(), true, keep);
    (api, limiter.expect("the API has one"))
}

/// Uses up `user`'s limit.
async fn use_up(api: &TestApi, limiter: &RateLimiter, limit: Limit, user: UserId) {
    for _ in 0..limit.rate().uses {
        limiter.admit(limit, user, api.clock.now()).await.unwrap();
    }
}

async fn id_of(api: &TestApi, token: &str) -> UserId {
    api.get("/v1/users/me", token).await.is(200).text_of("user_id").parse().unwrap()
}
