//! What a user does by showing the password once more: setting another one.

use super::AccountService;
use crate::{
    dao::StoredCredentials,
    domain::{Password, UserId, UserRef},
    service::ServiceError,
};

impl AccountService {
    /// Sets another password and ends every session of the account, the caller's too. [`ServiceError::WrongPassword`]
    /// when `current` is not the password. Of another user it is forbidden, of one who is not there not found.
    ///
    /// Of two changes at once one wins, and the other's `current` is wrong.
    pub async fn change_password(
        &self,
        caller: UserId,
        user: &UserRef,
        current: Password,
        new: Password,
    ) -> Result<(), ServiceError> {
        self.require_own(caller, user).await?;
        let known = self.shown_credentials(caller, current).await?;
        let new = self.passwords.hash(new).await?;
        if self.credentials.replace_password(caller, &known, &new).await?.is_applied() {
            return Ok(());
        }
        match self.credentials.get(caller).await? {
            // By a try of ours whose answer was lost: no other setting of a password has this hash.
            Some(now) if now.password_hash == new => Ok(()),
            Some(_) => Err(ServiceError::WrongPassword),
            None => Err(ServiceError::Unauthenticated),
        }
    }

    /// The credentials of who shows the password to them.
    async fn shown_credentials(&self, user: UserId, password: Password) -> Result<StoredCredentials, ServiceError> {
        let credentials = self.credentials.get(user).await?.ok_or(ServiceError::Unauthenticated)?;
        let is_right = self.passwords.verify(password, Some(credentials.password_hash.clone())).await?;
        if is_right { Ok(credentials) } else { Err(ServiceError::WrongPassword) }
    }
}
