//! Password hashing: Argon2id, on blocking threads, a bounded number at once.

use std::{num::NonZeroUsize, panic::resume_unwind, sync::Arc, thread, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier},
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
use tokio::sync::Semaphore;

use super::ServiceError;
use crate::{dao::PasswordHash, domain::Password, telemetry::names};

/// Memory of one hash in KiB: the OWASP Password Storage Cheat Sheet asks for Argon2id with at least 19 MiB, 2
/// iterations and 1 degree of parallelism.
pub const ARGON2_MEMORY_KIB: u32 = 19 * 1024;
/// Iterations of one hash: see [`ARGON2_MEMORY_KIB`].
pub const ARGON2_ITERATIONS: u32 = 2;
/// Lanes of one hash: see [`ARGON2_MEMORY_KIB`].
pub const ARGON2_LANES: u32 = 1;
/// Hashes that may wait for each one that runs: at 15 to 30 ms a hash the last one waits about a second.
pub const HASHES_WAITING_PER_RUNNING: usize = 32;
/// When to try again after too many hashes were waiting: about as long as it takes to hash those.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// How passwords are hashed, and how many at once.
#[derive(Debug, Clone)]
pub struct HashingOptions {
    /// Memory of one hash in KiB, at least 8.
    pub memory_kib: u32,
    /// Iterations of one hash, at least 1.
    pub iterations: u32,
    /// Hashes that run at once; each takes a core and its memory.
    pub running: NonZeroUsize,
    /// Hashes that may wait beyond those; one more is answered [`ServiceError::Busy`].
    pub waiting: usize,
}

impl Default for HashingOptions {
    /// The parameters of OWASP, as many hashes at once as there are cores.
    fn default() -> Self {
        let running = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            memory_kib: ARGON2_MEMORY_KIB,
            iterations: ARGON2_ITERATIONS,
            running,
            waiting: running.get() * HASHES_WAITING_PER_RUNNING,
        }
    }
}

impl HashingOptions {
    /// Parameters that take well under a millisecond and protect nobody: for tests and load tests.
    #[must_use]
    pub fn cheap() -> Self {
        Self { memory_kib: 8, iterations: 1, ..Self::default() }
    }
}

/// Hashes and verifies passwords.
#[derive(Debug, Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    /// A hash that no password has, with the parameters of the others: what the password of an unknown user is
    /// verified against, so that it takes the same time.
    nobodys: PasswordHash,
    /// One permit for each hash that runs or waits.
    admitted: Arc<Semaphore>,
    /// One permit for each hash that runs.
    running: Arc<Semaphore>,
}

impl Passwords {
    /// Hashing as `options` say.
    ///
    /// # Panics
    /// When the parameters are outside of what Argon2 allows.
    pub fn new(options: &HashingOptions) -> Self {
        let params = Params::new(options.memory_kib, options.iterations, ARGON2_LANES, None)
            .expect("the configured Argon2 parameters are within its limits");
        Self {
            nobodys: nobodys_hash(&params),
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            admitted: Arc::new(Semaphore::new(options.running.get() + options.waiting)),
            running: Arc::new(Semaphore::new(options.running.get())),
        }
    }

    /// The hash of a password under a salt of its own. [`ServiceError::Busy`] when too many are waiting.
    ///
    /// # Panics
    /// Never: Argon2 fails only for lengths outside its limits.
    pub async fn hash(&self, password: Password) -> Result<PasswordHash, ServiceError> {
        let argon2 = self.argon2.clone();
        self.run(move || {
            let hash = argon2
                .hash_password(password.as_bytes())
                .expect("a password of at most 128 characters and a random salt are within Argon2's limits");
            PasswordHash(hash.to_string())
        })
        .await
    }

    /// Whether this is the password that was hashed; never, and in the same time, where there is no hash.
    /// [`ServiceError::Busy`] when too many are waiting.
    pub async fn verify(&self, password: Password, hash: Option<PasswordHash>) -> Result<bool, ServiceError> {
        let argon2 = self.argon2.clone();
        let hash = hash.unwrap_or_else(|| self.nobodys.clone());
        self.run(move || argon2.verify_password(password.as_bytes(), hash.0.as_str()).is_ok()).await
    }

    async fn run<T: Send + 'static>(&self, hashing: impl FnOnce() -> T + Send + 'static) -> Result<T, ServiceError> {
        let busy = ServiceError::Busy { retry_after: RETRY_AFTER };
        let Ok(admitted) = Arc::clone(&self.admitted).try_acquire_owned() else { return Err(busy) };
        let Ok(running) = Arc::clone(&self.running).acquire_owned().await else { return Err(busy) };
        metrics::counter!(names::PASSWORDS_HASHED).increment(1);
        // The permits go along: a caller who gives up does not make room before the thread is done.
        let task = tokio::task::spawn_blocking(move || {
            let result = hashing();
            drop((running, admitted));
            result
        });
        match task.await {
            Ok(result) => Ok(result),
            Err(failed) if failed.is_panic() => resume_unwind(failed.into_panic()),
            // The runtime is shutting down.
            Err(_) => Err(busy),
        }
    }
}

/// A PHC string whose salt and output are random: verifying against it costs one hash and fails.
fn nobodys_hash(params: &Params) -> PasswordHash {
    let salt = STANDARD_NO_PAD.encode(rand::random::<[u8; 16]>());
    let output = STANDARD_NO_PAD.encode(rand::random::<[u8; Params::DEFAULT_OUTPUT_LEN]>());
    let (memory, iterations, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    PasswordHash(format!("$argon2id$v=19$m={memory},t={iterations},p={lanes}${salt}${output}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    #[tokio::test]
    async fn only_the_password_that_was_hashed_verifies() {
        let passwords = Passwords::new(&HashingOptions::cheap());
        let hash = passwords.hash(password("correct horse")).await.unwrap();
        assert!(passwords.verify(password("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(password("correct house"), Some(hash)).await.unwrap());
        assert!(!passwords.verify(password("correct horse"), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_says_its_parameters_and_has_its_own_salt() {
        let passwords = Passwords::new(&HashingOptions::default());
        let [one, other] = [
            passwords.hash(password("same password")).await.unwrap(),
            passwords.hash(password("same password")).await.unwrap(),
        ];
        assert!(one.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", one.0);
        assert_ne!(one, other);
    }

    #[test]
    fn nobodys_hash_costs_what_a_real_one_costs() {
        let hash = Passwords::new(&HashingOptions::default()).nobodys;
        let parsed = argon2::password_hash::phc::PasswordHash::new(&hash.0).unwrap();
        assert_eq!(Params::try_from(&parsed).unwrap().m_cost(), ARGON2_MEMORY_KIB);
        assert_eq!(Params::try_from(&parsed).unwrap().t_cost(), ARGON2_ITERATIONS);
        assert_eq!(parsed.hash.unwrap().len(), Params::DEFAULT_OUTPUT_LEN);
    }

    #[tokio::test]
    async fn one_hash_more_than_may_wait_is_refused() {
        let options = HashingOptions { running: NonZeroUsize::MIN, waiting: 1, ..HashingOptions::default() };
        let passwords = Passwords::new(&options);
        let hash = || passwords.hash(password("correct horse"));
        let (first, second, third) = tokio::join!(hash(), hash(), hash());
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(third, Err(ServiceError::Busy { .. })));
        assert!(hash().await.is_ok());
    }
}
