//! Permissions are minimal.

use std::collections::BTreeSet;

use deploy_checks::{Function, objects};
use serde_json::Value;

use super::{AUTH, FEED, SOCIAL, set, template};

#[test]
fn no_policy_contains_a_wildcard() {
    let template = template();
    for function in template.functions() {
        assert!(!function.statements().is_empty(), "{}'s role has no inline statements", function.name);
        assert_eq!(
            template.properties(function.role().unwrap())["ManagedPolicyArns"],
            Value::Null,
            "{}",
            function.name
        );
        for statement in function.statements() {
            let text = statement.0.to_string();
            assert!(statement.actions().iter().all(|action| !action.contains('*')), "{}: {text}", function.name);
            let takes_no_arn = |action: &str| action.starts_with("xray:") || action == "dynamodb:ListStreams";
            let without_arn = statement.actions().into_iter().all(takes_no_arn);
            assert!(without_arn || statement.targets().iter().all(Option::is_some), "{}: {text}", function.name);
        }
    }
}

#[test]
fn every_function_has_its_own_role() {
    let template = template();
    let roles: BTreeSet<&str> = template.functions().iter().filter_map(Function::role).collect();
    assert_eq!(roles.len(), template.functions().len());
    assert_eq!(roles, template.resources_of_type("AWS::IAM::Role").into_iter().collect());
}

/// The action of a transaction that checks an item without writing it.
const CHECK: &str = "ConditionCheckItem";

/// Function, table, and the allowed actions. All others are denied.
const TABLE_ACTIONS: &[(&str, &str, &[&str])] = &[
    ("post-handler", SOCIAL, &["GetItem", "BatchGetItem", "PutItem", "UpdateItem", CHECK]),
    ("post-handler", FEED, &["PutItem"]),
    ("follow-fetcher", SOCIAL, &["GetItem", "BatchGetItem", "Query", "UpdateItem", "DeleteItem"]),
    ("job-handler", FEED, &["BatchWriteItem"]),
    ("media-handler", SOCIAL, &["GetItem", "UpdateItem"]),
    ("status-api", AUTH, &["GetItem", "Query", "PutItem", "UpdateItem", "DeleteItem"]),
    ("status-api", SOCIAL, &["GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", CHECK]),
    ("status-api", FEED, &["GetItem", "Query", "BatchWriteItem", "DeleteItem"]),
    ("stream-handler", AUTH, &["Query", "DeleteItem"]),
    ("stream-handler", SOCIAL, &["GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", CHECK]),
    ("stream-handler", FEED, &["Query", "DeleteItem"]),
    ("outbox-sweeper", AUTH, &["Query", "DeleteItem"]),
    ("outbox-sweeper", SOCIAL, &["GetItem", "BatchGetItem", "Query", "PutItem", "UpdateItem", "DeleteItem", CHECK]),
    ("outbox-sweeper", FEED, &["Query", "BatchWriteItem", "DeleteItem"]),
];

#[test]
fn table_permissions_are_exactly_as_listed() {
    let template = template();
    for function in template.functions() {
        for table in [AUTH, SOCIAL, FEED] {
            let listed = TABLE_ACTIONS.iter().find(|(code, of, _)| (*code, *of) == (function.code(), table));
            let expected = listed.map(|(_, _, actions)| set(actions)).unwrap_or_default();
            assert_eq!(function.actions_on("dynamodb", table), expected, "{} on {table}", function.name);
        }
    }
}

/// The actions of Lambda on a mapped queue, and of the handlers to return failed messages.
const TAKING: [&str; 5] =
    ["ReceiveMessage", "DeleteMessage", "GetQueueAttributes", "ChangeMessageVisibility", "SendMessage"];

/// Function, queue, and the allowed actions.
const QUEUE_ACTIONS: &[(&str, &str, &[&str])] = &[
    ("post-handler", "PostQ", &["SendMessage"]),
    ("follow-fetcher", "PostQ", &TAKING),
    ("follow-fetcher", "JobQ", &["SendMessage"]),
    ("job-handler", "JobQ", &TAKING),
    ("stream-handler", "ChangeQ", &TAKING),
    ("media-handler", "MediaQ", &TAKING),
    ("stream-handler", "ChangeDLQ", &["SendMessage"]),
    ("stream-handler", "MediaQ", &["SendMessage"]),
    ("outbox-sweeper", "PostQ", &["SendMessage"]),
    ("outbox-sweeper", "MediaQ", &["SendMessage"]),
];

#[test]
fn queue_permissions_are_exactly_as_listed() {
    let template = template();
    for function in template.functions() {
        for queue in template.resources_of_type("AWS::SQS::Queue") {
            let listed = QUEUE_ACTIONS.iter().find(|(code, of, _)| (*code, *of) == (function.code(), queue));
            let expected = listed.map(|(_, _, actions)| set(actions)).unwrap_or_default();
            assert_eq!(function.actions_on("sqs", queue), expected, "{} on {queue}", function.name);
        }
    }
}

/// Function, bucket, and the allowed actions.
const BUCKET_ACTIONS: &[(&str, &str, &[&str])] = &[
    ("media-handler", "UploadsBucket", &["ListBucket", "GetObject", "DeleteObject"]),
    ("media-handler", "MediaBucket", &["PutObject", "DeleteObject"]),
    ("status-api", "UploadsBucket", &["PutObject"]),
    ("stream-handler", "UploadsBucket", &["ListBucket", "GetObject", "DeleteObject"]),
    ("stream-handler", "MediaBucket", &["ListBucket", "GetObject", "PutObject", "DeleteObject"]),
    ("outbox-sweeper", "UploadsBucket", &["ListBucket", "GetObject", "DeleteObject"]),
    ("outbox-sweeper", "MediaBucket", &["DeleteObject"]),
];

#[test]
fn bucket_permissions_are_exactly_as_listed() {
    let template = template();
    for function in template.functions() {
        for bucket in template.resources_of_type("AWS::S3::Bucket") {
            let listed = BUCKET_ACTIONS.iter().find(|(code, of, _)| (*code, *of) == (function.code(), bucket));
            let expected = listed.map(|(_, _, actions)| set(actions)).unwrap_or_default();
            assert_eq!(function.actions_on("s3", bucket), expected, "{} on {bucket}", function.name);
        }
    }
}

#[test]
fn object_permissions_restrict_keys() {
    for function in template().functions() {
        for statement in function.statements() {
            let is_of_objects = |action: &&str| action.starts_with("s3:") && action.ends_with("Object");
            if statement.actions().iter().any(is_of_objects) {
                let narrowed = |resource: &&Value| objects(resource).is_some_and(|(_, keys)| keys.len() > "*".len());
                assert!(statement.resources().iter().all(narrowed), "{}: {}", function.name, statement.0);
            }
        }
    }
}

#[test]
fn auth_and_social_permissions_restrict_partition_keys() {
    let template = template();
    for function in template.functions() {
        for statement in function.statements() {
            let narrowed = statement.targets().iter().flatten().any(|target| [AUTH, SOCIAL].contains(target));
            assert!(!narrowed || statement.leading_keys().is_some(), "{}: {}", function.name, statement.0);
        }
    }
}

#[test]
fn only_token_readers_read_the_signing_secret() {
    let template = template();
    let readers = template.functions().into_iter();
    let readers = readers.filter(|function| !function.actions_on("secretsmanager", "SigningSecret").is_empty());
    assert_eq!(readers.map(|function| function.code()).collect::<BTreeSet<_>>(), set(&["post-handler", "status-api"]));
}
