//! Credentials: a user's e-mail address and password hash, and the claims of addresses. In Auth.

use std::{fmt, sync::Arc};

use crate::{
    domain::{Email, UserId},
    keys,
    store::{Consistency, Item, MalformedItem, Store, StoreError, Table, Write, with_retries},
};

mod attr {
    pub const USER_ID: &str = "user_id";
    pub const EMAIL: &str = "email";
    pub const PASSWORD_HASH: &str = "password_hash";
}

/// A password's hash as a PHC string (`$argon2id$v=19$...`). Not shown by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(pub(crate) String);

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(..)")
    }
}

/// What a user logs in with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredCredentials {
    /// The address as sent.
    pub email: Email,
    /// The hash of the password.
    pub password_hash: PasswordHash,
}

/// Credentials and claims of e-mail addresses, in Auth. Every read is consistent: an account just made can be used.
#[derive(Debug, Clone)]
pub struct Credentials {
    store: Arc<dyn Store>,
}

impl Credentials {
    /// Credentials in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self { store }
    }

    /// One user's credentials.
    pub async fn get(&self, user: UserId) -> Result<Option<StoredCredentials>, StoreError> {
        let key = keys::credentials(user);
        let item = with_retries(|| self.store.get(Table::Auth, &key, Consistency::Strong)).await?;
        Ok(item.as_ref().map(credentials_from).transpose()?)
    }

    /// Who holds an e-mail address.
    pub async fn id_of_email(&self, email: &Email) -> Result<Option<UserId>, StoreError> {
        let key = keys::email_claim(&email.canonical());
        let item = with_retries(|| self.store.get(Table::Auth, &key, Consistency::Strong)).await?;
        Ok(item.map(|item| item.parsed(attr::USER_ID)).transpose()?)
    }

    /// The writes that make an account's credentials: the claim of the address first, refused when it is taken, then
    /// the credentials.
    pub fn creation(user: UserId, credentials: &StoredCredentials) -> [(Table, Write); 2] {
        let claim = Item::new(keys::email_claim(&credentials.email.canonical())).with(attr::USER_ID, user.to_string());
        let item = Item::new(keys::credentials(user))
            .with(attr::EMAIL, credentials.email.as_str())
            .with(attr::PASSWORD_HASH, credentials.password_hash.0.as_str());
        [(Table::Auth, Write::create(claim)), (Table::Auth, Write::create(item))]
    }
}

fn credentials_from(item: &Item) -> Result<StoredCredentials, MalformedItem> {
    Ok(StoredCredentials {
        email: Email::from_stored(item.text(attr::EMAIL)?.to_owned()),
        password_hash: PasswordHash(item.text(attr::PASSWORD_HASH)?.to_owned()),
    })
}
