//! The signing secret as fetched from Secrets Manager.

use std::sync::Arc;

use domain::{Timestamp, UserId};
use ports::signing::{InvalidSecret, KeySource, KeySourceError, SECRET_BYTES, TokenKeys};
use serde_json::json;
use service::tokens::AccessTokens;
use telemetry::chain;
use testkit::canned::{Canned, CannedService};

const NOW: Timestamp = Timestamp::from_millis(1_763_700_000_000);

fn version(text: &str) -> Canned {
    Canned::ok(json!({ "Name": "secret", "SecretString": text }))
}

fn absent() -> Canned {
    Canned::error(400, "ResourceNotFoundException")
}

fn hexadecimal(number: u8) -> String {
    format!("{number:02x}").repeat(SECRET_BYTES)
}

/// Whether tokens signed with this secret are accepted with these keys.
async fn accepts(keys: &TokenKeys, number: u8) -> bool {
    let token = AccessTokens::new(&TokenKeys::new([number; SECRET_BYTES])).issue(UserId::random(), NOW);
    AccessTokens::new(keys).authenticate(&token, NOW).await.is_ok()
}

async fn refused(current: Canned, previous: Canned) -> KeySourceError {
    CannedService::new([current, previous]).signing_secret().fetch().await.expect_err("there are no keys")
}

#[test]
fn a_secret_is_64_hexadecimal_digits() {
    assert_eq!(TokenKeys::parse_secret(&format!("{}\n", hexadecimal(7))), Ok([7; SECRET_BYTES]));
    for bad in ["", "07", &"07".repeat(33), &"zz".repeat(32)] {
        assert_eq!(TokenKeys::parse_secret(bad), Err(InvalidSecret));
    }
}

#[tokio::test]
async fn both_versions_are_fetched_and_accepted() {
    let service = CannedService::new([version(&hexadecimal(1)), version(&hexadecimal(2))]);
    let keys = service.signing_secret().fetch().await.unwrap();
    assert!(accepts(&keys, 1).await && accepts(&keys, 2).await && !accepts(&keys, 3).await);
    let calls = service.calls();
    let asked: Vec<_> = calls.iter().map(|(operation, asked)| (operation.as_str(), asked)).collect();
    let asking_for = |label| json!({ "SecretId": "secret", "VersionStage": label });
    let (current, previous) = (asking_for("AWSCURRENT"), asking_for("AWSPREVIOUS"));
    assert_eq!(asked, [("GetSecretValue", &current), ("GetSecretValue", &previous)]);
}

#[tokio::test]
async fn a_secret_never_rotated_has_one_version() {
    let service = CannedService::new([version(&hexadecimal(1)), absent()]);
    let tokens = AccessTokens::from_source(Arc::new(service.signing_secret()), NOW).await.unwrap();
    assert!(tokens.authenticate(&tokens.issue(UserId::random(), NOW), NOW).await.is_ok());
}

#[tokio::test]
async fn a_malformed_previous_version_is_ignored() {
    let service = CannedService::new([version(&hexadecimal(1)), version("rosebud")]);
    let keys = service.signing_secret().fetch().await.unwrap();
    assert!(accepts(&keys, 1).await);
}

#[tokio::test]
async fn an_invalid_current_version_fails_without_its_value() {
    for current in [version("rosebud"), Canned::ok(json!({ "SecretBinary": "cm9zZWJ1ZA==" }))] {
        let error = refused(current, absent()).await;
        assert_eq!(chain(&error), "the signing secret secret is not 64 hexadecimal digits");
        assert!(!format!("{error:?}").contains("rosebud"));
    }
    let error = chain(&refused(absent(), absent()).await);
    assert!(error.starts_with("the signing secret secret cannot be fetched: "), "{error}");
    assert!(error.contains("ResourceNotFoundException"), "{error}");
}

#[tokio::test]
async fn a_missing_version_response_fails_the_fetch() {
    let failing =
        || [Canned::error(400, "AccessDeniedException"), Canned::error(500, "InternalServiceError"), Canned::Lost];
    for answer in failing() {
        assert!(matches!(refused(version(&hexadecimal(1)), answer).await, KeySourceError::Unavailable { .. }));
    }
    for answer in failing() {
        assert!(matches!(refused(answer, absent()).await, KeySourceError::Unavailable { .. }));
    }
}
