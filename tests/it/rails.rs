//! Every way that Request Network's contracts pay is found, and pays what arrived: on a real chain, with the bytecode of
//! their own package.

use alloy_primitives::{Address, Bytes, I256, U256, address};
use alloy_sol_types::{SolCall, SolValue, sol};
use serde_json::{Value, json};
use tollgate::demo::devnet::Devnet;
use tollgate::demo::parts::Parts;

use crate::support::money::{
    Ways, World, approval, calls_in_one, confirmed, contract_after, hash_of, minting, reference, terms, tokens,
    transact, transact_with, with,
};

mod conversions;

sol! {
    function transfer(address to, uint256 amount);
    function transferFromWithReference(address token, address to, uint256 amount, bytes paymentReference);
    function transferWithReference(address to, bytes paymentReference);
    function batchERC20PaymentsWithReference(
        address token, address[] recipients, uint256[] amounts, bytes[] references, uint256[] fees, address feeAddress
    );
    function triggerERC20Payment();
    function mint(address owner, bytes paymentReference, uint256 amount, address token);
    function payOwner(uint256 id, uint256 amount, bytes paymentReference, uint256 feeAmount, address feeAddress);
}

/// Deploys a contract of the package with its constructor's arguments.
async fn deploy(net: &Devnet, contract: &str, arguments: Vec<u8>) -> Address {
    let code = Parts::find().and_then(|parts| parts.bytecode(contract)).expect("its bytecode");
    net.deploy([code.as_ref(), arguments.as_slice()].concat().into()).await.expect("it is deployed")
}

/// Lets a contract spend plenty of the payer's test token.
async fn approve(net: &Devnet, spender: Address) {
    let receipt = transact(net, Some(net.token), approval(spender, tokens(100_000))).await;
    assert_eq!(receipt["status"], "0x1");
}

fn bytes(order: u8) -> Bytes {
    Bytes::copy_from_slice(&reference(order))
}

/// The receipt of a transaction that succeeded.
async fn done(net: &Devnet, to: Address, call: impl SolCall, value: U256) -> Value {
    let receipt = transact_with(net, Some(to), call.abi_encode(), value).await;
    assert_eq!(receipt["status"], "0x1", "{receipt:#}");
    receipt
}

fn coin(terms: &Value) -> Value {
    with(terms, json!({"token": "ETH"}))
}

/// A tenth of the coin.
fn tenth() -> U256 {
    U256::from(100_000_000_000_000_000_u64)
}

/// The payment's part of the only message about a claim of the order.
async fn verified(world: &World, order: u8, receipt: &Value, (amount, symbol): (&str, &str)) -> Value {
    let told = json!({"currency": symbol, "paymentCurrency": symbol});
    let delivery = world.rn(&with(&confirmed(order, hash_of(receipt), amount), told)).await;
    let message = world.message(&delivery, "payment.verified").await;
    assert_eq!(message["data"]["payment"]["amount"], amount);
    assert_eq!(message["data"]["payment"]["recipient"], world.net.merchant.to_checksum(None));
    message["data"].clone()
}

#[tokio::test]
async fn proxies_without_a_fee_pay_and_a_twin_that_nobody_registered_does_not() {
    let net = Devnet::start().await.unwrap();
    let (token_proxy, coin_proxy) =
        (deploy(&net, "ERC20Proxy", vec![]).await, deploy(&net, "EthereumProxy", vec![]).await);
    let twin = deploy(&net, "ERC20Proxy", vec![]).await;
    for spender in [token_proxy, twin] {
        approve(&net, spender).await;
    }
    let contracts = vec![("erc20_proxy", token_proxy), ("eth_proxy", coin_proxy)];
    let world = World::on(net, Ways { contracts, ..Ways::default() });
    let net = &world.net;
    world.expect("order-1", &terms(net, 1, "5")).await;
    world.expect("order-2", &coin(&terms(net, 2, "0.1"))).await;
    world.expect("order-3", &terms(net, 3, "5")).await;
    let pay = |order| transferFromWithReferenceCall {
        token: net.token,
        to: net.merchant,
        amount: tokens(5),
        paymentReference: bytes(order),
    };
    let receipt = done(net, token_proxy, pay(1), U256::ZERO).await;
    let data = verified(&world, 1, &receipt, ("5", "TST")).await;
    let slots = data["payment"]["slots"].as_array().unwrap();
    assert_eq!((slots.len(), &data["payment"]["fee_base_units"]), (2, &json!("0")));
    let call = transferWithReferenceCall { to: net.merchant, paymentReference: bytes(2) };
    let receipt = done(net, coin_proxy, call, tenth()).await;
    let data = verified(&world, 2, &receipt, ("0.1", "ETH")).await;
    assert_eq!((&data["payment"]["slots"], &data["payment"]["token"]["address"]), (&json!(["log:0"]), &json!(null)));
    let receipt = done(net, twin, pay(3), U256::ZERO).await;
    let delivery = world.rn(&confirmed(3, hash_of(&receipt), "5")).await;
    world.silent(&delivery, "refuted", "UNTRUSTED_EMITTER").await;
}

#[tokio::test]
async fn a_batch_of_three_references_to_two_payees_is_three_payments() {
    let net = Devnet::start().await.unwrap();
    let arguments = (net.erc20_fee_proxy, net.eth_fee_proxy, net.payer).abi_encode_params();
    let batch = deploy(&net, "BatchPayments", arguments).await;
    approve(&net, batch).await;
    let world = World::on(net, Ways::default());
    let net = &world.net;
    let payees = [net.merchant, net.merchant, net.stranger];
    for (order, payee) in [1, 2, 3].into_iter().zip(payees) {
        world.expect(&format!("order-{order}"), &with(&terms(net, order, "5"), json!({"recipient": payee}))).await;
    }
    let call = batchERC20PaymentsWithReferenceCall {
        token: net.token,
        recipients: payees.to_vec(),
        amounts: vec![tokens(5); 3],
        references: vec![bytes(1), bytes(2), bytes(3)],
        fees: vec![tokens(1); 3],
        feeAddress: net.payer,
    };
    let receipt = done(net, batch, call, U256::ZERO).await;
    let (mut slots, mut payments) = (Vec::new(), Vec::new());
    for (order, payee) in [1, 2, 3].into_iter().zip(payees) {
        let delivery = world.rn(&confirmed(order, hash_of(&receipt), "5")).await;
        let message = world.message(&delivery, "payment.verified").await;
        let payment = &message["data"]["payment"];
        assert_eq!((&payment["amount"], &payment["recipient"]), (&json!("5"), &json!(payee.to_checksum(None))));
        assert_eq!(message["data"]["expectation"]["id"], format!("order-{order}"));
        slots.extend(payment["slots"].as_array().unwrap().clone());
        payments.push(message["data"]["payment_id"].clone());
    }
    for all in [&mut slots, &mut payments] {
        let count = all.len();
        all.sort_by_key(ToString::to_string);
        all.dedup();
        assert_eq!(all.len(), count, "one place or payment is two: {all:?}");
    }
    assert_eq!((slots.len(), payments.len()), (6, 3));
}

#[tokio::test]
async fn through_a_single_request_proxy_the_transfer_to_it_is_not_the_payment() {
    let net = Devnet::start().await.unwrap();
    let none = (Address::ZERO, U256::ZERO);
    let arguments = (net.merchant, net.token, bytes(1), none.0, none.1, net.erc20_fee_proxy).abi_encode_params();
    let for_token = deploy(&net, "ERC20SingleRequestProxy", arguments).await;
    let arguments = (net.merchant, bytes(2), none.0, none.1, net.eth_fee_proxy).abi_encode_params();
    let for_coin = deploy(&net, "EthereumSingleRequestProxy", arguments).await;
    let world = World::on(net, Ways::default());
    let net = &world.net;
    world.expect("order-1", &terms(net, 1, "5")).await;
    world.expect("order-2", &coin(&terms(net, 2, "0.1"))).await;
    // A contract pays the forwarder and sets it off in one transaction.
    let wallet = contract_after(net, 1).await;
    transact(net, Some(net.token), minting(wallet, tokens(5))).await;
    let code = calls_in_one(&[
        (net.token, transferCall { to: for_token, amount: tokens(5) }.abi_encode()),
        (for_token, triggerERC20PaymentCall {}.abi_encode()),
    ]);
    let receipt = transact(net, None, code).await;
    assert_eq!(receipt["status"], "0x1", "{receipt:#}");
    let data = verified(&world, 1, &receipt, ("5", "TST")).await;
    let payment = &data["payment"];
    assert_eq!(payment["payer"], for_token.to_checksum(None));
    let slots = payment["slots"].as_array().unwrap();
    assert!(slots.len() == 2 && !slots.contains(&json!("log:0")), "the transfer to the forwarder: {slots:?}");
    let receipt = transact_with(net, Some(for_coin), vec![], tenth()).await;
    assert_eq!(receipt["status"], "0x1", "{receipt:#}");
    verified(&world, 2, &receipt, ("0.1", "ETH")).await;
}

#[tokio::test]
async fn a_receivable_pays_whoever_holds_it() {
    let net = Devnet::start().await.unwrap();
    let arguments = ("Receivables".to_owned(), "REC".to_owned(), net.erc20_fee_proxy).abi_encode_params();
    let receivable = deploy(&net, "ERC20TransferableReceivable", arguments).await;
    approve(&net, receivable).await;
    for (order, owner) in [(1, net.merchant), (2, net.stranger)] {
        let call = mintCall { owner, paymentReference: bytes(order), amount: tokens(5), token: net.token };
        done(&net, receivable, call, U256::ZERO).await;
    }
    let world = World::on(net, Ways { contracts: vec![("transferable_receivable", receivable)], ..Ways::default() });
    let net = &world.net;
    let pay = |order: u8| payOwnerCall {
        id: U256::from(order),
        amount: tokens(5),
        paymentReference: bytes(order),
        feeAmount: U256::ZERO,
        feeAddress: Address::ZERO,
    };
    for order in [1, 2] {
        world.expect(&format!("order-{order}"), &terms(net, order, "5")).await;
    }
    let receipt = done(net, receivable, pay(1), U256::ZERO).await;
    verified(&world, 1, &receipt, ("5", "TST")).await;
    // The second one belongs to somebody else.
    let receipt = done(net, receivable, pay(2), U256::ZERO).await;
    let delivery = world.rn(&confirmed(2, hash_of(&receipt), "5")).await;
    world.silent(&delivery, "refuted", "WRONG_RECIPIENT").await;
}
