//! Rate limits: the rates are in [`domain::limits`], the uses in the store.
//!
//! A subject (a user, a network) has a number of uses per window of time. Windows are fixed: around a window's end, up
//! to twice the limit may pass in a shorter time.
//!
//! # One conditional write per use
//! A use is taken by one write that adds 1 to the window's item on the condition that the limit is not reached. So all
//! processes together stay within the limit, however many they are. The write does not depend on the request's reads: a
//! service runs it concurrently with its first reads.
//!
//! Each process also counts its own uses in memory. Once the store has refused a use, the process asks it at most once
//! per [`limits::RATE_REFUSAL_MEMORY`] until a use is granted or given back: a flood of refused requests does not reach
//! the store, and a use given back by another process counts soon.
//!
//! # Abandoned requests
//! An [`Attempt`] is a use that counts only if it fails, such as a login. Dropped undecided, because its client hung up,
//! it gives its use back in a task that outlives the connection. The client learnt nothing from it.
//!
//! # Store errors
//! A limit must not cause unavailability: when the store fails or does not answer within [`limits::RATE_PATIENCE`], the
//! process decides by its own count and logs it. During such an outage each process grants the whole limit. A write
//! that was applied although its answer was lost, or whose request was cancelled, counts one use too many if the
//! request had no effect. It is not retried, because a retry could count the use twice.

mod limit;
mod setting;
mod tally;

use std::{sync::Arc, time::Duration};

use futures::FutureExt as _;
use moka::sync::Cache;
use parking_lot::Mutex;
use tokio::runtime::Handle;
use tracing::warn;

pub use self::{
    limit::{Limit, Subject},
    setting::{InvalidRateLimits, RATE_LIMITS, RateLimits},
};

use self::tally::Tally;
use super::ServiceError;
use data::{RateWindow, Rates};
use domain::{
    Timestamp,
    limits::{self, Rate},
};
use ports::store::{Outcome, Store, StoreError};
use telemetry::{chain, names};

/// Takes uses of limits, or refuses them. Clones share their process's counts.
#[derive(Debug, Clone)]
pub struct RateLimiter(Option<Arc<Inner>>);

#[derive(Debug)]
struct Inner {
    rates: Rates,
    /// Maximum wait for the store per use.
    patience: Duration,
    /// The uses of this process. An evicted tally starts from zero; the store still has the uses.
    tallies: Cache<(Limit, Subject), Arc<Mutex<Tally>>>,
}

/// A use that was taken.
#[derive(Debug)]
pub struct Use(Option<Taken>);

#[derive(Debug)]
struct Taken {
    inner: Arc<Inner>,
    tally: Arc<Mutex<Tally>>,
    of: RateWindow,
}

/// A use that counts only if the attempt fails. Dropped undecided, it is given back.
#[derive(Debug)]
pub struct Attempt(Use);

impl RateLimiter {
    /// Limits with uses counted in `store`.
    pub fn new(store: Arc<dyn Store>) -> Self {
        Self::with_patience(store, limits::RATE_PATIENCE)
    }

    /// The same, waiting for the store at most `patience` per use.
    pub fn with_patience(store: Arc<dyn Store>, patience: Duration) -> Self {
        let tallies = Cache::builder()
            .max_capacity(limits::MAX_RATE_TALLIES)
            // No window is longer, so a tally idle for this long belongs to an earlier window.
            .time_to_idle(Duration::from_hours(1))
            .build();
        Self(Some(Arc::new(Inner { rates: Rates::new(store), patience, tallies })))
    }

    /// Admits everything and counts nothing.
    pub const fn off() -> Self {
        Self(None)
    }

    /// Takes one use of `limit`. [`ServiceError::RateLimited`] when none is left. Returns no other error: when the
    /// store fails, the process decides by its own count.
    pub async fn admit(&self, limit: Limit, subject: impl Into<Subject>, now: Timestamp) -> Result<Use, ServiceError> {
        let Some(inner) = &self.0 else { return Ok(Use(None)) };
        let subject = subject.into();
        let window = Window::at(limit.rate(), now);
        let of = RateWindow { limit: limit.name(), subject: subject.to_hex(), window: window.number };
        let tally = inner.tallies.get_with((limit, subject), Arc::default);
        if inner.admits(&tally, &of, limit.rate().uses, window.end, now).await {
            return Ok(Use(Some(Taken { inner: Arc::clone(inner), tally, of })));
        }
        metrics::counter!(names::RATE_LIMITED, "limit" => limit.name()).increment(1);
        Err(ServiceError::RateLimited { retry_after: window.end.since(now) })
    }

    /// Takes one use of `limit` for an attempt that may turn out not to count. Errors as [`Self::admit`].
    pub async fn attempt(
        &self,
        limit: Limit,
        subject: impl Into<Subject>,
        now: Timestamp,
    ) -> Result<Attempt, ServiceError> {
        self.admit(limit, subject, now).await.map(Attempt)
    }

    /// Takes one use of `limit` while `reads` runs, and returns the result of the reads. A refusal takes precedence
    /// over an error of the reads, and cancels them; a use is taken whatever they return.
    pub async fn admit_beside<T>(
        &self,
        limit: Limit,
        subject: impl Into<Subject>,
        now: Timestamp,
        reads: impl Future<Output = Result<T, ServiceError>>,
    ) -> Result<T, ServiceError> {
        let (_taken, read) = futures::try_join!(self.admit(limit, subject, now), reads.map(Ok))?;
        read
    }
}

impl Inner {
    /// Whether one more use is admitted. It is counted in the process before the store is asked, so that the process
    /// alone keeps to the limit too, and its count decides when the store fails.
    async fn admits(
        &self,
        tally: &Mutex<Tally>,
        of: &RateWindow,
        limit: u32,
        expires: Timestamp,
        now: Timestamp,
    ) -> bool {
        if !tally.lock().take(of.window, limit, now) {
            return false;
        }
        match self.in_time(self.rates.take(of, limit, expires)).await {
            Ok(Outcome::Applied) => {}
            Ok(Outcome::Refused(_)) => {
                tally.lock().refuse(of.window, now);
                return false;
            }
            Err(error) => log_unanswered(&error),
        }
        tally.lock().grant(of.window);
        true
    }

    /// The store's answer, if it arrives in time. Not retried: a retry could count the use twice, and the request is
    /// waiting.
    async fn in_time<T>(&self, call: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
        tokio::time::timeout(self.patience, call)
            .await
            .unwrap_or_else(|_| Err(StoreError::Unavailable(Box::new(NoAnswer))))
    }
}

impl Use {
    /// Gives back a use that turned out not to count, in a task that continues if the caller stops waiting. If the store
    /// fails, the use stays taken until the window ends.
    pub async fn give_back(mut self) {
        if let Some(taken) = self.0.take() {
            // Fails only if the runtime is shutting down: the use stays taken.
            let _ = tokio::spawn(taken.give_back()).await;
        }
    }
}

impl Attempt {
    /// Counts the attempt: it failed.
    pub fn count(mut self) {
        self.0.0 = None;
    }

    /// Gives the use back, as [`Use::give_back`]: the attempt does not count.
    pub async fn give_back(mut self) {
        Use(self.0.0.take()).give_back().await;
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let (Some(taken), Ok(runtime)) = (self.0.0.take(), Handle::try_current()) {
            runtime.spawn(taken.give_back());
        }
    }
}

impl Taken {
    async fn give_back(self) {
        let Self { inner, tally, of } = self;
        // The store first: otherwise the process admits the next use while the store still counts this one, and takes the
        // refusal for a used-up window.
        if let Err(error) = inner.in_time(inner.rates.give_back(&of)).await {
            log_unanswered(&error);
        }
        tally.lock().give_back(of.window);
    }
}

fn log_unanswered(error: &StoreError) {
    warn!(error = %chain(error), "Could not count a rate-limited use in the store; deciding by this process's own count");
}

/// The store's call took longer than a rate limit may wait.
#[derive(Debug, thiserror::Error)]
#[error("the store did not answer within the wait allowed for a rate limit")]
struct NoAnswer;

/// The window that contains a point in time.
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
