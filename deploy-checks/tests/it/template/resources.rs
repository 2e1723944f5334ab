//! Tables and queues.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::{AUTH, FEED, SOCIAL, set, template};

#[test]
fn tables_are_retained_encrypted_and_recoverable() {
    let template = template();
    let tables = template.resources_of_type("AWS::DynamoDB::Table");
    assert_eq!(tables.iter().copied().collect::<BTreeSet<_>>(), set(&[AUTH, SOCIAL, FEED]));
    for table in tables {
        let resource = &template.0["Resources"][table];
        let kept = json!({"Fn::If": ["IsProd", "Retain", "Delete"]});
        assert_eq!((&resource["DeletionPolicy"], &resource["UpdateReplacePolicy"]), (&kept, &kept), "{table}");
        let properties = &resource["Properties"];
        assert_eq!(properties["DeletionProtectionEnabled"], json!({"Fn::If": ["IsProd", true, false]}), "{table}");
        assert_eq!(properties["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"], true, "{table}");
        assert_eq!(properties["SSESpecification"]["SSEEnabled"], true, "{table}");
        assert_eq!(properties["BillingMode"], "PAY_PER_REQUEST", "{table}");
        assert_eq!(properties["TableName"], Value::Null, "{table}: a fixed name cannot be replaced");
    }
}

#[test]
fn tables_have_the_stores_keys_and_expiry() {
    let template = template();
    for table in [AUTH, SOCIAL, FEED] {
        let properties = template.properties(table);
        let key = json!([{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}]);
        assert_eq!(properties["KeySchema"], key, "{table}");
        let expiry = json!({"AttributeName": ports::store::EXPIRES_AT, "Enabled": true});
        assert_eq!(properties["TimeToLiveSpecification"], expiry, "{table}");
    }
    let feed = template.properties(FEED);
    let price_of_a_delivery =
        [&feed["GlobalSecondaryIndexes"], &feed["LocalSecondaryIndexes"], &feed["StreamSpecification"]];
    assert_eq!(price_of_a_delivery, [&Value::Null; 3], "an index or a stream would double the price of a delivery");
}

#[test]
fn every_queue_is_encrypted() {
    let template = template();
    for queue in template.resources_of_type("AWS::SQS::Queue") {
        assert_eq!(template.properties(queue)["SqsManagedSseEnabled"], true, "{queue}");
    }
}
