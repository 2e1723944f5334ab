//! Access tokens: JWTs (RFC 7519) in the profile of RFC 9068, signed with HMAC-SHA-256.
//!
//! - `keys`: the signing secrets, prepared for use.
//! - `source`: the place where they are kept.
//! - `rotation`: keys that change while the process runs.

mod keys;
mod rotation;

use std::{fmt, sync::Arc};

use jsonwebtoken::{Algorithm, DecodingKey, Header, Validation, dangerous::insecure_decode_claims};
use serde::{Deserialize, Serialize};

use self::rotation::{Dates, KeyRing};
use super::ServiceError;
use domain::{SessionId, Timestamp, UserId, limits, random};
use ports::signing::{KeySource, KeySourceError, TokenKeys};

/// The issuer claim.
pub const ISSUER: &str = "tweeter";
/// The audience claim.
pub const AUDIENCE: &str = "tweeter-api";
/// The header type that distinguishes an access token from other JWTs (RFC 9068, section 2.1).
const TOKEN_TYPE: &str = "at+jwt";
/// Clock leeway in seconds for expired tokens: none. The signer is also the verifier, no claim limits the start of
/// validity, and a slightly wrong clock only makes the 15 minutes a little longer or shorter.
const LEEWAY_SECS: u64 = 0;

/// Signs and verifies access tokens. Cheap to clone; clones share their keys. Verifying a token of a known key takes
/// microseconds and does not wait.
#[derive(Clone)]
pub struct AccessTokens {
    ring: Arc<KeyRing>,
    validation: Arc<Validation>,
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccessTokens").field("key_id", &self.ring.now().signing_id).finish_non_exhaustive()
    }
}

impl From<&TokenKeys> for AccessTokens {
    fn from(keys: &TokenKeys) -> Self {
        Self::new(keys)
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
    /// The session of the token. Missing from tokens issued before the field existed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sid: Option<SessionId>,
}

impl AccessTokens {
    /// Tokens signed with the current one of these keys, which never change.
    pub fn new(keys: &TokenKeys) -> Self {
        Self::of(KeyRing::fixed(keys))
    }

    /// Tokens signed with the keys from `source`, fetched now, and again for a token with an unknown key (at most once
    /// per [`limits::KEY_FETCH_INTERVAL`]) and in the background when they are older than [`limits::MAX_KEYS_AGE`].
    /// Fails when the first fetch fails.
    pub async fn from_source(source: Arc<dyn KeySource>, now: Timestamp) -> Result<Self, KeySourceError> {
        Ok(Self::of(KeyRing::fetched(source, now).await?))
    }

    fn of(ring: KeyRing) -> Self {
        Self { ring: Arc::new(ring), validation: Arc::new(validation()) }
    }

    /// A token of `user` without a session, valid for [`limits::ACCESS_TOKEN_TTL`].
    pub fn issue(&self, user: UserId, now: Timestamp) -> String {
        self.sign(user, None, now)
    }

    /// A token of `user` that names its session, valid for [`limits::ACCESS_TOKEN_TTL`].
    pub fn issue_to(&self, user: UserId, session: SessionId, now: Timestamp) -> String {
        self.sign(user, Some(session), now)
    }

    /// # Panics
    /// Never: signing a struct of texts and numbers with an HMAC key does not fail.
    fn sign(&self, user: UserId, session: Option<SessionId>, now: Timestamp) -> String {
        self.ring.renew_when_old(now);
        let keys = self.ring.now();
        let header = Header {
            typ: Some(TOKEN_TYPE.to_owned()),
            kid: Some(keys.signing_id.clone()),
            ..Header::new(Algorithm::HS256)
        };
        let claims = Claims {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            sub: user,
            iat: now.as_secs(),
            exp: now.plus(limits::ACCESS_TOKEN_TTL).as_secs(),
            jti: random::uuid(),
            sid: session,
        };
        jsonwebtoken::encode(&header, &claims, &keys.signing).expect("texts and numbers sign with an HMAC key")
    }

    /// The user of a token. [`ServiceError::Unauthenticated`] unless it is a valid, unexpired token of ours;
    /// [`ServiceError::Undecided`] when its key is unknown here and the source cannot be asked now.
    pub async fn authenticate(&self, bearer: &str, now: Timestamp) -> Result<UserId, ServiceError> {
        let kid = key_id_of(bearer).ok_or(ServiceError::Unauthenticated)?;
        self.ring.renew_when_old(now);
        let key = match self.ring.now().accepted(&kid) {
            Some(key) => key,
            None => self.fetch_key(&kid, bearer, now).await?,
        };
        self.read(bearer, &key, now).ok_or(ServiceError::Unauthenticated)
    }

    /// The expiry that a token claims. Only for tokens that [`Self::authenticate`] accepted.
    pub fn expiry_of(&self, authenticated: &str) -> Option<Timestamp> {
        let claims = insecure_decode_claims::<Claims>(authenticated).ok()?;
        Some(Timestamp::from_millis(claims.exp.saturating_add(LEEWAY_SECS).saturating_mul(1_000)))
    }

    /// The session that a token claims, if any. Only for tokens that [`Self::authenticate`] accepted.
    pub fn session_of(&self, authenticated: &str) -> Option<SessionId> {
        insecure_decode_claims::<Claims>(authenticated).ok()?.sid
    }

    /// Fetches the key of a token whose key is unknown here. The token's unverified claims only decide whether a fetch
    /// is worthwhile.
    async fn fetch_key(&self, kid: &str, bearer: &str, now: Timestamp) -> Result<DecodingKey, ServiceError> {
        let claims = insecure_decode_claims::<Claims>(bearer).ok().filter(|claims| is_live(claims, now));
        let claims = claims.ok_or(ServiceError::Unauthenticated)?;
        let issued = Timestamp::from_millis(claims.iat.saturating_mul(1_000));
        self.ring.find(kid, Dates { issued, arrived: now }).await
    }

    fn read(&self, bearer: &str, key: &DecodingKey, now: Timestamp) -> Option<UserId> {
        let claims = jsonwebtoken::decode::<Claims>(bearer, key, &self.validation).ok()?.claims;
        is_live(&claims, now).then_some(claims.sub)
    }
}

/// The key id of an access token; `None` for any other text.
fn key_id_of(bearer: &str) -> Option<String> {
    let header = jsonwebtoken::decode_header(bearer).ok()?;
    let ours = header.typ.as_deref() == Some(TOKEN_TYPE) && header.alg == Algorithm::HS256;
    header.kid.filter(|_| ours)
}

const fn is_live(claims: &Claims, now: Timestamp) -> bool {
    now.as_secs() < claims.exp.saturating_add(LEEWAY_SECS)
}

/// HS256 only, our issuer and audience. Expiry is checked against the caller's time, not the machine's.
fn validation() -> Validation {
    let mut validation = Validation::new(Algorithm::HS256);
    validation.set_issuer(&[ISSUER]);
    validation.set_audience(&[AUDIENCE]);
    validation.set_required_spec_claims(&["iss", "aud", "sub", "exp"]);
    validation.validate_exp = false;
    validation
}

#[cfg(test)]
mod tests {
    use ports::signing::SECRET_BYTES;

    use std::time::Duration;

    use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
    use jsonwebtoken::EncodingKey;
    use serde_json::{Value, json};

    use super::{super::token_signature, keys::key_id, *};

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

    #[tokio::test]
    async fn a_token_names_its_user_until_it_expires() {
        let user = UserId::random();
        let token = tokens().issue(user, NOW);
        let last = NOW.plus(limits::ACCESS_TOKEN_TTL.saturating_sub(Duration::from_millis(1)));
        assert_eq!(tokens().authenticate(&token, last).await.unwrap(), user);
        assert_eq!(tokens().expiry_of(&token), Some(NOW.plus(limits::ACCESS_TOKEN_TTL)));
        assert!(tokens().authenticate(&token, NOW.plus(limits::ACCESS_TOKEN_TTL)).await.is_err());
    }

    #[tokio::test]
    async fn a_token_names_its_session() {
        let (user, session) = (UserId::random(), SessionId::beginning_at(NOW));
        let token = tokens().issue_to(user, session, NOW);
        assert_eq!(tokens().authenticate(&token, NOW).await.unwrap(), user);
        assert_eq!(tokens().session_of(&token), Some(session));
        let older = tokens().issue(user, NOW);
        assert!(part(&older, 1).get("sid").is_none());
        assert_eq!(tokens().session_of(&older), None);
    }

    #[test]
    fn a_token_has_the_contracts_header_and_claims() {
        let token = tokens().issue(UserId::random(), NOW);
        let (header, claims) = (part(&token, 0), part(&token, 1));
        assert_eq!(header, json!({"typ": "at+jwt", "alg": "HS256", "kid": key_id(&SECRET)}));
        assert_eq!(claims["exp"].as_u64().unwrap() - claims["iat"].as_u64().unwrap(), 900);
        assert_eq!((&claims["iss"], &claims["aud"]), (&json!(ISSUER), &json!(AUDIENCE)));
        assert!(claims["jti"].is_string());
    }

    #[tokio::test]
    async fn previous_keys_are_accepted_strange_keys_refused() {
        let old = tokens().issue(UserId::random(), NOW);
        let rotated = AccessTokens::new(&TokenKeys::new([8; SECRET_BYTES]).with_previous(SECRET));
        assert!(rotated.authenticate(&old, NOW).await.is_ok());
        assert!(AccessTokens::new(&TokenKeys::new([8; SECRET_BYTES])).authenticate(&old, NOW).await.is_err());
        let new = rotated.issue(UserId::random(), NOW);
        assert!(tokens().authenticate(&new, NOW).await.is_err());
    }

    #[tokio::test]
    async fn a_token_with_any_wrong_claim_is_refused() {
        let token = tokens().issue(UserId::random(), NOW);
        let (header, claims) = (part(&token, 0), part(&token, 1));
        assert!(tokens().authenticate(&forge(&header, &claims, &SECRET), NOW).await.is_ok(), "the forge works");
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
            assert!(tokens().authenticate(&token, NOW).await.is_err(), "{token}");
        }
    }

    #[tokio::test]
    async fn a_tampered_token_is_refused() {
        let token = tokens().issue(UserId::random(), NOW);
        for place in 0..token.len() - 1 {
            let mut bytes = token.clone().into_bytes();
            bytes[place] = if bytes[place] == b'A' { b'B' } else { b'A' };
            assert!(tokens().authenticate(&String::from_utf8(bytes).unwrap(), NOW).await.is_err(), "{place}");
        }
        for text in ["", ".", "..", "a.b.c", token.rsplit_once('.').unwrap().0] {
            assert!(tokens().authenticate(text, NOW).await.is_err(), "{text}");
        }
    }

    #[test]
    fn secrets_do_not_show() {
        let keys = TokenKeys::new(SECRET);
        assert_eq!(format!("{keys:?}"), "TokenKeys(..)");
        assert!(!format!("{:?}", AccessTokens::new(&keys)).contains("0707"));
    }
}
