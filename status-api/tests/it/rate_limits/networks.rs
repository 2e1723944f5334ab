//! The networks by which clients are counted, and the registrations allowed for each.

use std::{num::NonZeroUsize, time::Duration};

use super::{From, limited, limited_with_proxy, seconds_to_wait};
use http::HeaderName;
use http_api::TrustedProxy;
use serde_json::json;

#[tokio::test]
async fn an_address_has_five_registrations_a_minute() {
    let api = limited();
    let here = From::peer("192.0.2.1");
    here.registers(&api, "alice").await.is(201);
    here.registers(&api, "alice").await.is(409);
    here.registers(&api, "a").await.is(422);
    // An unreadable body does not count as an attempt.
    here.post(&api, "/v1/auth/register", &json!([])).await.is(422);
    here.registers(&api, "bob").await.is(201);
    here.registers(&api, "carol").await.is(201);
    let refused = here.registers(&api, "dave").await.problem(429, "rate-limited");
    From::peer("192.0.2.2").registers(&api, "dave").await.is(201);
    api.clock.advance(Duration::from_secs(seconds_to_wait(&refused)));
    here.registers(&api, "erin").await.is(201);
}

#[tokio::test]
async fn ipv6_clients_share_limits_by_64_prefix() {
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
async fn a_mapped_ipv4_address_is_the_same_client() {
    let api = limited();
    From::peer("192.0.2.1").register_until(&api, "user", 5).await;
    From::peer("::ffff:192.0.2.1").registers(&api, "mapped").await.problem(429, "rate-limited");
    From::peer("::ffff:192.0.2.2").registers(&api, "mapped").await.is(201);
}

#[tokio::test]
async fn an_unconfigured_forwarding_header_is_ignored() {
    let api = limited();
    for (at, name) in ["u1", "u2", "u3", "u4", "u5", "u6"].into_iter().enumerate() {
        let list = format!("198.51.100.{at}");
        let here = From { peer: "192.0.2.1", forwarded: Some(&list) };
        let answer = here.registers(&api, &format!("user_{name}")).await;
        assert_eq!(answer.status.as_u16(), if at < 5 { 201 } else { 429 });
    }
}

#[tokio::test]
async fn clients_cannot_forge_a_trusted_proxy_header() {
    let header = HeaderName::from_static("x-forwarded-for");
    let api = limited_with_proxy(Some(TrustedProxy { header, hops: NonZeroUsize::new(2).unwrap() }));
    for at in 0..6 {
        let list = format!("203.0.113.{at}, 198.51.100.7, 10.0.0.1");
        let here = From { peer: "10.0.0.2", forwarded: Some(&list) };
        let answer = here.registers(&api, &format!("user{at}")).await;
        assert_eq!(answer.status.as_u16(), if at < 5 { 201 } else { 429 });
    }
    let another = From { peer: "10.0.0.2", forwarded: Some("198.51.100.8, 10.0.0.1") };
    another.registers(&api, "another").await.is(201);
}
