//! Actions that require the password again: changing it and deleting the account.

use super::{AccountService, LoginOrigin};
use crate::{
    ServiceError,
    rates::{Limit, Subject},
};
use data::{Credentials, Erasures, StoredCredentials, Transaction, Users};
use domain::{Password, Timestamp, UserId, UserRef};
use ports::store::StoreError;

impl AccountService {
    /// Changes the password and ends every session of the account, including the caller's.
    /// [`ServiceError::WrongPassword`] when `current` is wrong, [`ServiceError::RateLimited`] before any hash after too
    /// many wrong passwords. Forbidden for another user, not found for an absent one.
    ///
    /// Of two concurrent changes one succeeds, and the other fails because its `current` is wrong by then.
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
            // By an earlier try whose answer was lost: the hash is unique to this change.
            Some(now) if now.password_hash == new => Ok(()),
            Some(_) => Err(ServiceError::WrongPassword),
            None => Err(ServiceError::Unauthenticated),
        }
    }

    /// Deletes the account. [`ServiceError::WrongPassword`] when the password is wrong, [`ServiceError::RateLimited`]
    /// before any hash after too many wrong passwords. Forbidden for another user, not found for an absent one.
    ///
    /// One transaction marks the profile, which hides all of the user's content; removes the credentials, and with them
    /// every session; and adds the row that schedules the erasure. The deletion has no other step, so a crash cannot
    /// leave it half done.
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

    /// Whether a refused deletion was done by another call, or by a try whose answer was lost.
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

    /// The caller's credentials, after checking the password against them.
    ///
    /// A wrong password counts as a failed login to the account and towards the network's limit, so a stolen token does
    /// not help to guess the password faster. As for logins, each use counts as failed until it is known to have
    /// succeeded.
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
        let attempt = self.rates.attempt(Limit::FailedLogins, Subject::login(origin.network, user), now).await?;
        let shown = self.credentials_of(user, password, origin).await;
        if matches!(shown, Err(ServiceError::WrongPassword)) {
            attempt.count();
        } else {
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
