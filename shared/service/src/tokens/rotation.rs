//! Signing keys that change while the process runs, so that rotating the secret logs no user out.
//!
//! A token with an unknown key is either forged or signed with a key newer than the last fetch. A fetch tells the two
//! apart, but fetching for every such token would let any client trigger fetches without limit:
//! - A token claiming to be issued before the last fetch is refused at once: its key would have been fetched.
//! - A newer token triggers a fetch, at most once per [`limits::KEY_FETCH_INTERVAL`]; concurrent requests share it.
//! - Between fetches, and when a fetch fails, the token is neither accepted nor refused: the client is asked to retry.
//!   Refusing it would log out users with tokens of the new key while another client sends forged ones.

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

/// The known facts about a token before its key is known.
#[derive(Debug, Clone, Copy)]
pub(super) struct Dates {
    /// Its claimed time of issue.
    pub issued: Timestamp,
    /// Its time of arrival.
    pub arrived: Timestamp,
}

/// The keys in use, and the source of later ones.
pub(super) struct KeyRing {
    keys: RwLock<Arc<Keys>>,
    rotation: Option<Rotation>,
}

struct Rotation {
    source: Arc<dyn KeySource>,
    /// The earliest time at which an unknown key may trigger a fetch. Locked during the fetch.
    fetch_from: tokio::sync::Mutex<Timestamp>,
    /// The time at which the keys become too old, in milliseconds since the epoch.
    old_from: AtomicU64,
}

impl KeyRing {
    /// Keys that never change.
    pub fn fixed(keys: &TokenKeys) -> Self {
        Self { keys: RwLock::new(Arc::new(Keys::new(keys, Timestamp::default()))), rotation: None }
    }

    /// The keys from `source`, fetched now and again later.
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

    /// The key with this id, which was unknown a moment ago.
    pub async fn find(&self, kid: &str, token: Dates) -> Result<DecodingKey, ServiceError> {
        let Some(rotation) = &self.rotation else { return Err(ServiceError::Unauthenticated) };
        if self.now().rule_out(token) {
            return Err(ServiceError::Unauthenticated);
        }
        let mut fetch_from = rotation.fetch_from.lock().await;
        let keys = self.now();
        if let Some(key) = keys.accepted(kid) {
            return Ok(key);
        }
        if keys.rule_out(token) {
            return Err(ServiceError::Unauthenticated);
        }
        let left = fetch_from.since(token.arrived);
        // Longer than the interval only if the clock was set back since.
        if !left.is_zero() && left <= limits::KEY_FETCH_INTERVAL {
            return Err(ServiceError::Undecided { retry_after: left });
        }
        // Set before the fetch, so that a cancelled fetch counts as well.
        *fetch_from = token.arrived.plus(limits::KEY_FETCH_INTERVAL);
        if self.fetch(rotation, token.arrived).await {
            return self.now().accepted(kid).ok_or(ServiceError::Unauthenticated);
        }
        *fetch_from = token.arrived.plus(limits::KEY_FETCH_RETRY);
        Err(ServiceError::Undecided { retry_after: limits::KEY_FETCH_RETRY })
    }

    /// Fetches old keys again in the background; otherwise a process that meets no new key would sign for ever with one
    /// long replaced. No request waits for it, and if it fails the old keys stay in use. (In Lambda the fetch may be
    /// frozen with the process and end during a later event.)
    pub fn renew_when_old(self: &Arc<Self>, now: Timestamp) {
        let Some(rotation) = &self.rotation else { return };
        let old_from = rotation.old_from.load(Ordering::Relaxed);
        let left = Timestamp::from_millis(old_from).since(now);
        // Longer than the maximum age only if the clock was set back since.
        if !left.is_zero() && left <= limits::MAX_KEYS_AGE {
            return;
        }
        let next = now.plus(limits::KEY_FETCH_INTERVAL).as_millis();
        // Only the first of concurrent callers starts the fetch.
        if rotation.old_from.compare_exchange(old_from, next, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            let ring = Arc::clone(self);
            tokio::spawn(async move {
                if let Some(rotation) = &ring.rotation {
                    ring.fetch(rotation, now).await;
                }
            });
        }
    }

    /// Fetches the keys from the source and puts them in use. Returns whether it succeeded.
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

    /// Of two concurrent fetches, keeps the one that began later. If the current keys are newer by more than a fetch
    /// can take, the clock was set back, and they are replaced.
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
    /// Whether an unknown key is certainly not ours: these keys were fetched after the token was issued.
    fn rule_out(&self, token: Dates) -> bool {
        !self.are_of_the_future(token.arrived)
            && (token.arrived <= self.as_of || token.issued.plus(limits::MAX_CLOCK_SKEW) < self.as_of)
    }

    /// Whether the clock was set back since these keys were fetched: no fetch takes this long.
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

    /// Keys that a test can change; a fetch fails while they are `None`. Each fetch takes a permit.
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

        /// Waits until this many fetches have begun.
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
            let permit = self.permits.acquire().await.expect("tests do not close the semaphore");
            drop(permit);
            let gone = || KeySourceError::Unavailable { secret: "vault".to_owned(), cause: "gone".into() };
            let keys = self.keys.lock().clone();
            self.ended.fetch_add(1, Ordering::SeqCst);
            keys.ok_or_else(gone)
        }
    }

    /// A process just started with secret 1, after secret 0.
    async fn started() -> (Arc<Vault>, AccessTokens) {
        let (fetches, ended) = Default::default();
        let vault = Vault { keys: Mutex::default(), fetches, ended, permits: Semaphore::new(1) };
        let vault = Arc::new(vault);
        vault.put(rotated(1));
        let tokens = AccessTokens::from_source(Arc::clone(&vault) as Arc<dyn KeySource>, START).await.unwrap();
        (vault, tokens)
    }

    /// A token made by another process.
    fn signed_with(number: u8, issued: Timestamp) -> String {
        AccessTokens::new(&TokenKeys::new(secret(number))).issue(UserId::random(), issued)
    }

    fn after(seconds: u64) -> Timestamp {
        START.plus(std::time::Duration::from_secs(seconds))
    }

    /// The outcome for a token: accepted, refused, or the number of seconds after which to retry.
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
    async fn a_key_unknown_to_the_source_is_refused() {
        let (vault, tokens) = started().await;
        assert_eq!(verdict(tokens.authenticate(&signed_with(9, after(99)), after(100)).await), Err(None));
        assert_eq!(vault.fetches(), 2);
    }

    #[tokio::test]
    async fn forged_keys_cost_one_fetch_per_interval() {
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
    async fn a_clock_set_back_delays_no_new_key() {
        let (vault, tokens) = started().await;
        let ahead = limits::MAX_KEYS_AGE.as_secs() * 2;
        assert_eq!(verdict(tokens.authenticate(&signed_with(9, after(ahead)), after(ahead)).await), Err(None));
        vault.put(rotated(2));
        // Keys fetched in the future do not rule out a token of the present.
        let new = signed_with(2, after(100));
        assert_eq!(verdict(tokens.authenticate(&new, after(100)).await), Ok(()));
    }

    #[tokio::test]
    async fn a_hopeless_token_costs_no_fetch() {
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
    async fn concurrent_requests_share_one_fetch() {
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
        assert_eq!(verdict(at_once.expect("a known key does not wait")), Ok(()));
        drop(held);
        for result in join_all(waiting).await {
            assert_eq!(verdict(result.unwrap()), Ok(()));
        }
        assert_eq!(vault.fetches(), 2);
    }

    #[tokio::test]
    async fn a_failed_fetch_refuses_nothing_and_is_retried() {
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
    async fn old_keys_are_fetched_in_the_background() {
        let (vault, tokens) = started().await;
        let hour = limits::MAX_KEYS_AGE.as_secs();
        let known = |seconds| signed_with(1, after(seconds));
        let held = vault.permits.acquire().await.unwrap();
        vault.put(None);
        tokens.issue(UserId::random(), after(hour - 1));
        for _ in 0..3 {
            let at_once = tokens.authenticate(&known(hour), after(hour)).now_or_never();
            assert_eq!(verdict(at_once.expect("requests do not wait for the fetch")), Ok(()));
        }
        drop(held);
        while vault.ended.load(Ordering::SeqCst) < 2 {
            yield_now().await;
        }
        assert_eq!(vault.fetches(), 2);

        // It failed, so it is retried, but not at once.
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
    async fn a_start_without_keys_fails() {
        let (vault, _) = started().await;
        vault.put(None);
        let error = AccessTokens::from_source(vault, START).await.unwrap_err();
        assert_eq!(chain(&error), "the signing secret vault cannot be fetched: gone");
    }
}
