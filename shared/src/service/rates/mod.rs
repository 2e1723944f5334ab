//! How often one may do what: the limits are in [`crate::limits`], what is used of them in the store and, in part, in
//! each process.
//!
//! A subject (a user, a network) has so many uses in a window of time. Windows are fixed: around the end of one, twice
//! the limit may pass in a shorter time.
//!
//! # Several processes
//! While nothing is near a limit, processes let uses through by a tally of their own. How far they may go without telling
//! each other is what the store gives out: the first use that a process sees in a window is told to it, and whoever is
//! the *j*th to tell it something may let 1/(2 *j*²) of the limit through before it tells it of these and asks again,
//! though never past half of the limit. Beyond half, each use asks the store. So a process alone tells the store of the
//! first use, and then of none until half of the limit is used.
//!
//! All processes together let less than twice the limit through, however many they are and however often they are
//! started anew: what the store is told of it adds up only as far as the limit, by a condition on the write; and what it
//! is not told of is less than the limit × (1/2 + 1/8 + 1/18 + ...) = 0.83 × the limit. (The count *j* is read after it
//! was written, so two who ask at once may both read the later one: that makes their shares smaller.)
//!
//! # Without the store
//! A limit is no reason to be down: when the store does not answer within [`limits::RATE_PATIENCE`], the process
//! decides by its own tally, and logs it. While that lasts each process has the whole limit to give.

mod tally;

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use moka::sync::Cache;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tracing::{info, warn};

use self::tally::{Step, Tally};
use super::ServiceError;
use crate::{
    dao::{RateWindow, Rates, StoredRate},
    domain::{ClientNetwork, Timestamp, UserId},
    limits::{self, Rate},
    store::{Outcome, Store, StoreError},
    telemetry::{chain, names},
};

/// What is limited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Limit {
    /// Posts of a user.
    Posts,
    /// Posts that a user deletes.
    PostDeletions,
    /// Likes of a user.
    Likes,
    /// Likes that a user takes back.
    Unlikes,
    /// Follows of a user.
    Follows,
    /// Follows that a user ends.
    Unfollows,
    /// Comments of a user.
    Comments,
    /// Comments that a user deletes.
    CommentDeletions,
    /// Edits of a user's profile.
    ProfileEdits,
    /// Tries to register from a network.
    Registrations,
    /// Failed logins to an account from a network.
    FailedLogins,
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
            Self::Registrations => "registrations",
            Self::FailedLogins => "failed_logins",
        }
    }

    /// How many in which time.
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
            Self::Registrations => limits::REGISTER_RATE,
            Self::FailedLogins => limits::FAILED_LOGIN_RATE,
        }
    }
}

/// Whose uses are counted together. Only a digest of it is kept: no id, address or name is stored for a limit's sake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Subject([u8; 16]);

impl Subject {
    /// An account, as a client of a network tries to log in to it.
    pub fn login(network: ClientNetwork, account: impl fmt::Display) -> Self {
        Self::of(format_args!("{network} {account}"))
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

impl From<ClientNetwork> for Subject {
    fn from(network: ClientNetwork) -> Self {
        Self::of(network)
    }
}

/// Whether rates are limited at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum RateLimits {
    /// They are.
    #[default]
    On,
    /// They are not: for load tests, and where something in front of the service limits them.
    Off,
}

/// The variable that holds [`RateLimits`]: `on` or `off`.
pub const RATE_LIMITS: &str = "TWEETER_RATE_LIMITS";

/// It is neither on nor off.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{RATE_LIMITS}: {found:?} is neither `on` nor `off`")]
pub struct InvalidRateLimits {
    /// What stands there.
    pub found: String,
}

impl FromStr for RateLimits {
    type Err = InvalidRateLimits;

    fn from_str(text: &str) -> Result<Self, InvalidRateLimits> {
        match text {
            "on" => Ok(Self::On),
            "off" => Ok(Self::Off),
            other => Err(InvalidRateLimits { found: other.to_owned() }),
        }
    }
}

impl RateLimits {
    /// From a configuration: [`RATE_LIMITS`]; on when it is not set.
    pub fn from_lookup(find: impl Fn(&'static str) -> Option<String>) -> Result<Self, InvalidRateLimits> {
        find(RATE_LIMITS).filter(|text| !text.is_empty()).map_or(Ok(Self::On), |text| text.parse())
    }

    /// The limiter over `store`; that there is none is logged.
    pub fn limiter(self, store: Arc<dyn Store>) -> RateLimiter {
        match self {
            Self::On => RateLimiter::new(store),
            Self::Off => {
                info!("Rate limits are off");
                RateLimiter::off()
            }
        }
    }
}

/// Lets uses through, or refuses them. Clones share their tallies.
#[derive(Debug, Clone)]
pub struct RateLimiter(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    rates: Rates,
    /// A tally that is forgotten is asked for from the store: the next use is then a first one.
    tallies: Cache<(Limit, Subject), Arc<Mutex<Tally>>>,
}

/// A use that was let through.
#[derive(Debug)]
pub struct Use(Option<Counted>);

#[derive(Debug)]
struct Counted {
    inner: Arc<Inner>,
    tally: Arc<Mutex<Tally>>,
    of: RateWindow,
}

impl RateLimiter {
    /// Limits, with what is used of them in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        let tallies = Cache::builder()
            .max_capacity(limits::MAX_RATE_TALLIES)
            // No window is longer, so what was not touched for so long says nothing any more.
            .time_to_idle(Duration::from_hours(1))
            .build();
        Self(Some(Arc::new(Inner { rates: Rates::new(store), tallies })))
    }

    /// Lets everything through.
    pub const fn off() -> Self {
        Self(None)
    }

    /// Takes one use of `limit`; [`ServiceError::RateLimited`] when it is used up, which takes none. There is no other
    /// error: without the store the process decides alone.
    pub async fn admit(&self, limit: Limit, subject: impl Into<Subject>, now: Timestamp) -> Result<Use, ServiceError> {
        let Some(inner) = &self.0 else { return Ok(Use(None)) };
        let subject = subject.into();
        let window = Window::at(limit.rate(), now);
        let tally = inner.tallies.get_with((limit, subject), Arc::default);
        let of = RateWindow { limit: limit.name(), subject: hex::encode(subject.0), window: window.number };
        let step = tally.lock().one_more(window.number, limit.rate().uses);
        let admitted = match step {
            Step::Admit => true,
            Step::Refuse => false,
            Step::Ask(uses) => inner.ask(&tally, &of, uses, limit.rate().uses, window.end).await,
        };
        if admitted {
            return Ok(Use(Some(Counted { inner: Arc::clone(inner), tally, of })));
        }
        metrics::counter!(names::RATE_LIMITED, "limit" => limit.name()).increment(1);
        Err(ServiceError::RateLimited { retry_after: window.end.since(now) })
    }
}

impl Inner {
    /// Tells the store of `uses`, and takes from it whether the last of them is let through.
    async fn ask(&self, tally: &Mutex<Tally>, of: &RateWindow, uses: u32, limit: u32, expires: Timestamp) -> bool {
        match in_time(self.rates.add(of, uses, limit, expires)).await {
            Ok(Outcome::Applied) => {
                let stored: Option<StoredRate> = in_time(self.rates.get(of)).await.inspect_err(unanswered).ok();
                tally.lock().settle(of.window, uses, stored, limit);
                true
            }
            Ok(Outcome::Refused(_)) => {
                tally.lock().used_up(of.window, limit);
                false
            }
            Err(error) => {
                unanswered(&error);
                let maybe_written = matches!(error, StoreError::Unavailable(_));
                tally.lock().decide_alone(of.window, uses, maybe_written, limit)
            }
        }
    }
}

impl Use {
    /// Takes it back: what it was for did not happen. What the store does not hear of stays used until the window ends.
    pub async fn give_back(self) {
        let Some(Counted { inner, tally, of }) = self.0 else { return };
        let was_told = tally.lock().give_back(of.window);
        if was_told && let Err(error) = in_time(inner.rates.give_back(&of)).await {
            unanswered(&error);
        }
    }
}

fn unanswered(error: &StoreError) {
    warn!(error = %chain(error), "The store did not answer for a rate limit; the process decides by what it knows");
}

/// The store's call took longer than a limit may cost.
#[derive(Debug, thiserror::Error)]
#[error("no answer within {} ms", limits::RATE_PATIENCE.as_millis())]
struct NoAnswer;

/// A store's answer, if it comes soon. Not tried again: adding could count twice, and the request waits.
async fn in_time<T>(call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout(limits::RATE_PATIENCE, call)
        .await
        .unwrap_or_else(|_| Err(StoreError::Unavailable(Box::new(NoAnswer))))
}

/// The window that a moment is in.
struct Window {
    number: u64,
    end: Timestamp,
}

impl Window {
    fn at(rate: Rate, now: Timestamp) -> Self {
        let length = u64::try_from(rate.window.as_millis()).unwrap_or(u64::MAX);
        let number = now.as_millis() / length;
        Self { number, end: Timestamp::from_millis((number + 1).saturating_mul(length)) }
    }
}
