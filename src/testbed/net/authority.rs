//! A certificate authority that lives as long as the run.
//!
//! Owns its key, the file with its certificate, and the certificates for the names that clients ask for.

use std::{
    collections::HashMap,
    fs, io,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose,
};
use tokio_rustls::rustls::{
    self, ServerConfig,
    crypto::ring,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
};

/// Names whose certificates are kept; a target that asks for more only costs time.
const KEPT: usize = 512;

/// No certificate can be made.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// The key or a certificate cannot be made.
    #[error("no certificate can be made")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refuses the certificate.
    #[error("TLS refuses the certificate")]
    Tls(#[from] rustls::Error),
    /// The file with the authority's certificate cannot be written.
    #[error("{path} cannot be written")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// The authority of a run.
#[derive(Debug)]
pub(super) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    leaf: KeyPair,
    provider: Arc<rustls::crypto::CryptoProvider>,
    configs: Mutex<HashMap<String, Arc<ServerConfig>>>,
    file: PathBuf,
}

impl Authority {
    /// Makes a key and writes its certificate into the directory, as PEM.
    pub(super) fn found(directory: &Path) -> Result<Self, AuthorityError> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let name = &mut params.distinguished_name;
        name.push(DnType::CommonName, "Watertight test authority");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        let file = directory.join("authority.pem");
        fs::write(&file, issuer.pem()).map_err(|source| AuthorityError::File {
            path: file.clone(),
            source,
        })?;
        Ok(Self {
            issuer,
            leaf: KeyPair::generate()?,
            provider: Arc::new(ring::default_provider()),
            configs: Mutex::default(),
            file,
        })
    }

    /// The file with the authority's certificate.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// The authority's certificate as PEM.
    pub(super) fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// What to speak TLS with for a host name or an address.
    pub(super) fn config(&self, name: &str) -> Result<Arc<ServerConfig>, AuthorityError> {
        let name = name.to_ascii_lowercase();
        let configs = || self.configs.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(config) = configs().get(&name) {
            return Ok(Arc::clone(config));
        }
        let mut params = CertificateParams::new([name.clone()])?;
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&self.leaf, &self.issuer)?;
        let key = PrivatePkcs8KeyDer::from(self.leaf.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], PrivateKeyDer::Pkcs8(key))?;
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let config = Arc::new(config);
        let mut configs = configs();
        if configs.len() >= KEPT {
            configs.clear();
        }
        configs.insert(name, Arc::clone(&config));
        Ok(config)
    }
}
