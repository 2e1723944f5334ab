//! Password hashing: Argon2id on blocking threads, with a limit on concurrent hashes.
//!
//! - `queue`: the fair queue of waiting hashes.

mod queue;

use std::{num::NonZeroUsize, panic::resume_unwind, sync::Arc, thread, time::Duration};

use argon2::{
    Algorithm, Argon2, Params, Version,
    password_hash::{PasswordHasher, PasswordVerifier},
};
use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};

use self::queue::{Bounds, HashQueue};
use super::ServiceError;
use data::PasswordHash;
use domain::{ClientNetwork, Password, limits, random};
use telemetry::names;

/// Memory of one hash in KiB: the OWASP Password Storage Cheat Sheet asks for Argon2id with at least 19 MiB, 2
/// iterations and 1 degree of parallelism.
pub const ARGON2_MEMORY_KIB: u32 = 19 * 1024;
/// Iterations of one hash: see [`ARGON2_MEMORY_KIB`].
pub const ARGON2_ITERATIONS: u32 = 2;
/// Lanes of one hash: see [`ARGON2_MEMORY_KIB`].
pub const ARGON2_LANES: u32 = 1;
/// Retry delay when too many hashes are waiting: about the time it takes to hash those.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Parameters and limits of password hashing.
#[derive(Debug, Clone)]
pub struct HashingOptions {
    /// Memory of one hash in KiB, at least 8.
    pub memory_kib: u32,
    /// Iterations of one hash, at least 1.
    pub iterations: u32,
    /// Concurrent hashes; each takes a core and its memory.
    pub running: NonZeroUsize,
    /// Maximum hashes waiting beyond those. When it is exceeded, the network with the most waiting hashes loses one,
    /// answered [`ServiceError::Busy`].
    pub waiting: usize,
    /// Maximum hashes of one network waiting; further ones are answered [`ServiceError::Busy`].
    pub waiting_per_network: usize,
}

impl Default for HashingOptions {
    /// The OWASP parameters, with one concurrent hash per core.
    fn default() -> Self {
        let running = thread::available_parallelism().unwrap_or(NonZeroUsize::MIN);
        Self {
            memory_kib: ARGON2_MEMORY_KIB,
            iterations: ARGON2_ITERATIONS,
            running,
            waiting: running.get() * limits::HASHES_WAITING_PER_RUNNING,
            waiting_per_network: running.get() * limits::NETWORK_HASHES_WAITING_PER_RUNNING,
        }
    }
}

impl HashingOptions {
    /// Insecure parameters that take well under a millisecond: for tests and load tests.
    #[must_use]
    pub fn cheap() -> Self {
        Self { memory_kib: 8, iterations: 1, ..Self::default() }
    }
}

/// Hashes and verifies passwords.
#[derive(Debug, Clone)]
pub struct Passwords {
    argon2: Argon2<'static>,
    /// A random hash with the configured parameters: an unknown user's password is verified against it, so that it
    /// takes the same time.
    dummy: PasswordHash,
    queue: Arc<HashQueue>,
}

impl Passwords {
    /// Hashing with these options.
    ///
    /// # Panics
    /// When the parameters are outside Argon2's limits.
    pub fn new(options: &HashingOptions) -> Self {
        let params = Params::new(options.memory_kib, options.iterations, ARGON2_LANES, None)
            .expect("the configured Argon2 parameters are within its limits");
        Self {
            dummy: dummy_hash(&params),
            argon2: Argon2::new(Algorithm::Argon2id, Version::V0x13, params),
            queue: HashQueue::new(Bounds {
                running: options.running.get(),
                waiting: options.waiting,
                waiting_per_network: options.waiting_per_network,
            }),
        }
    }

    /// Hashes a password with a fresh salt, for a client of a network. [`ServiceError::Busy`] when too many are
    /// waiting.
    ///
    /// # Panics
    /// Never: Argon2 fails only for lengths outside its limits.
    pub async fn hash(&self, network: ClientNetwork, password: Password) -> Result<PasswordHash, ServiceError> {
        let argon2 = self.argon2.clone();
        self.run(network, move || {
            let hash = argon2
                .hash_password(password.as_bytes())
                .expect("a password of at most 128 characters and a random salt are within Argon2's limits");
            PasswordHash(hash.to_string())
        })
        .await
    }

    /// Whether the password matches the hash; without a hash, false after the same time. [`ServiceError::Busy`] when
    /// too many are waiting.
    pub async fn verify(
        &self,
        network: ClientNetwork,
        password: Password,
        hash: Option<PasswordHash>,
    ) -> Result<bool, ServiceError> {
        let argon2 = self.argon2.clone();
        let hash = hash.unwrap_or_else(|| self.dummy.clone());
        self.run(network, move || argon2.verify_password(password.as_bytes(), hash.0.as_str()).is_ok()).await
    }

    async fn run<T: Send + 'static>(
        &self,
        network: ClientNetwork,
        hashing: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, ServiceError> {
        let busy = ServiceError::Busy { retry_after: RETRY_AFTER };
        let Some(slot) = self.queue.enter(network).await else { return Err(busy) };
        metrics::counter!(names::PASSWORDS_HASHED).increment(1);
        // The slot moves along: a cancelled caller must not free it before the thread is done.
        let task = tokio::task::spawn_blocking(move || {
            let result = hashing();
            drop(slot);
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
fn dummy_hash(params: &Params) -> PasswordHash {
    let salt = STANDARD_NO_PAD.encode(random::bytes::<16>());
    let output = STANDARD_NO_PAD.encode(random::bytes::<{ Params::DEFAULT_OUTPUT_LEN }>());
    let (memory, iterations, lanes) = (params.m_cost(), params.t_cost(), params.p_cost());
    PasswordHash(format!("$argon2id$v=19$m={memory},t={iterations},p={lanes}${salt}${output}"))
}

#[cfg(test)]
mod tests {
    use std::{
        net::{IpAddr, Ipv4Addr},
        sync::mpsc,
    };

    use futures::FutureExt;
    use parking_lot::Mutex;

    use super::*;

    const HERE: ClientNetwork = ClientNetwork::UNKNOWN;

    fn password(text: &str) -> Password {
        Password::parse(text).unwrap()
    }

    #[tokio::test]
    async fn only_the_hashed_password_verifies() {
        let passwords = Passwords::new(&HashingOptions::cheap());
        let hash = passwords.hash(HERE, password("correct horse")).await.unwrap();
        assert!(passwords.verify(HERE, password("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify(HERE, password("correct house"), Some(hash)).await.unwrap());
        assert!(!passwords.verify(HERE, password("correct horse"), None).await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_has_its_parameters_and_own_salt() {
        let passwords = Passwords::new(&HashingOptions::default());
        let [one, other] = [
            passwords.hash(HERE, password("same password")).await.unwrap(),
            passwords.hash(HERE, password("same password")).await.unwrap(),
        ];
        assert!(one.0.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", one.0);
        assert_ne!(one, other);
    }

    #[test]
    fn the_dummy_hash_costs_as_much_as_a_stored_one() {
        let hash = Passwords::new(&HashingOptions::default()).dummy;
        let parsed = argon2::password_hash::phc::PasswordHash::new(&hash.0).unwrap();
        assert_eq!(Params::try_from(&parsed).unwrap().m_cost(), ARGON2_MEMORY_KIB);
        assert_eq!(Params::try_from(&parsed).unwrap().t_cost(), ARGON2_ITERATIONS);
        assert_eq!(parsed.hash.unwrap().len(), Params::DEFAULT_OUTPUT_LEN);
    }

    #[tokio::test]
    async fn a_hash_beyond_the_limit_is_refused() {
        let options = HashingOptions { running: NonZeroUsize::MIN, waiting: 1, ..HashingOptions::default() };
        let passwords = Passwords::new(&options);
        let hash = || passwords.hash(HERE, password("correct horse"));
        let (first, second, third) = tokio::join!(hash(), hash(), hash());
        assert!(first.is_ok() && second.is_ok());
        assert!(matches!(third, Err(ServiceError::Busy { .. })));
        assert!(hash().await.is_ok());
    }

    #[tokio::test]
    async fn a_flood_costs_another_network_one_hash() {
        let options = HashingOptions { running: NonZeroUsize::MIN, ..HashingOptions::default() };
        let passwords = Passwords::new(&options);
        let [flood, other] = [1, 2].map(|last| ClientNetwork::from(IpAddr::V4(Ipv4Addr::new(192, 0, 2, last))));
        let (open, gate) = mpsc::channel::<()>();
        let (gate, order) = (Arc::new(Mutex::new(gate)), Arc::new(Mutex::new(Vec::new())));
        let hashing = |network: ClientNetwork| {
            let (gate, order) = (Arc::clone(&gate), Arc::clone(&order));
            passwords.run(network, move || {
                gate.lock().recv().unwrap();
                order.lock().push(network);
            })
        };
        let mut jobs: Vec<_> = (0..options.waiting_per_network).map(|_| Box::pin(hashing(flood))).collect();
        jobs.push(Box::pin(hashing(other)));
        // In order of arrival: one of the flood runs up to the gate, all others wait.
        assert!(jobs.iter_mut().all(|job| job.as_mut().now_or_never().is_none()));
        for _ in &jobs {
            open.send(()).unwrap();
        }
        futures::future::try_join_all(jobs).await.unwrap();
        assert_eq!(order.lock()[..3], [flood, flood, other]);
    }
}
