//! Certificates in PEM. They come from files like secrets do, because the configuration is no place for them.

use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;

use crate::config::read::Text;

/// Most certificates of one file.
const CERTIFICATES_MAX: usize = 64;

/// One certificate or more, in the order of the file.
#[derive(Clone)]
pub(in crate::config) struct Certificates {
    /// As they were written.
    pub(in crate::config) pem: String,
    /// Decoded; at least one.
    pub(in crate::config) decoded: Vec<CertificateDer<'static>>,
}

impl Text for Certificates {
    fn expected() -> String {
        "certificates in PEM behind a reference, \"file:PATH\" or \"env:NAME\"".to_owned()
    }

    fn example() -> &'static str {
        "\"file:/etc/tollgate/NAME.pem\""
    }

    fn parse(text: &str) -> Result<Self, String> {
        let decoded: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes())
            .take(CERTIFICATES_MAX + 1)
            .collect::<Result<_, _>>()
            .map_err(|error| format!("its PEM is damaged: {error}"))?;
        if decoded.is_empty() {
            return Err("it holds no -----BEGIN CERTIFICATE-----; a path needs file: in front of it".to_owned());
        }
        if CERTIFICATES_MAX < decoded.len() {
            return Err(format!("it holds more than {CERTIFICATES_MAX} certificates"));
        }
        for (index, certificate) in decoded.iter().enumerate() {
            RootCertStore::empty()
                .add(certificate.clone())
                .map_err(|error| format!("certificate {} of it is no X.509 certificate: {error}", index + 1))?;
        }
        Ok(Self { pem: text.to_owned(), decoded })
    }

    fn show(&self, _: &str) -> String {
        match self.decoded.len() {
            1 => "(1 certificate)".to_owned(),
            several => format!("({several} certificates)"),
        }
    }
}
