//! The picture of a profile.

use super::{AccountService, ProfileEdit};
use crate::{ServiceError, media::attaching::attachable};
use data::{MediaItems, Transaction, Users};
use domain::{Attachment, Avatar, Media, MediaId, Timestamp, UserId, limits};
use ports::store::StoreError;

/// The field of a request that names the picture.
const AVATAR_MEDIA_ID: &str = "avatar_media_id";

impl AccountService {
    /// Makes an edit that also sets or removes the picture. One transaction changes the profile, attaches the new picture
    /// and detaches the old one, which is erased after [`limits::UNATTACHED_MEDIA_TTL`]. Idempotent.
    pub(super) async fn edit_with_avatar(
        &self,
        caller: UserId,
        edit: &ProfileEdit,
        wanted: Option<MediaId>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        let was = self.avatar_of(caller).await?;
        if was.map(|was| was.media_id) == wanted {
            return self.edit_texts(caller, edit).await;
        }
        let new = self.attachable_avatar(caller, wanted).await?;
        let avatar = new.as_ref().map(|media| Avatar { media_id: media.media_id, token: media.token });
        let ProfileEdit { display_name, bio, avatar: _ } = edit;
        let mut transaction = Transaction::new();
        transaction.add(Users::avatar_update(caller, display_name.as_ref(), bio.as_ref(), was, avatar));
        if let Some(new) = &new {
            transaction.add(MediaItems::attachment(new, Attachment::Profile));
        }
        if let Some(was) = was {
            transaction.add(MediaItems::detachment(was.media_id, now.plus(limits::UNATTACHED_MEDIA_TTL)));
        }
        if transaction.commit(&self.db).await?.is_applied() || self.avatar_of(caller).await? == avatar {
            // Where it was refused, an earlier try whose answer was lost, or another call, did it.
            return Ok(());
        }
        self.attachable_avatar(caller, wanted).await?;
        Err(StoreError::Conflict.into())
    }

    async fn avatar_of(&self, caller: UserId) -> Result<Option<Avatar>, ServiceError> {
        let profile = self.users.get_own(caller).await?.ok_or(ServiceError::Unauthenticated)?;
        Ok(profile.user.avatar)
    }

    async fn attachable_avatar(&self, caller: UserId, wanted: Option<MediaId>) -> Result<Option<Media>, ServiceError> {
        Ok(attachable(&self.media, caller, wanted.as_slice(), AVATAR_MEDIA_ID).await?.pop())
    }
}
