//! One block, seventeen transactions of all the ways that money is paid or pretended: by reference only the genuine one
//! counts, directly only what the token or the chain itself moved.

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_sol_types::{SolCall, sol};
use serde_json::{Value, json};
use tollgate::demo::devnet::Devnet;

use super::hostile;
use crate::support::money::{
    Ways, World, approval, calls_in_one, charge, confirmed, contract_after, hash_of, minting, proxy_call, reference,
    token, tokens, transact, with,
};
use crate::support::script;

sol! {
    function transfer(address to, uint256 amount);
    function transferFrom(address from, address to, uint256 amount);
    function transferWithReferenceAndFee(
        address to, bytes paymentReference, uint256 feeAmount, address feeAddress
    );
    function claims(address token, address to, uint256 amount, bytes paymentReference);
    function pays(address token, address to, uint256 amount, bytes paymentReference);
    function gives(address to, uint256 id);
    function passes(address to);
}

/// What every order asks for, in whole tokens.
const HUNDRED: u64 = 100;

/// Contracts that pretend.
struct Hostile {
    forger: Address,
    collectible: Address,
    forwarder: Address,
    /// A token that has the symbol of ours, and that nobody registered.
    fake: Address,
    /// An unregistered token that says yes and moves nothing.
    empty: Address,
    /// The same, registered as YES.
    registered_empty: Address,
    /// Registered as FEE; keeps one percent.
    fee: Address,
}

async fn deploy(net: &Devnet) -> Hostile {
    let source = include_bytes!("attacks.sol");
    let compiled: BTreeMap<String, Bytes> = script::run("verdicts/hostile/compile.cjs", &["solc"], source);
    let contract = async |name: &str| net.deploy(compiled[name].clone()).await.expect("it is deployed");
    let (one, two) = (hostile::deploy(net).await, hostile::deploy(net).await);
    let forger = contract("Forger").await;
    assert_eq!(transact(net, Some(net.token), approval(forger, tokens(HUNDRED))).await["status"], "0x1");
    Hostile {
        forger,
        collectible: contract("Collectible").await,
        forwarder: contract("Forwarder").await,
        fake: token(net, "test/TestToken").await,
        empty: one["EmptyYes"],
        registered_empty: two["EmptyYes"],
        fee: one["FeeOnTransfer"],
    }
}

/// A transaction and what becomes of an order that is told to be paid by it.
struct Row {
    name: &'static str,
    from: Address,
    to: Address,
    data: Vec<u8>,
    value: U256,
    /// What the order is in.
    symbol: &'static str,
    state: &'static str,
    code: &'static str,
}

fn row(name: &'static str, net: &Devnet, to: Address, data: Vec<u8>, code: &'static str) -> Row {
    let (from, value) = (net.payer, U256::ZERO);
    Row { name, from, to, data, value, symbol: "TST", state: "refuted", code }
}

fn call(call: impl SolCall) -> Vec<u8> {
    call.abi_encode()
}

/// The rows; an order's number is its place, counted from one.
fn rows(net: &Devnet, hostile: &Hostile) -> Vec<Row> {
    let (proxy, amount, merchant) = (net.erc20_fee_proxy, tokens(HUNDRED), net.merchant);
    let bytes = |order: u8| Bytes::copy_from_slice(&reference(order));
    let by_proxy = |order, token, to| proxy_call(token, to, amount, &reference(order));
    let direct = || call(transferCall { to: merchant, amount });
    let forged = claimsCall { token: net.token, to: merchant, amount, paymentReference: bytes(5) };
    let pays = paysCall { token: net.token, to: merchant, amount, paymentReference: bytes(6) };
    let coin = transferWithReferenceAndFeeCall {
        to: merchant,
        paymentReference: bytes(16),
        feeAmount: U256::ZERO,
        feeAddress: Address::ZERO,
    };
    let nothing = transferFromCall { from: net.payer, to: merchant, amount: U256::ZERO };
    let too_much = proxy_call(net.token, merchant, tokens(5_000_000), &reference(11));
    vec![
        Row { state: "forwarded", ..row("genuine", net, proxy, by_proxy(1, net.token, merchant), "VERIFIED") },
        row("direct transfer, no reference", net, net.token, direct(), "NO_MATCHING_TRANSFER"),
        row("fake token, direct", net, hostile.fake, direct(), "NO_MATCHING_TRANSFER"),
        row("fake token by the proxy", net, proxy, by_proxy(4, hostile.fake, merchant), "WRONG_TOKEN"),
        row("forged transfer and event", net, hostile.forger, call(forged), "UNTRUSTED_EMITTER"),
        row("genuine transfer, forged event", net, hostile.forger, call(pays), "UNTRUSTED_EMITTER"),
        row("a token that moves nothing", net, proxy, by_proxy(7, hostile.empty, merchant), "WRONG_TOKEN"),
        Row {
            symbol: "YES",
            ..row(
                "our token moves nothing",
                net,
                proxy,
                by_proxy(8, hostile.registered_empty, merchant),
                "PROXY_EVENT_WITHOUT_TRANSFER",
            )
        },
        Row {
            symbol: "FEE",
            state: "held",
            ..row("one percent fee", net, proxy, by_proxy(9, hostile.fee, merchant), "FEE_ON_TRANSFER")
        },
        Row {
            from: net.stranger,
            ..row("poisoned: nothing, by a stranger", net, net.token, call(nothing), "NO_MATCHING_TRANSFER")
        },
        row("reverted", net, proxy, too_much, "TX_REVERTED"),
        row("another reference", net, proxy, by_proxy(99, net.token, merchant), "WRONG_REFERENCE"),
        row("to somebody else", net, proxy, by_proxy(13, net.token, net.stranger), "WRONG_RECIPIENT"),
        row(
            "a collectible, not money",
            net,
            hostile.collectible,
            call(givesCall { to: merchant, id: amount }),
            "NO_MATCHING_TRANSFER",
        ),
        Row { value: amount, ..row("coin, plain", net, merchant, vec![], "NO_MATCHING_TRANSFER") },
        Row { value: amount, ..row("coin by its proxy", net, net.eth_fee_proxy, call(coin), "TOKEN_NOT_ALLOWED") },
        Row {
            value: amount,
            ..row(
                "coin by a contract that passes it on",
                net,
                hostile.forwarder,
                call(passesCall { to: merchant }),
                "NO_MATCHING_TRANSFER",
            )
        },
    ]
}

/// Sends all of them into one block, in the three forms that wallets use; their hashes in order.
async fn in_one_block(net: &Devnet, rows: &[Row]) -> Vec<B256> {
    net.call("evm_setAutomine", json!([false])).await.expect("answered");
    let mut hashes = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let (data, gas) = (Bytes::from(row.data.clone()), "0x7a120");
        let mut sent = json!({"from": row.from, "to": row.to, "data": data, "value": row.value, "gas": gas});
        let price = json!("0x2540be400");
        match at % 3 {
            0 => sent["gasPrice"] = price,
            1 => (sent["gasPrice"], sent["accessList"]) = (price, json!([])),
            _ => (sent["maxFeePerGas"], sent["maxPriorityFeePerGas"]) = (price.clone(), price),
        }
        let hash = net.call("eth_sendTransaction", json!([sent])).await.expect("a hash");
        hashes.push(serde_json::from_value(hash).expect("a hash"));
    }
    net.call("evm_mine", json!([])).await.expect("mined");
    net.call("evm_setAutomine", json!([true])).await.expect("answered");
    let mut blocks = BTreeSet::new();
    let mut kinds = BTreeSet::new();
    for (hash, row) in hashes.iter().zip(rows) {
        let receipt = net.call("eth_getTransactionReceipt", json!([hash])).await.expect("a receipt");
        let status = if row.code == "TX_REVERTED" { "0x0" } else { "0x1" };
        assert_eq!(receipt["status"], status, "{}: {receipt:#}", row.name);
        blocks.insert(receipt["blockHash"].to_string());
        kinds.insert(receipt["type"].to_string());
    }
    assert_eq!((blocks.len(), kinds.len()), (1, 3), "one block, three forms");
    hashes
}

#[tokio::test]
async fn of_seventeen_transactions_in_one_block_only_the_genuine_one_pays_its_order() {
    let net = Devnet::start().await.unwrap();
    let hostile = deploy(&net).await;
    let registered = vec![("FEE", hostile.fee, 18), ("YES", hostile.registered_empty, 18)];
    let world = World::on(net, Ways { tokens: registered, ..Ways::default() });
    let net = &world.net;
    let rows = rows(net, &hostile);
    assert_eq!(rows.len(), 17);
    for (order, row) in (1_u8..).zip(&rows) {
        let terms = with(&world.terms(order, "100"), json!({"token": row.symbol}));
        world.expect(&format!("order-{order}"), &terms).await;
    }
    let hashes = in_one_block(net, &rows).await;
    let mut deliveries = Vec::new();
    for ((order, hash), row) in (1_u8..).zip(hashes).zip(&rows) {
        let told = json!({"currency": row.symbol, "paymentCurrency": row.symbol});
        deliveries.push(world.rn(&with(&confirmed(order, hash, "100"), told)).await);
    }
    for ((delivery, row), order) in deliveries.iter().zip(&rows).zip(1_u8..) {
        let expectation = format!("order-{order}");
        let status = if row.code == "VERIFIED" {
            world.message(delivery, "payment.verified").await;
            "paid"
        } else {
            let event = world.silent(delivery, row.state, row.code).await;
            assert_eq!(event["payment_id"], Value::Null, "{}: {event:#}", row.name);
            "open"
        };
        assert_eq!(world.expectation(&expectation).await["status"], status, "{}", row.name);
    }
    assert_eq!(world.backend.received().len(), 1, "and nothing else is told");
}

/// Terms of an order that is paid directly by whoever it names, found by its intent at Stripe.
fn direct(world: &World, order: u8, token: &str, payer: Address) -> Value {
    let changes = json!({"provider_object": format!("pi_{order}"), "token": token, "payer": payer,
        "not_before": "2020-01-01T00:00:00Z"});
    let mut terms = with(&world.terms(order, "100"), changes);
    terms.as_object_mut().unwrap().remove("payment_reference");
    terms
}

/// What Stripe says about it.
fn told(order: u8, payer: Address, tx: B256, symbol: &str) -> Value {
    let mut body = charge(&order.to_string(), payer, tx);
    body["data"]["object"]["payment_method_details"]["crypto"]["token_currency"] = json!(symbol.to_lowercase());
    body
}

#[tokio::test]
async fn directly_only_what_the_token_or_the_chain_itself_moved_is_money() {
    let net = Devnet::start().await.unwrap();
    let hostile = deploy(&net).await;
    let world = World::on(net, Ways::default());
    let net = &world.net;
    let (amount, merchant) = (tokens(HUNDRED), net.merchant);
    // A wallet that is a contract: what it pays is a call inside another transaction.
    let wallet = contract_after(net, 1).await;
    transact(net, Some(net.token), minting(wallet, amount)).await;
    let code = calls_in_one(&[(net.token, call(transferCall { to: merchant, amount }))]);
    let indirect = transact(net, None, code).await;
    assert_eq!((&indirect["status"], &indirect["contractAddress"]), (&json!("0x1"), &json!(wallet)));

    let forged = claimsCall { token: net.token, to: merchant, amount, paymentReference: Bytes::from_static(b"none") };
    let transfer = |amount| call(transferCall { to: merchant, amount });
    let coin = |row: Row| Row { value: amount, symbol: "ETH", ..row };
    let paid = |row: Row| Row { state: "forwarded", ..row };
    let rows = [
        paid(coin(row("coin to the payee", net, merchant, vec![], "VERIFIED"))),
        paid(row("a token's transfer", net, net.token, transfer(amount), "VERIFIED")),
        row("a transfer that failed", net, net.token, transfer(tokens(5_000_000)), "TX_REVERTED"),
        coin(row(
            "coin inside a contract, no trace",
            net,
            hostile.forwarder,
            call(passesCall { to: merchant }),
            "WRONG_RECIPIENT",
        )),
        row("a forged transfer", net, hostile.forger, call(forged), "WRONG_TOKEN"),
    ];
    let mut orders = Vec::new();
    for (order, row) in (1_u8..).zip(&rows) {
        world.expect(&format!("order-{order}"), &direct(&world, order, row.symbol, net.payer)).await;
        orders.push(order);
    }
    world.expect("order-9", &direct(&world, 9, "TST", wallet)).await;
    let mut all = Vec::new();
    for row in &rows {
        let sent = json!({"from": row.from, "to": row.to, "data": Bytes::from(row.data.clone()), "value": row.value,
            "gas": "0x7a120"});
        let hash = net.call("eth_sendTransaction", json!([sent])).await.expect("a hash");
        all.push(serde_json::from_value::<B256>(hash).expect("a hash"));
    }
    for ((order, hash), row) in orders.into_iter().zip(all).zip(&rows) {
        let delivery = world.stripe(&told(order, net.payer, hash, row.symbol)).await;
        if row.code == "VERIFIED" {
            let message = world.message(&delivery, "payment.verified").await;
            assert_eq!(message["data"]["verification"]["assurance"], "A2", "{}", row.name);
        } else {
            world.silent(&delivery, row.state, row.code).await;
        }
    }
    let delivery = world.stripe(&told(9, wallet, hash_of(&indirect), "TST")).await;
    let message = world.message(&delivery, "payment.verified").await;
    assert_eq!(message["data"]["payment"]["payer"], wallet.to_checksum(None));
    assert_eq!(world.backend.received().len(), 3);
}

/// What the chain's own system does: a deposit from below, in a block that is proven by its roots like any other.
#[tokio::test]
async fn a_deposit_pays_nobody_and_its_block_is_proven_by_its_roots() {
    let net = Devnet::start_as("optimism").await.unwrap();
    let world = World::on(net, Ways::default());
    let net = &world.net;
    world.expect("order-1", &world.terms(1, "100")).await;
    world.expect("order-2", &world.terms(2, "100")).await;
    net.call("evm_setAutomine", json!([false])).await.expect("answered");
    let deposit = json!({"type": "0x7e", "sourceHash": B256::repeat_byte(0x11), "from": net.payer, "to": net.stranger,
        "mint": "0x10", "value": "0x5", "gas": "0x186a0", "isSystemTx": false, "input": "0x"});
    let payment = Bytes::from(proxy_call(net.token, net.merchant, tokens(HUNDRED), &reference(1)));
    let payment = json!({"from": net.payer, "to": net.erc20_fee_proxy, "data": payment, "gas": "0x7a120"});
    let mut hashes = Vec::new();
    for sent in [payment, deposit] {
        let hash = net.call("eth_sendTransaction", json!([sent])).await.expect("a hash");
        hashes.push(serde_json::from_value::<B256>(hash).expect("a hash"));
    }
    net.call("evm_mine", json!([])).await.expect("mined");
    let receipts = net.call("eth_getBlockReceipts", json!(["latest"])).await.expect("receipts");
    let kinds: BTreeSet<_> = receipts.as_array().unwrap().iter().map(|receipt| receipt["type"].to_string()).collect();
    assert!(kinds.contains("\"0x7E\"") && kinds.len() == 2, "a payment and a deposit, in capitals: {kinds:?}");
    let delivery = world.rn(&confirmed(1, hashes[0], "100")).await;
    let message = world.message(&delivery, "payment.verified").await;
    assert_eq!(message["data"]["verification"]["proof"], "receipts_root");
    let delivery = world.rn(&confirmed(2, hashes[1], "100")).await;
    world.silent(&delivery, "refuted", "NO_MATCHING_TRANSFER").await;
    assert_eq!(world.backend.received().len(), 1);
}
