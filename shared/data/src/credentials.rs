//! Credentials: a user's e-mail address and password hash, and the claims of addresses. In Auth.
//!
//! Credentials carry an epoch, incremented with each new password. A session carries the epoch in which it was begun,
//! and lives while the two are equal.

use std::fmt;

use crate::{Db, Writes, keys};
use domain::{Email, UserId};
use ports::store::{
    Changes, Condition, Consistency, Item, MalformedItem, Outcome, Retrying, StoreError, Table, Test, Write,
};

mod attr {
    pub const USER_ID: &str = "user_id";
    pub const EMAIL: &str = "email";
    pub const PASSWORD_HASH: &str = "password_hash";
    pub const EPOCH: &str = "epoch";
}

/// The epoch of an account's first password, and of items stored without an epoch.
pub const FIRST_EPOCH: i64 = 0;

/// A password's hash as a PHC string (`$argon2id$v=19$...`). Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// A user's login credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCredentials {
    /// The address as sent.
    pub email: Email,
    /// The hash of the password. Its salt is random, so no two password changes have the same hash.
    pub password_hash: PasswordHash,
    /// The number of earlier passwords.
    pub epoch: i64,
}

/// Credentials and claims of e-mail addresses, in Auth. Every read is consistent, so that a new account can be used at
/// once.
#[derive(Debug, Clone)]
pub struct Credentials {
    store: Retrying,
}

impl Credentials {
    /// Credentials in `store`.
    pub fn new(db: impl Into<Db>) -> Self {
        Self { store: db.into().0 }
    }

    /// One user's credentials.
    pub async fn get(&self, user: UserId) -> Result<Option<StoredCredentials>, StoreError> {
        let key = keys::credentials(user);
        let item = self.store.get(Table::Auth, &key, Consistency::Strong).await?;
        Ok(item.as_ref().map(credentials_from).transpose()?)
    }

    /// The holder of an e-mail address.
    pub async fn id_of_email(&self, email: &Email) -> Result<Option<UserId>, StoreError> {
        let key = keys::email_claim(&email.canonical());
        let item = self.store.get(Table::Auth, &key, Consistency::Strong).await?;
        Ok(item.map(|item| item.parsed(attr::USER_ID)).transpose()?)
    }

    /// The write that claims an e-mail address; refused when it is taken.
    pub fn claim(user: UserId, email: &Email) -> Writes {
        let claim = Item::new(keys::email_claim(&email.canonical())).with(attr::USER_ID, user.to_string());
        Writes::to(Table::Auth, [Write::create(claim)])
    }

    /// The write that creates an account's credentials: for the transaction that claims their address.
    pub fn creation(user: UserId, credentials: &StoredCredentials) -> Writes {
        let item = Item::new(keys::credentials(user))
            .with(attr::EMAIL, credentials.email.as_str())
            .with(attr::PASSWORD_HASH, credentials.password_hash.0.as_str())
            .with(attr::EPOCH, credentials.epoch);
        Writes::to(Table::Auth, [Write::create(item)])
    }

    /// Replaces the password in `known`, starting the next epoch. Refused when the credentials differ from `known`,
    /// which may also be due to an earlier try of this call.
    pub async fn replace_password(
        &self,
        user: UserId,
        known: &StoredCredentials,
        new: &PasswordHash,
    ) -> Result<Outcome, StoreError> {
        let set = [(attr::PASSWORD_HASH.into(), new.0.as_str().into()), (attr::EPOCH.into(), (known.epoch + 1).into())];
        let write = Write::Update {
            key: keys::credentials(user),
            changes: Changes { set: set.into(), ..Changes::default() },
            condition: Self::are_still(known),
        };
        self.store.write(Table::Auth, write).await
    }

    /// The writes that remove an account's credentials and the claim of its address. Refused when the credentials
    /// differ from `known`.
    pub fn deletion(user: UserId, known: &StoredCredentials) -> Writes {
        let is_theirs = Condition::AbsentOr(vec![Test::Equals(attr::USER_ID, user.to_string().into())]);
        let claim = Write::Delete { key: keys::email_claim(&known.email.canonical()), condition: is_theirs };
        let credentials = Write::Delete { key: keys::credentials(user), condition: Self::are_still(known) };
        Writes::to(Table::Auth, [claim, credentials])
    }

    fn are_still(known: &StoredCredentials) -> Condition {
        Condition::Where(vec![Test::Equals(attr::PASSWORD_HASH, known.password_hash.0.as_str().into())])
    }
}

fn credentials_from(item: &Item) -> Result<StoredCredentials, MalformedItem> {
    Ok(StoredCredentials {
        email: Email::from_stored(item.text(attr::EMAIL)?.to_owned()),
        password_hash: PasswordHash(item.text(attr::PASSWORD_HASH)?.to_owned()),
        epoch: item.number_if_any(attr::EPOCH)?.unwrap_or(FIRST_EPOCH),
    })
}
