//! Access tokens: JWTs (RFC 7519) in the profile of RFC 9068, signed with HMAC-SHA-256.

use std::{fmt, sync::Arc};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{ServiceError, token_signature};
use crate::{
    domain::{Timestamp, UserId},
    limits,
};

/// Who signs.
pub const ISSUER: &str = "tweeter";
/// For whom the tokens are.
pub const AUDIENCE: &str = "tweeter-api";
/// What tells an access token from any other JWT (RFC 9068, section 2.1).
const TOKEN_TYPE: &str = "at+jwt";
/// Seconds by which a token may have expired: none. Who signs also verifies, nothing depends on the beginning of a
/// token's life, and a clock that is a little off makes 15 minutes a little longer or shorter.
const LEEWAY_SECS: u64 = 0;
/// Bytes of a signing secret: the output of its hash function, as RFC 7518, section 3.2, asks at least.
pub const SECRET_BYTES: usize = 32;

/// A signing secret that is not 64 hexadecimal digits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a signing secret is 64 hexadecimal digits")]
pub struct InvalidSecret;

/// Where signing secrets should be found there is none that is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{variable} must hold a signing secret: 64 hexadecimal digits")]
pub struct NoSecret {
    /// The variable of the configuration.
    pub variable: &'static str,
}

/// The variable that holds the current signing secret.
pub const SIGNING_KEY: &str = "TWEETER_SIGNING_KEY";
/// The variable that may hold the one before it.
pub const PREVIOUS_SIGNING_KEY: &str = "TWEETER_PREVIOUS_SIGNING_KEY";

/// The secrets that access tokens are signed with: the current one, and the one before it, whose tokens are still
/// accepted. Never shown by `Debug`.
#[derive(Clone)]
pub struct TokenKeys {
    current: [u8; SECRET_BYTES],
    previous: Option<[u8; SECRET_BYTES]>,
}

impl TokenKeys {
    /// Signs and accepts with one secret of random bits.
    pub const fn new(current: [u8; SECRET_BYTES]) -> Self {
        Self { current, previous: None }
    }

    /// Also accepts what was signed with the secret before.
    #[must_use]
    pub const fn with_previous(mut self, previous: [u8; SECRET_BYTES]) -> Self {
        self.previous = Some(previous);
        self
    }

    /// The keys from a configuration: [`SIGNING_KEY`], and [`PREVIOUS_SIGNING_KEY`] where there is one.
    pub fn from_lookup(find: impl Fn(&'static str) -> Option<String>) -> Result<Self, NoSecret> {
        let read = |variable, text: &str| Self::parse_secret(text).map_err(|_| NoSecret { variable });
        let current = read(SIGNING_KEY, &find(SIGNING_KEY).unwrap_or_default())?;
        let previous = find(PREVIOUS_SIGNING_KEY).filter(|text| !text.is_empty());
        let previous = previous.map(|text| read(PREVIOUS_SIGNING_KEY, &text)).transpose()?;
        Ok(Self { current, previous })
    }

    /// A secret from its hexadecimal form.
    pub fn parse_secret(text: &str) -> Result<[u8; SECRET_BYTES], InvalidSecret> {
        let mut secret = [0; SECRET_BYTES];
        hex::decode_to_slice(text.trim(), &mut secret).map_err(|_| InvalidSecret)?;
        Ok(secret)
    }
}

impl fmt::Debug for TokenKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenKeys(..)")
    }
}

/// Makes access tokens and reads them. Cheap to clone; reading one is a matter of microseconds.
#[derive(Clone)]
pub struct AccessTokens {
    keys: Arc<Keys>,
}

struct Keys {
    signing: EncodingKey,
    signing_id: String,
    accepted: Vec<(String, DecodingKey)>,
    validation: Validation,
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTokens").field("key_id", &self.keys.signing_id).finish_non_exhaustive()
    }
}

#[derive(Debug, Serialize, Deserialize)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    iat: u64,
    exp: u64,
    jti: uuid::Uuid,
}

impl AccessTokens {
    /// Tokens signed with the current one of these keys.
    pub fn new(keys: &TokenKeys) -> Self {
        token_signature::install();
        let secrets = [Some(keys.current), keys.previous];
        let accepted = secrets.iter().flatten().map(|secret| (key_id(secret), DecodingKey::from_secret(secret)));
        Self {
            keys: Arc::new(Keys {
                signing: EncodingKey::from_secret(&keys.current),
                signing_id: key_id(&keys.current),
                accepted: accepted.collect(),
                validation: validation(),
            }),
        }
    }

    /// A token of `user`, good for [`limits::ACCESS_TOKEN_TTL`].
    ///
    /// # Panics
    /// Never: signing a struct of texts and numbers with an HMAC key does not fail.
    pub fn issue(&self, user: UserId, now: Timestamp) -> String {
        let header = Header {
            typ: Some(TOKEN_TYPE.to_owned()),
            kid: Some(self.keys.signing_id.clone()),
            ..Header::new(Algorithm::HS256)
        };
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            iat: now.as_secs(),
            exp: now.plus(limits::ACCESS_TOKEN_TTL).as_secs(),
            jti: uuid::Uuid::new_v4(),
        };
        jsonwebtoken::encode(&header, &claims, &self.keys.signing).expect("texts and numbers sign with an HMAC key")
    }

    /// Whose token this is; [`ServiceError::Unauthenticated`] for anything but a token of ours that is still good.
    pub fn authenticate(&self, bearer: &str, now: Timestamp) -> Result<UserId, ServiceError> {
        self.read(bearer, now).ok_or(ServiceError::Unauthenticated)
    }

    fn read(&self, bearer: &str, now: Timestamp) -> Option<UserId> {
        let header = jsonwebtoken::decode_header(bearer).ok()?;
        if header.typ.as_deref() != Some(TOKEN_TYPE) {
            return None;
        }
        let kid = header.kid?;
        let (_, key) = self.keys.accepted.iter().find(|(id, _)| *id == kid)?;
        let claims = jsonwebtoken::decode::<Claims>(bearer, key, &self.keys.validation).ok()?.claims;
        (now.as_secs() < claims.exp.saturating_add(LEEWAY_SECS)).then_some(claims.sub)
    }
}

/// HS256 alone, our issuer and audience. Expiry is checked against the caller's time, not the machine's.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    validation.validate_exp = false;
    validation
}

/// Names a secret without telling it: the beginning of a hash of its own. The secret has 256 random bits, so there is
/// nothing to guess from.
fn key_id(secret: &[u8; SECRET_BYTES]) -> String {
    let mut digest = Sha256::new();
    digest.update(b"tweeter access token key id");
    digest.update(secret);
    hex::encode(&digest.finalize()[..8])
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use serde_json::{Value, json};

    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_763_700_000_000);
    const SECRET: [u8; SECRET_BYTES] = [7; SECRET_BYTES];

    fn tokens() -> AccessTokens {
        AccessTokens::new(&TokenKeys::new(SECRET))
    }

    fn part(token: &str, place: usize) -> Value {
        let part = token.split('.').nth(place).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    /// Signs any header and claims with any secret.
    fn forge(header: &Value, claims: &Value, secret: &[u8]) -> String {
        token_signature::install();
        let [header, claims] = [header, claims].map(|part| URL_SAFE_NO_PAD.encode(part.to_string()));
        let message = format!("{header}.{claims}");
        let signature =
            jsonwebtoken::crypto::sign(message.as_bytes(), &EncodingKey::from_secret(secret), Algorithm::HS256);
        format!("{message}.{}", signature.unwrap())
    }

    #[test]
    fn a_token_names_its_user_until_it_expires() {
        let user = UserId::random();
        let token = tokens().issue(user, NOW);
        let last = NOW.plus(limits::ACCESS_TOKEN_TTL.saturating_sub(Duration::from_millis(1)));
        assert_eq!(tokens().authenticate(&token, last).unwrap(), user);
        assert!(tokens().authenticate(&token, NOW.plus(limits::ACCESS_TOKEN_TTL)).is_err());
    }

    #[test]
    fn a_token_has_the_header_and_claims_of_the_contract() {
        let token = tokens().issue(UserId::random(), NOW);
        let (header, claims) = (part(&token, 0), part(&token, 1));
        assert_eq!(header, json!({"typ": "at+jwt", "alg": "HS256", "kid": key_id(&SECRET)}));
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 900);
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!(AUDIENCE)));
        assert!(claims["jti"].is_string());
    }

    #[test]
    fn the_key_before_is_accepted_and_a_strange_key_is_not() {
        let old = tokens().issue(UserId::random(), NOW);
        let rotated = AccessTokens::new(&TokenKeys::new([8; SECRET_BYTES]).with_previous(SECRET));
        assert!(rotated.authenticate(&old, NOW).is_ok());
        assert!(AccessTokens::new(&TokenKeys::new([8; SECRET_BYTES])).authenticate(&old, NOW).is_err());
        let new = rotated.issue(UserId::random(), NOW);
        assert!(tokens().authenticate(&new, NOW).is_err());
    }

    #[test]
    fn what_differs_in_anything_that_counts_is_refused() {
        let token = tokens().issue(UserId::random(), NOW);
        let (header, claims) = (part(&token, 0), part(&token, 1));
        assert!(tokens().authenticate(&forge(&header, &claims, &SECRET), NOW).is_ok(), "the forge works");
        let with = |value: &Value, member: &str, to: Value| {
            let mut changed = value.clone();
            changed[member] = to;
            changed
        };
        let forged = [
            forge(&with(&header, "typ", json!("JWT")), &claims, &SECRET),
            forge(&with(&header, "alg", json!("none")), &claims, &SECRET),
            forge(&with(&header, "alg", json!("HS512")), &claims, &SECRET),
            forge(&with(&header, "kid", json!("another")), &claims, &SECRET),
            forge(&header, &claims, &[9; SECRET_BYTES]),
            forge(&header, &with(&claims, "iss", json!("another")), &SECRET),
            forge(&header, &with(&claims, "aud", json!("another")), &SECRET),
            forge(&header, &with(&claims, "sub", json!("alice")), &SECRET),
            forge(&header, &with(&claims, "exp", json!("never")), &SECRET),
        ];
        for token in forged {
            assert!(tokens().authenticate(&token, NOW).is_err(), "{token}");
        }
    }

    #[test]
    fn a_token_changed_in_any_place_is_refused() {
        let token = tokens().issue(UserId::random(), NOW);
        for place in 0..token.len() - 1 {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            assert!(tokens().authenticate(&String::from_utf8(bytes).unwrap(), NOW).is_err(), "{place}");
        }
        for text in ["", ".", "..", "a.b.c", token.rsplit_once('.').unwrap().0] {
            assert!(tokens().authenticate(text, NOW).is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let keys = TokenKeys::new(SECRET);
        assert_eq!(format!("{keys:?}"), "TokenKeys(..)");
        assert!(!format!("{:?}", AccessTokens::new(&keys)).contains("0707"));
    }

    #[test]
    fn a_configuration_without_a_good_secret_is_told_which_variable_to_set() {
        let good = "07".repeat(32);
        let from = |current: &str, previous: &str| {
            let (current, previous) = (current.to_owned(), previous.to_owned());
            TokenKeys::from_lookup(move |variable| {
                Some(if variable == SIGNING_KEY { current.clone() } else { previous.clone() })
            })
        };
        assert_eq!(from(&good, "").unwrap().previous, None);
        assert_eq!(from(&good, &good).unwrap().previous, Some(SECRET));
        assert_eq!(from("07", "").unwrap_err().variable, SIGNING_KEY);
        assert_eq!(from(&good, "07").unwrap_err().variable, PREVIOUS_SIGNING_KEY);
        assert!(TokenKeys::from_lookup(|_| None).unwrap_err().to_string().starts_with("TWEETER_SIGNING_KEY must hold"));
    }

    #[test]
    fn a_secret_is_64_hexadecimal_digits() {
        assert_eq!(TokenKeys::parse_secret(&format!("{}\n", "07".repeat(32))), Ok(SECRET));
        for bad in ["", "07", &"07".repeat(33), &"zz".repeat(32)] {
            assert_eq!(TokenKeys::parse_secret(bad), Err(InvalidSecret));
        }
    }
}
