//! A `jsonwebtoken` provider with HMAC-SHA-256 only: its own providers add RSA and elliptic curves to every binary
//! (half a megabyte), which our tokens never use.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jsonwebtoken::{
    Algorithm, DecodingKey, EncodingKey,
    crypto::{CryptoProvider, JwtSigner, JwtVerifier, KeyUtils},
    errors::{ErrorKind, Result},
    signature::{Error, Signer, Verifier},
};
use sha2::Sha256;

/// Installs the provider for this process; idempotent.
pub(super) fn install() {
    static PROVIDER: CryptoProvider = CryptoProvider {
        signer_factory: |algorithm, key| signer(*algorithm, key),
        verifier_factory: |algorithm, key| verifier(*algorithm, key),
        key_utils: KeyUtils::new_unimplemented(),
    };
    // Refused if it is already installed.
    let _again = PROVIDER.install_default();
}

fn signer(algorithm: Algorithm, key: &EncodingKey) -> Result<Box<dyn JwtSigner>> {
    Ok(Box::new(Hs256::new(algorithm, key.as_bytes())?))
}

fn verifier(algorithm: Algorithm, key: &DecodingKey) -> Result<Box<dyn JwtVerifier>> {
    Ok(Box::new(Hs256::new(algorithm, key.try_get_as_bytes()?)?))
}

/// HMAC-SHA-256 (RFC 2104) with a secret.
struct Hs256(Hmac<Sha256>);

impl Hs256 {
    fn new(algorithm: Algorithm, secret: &[u8]) -> Result<Self> {
        if algorithm != Algorithm::HS256 {
            return Err(ErrorKind::InvalidAlgorithm.into());
        }
        let keyed = Hmac::new_from_slice(secret).map_err(|_| ErrorKind::InvalidKeyFormat)?;
        Ok(Self(keyed))
    }
}

impl Signer<Vec<u8>> for Hs256 {
    fn try_sign(&self, message: &[u8]) -> std::result::Result<Vec<u8>, Error> {
        Ok(self.0.clone().chain_update(message).finalize().into_bytes().to_vec())
    }
}

impl JwtSigner for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

impl Verifier<Vec<u8>> for Hs256 {
    /// Compares in constant time.
    fn verify(&self, message: &[u8], signature: &Vec<u8>) -> std::result::Result<(), Error> {
        self.0.clone().chain_update(message).verify_slice(signature).map_err(|_| Error::new())
    }
}

impl JwtVerifier for Hs256 {
    fn algorithm(&self) -> Algorithm {
        Algorithm::HS256
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test case 2.
    const KEY: &[u8] = b"Jefe";
    const MESSAGE: &[u8] = b"what do ya want for nothing?";
    const SIGNATURE: &str = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";

    #[test]
    fn the_signature_matches_the_rfc() {
        let signed = signer(Algorithm::HS256, &EncodingKey::from_secret(KEY)).unwrap().sign(MESSAGE);
        assert_eq!(hex::encode(signed), SIGNATURE);
    }

    #[test]
    fn only_the_right_signature_verifies() {
        let verifier = verifier(Algorithm::HS256, &DecodingKey::from_secret(KEY)).unwrap();
        let right = hex::decode(SIGNATURE).unwrap();
        assert!(verifier.verify(MESSAGE, &right).is_ok());
        let mut wrong = right.clone();
        wrong[31] ^= 1;
        for wrong in [wrong, right[..16].to_vec(), Vec::new()] {
            assert!(verifier.verify(MESSAGE, &wrong).is_err());
        }
    }

    #[test]
    fn no_other_algorithm_is_known() {
        for algorithm in [Algorithm::HS512, Algorithm::RS256, Algorithm::ES256] {
            assert!(signer(algorithm, &EncodingKey::from_secret(KEY)).is_err());
            assert!(verifier(algorithm, &DecodingKey::from_secret(KEY)).is_err());
        }
    }
}
