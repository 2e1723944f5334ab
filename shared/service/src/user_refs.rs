//! Whom a path names.

use super::ServiceError;
use data::Users;
use domain::{UserId, UserRef};

/// The id that `user` names for `caller`, without looking whether an [`UserRef::Id`] is a user's: for callers who read
/// the user next. A name of nobody is not found.
pub(super) async fn named(users: &Users, caller: UserId, user: &UserRef) -> Result<UserId, ServiceError> {
    match user {
        UserRef::Id(id) => Ok(*id),
        other => resolve(users, caller, other).await,
    }
}

/// The id of the user whom `user` names for `caller`; of no user, not found. A handle or `me` may be of a user whose account
/// ends at this moment.
pub(super) async fn resolve(users: &Users, caller: UserId, user: &UserRef) -> Result<UserId, ServiceError> {
    let found = match user {
        UserRef::Me => Some(caller),
        UserRef::Id(id) => users.get(*id).await?.map(|_| *id),
        UserRef::Handle(handle) => users.id_of_handle(handle).await?,
        UserRef::Nobody => None,
    };
    found.ok_or(ServiceError::NotFound)
}
