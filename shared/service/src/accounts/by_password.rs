//! What a user does by showing the password once more: setting another one, deleting the account.

use super::{AccountService, LoginOrigin};
use crate::{
    ServiceError,
    rates::{Limit, Subject},
};
use data::{Credentials, Erasures, StoredCredentials, Transaction, Users};
use domain::{Password, Timestamp, UserId, UserRef};
use ports::store::StoreError;

impl AccountService {
    /// Sets another password and ends every session of the account, the caller's too. [`ServiceError::WrongPassword`]
    /// when `current` is not the password, [`ServiceError::RateLimited`] before any hash when too many were wrong. Of
    /// another user it is forbidden, of one who is not there not found.
    ///
    /// Of two changes at once one wins, and the other's `current` is wrong.
    pub async fn change_password(
        &self,
        caller: UserId,
        user: &UserRef,
        current: Password,
        new: Password,
        origin: LoginOrigin<'_>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        self.require_own(caller, user).await?;
        let known = self.shown_credentials(caller, current, origin, now).await?;
        let new = self.passwords.hash(origin.network, new).await?;
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

    /// Deletes the account. [`ServiceError::WrongPassword`] when this is not the password,
    /// [`ServiceError::RateLimited`] before any hash when too many were wrong. Of another user it is forbidden, of one
    /// who is not there not found.
    ///
    /// One transaction marks the profile, by which all that the user made is shown no more, takes the credentials
    /// away, and with them every session, and leaves a row behind that has everything erased. Nothing else need be
    /// done, so there is nothing that a crash could leave half done.
    pub async fn delete(
        &self,
        caller: UserId,
        user: &UserRef,
        password: Password,
        origin: LoginOrigin<'_>,
        now: Timestamp,
    ) -> Result<(), ServiceError> {
        self.require_own(caller, user).await?;
        let known = self.shown_credentials(caller, password, origin, now).await?;
        let profile = self.users.get_own(caller).await?.ok_or(ServiceError::Unauthenticated)?;
        let deletion = Users::deletion(&profile.user, now)
            .and(Credentials::deletion(caller, &known))
            .and(Erasures::schedule_user(caller, now));
        if !Transaction::from(deletion).commit(&self.db).await?.is_applied() {
            self.require_deleted(caller, &known).await?;
        }
        self.liveness.has_ended(caller, now);
        Ok(())
    }

    /// Whether a deletion that was refused was done all the same: by another call, or by a try whose answer was lost.
    async fn require_deleted(&self, user: UserId, known: &StoredCredentials) -> Result<(), ServiceError> {
        let credentials = self.credentials.get(user).await?;
        if credentials.is_some_and(|now| now.password_hash != known.password_hash) {
            return Err(ServiceError::WrongPassword);
        }
        match self.users.get_own(user).await? {
            None => Ok(()),
            Some(_) => Err(StoreError::Conflict.into()),
        }
    }

    /// The credentials of who shows the password to them.
    ///
    /// A wrong one counts as a failed login to the account, and to the network's limit: a token that someone else got hold
    /// of is no way to guess the password faster. As there, each counts until it is known to be right.
    async fn shown_credentials(
        &self,
        user: UserId,
        password: Password,
        origin: LoginOrigin<'_>,
        now: Timestamp,
    ) -> Result<StoredCredentials, ServiceError> {
        self.counted(origin, now, self.shown_to_account(user, password, origin, now)).await
    }

    async fn shown_to_account(
        &self,
        user: UserId,
        password: Password,
        origin: LoginOrigin<'_>,
        now: Timestamp,
    ) -> Result<StoredCredentials, ServiceError> {
        let attempt = self.rates.admit(Limit::FailedLogins, Subject::login(origin.network, user), now).await?;
        let shown = self.credentials_of(user, password, origin).await;
        if !matches!(shown, Err(ServiceError::WrongPassword)) {
            attempt.give_back().await;
        }
        shown
    }

    async fn credentials_of(
        &self,
        user: UserId,
        password: Password,
        origin: LoginOrigin<'_>,
    ) -> Result<StoredCredentials, ServiceError> {
        let credentials = self.credentials.get(user).await?.ok_or(ServiceError::Unauthenticated)?;
        let hash = Some(credentials.password_hash.clone());
        let is_right = self.passwords.verify(origin.network, password, hash).await?;
        if is_right { Ok(credentials) } else { Err(ServiceError::WrongPassword) }
    }
}
