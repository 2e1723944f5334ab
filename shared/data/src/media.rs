//! Pictures: their progress, and the only place that shows each.
//!
//! An erased picture leaves a mark with its token for [`domain::limits::MEDIA_ERASED_AGAIN_AFTER`], without its owner: a
//! handler in flight may still write its files, and only the token leads to them.

pub mod post_media;

use std::collections::HashMap;

use super::page_from;
use crate::{DELETED_AT, Db, Erasures, Writes, keys};
use domain::{
    Attachment, Media, MediaDescription, MediaId, MediaState, MediaToken, MediaType, Page, Picture, Timestamp, UserId,
    limits,
};
use ports::store::{
    Changes, Condition, Consistency, Item, Key, MalformedItem, Outcome, Projection, Query, Retrying, StoreError, Table,
    Test, Write,
};

mod attr {
    pub const OWNER_ID: &str = "owner_id";
    pub const TOKEN: &str = "token";
    pub const CONTENT_TYPE: &str = "content_type";
    pub const BYTES: &str = "bytes";
    pub const DESCRIPTION: &str = "description";
    pub const STATE: &str = "state";
    pub const WIDTH: &str = "width";
    pub const HEIGHT: &str = "height";
    pub const BLURHASH: &str = "blurhash";
    pub const REASON: &str = "reason";
    pub const ATTACHED: &str = "attached";
    pub const ERASED_FROM: &str = "erased_from";
}

mod state {
    pub const AWAITING_UPLOAD: &str = "awaiting_upload";
    pub const PROCESSING: &str = "processing";
    pub const READY: &str = "ready";
    pub const REJECTED: &str = "rejected";
}

/// The value of [`attr::ATTACHED`] for a profile; for a post it is the post's id.
const PROFILE: &str = "profile";

/// A stored picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoredMedia {
    /// It exists for its owner.
    Live(Box<Media>),
    /// It is being erased.
    Erased(ErasedMedia),
}

/// The mark of an erased picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ErasedMedia {
    /// The picture.
    pub media_id: MediaId,
    /// The token that leads to its files.
    pub token: MediaToken,
    /// When it was marked.
    pub deleted_at: Timestamp,
}

impl StoredMedia {
    /// The picture, unless it is being erased.
    pub fn live(self) -> Option<Media> {
        match self {
            Self::Live(media) => Some(*media),
            Self::Erased(_) => None,
        }
    }
}

/// Pictures, in Social.
#[derive(Debug, Clone)]
pub struct MediaItems {
    store: Retrying,
}

impl MediaItems {
    /// Pictures in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// A picture. Read consistently.
    pub async fn get(&self, media: MediaId) -> Result<Option<StoredMedia>, StoreError> {
        let item = self.store.get(Table::Social, &keys::media(media), Consistency::Strong).await?;
        Ok(item.map(|item| stored_from(media, &item)).transpose()?)
    }

    /// The stored pictures among these, by id. Read consistently.
    pub async fn get_all(&self, media: &[MediaId]) -> Result<HashMap<MediaId, StoredMedia>, StoreError> {
        let of_key: HashMap<Key, MediaId> = media.iter().map(|media| (keys::media(*media), *media)).collect();
        let wanted: Vec<Key> = of_key.keys().cloned().collect();
        let items = self.store.get_all(Table::Social, &wanted, Consistency::Strong).await?;
        let found = items.iter().filter_map(|item| Some((*of_key.get(&item.key)?, item)));
        Ok(found.map(|(media, item)| Ok((media, stored_from(media, item)?))).collect::<Result<_, MalformedItem>>()?)
    }

    /// The ids of a user's pictures, oldest first. Read consistently.
    pub async fn page_of_owner(
        &self,
        owner: UserId,
        after: Option<MediaId>,
        limit: u32,
    ) -> Result<Page<MediaId, MediaId>, StoreError> {
        let query = Query {
            start_after: after.map(|media| media.to_string()),
            limit: Some(limit),
            projection: Projection::Keys,
            ..Query::all_of(Table::Social, keys::media_partition(owner))
        };
        page_from(self.store.query(&query).await?, Item::parsed_sort)
    }

    /// The writes that announce a picture, and schedule its erasure: first to look for a lost upload
    /// ([`limits::LOST_UPLOAD_AFTER`]).
    pub fn creation(media: &Media) -> Writes {
        let item = Item::new(keys::media(media.media_id))
            .with(attr::OWNER_ID, media.owner.to_string())
            .with(attr::TOKEN, media.token.to_string())
            .with(attr::CONTENT_TYPE, media.content_type.as_str())
            .with(attr::BYTES, media.bytes.cast_signed())
            .with(attr::DESCRIPTION, media.description.as_str())
            .with(attr::STATE, state::AWAITING_UPLOAD)
            .with(attr::ERASED_FROM, millis(media.erased_from));
        let of_owner = Item::new(keys::media_of(media.owner, media.media_id));
        let look_at = media.media_id.created_at().plus(limits::LOST_UPLOAD_AFTER);
        Writes::to(Table::Social, [Write::put(item), Write::put(of_owner)])
            .and(Erasures::schedule_media(media.media_id, look_at))
    }

    /// Replaces the description. Refused when the picture is attached differently by now, or erased. Idempotent.
    pub async fn describe(&self, media: &Media, description: &MediaDescription) -> Result<Outcome, StoreError> {
        let set = [(attr::DESCRIPTION.into(), description.as_str().into())].into();
        let tests = vec![is_of(media.owner), is_attached(media.attached)];
        self.update(media.media_id, Changes { set, ..Changes::default() }, tests).await
    }

    /// Records that processing began. Refused unless the upload was awaited.
    pub async fn begin_processing(&self, media: MediaId) -> Result<Outcome, StoreError> {
        let set = [(attr::STATE.into(), state::PROCESSING.into())].into();
        self.update(media, Changes { set, ..Changes::default() }, vec![is_in(state::AWAITING_UPLOAD)]).await
    }

    /// Records that the three sizes are stored, and the type of the upload by its bytes. Refused unless the picture was
    /// being processed.
    pub async fn finish(
        &self,
        media: MediaId,
        content_type: MediaType,
        picture: &Picture,
    ) -> Result<Outcome, StoreError> {
        let set = [
            (attr::STATE.into(), state::READY.into()),
            (attr::CONTENT_TYPE.into(), content_type.as_str().into()),
            (attr::WIDTH.into(), i64::from(picture.width).into()),
            (attr::HEIGHT.into(), i64::from(picture.height).into()),
            (attr::BLURHASH.into(), picture.blurhash.as_str().into()),
        ];
        let changes = Changes { set: set.into(), ..Changes::default() };
        self.update(media, changes, vec![is_in(state::PROCESSING)]).await
    }

    /// Records that the upload cannot be used. Refused unless the picture was being processed.
    pub async fn reject(&self, media: MediaId, reason: &str) -> Result<Outcome, StoreError> {
        let set = [(attr::STATE.into(), state::REJECTED.into()), (attr::REASON.into(), reason.into())].into();
        self.update(media, Changes { set, ..Changes::default() }, vec![is_in(state::PROCESSING)]).await
    }

    /// The write that attaches a picture, for the transaction that shows it. Refused unless it is as it was read: the
    /// owner's, ready, in no other place and with this description.
    pub fn attachment(media: &Media, place: Attachment) -> Writes {
        let set = [(attr::ATTACHED.into(), attached_text(place).into())].into();
        let described = Test::Equals(attr::DESCRIPTION, media.description.as_str().into());
        let tests = vec![is_of(media.owner), is_in(state::READY), Test::Missing(attr::ATTACHED), described];
        update_of(media.media_id, Changes { set, ..Changes::default() }, tests)
    }

    /// The writes that detach a picture from its owner's profile, and schedule its erasure from `erased_from` on.
    pub fn detachment(media: MediaId, erased_from: Timestamp) -> Writes {
        let set = [(attr::ERASED_FROM.into(), millis(erased_from).into())].into();
        let changes = Changes { set, remove: vec![attr::ATTACHED], ..Changes::default() };
        let tests = vec![is_attached(Some(Attachment::Profile))];
        update_of(media, changes, tests).and(Erasures::schedule_media(media, erased_from))
    }

    /// The writes that replace a picture by the mark of its erasure, which names no user. Refused when it is attached
    /// differently by now, or marked.
    pub fn marking(media: &Media, now: Timestamp) -> Writes {
        let changes = Changes {
            set: [(DELETED_AT.into(), millis(now).into())].into(),
            remove: vec![attr::OWNER_ID, attr::DESCRIPTION, attr::ATTACHED, attr::REASON, attr::BLURHASH],
            ..Changes::default()
        };
        let tests = vec![is_of(media.owner), is_attached(media.attached)];
        let of_owner = keys::media_of(media.owner, media.media_id);
        update_of(media.media_id, changes, tests).and(Writes::deleting(Table::Social, [of_owner]))
    }

    /// The write that removes the mark of an erased picture.
    pub fn erasure(media: MediaId) -> Writes {
        Writes::deleting(Table::Social, [keys::media(media)])
    }

    /// The write that removes a picture from its owner's list: for one that no longer exists.
    pub fn list_erasure(owner: UserId, media: MediaId) -> Writes {
        Writes::deleting(Table::Social, [keys::media_of(owner, media)])
    }

    async fn update(&self, media: MediaId, changes: Changes, tests: Vec<Test>) -> Result<Outcome, StoreError> {
        let write = Write::Update { key: keys::media(media), changes, condition: where_live(tests) };
        self.store.write(Table::Social, write).await
    }
}

fn update_of(media: MediaId, changes: Changes, tests: Vec<Test>) -> Writes {
    let write = Write::Update { key: keys::media(media), changes, condition: where_live(tests) };
    Writes::to(Table::Social, [write])
}

fn where_live(mut tests: Vec<Test>) -> Condition {
    tests.push(Test::Missing(DELETED_AT));
    Condition::Where(tests)
}

fn is_of(owner: UserId) -> Test {
    Test::Equals(attr::OWNER_ID, owner.to_string().into())
}

fn is_in(state: &'static str) -> Test {
    Test::Equals(attr::STATE, state.into())
}

fn is_attached(place: Option<Attachment>) -> Test {
    match place {
        Some(place) => Test::Equals(attr::ATTACHED, attached_text(place).into()),
        None => Test::Missing(attr::ATTACHED),
    }
}

fn attached_text(place: Attachment) -> String {
    match place {
        Attachment::Post(post) => post.to_string(),
        Attachment::Profile => PROFILE.to_owned(),
    }
}

fn attached_from(item: &Item) -> Result<Option<Attachment>, MalformedItem> {
    match item.text_if_any(attr::ATTACHED)? {
        None => Ok(None),
        Some(PROFILE) => Ok(Some(Attachment::Profile)),
        Some(_) => Ok(Some(Attachment::Post(item.parsed(attr::ATTACHED)?))),
    }
}

fn state_from(item: &Item) -> Result<MediaState, MalformedItem> {
    let side = |attribute| u32::try_from(item.number(attribute)?).map_err(|_| MalformedItem { attribute });
    match item.text(attr::STATE)? {
        state::AWAITING_UPLOAD => Ok(MediaState::AwaitingUpload),
        state::PROCESSING => Ok(MediaState::Processing),
        state::READY => Ok(MediaState::Ready(Picture {
            width: side(attr::WIDTH)?,
            height: side(attr::HEIGHT)?,
            blurhash: item.text(attr::BLURHASH)?.to_owned(),
        })),
        state::REJECTED => Ok(MediaState::Rejected(item.text(attr::REASON)?.to_owned())),
        _ => Err(MalformedItem { attribute: attr::STATE }),
    }
}

fn stored_from(media_id: MediaId, item: &Item) -> Result<StoredMedia, MalformedItem> {
    let token = item.parsed(attr::TOKEN)?;
    if let Some(deleted_at) = item.number_if_any(DELETED_AT)? {
        let deleted_at = Timestamp::from_millis(deleted_at.cast_unsigned());
        return Ok(StoredMedia::Erased(ErasedMedia { media_id, token, deleted_at }));
    }
    Ok(StoredMedia::Live(Box::new(Media {
        media_id,
        owner: item.parsed(attr::OWNER_ID)?,
        token,
        content_type: item.parsed(attr::CONTENT_TYPE)?,
        bytes: item.number(attr::BYTES)?.cast_unsigned(),
        description: MediaDescription::from_stored(item.text(attr::DESCRIPTION)?.to_owned()),
        state: state_from(item)?,
        attached: attached_from(item)?,
        erased_from: Timestamp::from_millis(item.number(attr::ERASED_FROM)?.cast_unsigned()),
    })))
}

fn millis(at: Timestamp) -> i64 {
    at.as_millis().cast_signed()
}
