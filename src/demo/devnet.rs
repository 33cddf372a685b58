//! A local EVM node with Request Network's own contracts on it, and the payments one can make there.
//!
//! Only the demo and the tests use it. Accounts are the node's well-known unlocked ones: play money on loopback.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall, sol};
use serde_json::{Value, json};

use super::parts::{MissingPart, Parts};
use crate::task;

sol! {
    function mint(address beneficiary, uint256 amount);
    function approve(address spender, uint256 amount);
    function transfer(address to, uint256 amount);
    function transferFromWithReferenceAndFee(
        address tokenAddress, address to, uint256 amount, bytes paymentReference, uint256 feeAmount, address feeAddress
    );
    function transferWithReferenceAndFee(
        address to, bytes paymentReference, uint256 feeAmount, address feeAddress
    );
}

/// Chain id of the local node.
pub const CHAIN_ID: u64 = 31_337;
/// Decimals of the test token.
pub const TOKEN_DECIMALS: u8 = 18;
/// How long the node may take to listen.
const START_MAX: Duration = Duration::from_secs(20);
/// Looks for a receipt; the node mines at once.
const RECEIPT_LOOKS_MAX: u32 = 100;

/// Why the local chain failed.
#[derive(Debug, thiserror::Error)]
pub enum DevnetError {
    /// A part is not installed.
    #[error(transparent)]
    Missing(#[from] MissingPart),
    /// The node did not start.
    #[error("the local EVM node did not start: {0}")]
    Start(String),
    /// The node refused a call.
    #[error("the local EVM node refused {method}: {reason}")]
    Call {
        /// JSON-RPC method.
        method: &'static str,
        /// What it said.
        reason: String,
    },
}

/// The node and what was deployed on it. Dropping it ends the node.
#[derive(Debug)]
pub struct Devnet {
    node: Child,
    url: String,
    client: reqwest::Client,
    /// Pays.
    pub payer: Address,
    /// Ought to be paid.
    pub merchant: Address,
    /// Ought not to be paid.
    pub stranger: Address,
    /// A plain ERC-20 test token with 18 decimals.
    pub token: Address,
    /// Request Network's ERC20FeeProxy.
    pub erc20_fee_proxy: Address,
    /// Request Network's EthereumFeeProxy.
    pub eth_fee_proxy: Address,
    /// The same bytecode as the ERC20FeeProxy at an address that nobody registered.
    pub look_alike: Address,
}

impl Devnet {
    /// Starts the node, deploys the token and the proxies, gives the payer money.
    ///
    /// # Errors
    /// When a part is missing or the node does not do as told.
    pub async fn start() -> Result<Self, DevnetError> {
        Self::start_as("ethereum").await
    }

    /// The same as a chain of a family, such as `optimism`, whose blocks have deposits.
    ///
    /// # Errors
    /// As [`Devnet::start`].
    pub async fn start_as(family: &str) -> Result<Self, DevnetError> {
        let parts = Parts::find()?;
        let (node, url) = spawn(&parts, family).await?;
        let client = reqwest::Client::builder()
            .no_proxy()
            .timeout(Duration::from_secs(10))
            .build()
            .map_err(|error| DevnetError::Start(error.to_string()))?;
        let zero = Address::ZERO;
        let mut net = Self {
            node,
            url,
            client,
            payer: zero,
            merchant: zero,
            stranger: zero,
            token: zero,
            erc20_fee_proxy: zero,
            eth_fee_proxy: zero,
            look_alike: zero,
        };
        net.set_up(&parts).await?;
        Ok(net)
    }

    async fn set_up(&mut self, parts: &Parts) -> Result<(), DevnetError> {
        let accounts: Vec<Address> = read("eth_accounts", self.call("eth_accounts", json!([])).await?)?;
        if let [payer, merchant, stranger, ..] = accounts.as_slice() {
            (self.payer, self.merchant, self.stranger) = (*payer, *merchant, *stranger);
        }
        // The token's constructor takes its owner, who may mint: one ABI word after the bytecode.
        let token = [parts.bytecode("test/TestToken")?.as_ref(), self.payer.into_word().as_slice()].concat();
        self.token = self.deploy(token.into()).await?;
        self.erc20_fee_proxy = self.deploy(parts.bytecode("ERC20FeeProxy")?).await?;
        self.eth_fee_proxy = self.deploy(parts.bytecode("EthereumFeeProxy")?).await?;
        self.look_alike = self.deploy(parts.bytecode("ERC20FeeProxy")?).await?;
        let plenty = U256::from(1_000_000) * U256::from(10).pow(U256::from(TOKEN_DECIMALS));
        self.send(self.token, &mintCall { beneficiary: self.payer, amount: plenty }, U256::ZERO).await?;
        for spender in [self.erc20_fee_proxy, self.look_alike] {
            self.send(self.token, &approveCall { spender, amount: plenty }, U256::ZERO).await?;
        }
        Ok(())
    }

    /// Where the node listens.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Pays tokens through a proxy with a payment reference; the hash of the mined transaction.
    ///
    /// # Errors
    /// When the node refuses or the transaction fails.
    pub async fn pay_token(
        &self,
        proxy: Address,
        to: Address,
        amount: U256,
        reference: &[u8],
    ) -> Result<B256, DevnetError> {
        let call = transferFromWithReferenceAndFeeCall {
            tokenAddress: self.token,
            to,
            amount,
            paymentReference: Bytes::copy_from_slice(reference),
            feeAmount: U256::ZERO,
            feeAddress: Address::ZERO,
        };
        self.send(proxy, &call, U256::ZERO).await
    }

    /// Pays native coin through the EthereumFeeProxy.
    ///
    /// # Errors
    /// When the node refuses or the transaction fails.
    pub async fn pay_native(&self, to: Address, amount: U256, reference: &[u8]) -> Result<B256, DevnetError> {
        let call = transferWithReferenceAndFeeCall {
            to,
            paymentReference: Bytes::copy_from_slice(reference),
            feeAmount: U256::ZERO,
            feeAddress: Address::ZERO,
        };
        self.send(self.eth_fee_proxy, &call, amount).await
    }

    /// Pays tokens directly, without a reference.
    ///
    /// # Errors
    /// When the node refuses or the transaction fails.
    pub async fn transfer(&self, to: Address, amount: U256) -> Result<B256, DevnetError> {
        self.send(self.token, &transferCall { to, amount }, U256::ZERO).await
    }

    /// Mines empty blocks.
    ///
    /// # Errors
    /// When the node refuses.
    pub async fn mine(&self, blocks: u64) -> Result<(), DevnetError> {
        self.call("anvil_mine", json!([format!("{blocks:#x}")])).await.map(|_| ())
    }

    /// Deploys creation bytecode from the payer's account.
    ///
    /// # Errors
    /// When the node refuses or the constructor fails.
    pub async fn deploy(&self, bytecode: Bytes) -> Result<Address, DevnetError> {
        let receipt = self.transact(json!({"from": self.payer, "data": bytecode, "gas": "0x4c4b40"})).await?;
        read("contractAddress", receipt.get("contractAddress").cloned().unwrap_or_default())
    }

    async fn send(&self, to: Address, call: &impl SolCall, value: U256) -> Result<B256, DevnetError> {
        let data = Bytes::from(call.abi_encode());
        let transaction = json!({"from": self.payer, "to": to, "data": data, "value": value, "gas": "0x7a120"});
        let receipt = self.transact(transaction).await?;
        read("transactionHash", receipt.get("transactionHash").cloned().unwrap_or_default())
    }

    /// Sends and waits until it is mined with success.
    async fn transact(&self, transaction: Value) -> Result<Value, DevnetError> {
        let hash = self.call("eth_sendTransaction", json!([transaction])).await?;
        for _ in 0..RECEIPT_LOOKS_MAX {
            let receipt = self.call("eth_getTransactionReceipt", json!([hash])).await?;
            if receipt.is_null() {
                tokio::time::sleep(Duration::from_millis(20)).await;
                continue;
            }
            if receipt.get("status").and_then(Value::as_str) == Some("0x1") {
                return Ok(receipt);
            }
            return Err(DevnetError::Call { method: "eth_sendTransaction", reason: "it reverted".to_owned() });
        }
        Err(DevnetError::Call { method: "eth_getTransactionReceipt", reason: "it was never mined".to_owned() })
    }

    /// One JSON-RPC call.
    ///
    /// # Errors
    /// When the node does not answer or answers with an error.
    pub async fn call(&self, method: &'static str, params: Value) -> Result<Value, DevnetError> {
        let fail = |reason: String| DevnetError::Call { method, reason };
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params});
        let mut response = self
            .client
            .post(&self.url)
            .header("content-type", "application/json")
            .body(request.to_string())
            .send()
            .await
            .map_err(|error| fail(error.to_string()))?;
        let mut bytes = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|error| fail(error.to_string()))? {
            bytes.extend_from_slice(&chunk);
        }
        let mut answer: Value = serde_json::from_slice(&bytes).map_err(|error| fail(error.to_string()))?;
        match answer.get("error") {
            Some(error) => Err(fail(error.to_string())),
            None => Ok(answer.get_mut("result").map(Value::take).unwrap_or_default()),
        }
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        // Nothing can be done about a child that cannot be killed; it dies with the process group.
        drop(self.node.kill());
        drop(self.node.wait());
    }
}

fn read<T: serde::de::DeserializeOwned>(method: &'static str, value: Value) -> Result<T, DevnetError> {
    serde_json::from_value(value).map_err(|error| DevnetError::Call { method, reason: error.to_string() })
}

/// Starts the node on a free port and reads from its output which one it took.
async fn spawn(parts: &Parts, family: &str) -> Result<(Child, String), DevnetError> {
    let fail = |reason: String| DevnetError::Start(reason);
    let mut child = Command::new(parts.anvil()?)
        .args(["--host", "127.0.0.1", "--port", "0", "--chain-id", &CHAIN_ID.to_string()])
        .args(["--slots-in-an-epoch", "1", "--network", family])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|error| fail(error.to_string()))?;
    let stdout = child.stdout.take().ok_or_else(|| fail("it has no output".to_owned()))?;
    let (found, listening) = tokio::sync::oneshot::channel();
    // Goes on reading after the line it waits for: a node whose pipe fills up stands still.
    let reader = task::spawn_blocking(move || {
        let mut found = Some(found);
        for line in BufReader::new(stdout).lines() {
            let Ok(line) = line else { return };
            if let Some(address) = line.strip_prefix("Listening on ")
                && let Some(found) = found.take()
            {
                drop(found.send(format!("http://{}", address.trim())));
            }
        }
    });
    drop(reader);
    match tokio::time::timeout(START_MAX, listening).await {
        Ok(Ok(url)) => Ok((child, url)),
        Ok(Err(_)) | Err(_) => {
            drop(child.kill());
            drop(child.wait());
            Err(fail("it did not say where it listens".to_owned()))
        }
    }
}
