//! Sets up tables and queues on the DynamoDB and SQS APIs.

use aws::setup;
use aws_sdk_dynamodb::types::TimeToLiveStatus;
use ports::{
    queue::{QueueName, QueueSettings},
    store::{EXPIRES_AT, Table},
};
use testkit::engines;

#[tokio::test]
async fn tables_are_created_once_with_expiry() {
    let engine = engines::dynamo().await;
    let again = setup::create_tables(&engine.client, &engine.tables).await.unwrap();
    assert!(again.iter().all(|table| !table.made && !table.expiry_set), "{again:?}");

    let other = engine.tables.clone().with(Table::Social, "another-social");
    let tables = setup::create_tables(&engine.client, &other).await.unwrap();
    let made: Vec<_> = tables.iter().filter(|table| table.made && table.expiry_set).map(|table| &table.name).collect();
    assert_eq!(made, ["another-social"]);
    let answer = engine.client.describe_time_to_live().table_name("another-social").send().await.unwrap();
    let expiry = answer.time_to_live_description.unwrap();
    assert_eq!(expiry.attribute_name.as_deref(), Some(EXPIRES_AT));
    assert_eq!(expiry.time_to_live_status, Some(TimeToLiveStatus::Enabled));
}

#[tokio::test]
async fn setup_enables_expiry_of_an_existing_table() {
    let engine = engines::dynamo().await;
    // As earlier versions set it up: entries did not expire.
    let off = aws_sdk_dynamodb::types::TimeToLiveSpecification::builder()
        .attribute_name(EXPIRES_AT)
        .enabled(false)
        .build()
        .unwrap();
    let feed = engine.tables.get(Table::Feed).unwrap();
    engine.client.update_time_to_live().table_name(feed).time_to_live_specification(off).send().await.unwrap();

    let tables = setup::create_tables(&engine.client, &engine.tables).await.unwrap();
    let switched: Vec<_> = tables.iter().filter(|table| table.expiry_set).map(|table| table.table).collect();
    assert_eq!(switched, [Table::Feed]);
    assert!(tables.iter().all(|table| !table.made));
    let answer = engine.client.describe_time_to_live().table_name(feed).send().await.unwrap();
    let status = answer.time_to_live_description.and_then(|it| it.time_to_live_status);
    assert_eq!(status, Some(TimeToLiveStatus::Enabled));
}

#[tokio::test]
async fn queues_are_created_once_with_their_prefix() {
    let engine = engines::sqs(|_| QueueSettings::default()).await;
    let set_up = || setup::set_up_queues(&engine.client, "town-", |_| QueueSettings::default());
    let (first, second) = (set_up().await.unwrap(), set_up().await.unwrap());
    assert!(first.iter().all(|queue| queue.made) && second.iter().all(|queue| !queue.made), "{first:?} {second:?}");
    assert_eq!(first.len(), QueueName::ALL.len());
    assert!(first.iter().zip(&second).all(|(first, second)| first.url == second.url));
    assert!(first.iter().any(|queue| queue.name == "town-JobDLQ"), "{first:?}");
}
