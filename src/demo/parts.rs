//! Where the real parts are that the demo and the tests run against: the EVM node and the contracts' bytecode, from
//! their own npm packages under `.node`.

use std::path::{Path, PathBuf};

use alloy_primitives::{Bytes, hex};

/// What installs them.
const INSTALL: &str = "run `scripts/bootstrap parts` in the checkout";

/// A part that is not there, and the command that installs it.
#[derive(Debug, thiserror::Error)]
pub enum MissingPart {
    /// No `.node` folder here or above.
    #[error("the node packages are missing: {INSTALL}")]
    Packages,
    /// A file of a package is not where its version has it.
    #[error("{path} cannot be read ({error}): {INSTALL}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        error: std::io::Error,
    },
    /// A factory without bytecode.
    #[error("{0} holds no bytecode: {INSTALL}")]
    Bytecode(PathBuf),
    /// This machine's processor has no build of the node.
    #[error("there is no build of the EVM node for {0}: run the demo on x86_64 or aarch64 Linux")]
    Platform(&'static str),
}

/// The folder `.node/node_modules`.
#[derive(Debug, Clone)]
pub struct Parts(PathBuf);

impl Parts {
    /// Looks here and upwards.
    ///
    /// # Errors
    /// When there is none.
    pub fn find() -> Result<Self, MissingPart> {
        let start = std::env::current_dir().unwrap_or_else(|_| PathBuf::from("."));
        start
            .ancestors()
            .map(|folder| folder.join(".node/node_modules"))
            .find(|folder| folder.is_dir())
            .map(Self)
            .ok_or(MissingPart::Packages)
    }

    /// The EVM node's executable.
    ///
    /// # Errors
    /// When its platform package is not installed.
    pub fn anvil(&self) -> Result<PathBuf, MissingPart> {
        let platform = match std::env::consts::ARCH {
            "x86_64" => "anvil-linux-amd64",
            "aarch64" => "anvil-linux-arm64",
            other => return Err(MissingPart::Platform(other)),
        };
        let path = self.0.join("@foundry-rs").join(platform).join("bin/anvil");
        match std::fs::metadata(&path) {
            Ok(_) => Ok(path),
            Err(error) => Err(MissingPart::File { path, error }),
        }
    }

    /// Creation bytecode of one of Request Network's contracts, as their package ships it. `contract` is the path
    /// under `contracts`, such as `ERC20FeeProxy` or `test/TestToken`.
    ///
    /// # Errors
    /// When the package or the contract is missing.
    pub fn bytecode(&self, contract: &str) -> Result<Bytes, MissingPart> {
        let folder = self.0.join("@requestnetwork/smart-contracts/types/factories/src/contracts");
        let path = folder.join(format!("{contract}__factory.js"));
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) => return Err(MissingPart::File { path, error }),
        };
        match find_bytecode(&text) {
            Some(bytes) => Ok(bytes),
            None => Err(MissingPart::Bytecode(path)),
        }
    }

    /// A package's folder, for tests that run node scripts beside it.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.0
    }
}

/// The factories write `const _bytecode = "0x…";`.
fn find_bytecode(text: &str) -> Option<Bytes> {
    let (_, rest) = text.split_once("const _bytecode = \"")?;
    let (digits, _) = rest.split_once('"')?;
    hex::decode(digits).ok().filter(|bytes| !bytes.is_empty()).map(Bytes::from)
}
