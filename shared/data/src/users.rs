//! Users: profiles and the claims of their handles.
//!
//! The profile of a deleted account is marked, and erased after all other data of the user. No read returns a marked
//! profile. The claim of its handle stays, without the user's id, until it expires, so that no other user can take the
//! handle.

use std::collections::HashMap;

use super::Readers;
use crate::{DELETED_AT, Db, Writes, keys};
use domain::{Avatar, Bio, DisplayName, Handle, Profile, Timestamp, User, UserId, limits};
use ports::store::{
    Changes, Condition, Consistency, EXPIRES_AT, Item, MalformedItem, Outcome, Retrying, StoreError, Table, Test, Write,
};

mod attr {
    pub const USER_ID: &str = "user_id";
    pub const HANDLE: &str = "handle";
    pub const DISPLAY_NAME: &str = "display_name";
    pub const BIO: &str = "bio";
    pub const AVATAR_MEDIA_ID: &str = "avatar_media_id";
    pub const AVATAR_TOKEN: &str = "avatar_token";
    pub const CREATED_AT: &str = "created_at";
}

/// Profiles and handle claims, in Social.
#[derive(Debug, Clone)]
pub struct Users {
    store: Retrying,
}

impl Users {
    /// Users in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// One user's profile. Eventually consistent first; a missing profile is read again consistently, so that a new
    /// user is found.
    pub async fn get(&self, user: UserId) -> Result<Option<Profile>, StoreError> {
        match self.read(user, Consistency::Eventual).await? {
            Some(found) => Ok(found),
            None => self.get_own(user).await,
        }
    }

    /// One user's own profile. Read consistently, so that users see their own changes at once.
    pub async fn get_own(&self, user: UserId) -> Result<Option<Profile>, StoreError> {
        Ok(self.read(user, Consistency::Strong).await?.flatten())
    }

    /// A user's profile for `viewer`: read consistently when it is their own.
    pub async fn get_for(&self, viewer: UserId, user: UserId) -> Result<Option<Profile>, StoreError> {
        if viewer == user { self.get_own(user).await } else { self.get(user).await }
    }

    /// The stored item, and the profile in it unless it is marked deleted.
    async fn read(&self, user: UserId, consistency: Consistency) -> Result<Option<Option<Profile>>, StoreError> {
        let key = keys::profile(user);
        let item = self.store.get(Table::Social, &key, consistency).await?;
        Ok(item.map(|item| live_profile_from(user, &item)).transpose()?)
    }

    /// The existing profiles of these users, by id.
    pub async fn get_all(&self, users: &[UserId]) -> Result<HashMap<UserId, Profile>, StoreError> {
        let stored = super::get_all(&self.store, Table::Social, users, keys::profile, live_profile_from).await?;
        Ok(stored.into_iter().filter_map(|(user, profile)| Some((user, profile?))).collect())
    }

    /// The same for `viewer`, whose own profile is read consistently and concurrently.
    pub async fn get_all_for(&self, viewer: UserId, users: &[UserId]) -> Result<HashMap<UserId, Profile>, StoreError> {
        let others: Vec<UserId> = users.iter().copied().filter(|user| *user != viewer).collect();
        let own = async {
            let is_among = others.len() < users.len();
            if is_among { self.get_own(viewer).await } else { Ok(None) }
        };
        let (mut profiles, own) = futures::try_join!(self.get_all(&others), own)?;
        profiles.extend(own.map(|profile| (viewer, profile)));
        Ok(profiles)
    }

    /// Changes a user's profile; `None` keeps a value. Refused when the user does not exist. Idempotent.
    pub async fn update(
        &self,
        user: UserId,
        display_name: Option<&DisplayName>,
        bio: Option<&Bio>,
    ) -> Result<Outcome, StoreError> {
        let write = Write::Update {
            key: keys::profile(user),
            changes: text_changes(display_name, bio),
            condition: Condition::Where(vec![Test::Missing(DELETED_AT)]),
        };
        self.store.write(Table::Social, write).await
    }

    /// The write of [`Self::update`] that also replaces the picture `was` by `avatar`. Refused when the user does not
    /// exist or has another picture by now.
    pub fn avatar_update(
        user: UserId,
        display_name: Option<&DisplayName>,
        bio: Option<&Bio>,
        was: Option<Avatar>,
        avatar: Option<Avatar>,
    ) -> Writes {
        let mut changes = text_changes(display_name, bio);
        match avatar {
            Some(Avatar { media_id, token }) => {
                changes.set.insert(attr::AVATAR_MEDIA_ID.into(), media_id.to_string().into());
                changes.set.insert(attr::AVATAR_TOKEN.into(), token.to_string().into());
            }
            None => changes.remove.extend([attr::AVATAR_MEDIA_ID, attr::AVATAR_TOKEN]),
        }
        let unchanged = match was {
            Some(was) => Test::Equals(attr::AVATAR_MEDIA_ID, was.media_id.to_string().into()),
            None => Test::Missing(attr::AVATAR_MEDIA_ID),
        };
        let condition = Condition::Where(vec![Test::Missing(DELETED_AT), unchanged]);
        Writes::to(Table::Social, [Write::Update { key: keys::profile(user), changes, condition }])
    }

    /// The holder of a handle. Read consistently, so that a newly claimed handle is found.
    pub async fn id_of_handle(&self, handle: &Handle) -> Result<Option<UserId>, StoreError> {
        let key = keys::handle_claim(handle);
        let item = self.store.get(Table::Social, &key, Consistency::Strong).await?;
        let holder = item.as_ref().map(|item| item.text_if_any(attr::USER_ID)).transpose()?.flatten();
        Ok(holder.map(|id| id.parse().map_err(|_| MalformedItem { attribute: attr::USER_ID })).transpose()?)
    }

    /// Whether the account is deleted; `None` when the profile is no longer stored. Read consistently.
    pub async fn is_deleted(&self, user: UserId) -> Result<Option<bool>, StoreError> {
        let key = keys::profile(user);
        let item = self.store.get(Table::Social, &key, Consistency::Strong).await?;
        Ok(item.map(|item| item.attributes.contains_key(DELETED_AT)))
    }

    /// The write that erases a profile: the last write of an account's erasure.
    pub fn erasure(user: UserId) -> Writes {
        Writes::deleting(Table::Social, [keys::profile(user)])
    }

    /// The write that claims a new user's handle; refused when the handle is taken, or reserved at the time of
    /// registration.
    pub fn claim(profile: &Profile) -> Writes {
        let claim =
            Item::new(keys::handle_claim(&profile.user.handle)).with(attr::USER_ID, profile.user.user_id.to_string());
        let now = profile.created_at.as_secs().cast_signed();
        let is_free = Condition::AbsentOr(vec![Test::Missing(attr::USER_ID), Test::AtMost(EXPIRES_AT, now)]);
        Writes::to(Table::Social, [Write::Put { item: claim, condition: is_free }])
    }

    /// The writes that create a profile, and the reader that the user is: for the transaction that claims its handle.
    pub fn creation(profile: &Profile) -> Writes {
        let creation = Writes::to(Table::Social, [Write::create(Self::profile_item(profile))]);
        creation.and(Readers::creation(profile.user.user_id, profile.created_at))
    }

    /// The writes that delete a user: they mark the profile, refused when it is marked or gone, and reserve the handle
    /// for [`limits::HANDLE_RESERVED`] without naming its former holder.
    pub fn deletion(user: &User, now: Timestamp) -> Writes {
        let deleted_at = now.as_millis().cast_signed().into();
        let mark = Write::Update {
            key: keys::profile(user.user_id),
            changes: Changes { set: [(DELETED_AT.into(), deleted_at)].into(), ..Changes::default() },
            condition: Condition::Where(vec![Test::Missing(DELETED_AT)]),
        };
        let expires_at = now.plus(limits::HANDLE_RESERVED).as_secs().cast_signed();
        let reservation = Write::Put {
            item: Item::new(keys::handle_claim(&user.handle)).with(EXPIRES_AT, expires_at),
            condition: Condition::AbsentOr(vec![Test::Equals(attr::USER_ID, user.user_id.to_string().into())]),
        };
        Writes::to(Table::Social, [mark, reservation])
    }

    /// A stored profile, without the claim of its handle. For direct use only when filling a store that is not yet in
    /// use.
    pub fn profile_item(profile: &Profile) -> Item {
        let item = Item::new(keys::profile(profile.user.user_id))
            .with(attr::HANDLE, profile.user.handle.as_str())
            .with(attr::DISPLAY_NAME, profile.user.display_name.as_str())
            .with(attr::BIO, profile.bio.as_str())
            .with(attr::CREATED_AT, profile.created_at.as_millis().cast_signed());
        match profile.user.avatar {
            Some(Avatar { media_id, token }) => {
                item.with(attr::AVATAR_MEDIA_ID, media_id.to_string()).with(attr::AVATAR_TOKEN, token.to_string())
            }
            None => item,
        }
    }
}

fn text_changes(display_name: Option<&DisplayName>, bio: Option<&Bio>) -> Changes {
    let name = display_name.map(|name| (attr::DISPLAY_NAME.into(), name.as_str().into()));
    let bio = bio.map(|bio| (attr::BIO.into(), bio.as_str().into()));
    Changes { set: name.into_iter().chain(bio).collect(), ..Changes::default() }
}

/// Profiles from before there were pictures have none.
fn avatar_from(item: &Item) -> Result<Option<Avatar>, MalformedItem> {
    if item.text_if_any(attr::AVATAR_MEDIA_ID)?.is_none() {
        return Ok(None);
    }
    Ok(Some(Avatar { media_id: item.parsed(attr::AVATAR_MEDIA_ID)?, token: item.parsed(attr::AVATAR_TOKEN)? }))
}

/// The profile; `None` when it is marked deleted.
pub(super) fn live_profile_from(user: UserId, item: &Item) -> Result<Option<Profile>, MalformedItem> {
    if item.attributes.contains_key(DELETED_AT) {
        return Ok(None);
    }
    profile_from(user, item).map(Some)
}

fn profile_from(user_id: UserId, item: &Item) -> Result<Profile, MalformedItem> {
    Ok(Profile {
        user: User {
            user_id,
            handle: Handle::from_stored(item.text(attr::HANDLE)?.to_owned()),
            display_name: DisplayName::from_stored(item.text(attr::DISPLAY_NAME)?.to_owned()),
            avatar: avatar_from(item)?,
        },
        bio: Bio::from_stored(item.text(attr::BIO)?.to_owned()),
        created_at: Timestamp::from_millis(item.number(attr::CREATED_AT)?.cast_unsigned()),
    })
}
