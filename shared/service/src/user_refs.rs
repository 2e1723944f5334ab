//! The user that a path names.

use super::ServiceError;
use data::Users;
use domain::{UserId, UserRef};

/// The id that `user` names for `caller`. Does not check that an [`UserRef::Id`] exists: for services that read the
/// user next. An unknown name is not found.
pub(super) async fn named(users: &Users, caller: UserId, user: &UserRef) -> Result<UserId, ServiceError> {
    match user {
        UserRef::Id(id) => Ok(*id),
        other => resolve(users, caller, other).await,
    }
}

/// The id of the existing user that `user` names for `caller`; otherwise not found. A handle or `me` may name a user
/// whose account is being deleted at this moment.
pub(super) async fn resolve(users: &Users, caller: UserId, user: &UserRef) -> Result<UserId, ServiceError> {
    let found = match user {
        UserRef::Me => Some(caller),
        UserRef::Id(id) => users.get(*id).await?.map(|_| *id),
        UserRef::Handle(handle) => users.id_of_handle(handle).await?,
        UserRef::Unknown => None,
    };
    found.ok_or(ServiceError::NotFound)
}
