//! What travels on the queues: JSON, tagged by `type` and versioned by `v`. A retired version stays readable until the
//! queues are drained of it.

use serde::{Deserialize, Serialize};

use crate::domain::{PostId, UserId};

/// A body that is no message of a version we know.
#[derive(Debug, thiserror::Error)]
#[error("the message cannot be read")]
pub struct UndecodableMessage(#[from] serde_json::Error);

/// The version that is written. There is no other yet.
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

/// On PostQ: fan this post out. Where to go on from stands in the outbox entry, not here, so that a message delivered
/// late does no work twice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FanOutMessage {
    /// Says what it is; serde's own tag of a struct is written but not checked.
    #[serde(rename = "type")]
    pub tag: FanOutTag,
    /// Version 1.
    pub v: V1,
    /// The post.
    pub post_id: PostId,
    /// Its author.
    pub author_id: UserId,
    /// The outbox entry's generation this message belongs to; one of an earlier generation is dropped.
    pub generation: u32,
    /// How often the fan-out was continued by a message of its own, bounded against loops.
    #[serde(default)]
    pub hop: u32,
}

/// On JobQ: put this post into these readers' feeds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FeedJob {
    /// Says what it is.
    #[serde(rename = "type")]
    pub tag: FeedJobTag,
    /// Version 1.
    pub v: V1,
    /// The post.
    pub post_id: PostId,
    /// Its author.
    pub author_id: UserId,
    /// The readers: 1 to [`crate::limits::FOLLOWERS_PER_JOB`].
    pub followers: Vec<UserId>,
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

json_message!(FanOutMessage, FeedJob);

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

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
    fn a_message_says_its_type_and_version() {
        assert_eq!(
            job().encode(),
            r#"{"type":"deliver","v":1,"post_id":"00000000-0000-0000-0000-000000000001","author_id":"00000000-0000-0000-0000-000000000002","followers":["00000000-0000-0000-0000-000000000003"]}"#
        );
        assert_eq!(FeedJob::decode(&job().encode()).unwrap(), job());
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
