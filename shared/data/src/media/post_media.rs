//! The pictures of a post, as one text attribute of its item: a page shows them without another call.

use serde::{Deserialize, Serialize};

use domain::{MediaDescription, MediaId, Picture, PostMedia};
use ports::store::MalformedItem;

/// Names are short because every read of the post pays for them.
#[derive(Serialize, Deserialize)]
struct Entry {
    id: MediaId,
    token: String,
    #[serde(rename = "type")]
    content_type: String,
    #[serde(rename = "w")]
    width: u32,
    #[serde(rename = "h")]
    height: u32,
    #[serde(rename = "blur")]
    blurhash: String,
    #[serde(rename = "alt", default, skip_serializing_if = "String::is_empty")]
    description: String,
}

/// The attribute's text.
pub fn encode(media: &[PostMedia]) -> String {
    let entries: Vec<Entry> = media.iter().map(Entry::of).collect();
    serde_json::to_string(&entries).expect("texts and numbers serialise")
}

/// Reads [`encode`].
///
/// # Errors
/// When the text has another form.
pub fn decode(text: &str) -> Result<Vec<PostMedia>, MalformedItem> {
    let entries: Vec<Entry> = serde_json::from_str(text).map_err(|_| MALFORMED)?;
    entries.into_iter().map(Entry::read).collect()
}

const MALFORMED: MalformedItem = MalformedItem { attribute: "media" };

impl Entry {
    fn of(media: &PostMedia) -> Self {
        Self {
            id: media.media_id,
            token: media.token.to_string(),
            content_type: media.content_type.as_str().to_owned(),
            width: media.picture.width,
            height: media.picture.height,
            blurhash: media.picture.blurhash.clone(),
            description: media.description.as_str().to_owned(),
        }
    }

    fn read(self) -> Result<PostMedia, MalformedItem> {
        Ok(PostMedia {
            media_id: self.id,
            token: self.token.parse().map_err(|_| MALFORMED)?,
            content_type: self.content_type.parse().map_err(|_| MALFORMED)?,
            description: MediaDescription::from_stored(self.description),
            picture: Picture { width: self.width, height: self.height, blurhash: self.blurhash },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use domain::{MediaToken, MediaType};

    fn picture(id: u128, description: &str) -> PostMedia {
        PostMedia {
            media_id: MediaId::from_uuid(uuid::Uuid::from_u128(id)),
            token: MediaToken::random(),
            content_type: MediaType::WebP,
            description: MediaDescription::from_stored(description.to_owned()),
            picture: Picture { width: 3, height: 2, blurhash: "LEHV6nWB2yk8pyo0adR*.7kCMdnj".to_owned() },
        }
    }

    #[test]
    fn pictures_read_back_in_their_order() {
        let all = [picture(2, "a \"crab\"\n🦀"), picture(1, "")];
        assert_eq!(decode(&encode(&all)).unwrap(), all);
        assert!(encode(&all[1..]).len() < 220, "{}", encode(&all[1..]));
        for text in ["", "{}", "[{}]", &encode(&all).replace("image/webp", "text/html")] {
            assert_eq!(decode(text), Err(MALFORMED), "{text}");
        }
    }
}
