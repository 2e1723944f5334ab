//! The queue messages: JSON, tagged by `type` and versioned by `v`. A retired version stays readable until the queues
//! are drained of it.

use serde::{Deserialize, Serialize};

use crate::keys::blobs;
use domain::{MediaId, PostId, UserId};
use ports::{
    changes::Change,
    store::{Attributes, Key},
};

/// A body that is not a message of a known version.
#[derive(Debug, thiserror::Error)]
#[error("the message cannot be read")]
pub struct UndecodableMessage(#[from] serde_json::Error);

/// The version that is written; the only one so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct V1;

impl Serialize for V1 {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u8(1)
    }
}

impl<'de> Deserialize<'de> for V1 {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match u8::deserialize(deserializer)? {
            1 => Ok(Self),
            other => Err(serde::de::Error::custom(format_args!("version {other} is not known"))),
        }
    }
}

/// The `type` of a [`FanOutMessage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum FanOutTag {
    /// Fan a post out.
    #[default]
    #[serde(rename = "fan_out")]
    FanOut,
}

/// The `type` of a [`FeedJob`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum FeedJobTag {
    /// Deliver a post into feeds.
    #[default]
    #[serde(rename = "deliver")]
    Deliver,
}

/// The `type` of a [`ChangeMessage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum ChangeTag {
    /// Apply a change.
    #[default]
    #[serde(rename = "change")]
    Change,
}

/// The `type` of an [`UploadMessage`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum UploadTag {
    /// Process an upload.
    #[default]
    #[serde(rename = "uploaded")]
    Uploaded,
}

/// On PostQ: fan this post out. The cursor is in the outbox entry, not here, so that a late redelivery repeats no work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FanOutMessage {
    /// The message type; serde's own tag of a struct is written but not checked.
    #[serde(rename = "type")]
    pub tag: FanOutTag,
    /// Version 1.
    pub v: V1,
    /// The post.
    pub post_id: PostId,
    /// Its author.
    pub author_id: UserId,
    /// The outbox entry's generation that this message belongs to; messages of earlier generations are dropped.
    pub generation: u32,
    /// The number of continuation messages of this fan-out so far, bounded against loops.
    #[serde(default)]
    pub hop: u32,
}

/// On JobQ: add this post to these readers' feeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedJob {
    /// The message type.
    #[serde(rename = "type")]
    pub tag: FeedJobTag,
    /// Version 1.
    pub v: V1,
    /// The post.
    pub post_id: PostId,
    /// Its author.
    pub author_id: UserId,
    /// The readers: 1 to [`domain::limits::FOLLOWERS_PER_JOB`].
    pub followers: Vec<UserId>,
}

/// On ChangeDLQ: a change that could not be applied, with everything needed to retry. On ChangeQ: retry it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeMessage {
    /// The message type.
    #[serde(rename = "type")]
    pub tag: ChangeTag,
    /// Version 1.
    pub v: V1,
    /// The change's id.
    pub id: String,
    /// The item's key.
    pub key: Key,
    /// The item's attributes before the change.
    pub before: Option<Attributes>,
    /// The item's attributes after the change.
    pub after: Option<Attributes>,
    /// The reason why it was not applied, for operators.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub error: String,
}

impl ChangeMessage {
    /// The message of a change that was not applied for this reason.
    pub fn of(change: Change, error: String) -> Self {
        let Change { id, key, before, after } = change;
        Self { tag: ChangeTag::Change, v: V1, id, key, before, after, error }
    }

    /// The change.
    pub fn into_change(self) -> Change {
        let Self { id, key, before, after, .. } = self;
        Change { id, key, before, after }
    }

    /// The message's body. Two characters that SQS accepts in no body are escaped here; JSON escapes the others.
    ///
    /// # Panics
    /// Never: texts and numbers under names that are texts always serialise.
    pub fn encode(&self) -> String {
        let json = serde_json::to_string(self).expect("texts and numbers under texts serialise");
        json.replace('\u{fffe}', "\\ufffe").replace('\u{ffff}', "\\uffff")
    }

    /// Reads a body.
    pub fn decode(body: &str) -> Result<Self, UndecodableMessage> {
        Ok(serde_json::from_str(body)?)
    }
}

/// On MediaQ: process this picture's upload.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct UploadMessage {
    /// The message type.
    #[serde(rename = "type")]
    pub tag: UploadTag,
    /// Version 1.
    pub v: V1,
    /// The picture.
    pub media_id: MediaId,
}

impl UploadMessage {
    /// The message about this picture.
    pub const fn of(media_id: MediaId) -> Self {
        Self { tag: UploadTag::Uploaded, v: V1, media_id }
    }
}

/// A body on MediaQ: our own, or an event notification of S3
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html>).
#[derive(Deserialize)]
#[serde(untagged)]
enum UploadBody {
    Own(UploadMessage),
    Event {
        #[serde(rename = "Records")]
        records: Vec<S3Record>,
    },
    /// Sent once, when the notification is configured.
    Test {
        #[serde(rename = "Event")]
        _event: S3TestEvent,
    },
}

#[derive(Deserialize)]
enum S3TestEvent {
    #[serde(rename = "s3:TestEvent")]
    Test,
}

#[derive(Deserialize)]
struct S3Record {
    s3: S3Entity,
}

#[derive(Deserialize)]
struct S3Entity {
    object: S3Object,
}

#[derive(Deserialize)]
struct S3Object {
    #[serde(deserialize_with = "uploaded_media")]
    key: MediaId,
}

/// Reads an upload's key. S3 encodes keys as in URLs, which changes no character of ours.
fn uploaded_media<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<MediaId, D::Error> {
    let key = String::deserialize(deserializer)?;
    blobs::media_of_upload(&key).map_err(serde::de::Error::custom)
}

/// Reads a body on MediaQ: the pictures whose uploads have arrived.
pub fn decode_uploads(body: &str) -> Result<Vec<MediaId>, UndecodableMessage> {
    Ok(match serde_json::from_str(body)? {
        UploadBody::Own(message) => vec![message.media_id],
        UploadBody::Event { records } => records.into_iter().map(|record| record.s3.object.key).collect(),
        UploadBody::Test { .. } => Vec::new(),
    })
}

macro_rules! json_message {
    ($($message:ident),*) => {$(
        impl $message {
            /// The message's body.
            ///
            /// # Panics
            /// Never: a struct of ids and numbers always serialises.
            pub fn encode(&self) -> String {
                serde_json::to_string(self).expect("a struct of ids and numbers serialises")
            }

            /// Reads a body.
            pub fn decode(body: &str) -> Result<Self, UndecodableMessage> {
                Ok(serde_json::from_str(body)?)
            }
        }
    )*};
}

json_message!(FanOutMessage, FeedJob, UploadMessage);

#[cfg(test)]
mod tests {
    use proptest::{collection::btree_map, option, prelude::*};
    use uuid::Uuid;

    use super::*;
    use ports::store::{Item, Value};

    fn value() -> impl Strategy<Value = Value> {
        prop_oneof![
            any::<String>().prop_map(Value::S),
            any::<i64>().prop_map(Value::N),
            any::<bool>().prop_map(Value::Bool),
            any::<Vec<u8>>().prop_map(|bytes| Value::B(bytes.into())),
        ]
    }

    fn image() -> impl Strategy<Value = Option<Attributes>> {
        option::of(btree_map(any::<String>().prop_map(Into::into), value(), 0..4))
    }

    proptest! {
        #[test]
        fn a_change_reads_back_from_its_message(
            id: String, partition: String, sort: String, before in image(), after in image(), error: String,
        ) {
            let change = Change { id, key: Key { partition, sort }, before, after };
            let body = ChangeMessage::of(change.clone(), error).encode();
            prop_assert_eq!(ChangeMessage::decode(&body).unwrap().into_change(), change);
        }
    }

    #[test]
    fn a_change_is_written_as_dynamodb_writes_items() {
        let key = Key { partition: "POST#p".to_owned(), sort: "POST".to_owned() };
        let after = Item::new(key.clone()).with("text", "a\u{ffff}").with("n", 7).with("gone", true);
        let mut after = after.attributes;
        after.insert("bytes".into(), Value::B(vec![0, 1].into()));
        let change = Change { id: "c.1".to_owned(), key, before: None, after: Some(after) };
        assert_eq!(
            ChangeMessage::of(change, "why".to_owned()).encode(),
            r#"{"type":"change","v":1,"id":"c.1","key":{"PK":"POST#p","SK":"POST"},"before":null,"after":{"bytes":{"B":"AAE="},"gone":{"BOOL":true},"n":{"N":"7"},"text":{"S":"a\uffff"}},"error":"why"}"#
        );
    }

    fn job() -> FeedJob {
        FeedJob {
            tag: FeedJobTag::Deliver,
            v: V1,
            post_id: PostId::from_uuid(Uuid::from_u128(1)),
            author_id: UserId::from_uuid(Uuid::from_u128(2)),
            followers: vec![UserId::from_uuid(Uuid::from_u128(3))],
        }
    }

    #[test]
    fn a_message_has_its_type_and_version() {
        assert_eq!(
            job().encode(),
            r#"{"type":"deliver","v":1,"post_id":"00000000-0000-0000-0000-000000000001","author_id":"00000000-0000-0000-0000-000000000002","followers":["00000000-0000-0000-0000-000000000003"]}"#
        );
        assert_eq!(FeedJob::decode(&job().encode()).unwrap(), job());
    }

    fn media() -> MediaId {
        MediaId::from_uuid(Uuid::from_u128(1))
    }

    #[test]
    fn an_upload_is_announced_by_us_or_by_s3() {
        let own = r#"{"type":"uploaded","v":1,"media_id":"00000000-0000-0000-0000-000000000001"}"#;
        assert_eq!(UploadMessage::of(media()).encode(), own);
        assert_eq!(decode_uploads(own).unwrap(), [media()]);
        let event = r#"{"Records":[{"eventVersion":"2.1","eventSource":"aws:s3","eventName":"ObjectCreated:Put",
            "s3":{"bucket":{"name":"uploads"},"object":{"key":"uploads/00000000-0000-0000-0000-000000000001","size":5}}}]}"#;
        assert_eq!(decode_uploads(event).unwrap(), [media()]);
        let test = r#"{"Service":"Amazon S3","Event":"s3:TestEvent","Bucket":"uploads"}"#;
        assert_eq!(decode_uploads(test).unwrap(), []);
    }

    #[test]
    fn another_body_announces_no_upload() {
        let own = UploadMessage::of(media()).encode();
        for body in [
            own.replace("\"v\":1", "\"v\":2"),
            own.replace("uploaded", "deliver"),
            r#"{"Records":[{"s3":{"object":{"key":"media/x/medium.jpg"}}}]}"#.to_owned(),
            r#"{"Event":"s3:Other"}"#.to_owned(),
            "{}".to_owned(),
        ] {
            assert!(decode_uploads(&body).is_err(), "{body}");
        }
    }

    #[test]
    fn another_type_or_version_is_undecodable() {
        for body in [
            job().encode().replace("\"v\":1", "\"v\":2"),
            job().encode().replace("deliver", "fan_out"),
            "{}".to_owned(),
            "not json".to_owned(),
        ] {
            assert!(FeedJob::decode(&body).is_err(), "{body}");
        }
    }
}
