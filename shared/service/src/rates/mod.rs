//! How often one may do what: the limits are in [`domain::limits`], what is used of them in the store and, in part, in
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
//! # Within a process
//! Of one subject one use at a time asks the store; the others wait for its answer, which may decide them too. Two asks
//! under way at once would each know nothing of the uses that the other tells of, and could let more through than the
//! limit.
//!
//! # Without the store
//! A limit is no reason to be down: when the store does not answer within [`limits::RATE_PATIENCE`], the process
//! decides by its own tally, and logs it. While that lasts each process has the whole limit to give.

mod tally;

use std::{fmt, str::FromStr, sync::Arc, time::Duration};

use moka::sync::Cache;
use parking_lot::Mutex;
use sha2::{Digest as _, Sha256};
use tokio::{sync, time::Instant};
use tracing::{info, warn};

use self::tally::{Step, Tally};
use super::ServiceError;
use data::{RateWindow, Rates, StoredRate};
use domain::{
    ClientNetwork, SessionId, Timestamp, UserId,
    limits::{self, Rate},
};
use ports::store::{Outcome, Store, StoreError};
use telemetry::{chain, names};

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
    /// Failed uses of a password from a network, whichever account they are for.
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
            Self::Registrations => "registrations",
            Self::FailedLogins => "failed_logins",
            Self::FailedPasswords => "failed_passwords",
            Self::Refreshes => "refreshes",
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
            Self::FailedPasswords => limits::FAILED_PASSWORD_RATE,
            Self::Refreshes => limits::REFRESH_RATE,
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
    /// The longest that one use waits for the store.
    patience: Duration,
    /// A tally that is forgotten is asked for from the store: the next use is then a first one.
    tallies: Cache<(Limit, Subject), Arc<Tallied>>,
}

/// What the process knows of one subject's uses.
#[derive(Debug, Default)]
struct Tallied {
    tally: Mutex<Tally>,
    /// Held by the use that asks the store.
    asking: sync::Mutex<()>,
}

/// A use that was let through.
#[derive(Debug)]
pub struct Use(Option<Counted>);

#[derive(Debug)]
struct Counted {
    inner: Arc<Inner>,
    subject: Arc<Tallied>,
    of: RateWindow,
}

impl RateLimiter {
    /// Limits, with what is used of them in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::with_patience(store, limits::RATE_PATIENCE)
    }

    /// The same, where a use waits for the store as long as this at the most.
    pub fn with_patience(store: Arc<dyn Store>, patience: Duration) -> Self {
        let tallies = Cache::builder()
            .max_capacity(limits::MAX_RATE_TALLIES)
            // No window is longer, so what was not touched for so long says nothing any more.
            .time_to_idle(Duration::from_hours(1))
            .build();
        Self(Some(Arc::new(Inner { rates: Rates::new(store), patience, tallies })))
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
        let tallied = inner.tallies.get_with((limit, subject), Arc::default);
        let of = RateWindow { limit: limit.name(), subject: hex::encode(subject.0), window: window.number };
        if inner.admits(&tallied, &of, limit.rate().uses, window.end).await {
            return Ok(Use(Some(Counted { inner: Arc::clone(inner), subject: tallied, of })));
        }
        metrics::counter!(names::RATE_LIMITED, "limit" => limit.name()).increment(1);
        Err(ServiceError::RateLimited { retry_after: window.end.since(now) })
    }
}

impl Inner {
    /// Whether one more use is let through: by the tally where that suffices, by the store where it does not.
    async fn admits(&self, subject: &Tallied, of: &RateWindow, limit: u32, expires: Timestamp) -> bool {
        if let Some(decided) = subject.decides(of.window, limit) {
            return decided;
        }
        let deadline = Instant::now() + self.patience;
        let Ok(_turn) = tokio::time::timeout_at(deadline, subject.asking.lock()).await else {
            unanswered(&StoreError::Unavailable(Box::new(NoAnswer)));
            return subject.tally.lock().decide_alone(of.window, 1, limit);
        };
        // The answer that was waited for may have decided this use too.
        if let Some(decided) = subject.decides(of.window, limit) {
            return decided;
        }
        self.ask(subject, of, limit, expires, deadline).await
    }

    /// Tells the store of this use and of those that it does not know of yet, and takes from it whether this one is let
    /// through.
    async fn ask(&self, subject: &Tallied, of: &RateWindow, limit: u32, expires: Timestamp, deadline: Instant) -> bool {
        let asking = Asking::begin(&subject.tally, of.window);
        match by(deadline, self.rates.add(of, asking.uses, limit, expires)).await {
            Ok(Outcome::Applied) => {
                let stored: Option<StoredRate> = by(deadline, self.rates.get(of)).await.inspect_err(unanswered).ok();
                asking.end(|tally, uses| tally.settle(of.window, uses, stored, limit));
                true
            }
            Ok(Outcome::Refused(_)) => {
                asking.end(|tally, _| tally.used_up(of.window, limit));
                false
            }
            Err(error) => {
                unanswered(&error);
                let maybe_written = matches!(error, StoreError::Unavailable(_));
                asking.end(|tally, uses| tally.unanswered(of.window, uses, maybe_written, limit))
            }
        }
    }
}

impl Tallied {
    /// What the tally alone decides of one more use; `None` where the store must be asked.
    fn decides(&self, window: u64, limit: u32) -> Option<bool> {
        match self.tally.lock().one_more(window, limit) {
            Step::Admit => Some(true),
            Step::Refuse => Some(false),
            Step::Ask => None,
        }
    }
}

/// Uses that the store is being told of. Given up half-way, as when a client goes away, they count as told: the store
/// may have them, and telling of them again could count them twice.
struct Asking<'a> {
    tally: &'a Mutex<Tally>,
    window: u64,
    uses: u32,
    is_answered: bool,
}

impl<'a> Asking<'a> {
    fn begin(tally: &'a Mutex<Tally>, window: u64) -> Self {
        let uses = tally.lock().begin_asking(window);
        Self { tally, window, uses, is_answered: false }
    }

    fn end<T>(mut self, answer: impl FnOnce(&mut Tally, u32) -> T) -> T {
        self.is_answered = true;
        answer(&mut self.tally.lock(), self.uses)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.tally.lock().given_up(self.window, self.uses);
        }
    }
}

impl Use {
    /// Takes it back: what it was for did not happen. What the store does not hear of stays used until the window ends.
    pub async fn give_back(self) {
        let Some(Counted { inner, subject, of }) = self.0 else { return };
        let was_told = subject.tally.lock().give_back(of.window);
        if was_told && let Err(error) = by(Instant::now() + inner.patience, inner.rates.give_back(&of)).await {
            unanswered(&error);
        }
    }
}

fn unanswered(error: &StoreError) {
    warn!(error = %chain(error), "The store did not answer for a rate limit; the process decides by what it knows");
}

/// The store's call took longer than a limit may cost.
#[derive(Debug, thiserror::Error)]
#[error("no answer in the time that a rate limit may cost")]
struct NoAnswer;

/// A store's answer, if it comes in time. Not tried again: adding could count twice, and the request waits.
async fn by<T>(deadline: Instant, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    tokio::time::timeout_at(deadline, call).await.unwrap_or_else(|_| Err(StoreError::Unavailable(Box::new(NoAnswer))))
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
