//! Responses of DynamoDB that no engine produces, and how the adapter handles them.

use domain::limits::MAX_BATCH_WRITE;
use ports::store::{BatchWrite, Condition, Consistency, Item, Key, Outcome, Store, StoreError, Table, Write};
use serde_json::json;
use testkit::canned::{Canned, CannedService};

fn key(sort: &str) -> Key {
    Key { partition: "p".to_owned(), sort: sort.to_owned() }
}

fn dynamo_key(sort: &str) -> serde_json::Value {
    json!({ "PK": { "S": "p" }, "SK": { "S": sort } })
}

fn cancelled(codes: &[&str]) -> Canned {
    let reasons: Vec<_> = codes.iter().map(|code| json!({ "Code": code })).collect();
    let body = json!({
        "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
        "Message": "Transaction cancelled",
        "CancellationReasons": reasons,
    });
    Canned::Answer(400, body)
}

fn creates(sorts: &[&str]) -> Vec<(Table, Write)> {
    sorts.iter().map(|sort| (Table::Social, Write::create(Item::new(key(sort))))).collect()
}

#[tokio::test]
async fn unprocessed_writes_are_returned_unchanged() {
    let put = Item::new(key("a")).with("n", 1).with("text", "");
    let left = json!([
        { "PutRequest": { "Item": { "PK": { "S": "p" }, "SK": { "S": "a" }, "n": { "N": "1" }, "text": { "S": "" } } } },
        { "DeleteRequest": { "Key": dynamo_key("b") } },
    ]);
    let service = CannedService::new([Canned::ok(json!({ "UnprocessedItems": { "feed": left } }))]);
    let writes = vec![BatchWrite::Put(put), BatchWrite::Put(Item::new(key("c"))), BatchWrite::Delete(key("b"))];
    let unprocessed = service.store().batch_write(Table::Feed, &writes).await.unwrap();
    assert_eq!(unprocessed, [writes[0].clone(), writes[2].clone()]);
}

#[tokio::test]
async fn unprocessed_keys_are_returned_with_found_items() {
    let body = json!({
        "Responses": { "social": [dynamo_key("a")] },
        "UnprocessedKeys": { "social": { "Keys": [dynamo_key("b")], "ConsistentRead": true } },
    });
    let service = CannedService::new([Canned::ok(body)]);
    let got = service.store().batch_get(Table::Social, &[key("a"), key("b")], Consistency::Strong).await.unwrap();
    assert_eq!((got.items, got.unprocessed), (vec![Item::new(key("a"))], vec![key("b")]));
    assert_eq!(service.calls()[0].1["RequestItems"]["social"]["ConsistentRead"], true);
}

#[tokio::test]
async fn throttling_is_reported_without_retries() {
    let codes = [
        "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
        "com.amazonaws.dynamodb.v20120810#RequestLimitExceeded",
        "com.amazon.coral.availability#ThrottlingException",
    ];
    for code in codes {
        let service = CannedService::new([Canned::error(400, code)]);
        let result = service.store().get(Table::Social, &key("a"), Consistency::Eventual).await;
        assert!(matches!(result, Err(StoreError::Throttled)), "{code}: {result:?}");
        assert_eq!(service.calls().len(), 1, "the SDK does not retry");
    }
}

#[tokio::test]
async fn internal_failures_and_lost_answers_are_unavailable() {
    let answers =
        [Canned::error(500, "InternalServerError"), Canned::error(503, "SomethingNew"), Canned::Lost, Canned::TimedOut];
    for answer in answers {
        let service = CannedService::new([answer.clone()]);
        let result = service.store().write(Table::Social, Write::create(Item::new(key("a")))).await;
        let Err(error @ StoreError::Unavailable(_)) = result else { panic!("{answer:?}: {result:?}") };
        assert!(std::error::Error::source(&error).is_some());
        assert_eq!(service.calls().len(), 1, "the adapter never resends a conditional write");
    }
}

#[tokio::test]
async fn permanent_errors_are_rejected() {
    for code in ["ValidationException", "ResourceNotFoundException", "AccessDeniedException"] {
        let service = CannedService::new([Canned::error(400, code)]);
        let result = service.store().get(Table::Social, &key("a"), Consistency::Eventual).await;
        assert!(matches!(result, Err(StoreError::Rejected(_))), "{code}: {result:?}");
    }
}

#[tokio::test]
async fn a_table_without_a_name_is_rejected() {
    let service = CannedService::default();
    let client = testkit::engines::dynamo().await.client;
    let store = aws::DynamoStore::new(&client, aws::TableNames::default());
    let result = store.get(Table::Auth, &key("a"), Consistency::Eventual).await;
    let Err(StoreError::Rejected(cause)) = result else { panic!("{result:?}") };
    assert_eq!(cause.to_string(), "the auth table has no configured name");
    assert!(service.calls().is_empty());
}

#[tokio::test]
async fn cancellation_reasons_decide_a_transactions_outcome() {
    let transact =
        async |codes: &[&str]| CannedService::new([cancelled(codes)]).store().transact(creates(&["a", "b"])).await;
    let refused = transact(&["None", "ConditionalCheckFailed"]).await;
    assert_eq!(refused.unwrap(), Outcome::Refused(vec![1]));
    let conflict = transact(&["ConditionalCheckFailed", "TransactionConflict"]).await;
    assert!(matches!(conflict, Err(StoreError::Conflict)), "{conflict:?}");
    let throttled = transact(&["ThrottlingError", "None"]).await;
    assert!(matches!(throttled, Err(StoreError::Throttled)), "{throttled:?}");
    let wrong = transact(&["None", "ValidationError"]).await;
    assert!(matches!(wrong, Err(StoreError::Rejected(_))), "{wrong:?}");
}

#[tokio::test]
async fn a_lost_transaction_is_resent_with_its_token() {
    let in_progress = Canned::error(400, "com.amazonaws.dynamodb.v20120810#TransactionInProgressException");
    let service = CannedService::new([Canned::Lost, in_progress, Canned::ok(json!({}))]);
    assert_eq!(service.store().transact(creates(&["a"])).await.unwrap(), Outcome::Applied);
    let tokens: Vec<_> = service.calls().iter().map(|(_, body)| body["ClientRequestToken"].clone()).collect();
    assert_eq!(tokens.len(), 3);
    assert!(tokens[0].is_string() && tokens.iter().all(|token| *token == tokens[0]));
}

#[tokio::test]
async fn a_transaction_is_resent_at_most_twice() {
    let service = CannedService::new([Canned::Lost, Canned::TimedOut, Canned::Lost, Canned::ok(json!({}))]);
    let result = service.store().transact(creates(&["a"])).await;
    assert!(matches!(result, Err(StoreError::Unavailable(_))), "{result:?}");
    assert_eq!(service.calls().len(), 3);
    let service = CannedService::new([Canned::error(400, "ThrottlingException")]);
    assert!(matches!(service.store().transact(creates(&["a"])).await, Err(StoreError::Throttled)));
    assert_eq!(service.calls().len(), 1);
}

#[tokio::test]
async fn two_transactions_have_two_tokens() {
    let service = CannedService::new([Canned::ok(json!({})), Canned::ok(json!({}))]);
    for _ in 0..2 {
        assert!(service.store().transact(creates(&["a"])).await.unwrap().is_applied());
    }
    let calls = service.calls();
    assert_ne!(calls[0].1["ClientRequestToken"], calls[1].1["ClientRequestToken"]);
}

#[tokio::test]
async fn an_item_of_another_form_is_malformed() {
    let item = json!({ "PK": { "S": "p" }, "SK": { "S": "a" }, "list": { "L": [] } });
    let service = CannedService::new([Canned::ok(json!({ "Item": item }))]);
    let result = service.store().get(Table::Social, &key("a"), Consistency::Strong).await;
    assert!(matches!(result, Err(StoreError::Malformed(_))), "{result:?}");
}

#[tokio::test]
async fn a_short_page_has_a_cursor() {
    let body = json!({ "Items": [], "LastEvaluatedKey": dynamo_key("m") });
    let service = CannedService::new([Canned::ok(body)]);
    let query = ports::store::Query {
        table: Table::Feed,
        partition: "p".to_owned(),
        range: ports::store::SortRange::All,
        order: ports::store::Order::Descending,
        start_after: Some("z".to_owned()),
        limit: Some(20),
        consistency: Consistency::Strong,
        projection: ports::store::Projection::All,
    };
    let page = service.store().query(&query).await.unwrap();
    assert_eq!((page.items, page.next.as_deref()), (vec![], Some("m")));
    let asked = &service.calls()[0].1;
    assert_eq!(asked["ExclusiveStartKey"], dynamo_key("z"));
    assert_eq!(
        (&asked["Limit"], &asked["ScanIndexForward"], &asked["ConsistentRead"]),
        (&json!(20), &json!(false), &json!(true))
    );
}

#[tokio::test]
async fn invalid_requests_cost_no_call() {
    let service = CannedService::default();
    let store = service.store();
    let writes: Vec<_> = (0..=MAX_BATCH_WRITE).map(|n| BatchWrite::Delete(key(&n.to_string()))).collect();
    assert!(matches!(store.batch_write(Table::Feed, &writes).await, Err(StoreError::Rejected(_))));
    let check = Write::Check { key: key("a"), condition: Condition::Absent };
    assert!(matches!(store.write(Table::Feed, check).await, Err(StoreError::Rejected(_))));
    assert!(service.calls().is_empty());
}
