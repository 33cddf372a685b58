//! `[forward.tls]`: whom a destination is believed to be, and who we are to it.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::sign::CertifiedKey;

use crate::config::checked::Tls;
use crate::config::raw::forward;
use crate::config::read::Reader;
use crate::config::value::{Certificates, SecretText};

/// Notes what does not fit together and gives the rest.
pub(super) fn tls(name: &str, raw: &forward::Destination, reader: &mut Reader<'_>) -> Tls {
    let written = &raw.tls;
    let at = &written.at;
    let is_used = written.ca.is_some() || written.cert.is_some() || written.key.is_some();
    // A named destination has inherited it from [forward], and may be a loopback address without it.
    if is_used && name == "default" && raw.url.as_ref().is_some_and(|url| url.0.scheme() == "http") {
        let message = "expected https; found http with [forward.tls]: nothing would be encrypted";
        let help = "write https://, or remove tls; of several destinations write it under [forward.to.NAME.tls]";
        reader.problem(&format!("{}.url", raw.at), message, help);
    }
    let ca = written.ca.iter().flat_map(|ca| &ca.decoded);
    let ca = ca.filter_map(|der| reqwest::Certificate::from_der(der).ok()).collect();
    let identity = match (&written.cert, &written.key) {
        (Some(cert), Some(key)) => identity(at, cert, key, reader),
        (Some(_), None) if !reader.is_broken(&format!("{at}.key")) => {
            let message = "expected the private key of tls.cert; found nothing";
            reader.problem(&format!("{at}.key"), message, "write key = \"file:PATH\", or remove cert");
            None
        }
        (None, Some(_)) if !reader.is_broken(&format!("{at}.cert")) => {
            let message = "expected the certificate of tls.key, and those that lead to its CA; found nothing";
            reader.problem(&format!("{at}.cert"), message, "write cert = \"file:PATH\", or remove key");
            None
        }
        _ => None,
    };
    Tls { ca, identity }
}

/// A certificate with the key that belongs to it.
fn identity(at: &str, cert: &Certificates, key: &SecretText, reader: &mut Reader<'_>) -> Option<reqwest::Identity> {
    let text = key.secret.expose();
    let decoded = match PrivateKeyDer::from_pem_slice(text.as_bytes()) {
        Ok(decoded) => decoded,
        Err(error) => {
            let message = format!(
                "expected a private key in PEM (PKCS#8, PKCS#1 or SEC1, without a passphrase) behind the reference; found \
                 none: {error}"
            );
            let help = "remove its passphrase with `openssl pkey -in KEY -out PLAIN`, readable by this user only";
            reader.problem(&format!("{at}.key"), message, help);
            return None;
        }
    };
    let provider = Arc::new(aws_lc_rs::default_provider());
    if let Err(error) = CertifiedKey::from_der(cert.decoded.clone(), decoded, &provider) {
        let message = format!("expected the private key of the first certificate in tls.cert; found another: {error}");
        let help = "put the client's own certificate first in cert, and the key it was made with into key";
        reader.problem(&format!("{at}.key"), message, help);
        return None;
    }
    let together = secrecy::SecretString::from(format!("{}\n{text}\n", cert.pem));
    let identity = reqwest::Identity::from_pem(secrecy::ExposeSecret::expose_secret(&together).as_bytes());
    if identity.is_err() {
        let message = "expected nothing but certificates in tls.cert and one private key in tls.key; found more";
        reader.problem(&format!("{at}.cert"), message, "remove the other parts of the files");
    }
    identity.ok()
}
