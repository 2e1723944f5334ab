//! Accounts: registration, login, sessions and profiles.
//!
//! - `by_password`: actions that require the password again.
//! - `sessions`: a user's sessions.
//! - `avatar`: the picture of a profile.

mod avatar;
mod by_password;
mod sessions;

use super::{
    ServiceError,
    graph::GraphService,
    liveness::Liveness,
    passwords::{HashingOptions, Passwords},
    rates::{Limit, RateLimiter, Subject},
    sessions::{Continued, RefreshToken, SessionService},
    tokens::AccessTokens,
    user_refs,
};
use data::{
    Committed, Counts, Credentials, Db, MediaItems, PasswordHash, StoredCredentials, Transaction, Users,
    credentials::FIRST_EPOCH,
};
use domain::{
    Bio, ClientNetwork, DisplayName, Email, Handle, MediaId, Password, Profile, ProfileView, Timestamp, User,
    UserAgent, UserCounts, UserId, UserRef, user::Relation,
};
use ports::store::StoreError;

/// The input of a registration.
#[derive(Debug, Clone)]
pub struct Registration {
    /// The unique handle.
    pub handle: Handle,
    /// The unique e-mail address.
    pub email: Email,
    /// The password.
    pub password: Password,
    /// The display name; the handle by default.
    pub display_name: Option<DisplayName>,
}

/// The name that a user logs in with.
#[derive(Debug, Clone)]
pub enum LoginName {
    /// The account with this address.
    Email(Email),
    /// The account with this handle.
    Handle(Handle),
}

/// The client that sends a password.
#[derive(Debug, Clone, Copy)]
pub struct LoginOrigin<'a> {
    /// The client's network, which counts wrong passwords.
    pub network: ClientNetwork,
    /// The client's user agent, stored with a new session.
    pub user_agent: Option<&'a UserAgent>,
}

/// A change of a profile's picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AvatarEdit {
    /// Keeps it.
    #[default]
    Keep,
    /// Removes it.
    Remove,
    /// Replaces it by this picture.
    Set(MediaId),
}

/// Changes to a user's profile; `None` keeps the value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ProfileEdit {
    /// The display name.
    pub display_name: Option<DisplayName>,
    /// The text about the user.
    pub bio: Option<Bio>,
    /// The picture.
    pub avatar: AvatarEdit,
}

/// Tokens that let a client act for a user and renew that right.
#[derive(Debug, Clone)]
pub struct TokenPair {
    /// A JWT, valid for [`domain::limits::ACCESS_TOKEN_TTL`].
    pub access_token: String,
    /// Valid for one use, within [`domain::limits::REFRESH_TOKEN_TTL`].
    pub refresh_token: RefreshToken,
}

/// A new session.
#[derive(Debug, Clone)]
pub struct LoggedIn {
    /// The user as they see themselves.
    pub user: ProfileView,
    /// Their tokens.
    pub tokens: TokenPair,
}

/// Accounts, and authentication of requests.
#[derive(Debug, Clone)]
pub struct AccountService {
    db: Db,
    users: Users,
    media: MediaItems,
    counts: Counts,
    credentials: Credentials,
    sessions: SessionService,
    passwords: Passwords,
    tokens: AccessTokens,
    liveness: Liveness,
    graph: GraphService,
    rates: RateLimiter,
}

impl AccountService {
    /// Accounts in `store`; `graph` answers who follows whom. `tokens` are [`AccessTokens`], or the keys to sign them
    /// with. `rates` limit registrations, wrong passwords, refreshes and edits.
    pub fn new(
        db: impl Into<Db>,
        graph: GraphService,
        tokens: impl Into<AccessTokens>,
        hashing: &HashingOptions,
        rates: RateLimiter,
    ) -> Self {
        let db = db.into();
        Self {
            users: Users::new(db.clone()),
            media: MediaItems::new(db.clone()),
            counts: Counts::new(db.clone()),
            credentials: Credentials::new(db.clone()),
            sessions: SessionService::new(db.clone()),
            passwords: Passwords::new(hashing),
            tokens: tokens.into(),
            liveness: Liveness::new(db.clone()),
            graph,
            db,
            rates,
        }
    }

    /// Creates an account and begins a session. An invalid `registration` also counts towards the network's limit,
    /// because its errors help a guesser too. [`ServiceError::Taken`] lists `handle` and `email` if another account
    /// holds them, [`ServiceError::Busy`] when too many passwords are being hashed, [`ServiceError::RateLimited`] after
    /// too many registrations or failures from the network.
    pub async fn register<E: From<ServiceError>>(
        &self,
        registration: Result<Registration, E>,
        origin: LoginOrigin<'_>,
        now: Timestamp,
    ) -> Result<LoggedIn, E> {
        let _taken = self.rates.admit(Limit::Registrations, origin.network, now).await?;
        let made = self.make_account(registration?, origin, now);
        Ok(self.counted(origin, now, made).await?)
    }

    /// Runs an action that checks a password, and counts a failure towards the network's limit.
    /// [`ServiceError::RateLimited`] before the action after too many failures.
    ///
    /// Each use counts as failed until it is known to have succeeded, so concurrent guesses cannot exceed the limit.
    async fn counted<T>(
        &self,
        origin: LoginOrigin<'_>,
        now: Timestamp,
        work: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, ServiceError> {
        let attempt = self.rates.attempt(Limit::FailedPasswords, origin.network, now).await?;
        let outcome = work.await;
        let failed = matches!(
            outcome,
            Err(ServiceError::Unauthenticated | ServiceError::WrongPassword | ServiceError::Taken { .. })
        );
        if failed {
            attempt.count();
        } else {
            attempt.give_back().await;
        }
        outcome
    }

    async fn make_account(
        &self,
        registration: Registration,
        origin: LoginOrigin<'_>,
        now: Timestamp,
    ) -> Result<LoggedIn, ServiceError> {
        let Registration { handle, email, password, display_name } = registration;
        let password_hash = self.passwords.hash(origin.network, password).await?;
        let profile = new_profile(handle, display_name, now);
        let session = self.create(&profile, &email, password_hash, origin.user_agent.cloned(), now).await?;
        Ok(self.logged_in(profile, UserCounts::default(), email, session, now))
    }

    /// Begins a session. [`ServiceError::Unauthenticated`] for an unknown name as for a wrong password, after the same
    /// reads and the same hash. [`ServiceError::RateLimited`] before any hash after too many failures, either for the
    /// account from this network or for all accounts from this network.
    ///
    /// Each login counts as failed until it is known to have succeeded, so concurrent guesses cannot exceed the limits.
    /// As a consequence, some of many concurrent correct logins are refused.
    pub async fn login(
        &self,
        name: &LoginName,
        password: Password,
        origin: LoginOrigin<'_>,
        now: Timestamp,
    ) -> Result<LoggedIn, ServiceError> {
        self.counted(origin, now, self.log_in_as(name, password, origin, now)).await
    }

    async fn log_in_as(
        &self,
        name: &LoginName,
        password: Password,
        origin: LoginOrigin<'_>,
        now: Timestamp,
    ) -> Result<LoggedIn, ServiceError> {
        let known = match name {
            LoginName::Email(email) => self.credentials.id_of_email(email).await?,
            LoginName::Handle(handle) => self.users.id_of_handle(handle).await?,
        };
        // Counted by account, whichever of its names is used. An unknown name has a limit too, whatever its spelling:
        // without one, the missing limit would reveal that the account does not exist.
        let subject = match (known, name) {
            (Some(user), _) => Subject::login(origin.network, user),
            (None, LoginName::Email(email)) => Subject::login(origin.network, email.canonical()),
            (None, LoginName::Handle(handle)) => Subject::login(origin.network, handle),
        };
        let attempt = self.rates.attempt(Limit::FailedLogins, subject, now).await?;
        let outcome = self.log_in(known.unwrap_or_else(UserId::random), password, origin, now).await;
        if matches!(outcome, Err(ServiceError::Unauthenticated)) {
            attempt.count();
        } else {
            attempt.give_back().await;
        }
        outcome
    }

    async fn log_in(
        &self,
        user: UserId,
        password: Password,
        origin: LoginOrigin<'_>,
        now: Timestamp,
    ) -> Result<LoggedIn, ServiceError> {
        let credentials = self.credentials.get(user).await?;
        let hash = credentials.as_ref().map(|credentials| credentials.password_hash.clone());
        let right = self.passwords.verify(origin.network, password, hash).await?;
        let (true, Some(credentials)) = (right, credentials) else { return Err(ServiceError::Unauthenticated) };
        let profile = self.users.get(user).await?.ok_or(ServiceError::Unauthenticated)?;
        let counts = self.counts.of_user(user).await?;
        let session = self.sessions.begin(user, credentials.epoch, origin.user_agent.cloned(), now).await?;
        Ok(self.logged_in(profile, counts, credentials.email, session, now))
    }

    /// The reader of access tokens.
    pub const fn access_tokens(&self) -> &AccessTokens {
        &self.tokens
    }

    /// Tells whether the user of a token still has an account.
    pub const fn liveness(&self) -> &Liveness {
        &self.liveness
    }

    /// A user as `viewer` sees them.
    pub async fn profile(&self, viewer: UserId, user: &UserRef) -> Result<ProfileView, ServiceError> {
        // The profile is read below, which checks that the user exists.
        let user = user_refs::named(&self.users, viewer, user).await?;
        let profile = async { self.users.get_for(viewer, user).await?.ok_or(ServiceError::NotFound) };
        let counts = async { Ok(self.counts.of_user(user).await?) };
        let (profile, counts, relation) = futures::try_join!(profile, counts, self.relation(viewer, user))?;
        Ok(ProfileView { profile, counts, relation })
    }

    /// Changes the caller's own profile and returns the new one. Forbidden for another user, not found for an absent
    /// one. A new picture must be the caller's, ready and in no other place, as for posts.
    pub async fn edit_profile(
        &self,
        caller: UserId,
        user: &UserRef,
        edit: &ProfileEdit,
        now: Timestamp,
    ) -> Result<ProfileView, ServiceError> {
        let own = self.require_own(caller, user);
        self.rates.admit_beside(Limit::ProfileEdits, caller, now, own).await?;
        match edit.avatar {
            AvatarEdit::Keep => self.edit_texts(caller, edit).await?,
            AvatarEdit::Remove => self.edit_with_avatar(caller, edit, None, now).await?,
            AvatarEdit::Set(media) => self.edit_with_avatar(caller, edit, Some(media), now).await?,
        }
        self.profile(caller, &UserRef::Me).await
    }

    async fn edit_texts(&self, caller: UserId, edit: &ProfileEdit) -> Result<(), ServiceError> {
        let ProfileEdit { display_name, bio, avatar: _ } = edit;
        let is_nothing = display_name.is_none() && bio.is_none();
        if !is_nothing && !self.users.update(caller, display_name.as_ref(), bio.as_ref()).await?.is_applied() {
            return Err(ServiceError::Unauthenticated);
        }
        Ok(())
    }

    /// Fails unless `user` names `caller`: forbidden for another user, not found for an absent one.
    pub(super) async fn require_own(&self, caller: UserId, user: &UserRef) -> Result<(), ServiceError> {
        if user_refs::resolve(&self.users, caller, user).await? == caller {
            Ok(())
        } else {
            Err(ServiceError::Forbidden)
        }
    }

    async fn relation(&self, viewer: UserId, user: UserId) -> Result<Relation, ServiceError> {
        if viewer == user {
            let credentials = self.credentials.get(user).await?.ok_or(ServiceError::NotFound)?;
            return Ok(Relation::Own { email: credentials.email });
        }
        let (followed_by_me, follows_me) =
            futures::try_join!(self.graph.follows(viewer, user), self.graph.follows(user, viewer))?;
        Ok(Relation::Other { followed_by_me, follows_me })
    }

    /// Writes an account and its first session in one transaction.
    ///
    /// A try that reported an error may have been applied; the next one is then refused by our own claims. Every claim
    /// carries its user's id, which is new with each registration, so finding a claim of ours proves that the atomic
    /// transaction was applied.
    async fn create(
        &self,
        profile: &Profile,
        email: &Email,
        password_hash: PasswordHash,
        agent: Option<UserAgent>,
        now: Timestamp,
    ) -> Result<Continued, ServiceError> {
        let user = profile.user.user_id;
        let credentials = StoredCredentials { email: email.clone(), password_hash, epoch: FIRST_EPOCH };
        let (session, beginning) = SessionService::beginning(user, agent, now);
        let mut transaction = Transaction::new();
        let handle_claim = transaction.add(Users::claim(profile));
        transaction.add(Users::creation(profile));
        let email_claim = transaction.add(Credentials::claim(user, email));
        transaction.add(Credentials::creation(user, &credentials));
        transaction.add(beginning);
        match transaction.commit(&self.db).await? {
            Committed::Applied => Ok(session),
            Committed::Refused(_) if self.users.id_of_handle(&profile.user.handle).await? == Some(user) => Ok(session),
            Committed::Refused(refusal) => {
                let claims = [(handle_claim, "handle"), (email_claim, "email")];
                Err(taken(claims.into_iter().filter(|(claim, _)| refusal.includes(*claim)).map(|(_, field)| field)))
            }
        }
    }

    fn logged_in(
        &self,
        profile: Profile,
        counts: UserCounts,
        email: Email,
        session: Continued,
        now: Timestamp,
    ) -> LoggedIn {
        LoggedIn {
            user: ProfileView { profile, counts, relation: Relation::Own { email } },
            tokens: self.pair(session, now),
        }
    }
}

fn new_profile(handle: Handle, display_name: Option<DisplayName>, now: Timestamp) -> Profile {
    let display_name = display_name.unwrap_or_else(|| DisplayName::from(&handle));
    let user = User { user_id: UserId::random(), handle, display_name, avatar: None };
    Profile { user, bio: Bio::default(), created_at: now }
}

/// The error for a refusal of the claims of these fields. All other conditions are on keys with a random id: if only
/// those are refused, the store answered for a try that is still in flight.
fn taken(fields: impl Iterator<Item = &'static str>) -> ServiceError {
    let fields: Vec<_> = fields.collect();
    if fields.is_empty() { StoreError::Conflict.into() } else { ServiceError::Taken { fields } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_every_taken_field() {
        let error = taken(["handle", "email"].into_iter());
        assert!(matches!(error, ServiceError::Taken { fields } if fields == ["handle", "email"]));
        assert!(taken([].into_iter()).is_transient());
    }
}
