//! Money on a real chain: a gateway that watches it, a backend that hears of it, and the words of the providers.

use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_sol_types::{SolCall, sol};
use serde_json::{Value, json};
use tollgate::demo::bodies;
pub(crate) use tollgate::demo::bodies::{stripe_card as card, stripe_charge as charge};
use tollgate::demo::devnet::{Devnet, TOKEN_DECIMALS};
use tollgate::demo::parts::Parts;

use super::gateway::{ADMIN_TOKEN, FORWARD_SECRET, Gateway, Setup, Site, chain};
use super::receiver::Receiver;

sol! {
    function mint(address beneficiary, uint256 amount);
    function approve(address spender, uint256 amount);
    function transferFromWithReferenceAndFee(
        address tokenAddress, address to, uint256 amount, bytes paymentReference, uint256 feeAmount, address feeAddress
    );
}

/// A local chain, a gateway on it, and its backend.
pub(crate) struct World {
    // Dropped in this order: the gateway first, so that it is not left talking to the others.
    pub(crate) gateway: Gateway,
    pub(crate) backend: Receiver,
    pub(crate) net: Devnet,
}

/// What is out of the ordinary about a world.
#[derive(Default)]
pub(crate) struct Ways {
    /// Confirmations of the policy; 0 is one.
    pub(crate) confirmations: u64,
    /// Lines for tables of the base.
    pub(crate) lines: Vec<(&'static str, String)>,
    /// More registered tokens: symbol, contract, decimals.
    pub(crate) tokens: Vec<(&'static str, Address, u8)>,
    /// Lines of the chain's table that take the place of the base's of the same key.
    pub(crate) chain: Vec<(&'static str, String)>,
    /// Further keys of those tokens, each behind a comma.
    pub(crate) token_keys: &'static str,
    /// More registered contracts: the key of their kind, and where they are.
    pub(crate) contracts: Vec<(&'static str, Address)>,
}

impl World {
    /// One confirmation, one registered token.
    pub(crate) async fn start() -> Self {
        Self::on(Devnet::start().await.expect("a chain"), Ways::default())
    }

    /// On a chain that a test prepared.
    pub(crate) fn on(net: Devnet, ways: Ways) -> Self {
        let backend = Receiver::start(&[FORWARD_SECRET]);
        let mut chain = chain(&net, ways.confirmations.max(1));
        for (symbol, address, decimals) in ways.tokens {
            let token = format!("symbol = \"{symbol}\", address = \"{address}\", decimals = {decimals}, usd = \"1\"");
            chain = chain.replace("tokens = [", &format!("tokens = [{{ {token}{} }}, ", ways.token_keys));
        }
        for (kind, address) in ways.contracts {
            chain = chain.replace("contracts = { ", &format!("contracts = {{ {kind} = [\"{address}\"], "));
        }
        for (key, value) in ways.chain {
            let kept: Vec<&str> = chain.lines().filter(|line| !line.starts_with(&format!("{key} ="))).collect();
            chain = format!("{}\n{key} = {value}\n", kept.join("\n"));
        }
        let setup =
            Setup { backend: Some(backend.address()), chain: Some(chain), lines: ways.lines, ..Setup::default() };
        let gateway = Site::new(&setup).start();
        Self { gateway, backend, net }
    }

    /// The same world after a `kill -9` of its gateway and a new start.
    pub(crate) fn killed(self) -> Self {
        let Self { gateway, backend, net } = self;
        Self { gateway: gateway.kill().start(), backend, net }
    }

    /// The backend registers terms that are new.
    pub(crate) async fn expect(&self, id: &str, terms: &Value) {
        let reply = self.gateway.expect(id, terms).await;
        assert_eq!(reply.status, 201, "{:#}", reply.json());
    }

    /// Pays whole tokens to the merchant with the order's reference.
    pub(crate) async fn pay(&self, order: u8, whole: u64) -> B256 {
        let (proxy, to) = (self.net.erc20_fee_proxy, self.net.merchant);
        self.net.pay_token(proxy, to, tokens(whole), &reference(order)).await.expect("a payment")
    }

    /// Request Network posts; the id of the stored delivery.
    pub(crate) async fn rn(&self, body: &Value) -> String {
        self.gateway.request_network(body.to_string().as_bytes()).await.delivery_id()
    }

    /// Stripe posts; the id of the stored delivery.
    pub(crate) async fn stripe(&self, body: &Value) -> String {
        self.gateway.stripe(body.to_string().as_bytes()).await.delivery_id()
    }

    /// The only message about the delivery's event, which has this type.
    pub(crate) async fn message(&self, delivery: &str, message_type: &str) -> Value {
        let event = self.gateway.event_when(delivery, |event| event["event_id"].is_string()).await;
        let id = &event["event_id"];
        let about = |message: &Value| &message["data"]["event_id"] == id;
        let what = format!("{message_type} about {id}, which is {} {}", event["state"], event["code"]);
        let all = self.backend.wait_until(&what, |all| all.iter().any(|one| about(&one.message))).await;
        let of_event: Vec<_> = all.iter().map(|one| &one.message).filter(|message| about(message)).collect();
        assert_eq!(of_event[0]["type"], message_type, "{:#}", of_event[0]);
        assert!(of_event.iter().all(|message| message["data"]["state_version"] == 1), "more than one message");
        of_event[0].clone()
    }

    /// Waits for the outcome, and that it made no message.
    pub(crate) async fn silent(&self, delivery: &str, state: &str, code: &str) -> Value {
        let event = self.gateway.event_in(delivery, state, code).await;
        assert_eq!(event["messages"], json!([]), "{event:#}");
        assert!(self.about(&event["event_id"]).is_empty(), "the backend heard of {event:#}");
        event
    }

    /// What the backend heard about an event so far.
    pub(crate) fn about(&self, event_id: &Value) -> Vec<Value> {
        let all = self.backend.received().into_iter().map(|one| one.message);
        all.filter(|message| &message["data"]["event_id"] == event_id).collect()
    }

    /// An expectation as the backend sees it.
    pub(crate) async fn expectation(&self, id: &str) -> Value {
        let reply = self.gateway.admin("GET", &format!("/api/v1/expectations/{id}"), ADMIN_TOKEN, None).await;
        assert_eq!(reply.status, 200);
        reply.json()["data"].clone()
    }

    /// What the order's backend registers, in the flat form.
    pub(crate) fn terms(&self, order: u8, amount: &str) -> Value {
        terms(&self.net, order, amount)
    }
}

/// A payment reference that no other order of the test uses.
pub(crate) fn reference(order: u8) -> [u8; 8] {
    [0x6f, 0x72, 0x64, 0x65, 0x72, 0x2d, 0x2d, order]
}

/// A request id in Request Network's shape: `01` and 64 hexadecimal digits.
pub(crate) fn request_id(order: u8) -> String {
    format!("01{}", hex::encode([order; 32]))
}

/// Whole test tokens as base units.
pub(crate) fn tokens(whole: u64) -> U256 {
    U256::from(whole) * U256::from(10).pow(U256::from(TOKEN_DECIMALS))
}

/// Terms in the flat form: TST to the merchant with the order's reference.
pub(crate) fn terms(net: &Devnet, order: u8, amount: &str) -> Value {
    json!({
        "payment_reference": format!("0x{}", hex::encode(reference(order))),
        "chain": "local", "token": "TST", "recipient": net.merchant, "amount": amount,
    })
}

/// `payment.confirmed` as Request Network sends it.
pub(crate) fn confirmed(order: u8, tx: B256, amount: &str) -> Value {
    bodies::request_network("payment.confirmed", &request_id(order), reference(order), tx, "TST", amount)
}

/// The same body with some members changed, or added.
pub(crate) fn with(body: &Value, changes: Value) -> Value {
    let (Value::Object(mut body), Value::Object(changes)) = (body.clone(), changes) else { panic!("objects only") };
    body.extend(changes);
    Value::Object(body)
}

// === what the demo's chain does not do ===

/// Sends from the payer and waits until it is mined, whatever becomes of it; the receipt.
pub(crate) async fn transact(net: &Devnet, to: Option<Address>, data: Vec<u8>) -> Value {
    transact_with(net, to, data, U256::ZERO).await
}

/// The same with coin that goes along.
pub(crate) async fn transact_with(net: &Devnet, to: Option<Address>, data: Vec<u8>, value: U256) -> Value {
    let hash = sent(net, to, data, value).await;
    for _ in 0..200 {
        let receipt = net.call("eth_getTransactionReceipt", json!([hash])).await.expect("an answer");
        if !receipt.is_null() {
            return receipt;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it was never mined: {hash}");
}

/// Sends from the payer; the hash of what is not mined yet.
pub(crate) async fn sent(net: &Devnet, to: Option<Address>, data: Vec<u8>, value: U256) -> Value {
    let data = Bytes::from(data);
    // Fixed fields: sent again after a reorg with the same nonce, it has the same hash.
    let mut transaction =
        json!({"from": net.payer, "data": data, "value": value, "gas": "0x2dc6c0", "gasPrice": "0x2540be400"});
    if let Some(to) = to {
        transaction["to"] = json!(to);
    }
    net.call("eth_sendTransaction", json!([transaction])).await.expect("a hash")
}

/// The hash of a mined transaction.
pub(crate) fn hash_of(receipt: &Value) -> B256 {
    serde_json::from_value(receipt["transactionHash"].clone()).expect("a hash")
}

/// A call of the proxy that pays any token.
pub(crate) fn proxy_call(token: Address, to: Address, amount: U256, reference: &[u8]) -> Vec<u8> {
    transferFromWithReferenceAndFeeCall {
        tokenAddress: token,
        to,
        amount,
        paymentReference: Bytes::copy_from_slice(reference),
        feeAmount: U256::ZERO,
        feeAddress: Address::ZERO,
    }
    .abi_encode()
}

/// Another [`spendable`] token, of Request Network's package.
pub(crate) async fn token(net: &Devnet, contract: &str) -> Address {
    let mut code = Parts::find().and_then(|parts| parts.bytecode(contract)).expect("its bytecode").to_vec();
    if contract == "test/TestToken" {
        code.extend_from_slice(net.payer.into_word().as_slice());
    }
    spendable(net, code.into()).await
}

/// Deploys a token, and lets the payer spend plenty of it through the proxy.
pub(crate) async fn spendable(net: &Devnet, code: Bytes) -> Address {
    let token = net.deploy(code).await.expect("a token");
    let plenty = tokens(1_000_000);
    let calls = [
        mintCall { beneficiary: net.payer, amount: plenty }.abi_encode(),
        approveCall { spender: net.erc20_fee_proxy, amount: plenty }.abi_encode(),
    ];
    for call in calls {
        assert_eq!(transact(net, Some(token), call).await["status"], "0x1");
    }
    token
}

/// Creation code that makes these calls, one after the other, and reverts when one fails.
pub(crate) fn calls_in_one(calls: &[(Address, Vec<u8>)]) -> Vec<u8> {
    let mut code = Vec::new();
    for (to, data) in calls {
        for (chunk, offset) in data.chunks(32).zip((0_u16..).step_by(32)) {
            let mut word = [0; 32];
            word[..chunk.len()].copy_from_slice(chunk);
            code.push(0x7f); // PUSH32 word
            code.extend_from_slice(&word);
            code.push(0x61); // PUSH2 offset
            code.extend_from_slice(&offset.to_be_bytes());
            code.push(0x52); // MSTORE
        }
        let length = u16::try_from(data.len()).expect("a short call");
        code.extend_from_slice(&[0x60, 0, 0x60, 0, 0x61]); // nothing back; PUSH2 length
        code.extend_from_slice(&length.to_be_bytes());
        code.extend_from_slice(&[0x60, 0, 0x60, 0, 0x73]); // from 0, no value; PUSH20 to
        code.extend_from_slice(to.as_slice());
        code.extend_from_slice(&[0x5a, 0xf1]); // GAS CALL
        // Over the REVERT when it worked: JUMPI to the JUMPDEST behind it.
        let target = u16::try_from(code.len() + 9).expect("short code");
        code.push(0x61);
        code.extend_from_slice(&target.to_be_bytes());
        code.extend_from_slice(&[0x57, 0x60, 0, 0x60, 0, 0xfd, 0x5b]);
    }
    code.push(0x00);
    code
}

/// The contract that the payer's transaction after so many others would make.
pub(crate) async fn contract_after(net: &Devnet, others: u64) -> Address {
    let count = net.call("eth_getTransactionCount", json!([net.payer, "latest"])).await.expect("a count");
    let count: U256 = serde_json::from_value(count).expect("a number");
    let nonce = u8::try_from(count.to::<u64>() + others).expect("few transactions");
    assert!((1..0x80).contains(&nonce), "one byte of RLP");
    let list = [&[0xd6, 0x94], net.payer.as_slice(), &[nonce]].concat();
    Address::from_slice(&keccak256(list)[12..])
}

/// An approval, for a call among others.
pub(crate) fn approval(spender: Address, amount: U256) -> Vec<u8> {
    approveCall { spender, amount }.abi_encode()
}

/// New money of a test token.
pub(crate) fn minting(beneficiary: Address, amount: U256) -> Vec<u8> {
    mintCall { beneficiary, amount }.abi_encode()
}
