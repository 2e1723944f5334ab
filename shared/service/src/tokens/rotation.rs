//! Keys that change while the process runs, so that a rotation of the secret logs nobody out.
//!
//! A token of an unknown key is either made up or signed with a key that came after the last fetch. A fetch tells them
//! apart, but not every such token is worth one, or anybody could have us fetch all the time:
//! - A token that says it was issued before the last fetch is refused at once: its key would have been there.
//! - One that is younger has the keys fetched, at most once in [`limits::KEY_FETCH_INTERVAL`], one fetch for all who
//!   wait.
//! - In between, and when the fetch fails, it is neither accepted nor refused: its sender is to come again. To refuse it
//!   would log out whoever holds a token of the new key while someone else sends made-up ones.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use jsonwebtoken::DecodingKey;
use parking_lot::RwLock;
use tracing::{info, warn};

use super::keys::Keys;
use crate::ServiceError;
use domain::{Timestamp, limits};
use ports::signing::{KeySource, KeySourceError, TokenKeys};
use telemetry::chain;

/// What is known of a token before its key is.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dates {
    /// When it was issued, by its own account.
    pub issued: Timestamp,
    /// When it came to us.
    pub arrived: Timestamp,
}

/// The keys in use, and where the next ones come from.
pub(super) struct KeyRing {
    keys: RwLock<Arc<Keys>>,
    rotation: Option<Rotation>,
}

struct Rotation {
    source: Arc<dyn KeySource>,
    /// From when on an unknown key may have the keys fetched. Held while that is done.
    fetch_from: tokio::sync::Mutex<Timestamp>,
    /// From when on the keys are too old, in milliseconds since the epoch.
    old_from: AtomicU64,
}

impl KeyRing {
    /// Keys that stay.
    pub fn fixed(keys: &TokenKeys) -> Self {
        Self { keys: RwLock::new(Arc::new(Keys::new(keys, Timestamp::default()))), rotation: None }
    }

    /// The keys that `source` has now, and from then on.
    pub async fn fetched(source: Arc<dyn KeySource>, now: Timestamp) -> Result<Self, KeySourceError> {
        let keys = source.fetch().await?;
        let rotation = Rotation {
            source,
            fetch_from: tokio::sync::Mutex::new(now),
            old_from: AtomicU64::new(now.plus(limits::MAX_KEYS_AGE).as_millis()),
        };
        Ok(Self { keys: RwLock::new(Arc::new(Keys::new(&keys, now))), rotation: Some(rotation) })
    }

    /// The keys in use.
    pub fn now(&self) -> Arc<Keys> {
        Arc::clone(&self.keys.read())
    }

    /// The key of this id, which was not there a moment ago.
    pub async fn find(&self, kid: &str, token: Dates) -> Result<DecodingKey, ServiceError> {
        let Some(rotation) = &self.rotation else { return Err(ServiceError::Unauthenticated) };
        if self.now().settle(token) {
            return Err(ServiceError::Unauthenticated);
        }
        let mut fetch_from = rotation.fetch_from.lock().await;
        let keys = self.now();
        if let Some(key) = keys.accepted(kid) {
            return Ok(key);
        }
        if keys.settle(token) {
            return Err(ServiceError::Unauthenticated);
        }
        let left = fetch_from.since(token.arrived);
        // More than the interval is left only when the clock was set back since.
        if !left.is_zero() && left <= limits::KEY_FETCH_INTERVAL {
            return Err(ServiceError::Undecided { retry_after: left });
        }
        // Before the fetch, so that one that is broken off counts.
        *fetch_from = token.arrived.plus(limits::KEY_FETCH_INTERVAL);
        if self.fetch(rotation, token.arrived).await {
            return self.now().accepted(kid).ok_or(ServiceError::Unauthenticated);
        }
        *fetch_from = token.arrived.plus(limits::KEY_FETCH_RETRY);
        Err(ServiceError::Undecided { retry_after: limits::KEY_FETCH_RETRY })
    }

    /// Has keys fetched that are old, or a process that meets no new one would sign for ever with one long replaced.
    /// Nobody waits for it, and when it fails the old ones stay in use. (In Lambda it may be frozen with the process
    /// and end with a later event.)
    pub fn renew_when_old(self: &Arc<Self>, now: Timestamp) {
        let Some(rotation) = &self.rotation else { return };
        let old_from = rotation.old_from.load(Ordering::Relaxed);
        let left = Timestamp::from_millis(old_from).since(now);
        // More than their whole age is left only when the clock was set back since.
        if !left.is_zero() && left <= limits::MAX_KEYS_AGE {
            return;
        }
        let next = now.plus(limits::KEY_FETCH_INTERVAL).as_millis();
        // Whoever is first does it.
        if rotation.old_from.compare_exchange(old_from, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let ring = Arc::clone(self);
            tokio::spawn(async move {
                if let Some(rotation) = &ring.rotation {
                    ring.fetch(rotation, now).await;
                }
            });
        }
    }

    /// Takes the keys that the source has now; whether it told them.
    async fn fetch(&self, rotation: &Rotation, now: Timestamp) -> bool {
        match rotation.source.fetch().await {
            Ok(keys) => {
                rotation.old_from.store(now.plus(limits::MAX_KEYS_AGE).as_millis(), Ordering::Relaxed);
                self.replace(Keys::new(&keys, now));
                true
            }
            Err(error) => {
                warn!(error = chain(&error), "Could not fetch the signing keys; keeping the current ones");
                false
            }
        }
    }

    /// Of two fetches at once the one that began later counts. By more than a fetch can take the keys at hand are not
    /// later: the clock was set back.
    fn replace(&self, fetched: Keys) {
        let mut keys = self.keys.write();
        if fetched.as_of < keys.as_of && !keys.are_of_the_future(fetched.as_of) {
            return;
        }
        if fetched.signing_id != keys.signing_id {
            info!(key.id = fetched.signing_id, "Now signing tokens with a new key");
        }
        *keys = Arc::new(fetched);
    }
}

impl Keys {
    /// Whether a key that is not among these is none of ours: they were fetched after the token was made.
    fn settle(&self, token: Dates) -> bool {
        !self.are_of_the_future(token.arrived)
            && (token.arrived <= self.as_of || token.issued.plus(limits::MAX_CLOCK_SKEW) < self.as_of)
    }

    /// Whether the clock was set back since these were fetched: nobody waits for a fetch for so long.
    fn are_of_the_future(&self, now: Timestamp) -> bool {
        self.as_of.since(now) > limits::KEY_FETCH_INTERVAL
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicUsize;

    use async_trait::async_trait;
    use futures::{FutureExt as _, future::join_all};
    use parking_lot::Mutex;
    use tokio::{sync::Semaphore, task::yield_now};

    use super::*;
    use crate::tokens::AccessTokens;
    use domain::UserId;
    use ports::signing::SECRET_BYTES;

    const START: Timestamp = Timestamp::from_millis(1_763_700_000_000);

    const fn secret(number: u8) -> [u8; SECRET_BYTES] {
        [number; SECRET_BYTES]
    }

    fn rotated(number: u8) -> TokenKeys {
        TokenKeys::new(secret(number)).with_previous(secret(number - 1))
    }

    /// Keys that a test changes; none while they are `None`. A fetch takes a permit.
    #[derive(Debug)]
    struct Vault {
        keys: Mutex<Option<TokenKeys>>,
        fetches: AtomicUsize,
        ended: AtomicUsize,
        permits: Semaphore,
    }

    impl Vault {
        fn put(&self, keys: impl Into<Option<TokenKeys>>) {
            *self.keys.lock() = keys.into();
        }

        fn fetches(&self) -> usize {
            self.fetches.load(Ordering::SeqCst)
        }

        /// Waits until as many fetches have begun.
        async fn begun(&self, fetches: usize) {
            while self.fetches() < fetches {
                yield_now().await;
            }
        }
    }

    #[async_trait]
    impl KeySource for Vault {
        async fn fetch(&self) -> Result<TokenKeys, KeySourceError> {
            self.fetches.fetch_add(1, Ordering::SeqCst);
            let permit = self.permits.acquire().await.expect("a test does not close them");
            drop(permit);
            let gone = || KeySourceError::Unavailable { secret: "vault".to_owned(), cause: "gone".into() };
            let keys = self.keys.lock().clone();
            self.ended.fetch_add(1, Ordering::SeqCst);
            keys.ok_or_else(gone)
        }
    }

    /// A process that has just started with secret 1, after secret 0.
    async fn started() -> (Arc<Vault>, AccessTokens) {
        let (fetches, ended) = Default::default();
        let vault = Vault { keys: Mutex::default(), fetches, ended, permits: Semaphore::new(1) };
        let vault = Arc::new(vault);
        vault.put(rotated(1));
        let tokens = AccessTokens::from_source(Arc::clone(&vault) as Arc<dyn KeySource>, START).await.unwrap();
        (vault, tokens)
    }

    /// A token as another process makes it.
    fn signed_with(number: u8, issued: Timestamp) -> String {
        AccessTokens::new(&TokenKeys::new(secret(number))).issue(UserId::random(), issued)
    }

    fn after(seconds: u64) -> Timestamp {
        START.plus(std::time::Duration::from_secs(seconds))
    }

    /// What became of a token: its user, refused, or when to come again.
    fn verdict(result: Result<UserId, ServiceError>) -> Result<(), Option<u64>> {
        match result {
            Ok(_) => Ok(()),
            Err(ServiceError::Unauthenticated) => Err(None),
            Err(ServiceError::Undecided { retry_after }) => Err(Some(retry_after.as_secs())),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_rotation_logs_nobody_out() {
        let (vault, tokens) = started().await;
        let old = signed_with(1, after(50));
        vault.put(rotated(2));
        let new = signed_with(2, after(100));
        for token in [&old, &new, &old, &new] {
            assert_eq!(verdict(tokens.authenticate(token, after(101)).await), Ok(()));
        }
        assert_eq!(vault.fetches(), 2);
        let issued = tokens.issue(UserId::random(), after(102));
        assert_eq!(
            verdict(AccessTokens::new(&TokenKeys::new(secret(2))).authenticate(&issued, after(102)).await),
            Ok(())
        );
        assert_eq!(verdict(tokens.authenticate(&signed_with(0, after(90)), after(103)).await), Err(None));
    }

    #[tokio::test]
    async fn a_key_unknown_to_the_source_too_is_refused() {
        let (vault, tokens) = started().await;
        assert_eq!(verdict(tokens.authenticate(&signed_with(9, after(99)), after(100)).await), Err(None));
        assert_eq!(vault.fetches(), 2);
    }

    #[tokio::test]
    async fn made_up_keys_cost_a_fetch_a_minute_and_log_nobody_out() {
        let (vault, tokens) = started().await;
        let made_up = |seconds| signed_with(9, after(seconds));
        assert_eq!(verdict(tokens.authenticate(&made_up(100), after(100)).await), Err(None));
        for seconds in 101..160 {
            let verdict = verdict(tokens.authenticate(&made_up(seconds), after(seconds)).await);
            assert_eq!(verdict, Err(Some(160 - seconds)), "{seconds}");
        }
        vault.put(rotated(2));
        let new = signed_with(2, after(130));
        assert_eq!(verdict(tokens.authenticate(&new, after(140)).await), Err(Some(20)));
        assert_eq!(vault.fetches(), 2);
        assert_eq!(verdict(tokens.authenticate(&made_up(160), after(160)).await), Err(None));
        assert_eq!(vault.fetches(), 3);
        assert_eq!(verdict(tokens.authenticate(&new, after(161)).await), Ok(()));
    }

    #[tokio::test]
    async fn a_clock_set_back_keeps_no_new_key_waiting() {
        let (vault, tokens) = started().await;
        let ahead = limits::MAX_KEYS_AGE.as_secs() * 2;
        assert_eq!(verdict(tokens.authenticate(&signed_with(9, after(ahead)), after(ahead)).await), Err(None));
        vault.put(rotated(2));
        // Keys that were fetched in the future settle no token of now.
        let new = signed_with(2, after(100));
        assert_eq!(verdict(tokens.authenticate(&new, after(100)).await), Ok(()));
    }

    #[tokio::test]
    async fn a_token_that_no_fetch_can_make_good_costs_none() {
        let (vault, tokens) = started().await;
        let token = signed_with(9, after(100));
        let (header, rest) = token.split_once('.').unwrap();
        let expired = after(100).minus(limits::ACCESS_TOKEN_TTL);
        let older_than_the_keys = START.minus(limits::MAX_CLOCK_SKEW).minus(std::time::Duration::from_secs(1));
        let hopeless = [
            signed_with(9, expired),
            signed_with(9, older_than_the_keys),
            // Of another type.
            rest.to_owned(),
            format!("eyJ0eXAiOiJKV1QiLCJhbGciOiJIUzI1NiIsImtpZCI6IngifQ.{rest}"),
            // Without readable claims.
            format!("{header}.e30.AAAA"),
        ];
        for token in hopeless {
            assert_eq!(verdict(tokens.authenticate(&token, after(100)).await), Err(None), "{token}");
        }
        assert_eq!(vault.fetches(), 1);
    }

    #[tokio::test]
    async fn many_at_once_wait_for_one_fetch_and_known_keys_for_none() {
        let (vault, tokens) = started().await;
        let (known, new) = (signed_with(1, after(90)), signed_with(2, after(100)));
        vault.put(rotated(2));
        let held = vault.permits.acquire().await.unwrap();
        let waiting = (0..20).map(|later| {
            let (tokens, new) = (tokens.clone(), new.clone());
            tokio::spawn(async move { tokens.authenticate(&new, after(101 + later)).await })
        });
        let waiting: Vec<_> = waiting.collect();
        vault.begun(2).await;
        let at_once = tokens.authenticate(&known, after(101)).now_or_never();
        assert_eq!(verdict(at_once.expect("a known key waits for nothing")), Ok(()));
        drop(held);
        for result in join_all(waiting).await {
            assert_eq!(verdict(result.unwrap()), Ok(()));
        }
        assert_eq!(vault.fetches(), 2);
    }

    #[tokio::test]
    async fn a_fetch_that_fails_refuses_nobody_and_is_made_again_soon() {
        let (vault, tokens) = started().await;
        vault.put(None);
        let new = signed_with(2, after(100));
        assert_eq!(verdict(tokens.authenticate(&new, after(100)).await), Err(Some(5)));
        assert_eq!(verdict(tokens.authenticate(&new, after(104)).await), Err(Some(1)));
        assert_eq!(vault.fetches(), 2);
        assert_eq!(verdict(tokens.authenticate(&signed_with(1, after(90)), after(104)).await), Ok(()));
        vault.put(rotated(2));
        assert_eq!(verdict(tokens.authenticate(&new, after(105)).await), Ok(()));
    }

    #[tokio::test]
    async fn keys_an_hour_old_are_fetched_beside_the_requests() {
        let (vault, tokens) = started().await;
        let hour = limits::MAX_KEYS_AGE.as_secs();
        let known = |seconds| signed_with(1, after(seconds));
        let held = vault.permits.acquire().await.unwrap();
        vault.put(None);
        tokens.issue(UserId::random(), after(hour - 1));
        for _ in 0..3 {
            let at_once = tokens.authenticate(&known(hour), after(hour)).now_or_never();
            assert_eq!(verdict(at_once.expect("nobody waits for it")), Ok(()));
        }
        drop(held);
        while vault.ended.load(Ordering::SeqCst) < 2 {
            yield_now().await;
        }
        assert_eq!(vault.fetches(), 2);

        // It failed, so it is made again, and not at once.
        let soon = hour + limits::KEY_FETCH_INTERVAL.as_secs();
        tokens.issue(UserId::random(), after(soon - 1));
        vault.put(rotated(2));
        tokens.issue(UserId::random(), after(soon));
        let new = AccessTokens::new(&TokenKeys::new(secret(2)));
        while new.authenticate(&tokens.issue(UserId::random(), after(soon)), after(soon)).await.is_err() {
            yield_now().await;
        }
        assert_eq!(vault.fetches(), 3);
    }

    #[tokio::test]
    async fn without_keys_there_is_no_start() {
        let (vault, _) = started().await;
        vault.put(None);
        let error = AccessTokens::from_source(vault, START).await.unwrap_err();
        assert_eq!(chain(&error), "the signing secret vault cannot be fetched: gone");
    }
}
