//! The limits, and the subjects whose uses are counted together.

use std::fmt;

use sha2::{Digest as _, Sha256};
use strum::VariantArray;

use domain::{
    ClientNetwork, SessionId, UserId,
    limits::{self, Rate},
};

/// A rate-limited kind of request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, VariantArray)]
pub enum Limit {
    /// Posts by a user.
    Posts,
    /// Deletions of posts by a user.
    PostDeletions,
    /// Likes by a user.
    Likes,
    /// Unlikes by a user.
    Unlikes,
    /// Follows by a user.
    Follows,
    /// Unfollows by a user.
    Unfollows,
    /// Comments by a user.
    Comments,
    /// Deletions of comments by a user.
    CommentDeletions,
    /// Edits of a user's profile.
    ProfileEdits,
    /// Pictures announced by a user.
    Media,
    /// Edits of a user's pictures.
    MediaEdits,
    /// Registration attempts from a network.
    Registrations,
    /// Failed logins to an account from a network.
    FailedLogins,
    /// Failed uses of a password from a network, for any account.
    FailedPasswords,
    /// Refreshes of a session.
    Refreshes,
}

impl Limit {
    /// Its name in keys and metrics.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Posts => "posts",
            Self::PostDeletions => "post_deletions",
            Self::Likes => "likes",
            Self::Unlikes => "unlikes",
            Self::Follows => "follows",
            Self::Unfollows => "unfollows",
            Self::Comments => "comments",
            Self::CommentDeletions => "comment_deletions",
            Self::ProfileEdits => "profile_edits",
            Self::Media => "media",
            Self::MediaEdits => "media_edits",
            Self::Registrations => "registrations",
            Self::FailedLogins => "failed_logins",
            Self::FailedPasswords => "failed_passwords",
            Self::Refreshes => "refreshes",
        }
    }

    /// The uses allowed per window.
    pub const fn rate(self) -> Rate {
        match self {
            Self::Posts => limits::POST_RATE,
            Self::PostDeletions => limits::POST_DELETION_RATE,
            Self::Likes => limits::LIKE_RATE,
            Self::Unlikes => limits::UNLIKE_RATE,
            Self::Follows => limits::FOLLOW_RATE,
            Self::Unfollows => limits::UNFOLLOW_RATE,
            Self::Comments => limits::COMMENT_RATE,
            Self::CommentDeletions => limits::COMMENT_DELETION_RATE,
            Self::ProfileEdits => limits::PROFILE_EDIT_RATE,
            Self::Media => limits::MEDIA_RATE,
            Self::MediaEdits => limits::MEDIA_EDIT_RATE,
            Self::Registrations => limits::REGISTER_RATE,
            Self::FailedLogins => limits::FAILED_LOGIN_RATE,
            Self::FailedPasswords => limits::FAILED_PASSWORD_RATE,
            Self::Refreshes => limits::REFRESH_RATE,
        }
    }

    /// Every limit, in the order of declaration.
    pub const ALL: &'static [Self] = Self::VARIANTS;
}

/// A user, session or network whose uses are counted together. Only a digest is kept: rate limits store no id, address
/// or name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subject([u8; 16]);

impl Subject {
    /// The logins to an account from a network.
    pub fn login(network: ClientNetwork, account: impl fmt::Display) -> Self {
        Self::of(format_args!("{network} {account}"))
    }

    /// The digest as used in keys.
    pub(super) fn to_hex(self) -> String {
        hex::encode(self.0)
    }

    fn of(identity: impl fmt::Display) -> Self {
        let mut subject = [0; 16];
        subject.copy_from_slice(&Sha256::digest(identity.to_string())[..16]);
        Self(subject)
    }
}

impl From<UserId> for Subject {
    fn from(user: UserId) -> Self {
        Self::of(user)
    }
}

impl From<SessionId> for Subject {
    fn from(session: SessionId) -> Self {
        Self::of(session)
    }
}

impl From<ClientNetwork> for Subject {
    fn from(network: ClientNetwork) -> Self {
        Self::of(network)
    }
}
