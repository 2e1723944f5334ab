//! The one place that draws random values, apart from the ids of users, sessions and the [`IdGenerator`](super::IdGenerator).

use uuid::Uuid;

/// A random UUID (version 4): a nonce that names one attempt, message or store. Nothing is ordered by it.
#[expect(clippy::disallowed_methods, reason = "the place that others are sent to")]
pub fn uuid() -> Uuid {
    Uuid::new_v4()
}

/// Random bytes of a cryptographically secure generator, seeded by the operating system: fit for keys and tokens.
#[expect(clippy::disallowed_methods, reason = "the place that others are sent to")]
pub fn bytes<const N: usize>() -> [u8; N] {
    rand::random()
}
