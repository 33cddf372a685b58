//! Requests in dollars, paid at the rate of a price feed: the amount that counts is what moved.

use super::*;

sol! {
    function updateAggregator(address input, address output, address aggregator);
}

mod token_conversion {
    alloy_sol_types::sol! {
        function transferFromWithReferenceAndFee(
            address to, uint256 requestAmount, address[] path, bytes paymentReference, uint256 feeAmount,
            address feeAddress, uint256 maxToSpend, uint256 maxRateTimespan
        );
    }
}

mod coin_conversion {
    alloy_sol_types::sol! {
        function transferWithReferenceAndFee(
            address to, uint256 requestAmount, address[] path, bytes paymentReference, uint256 feeAmount,
            address feeAddress, uint256 maxRateTimespan
        );
    }
}

/// What the contracts call the dollar and the coin.
const USD: Address = address!("0x775EB53d00DD0Acd3EC1696472105d579B9b386b");
const COIN: Address = address!("0xF5AF88e117747e87fC5929F2ff87221B1447652E");
/// Dollars and prices have 8 decimals.
const DOLLAR: u64 = 100_000_000;

/// The conversion path with a price of the token and one of the coin, in dollars.
async fn prices(net: &Devnet, token: u64, coin: u64) -> Address {
    let path = "ChainlinkConversionPath.sol/ChainlinkConversionPath";
    let path = deploy(net, path, (COIN, net.payer).abi_encode_params()).await;
    for (input, price) in [(net.token, token), (COIN, coin)] {
        let answer = I256::try_from(price * DOLLAR).unwrap();
        let arguments = (answer, U256::from(8), U256::ZERO).abi_encode_params();
        let aggregator = deploy(net, "test/AggregatorMock", arguments).await;
        done(net, path, updateAggregatorCall { input, output: USD, aggregator }, U256::ZERO).await;
    }
    path
}

/// A conversion's message says that no rate is proven, and nothing else is out of the ordinary. That nobody is
/// screened here is told of every payment.
fn assert_fiat_unverified(data: &Value) {
    let checks = data["verification"]["checks"].as_array().unwrap();
    let notes: Vec<_> =
        checks.iter().filter(|check| check["outcome"] != "pass" && check["name"] != "sanctions").collect();
    assert!(matches!(notes.as_slice(), [one] if one["actual"] == "fiat_unverified"), "{notes:#?}");
}

#[tokio::test]
async fn conversions_are_verified_by_what_moved() {
    let net = Devnet::start().await.unwrap();
    let path = prices(&net, 2, 2_000).await;
    let arguments = (net.erc20_fee_proxy, path, net.payer).abi_encode_params();
    let token_proxy = deploy(&net, "Erc20ConversionProxy", arguments).await;
    let arguments = (net.eth_fee_proxy, path, COIN, net.payer).abi_encode_params();
    let coin_proxy = deploy(&net, "EthConversionProxy", arguments).await;
    approve(&net, token_proxy).await;
    let contracts = vec![("erc20_conversion_proxy", token_proxy), ("eth_conversion_proxy", coin_proxy)];
    let world = World::on(net, Ways { contracts, ..Ways::default() });
    let net = &world.net;
    let ten_dollars = U256::from(10 * DOLLAR);

    world.expect("order-1", &terms(net, 1, "5")).await;
    let call = token_conversion::transferFromWithReferenceAndFeeCall {
        to: net.merchant,
        requestAmount: ten_dollars,
        path: vec![USD, net.token],
        paymentReference: bytes(1),
        feeAmount: U256::from(DOLLAR),
        feeAddress: net.stranger,
        maxToSpend: tokens(10),
        maxRateTimespan: U256::ZERO,
    };
    let receipt = done(net, token_proxy, call, U256::ZERO).await;
    let data = verified(&world, 1, &receipt, ("5", "TST")).await;
    assert_fiat_unverified(&data);
    assert_eq!(data["payment"]["fee_base_units"], "500000000000000000");

    world.expect("order-2", &coin(&terms(net, 2, "0.005"))).await;
    let call = coin_conversion::transferWithReferenceAndFeeCall {
        to: net.merchant,
        requestAmount: ten_dollars,
        path: vec![USD, COIN],
        paymentReference: bytes(2),
        feeAmount: U256::ZERO,
        feeAddress: Address::ZERO,
        maxRateTimespan: U256::ZERO,
    };
    // More than enough goes along; the proxy gives back what is left.
    let receipt = done(net, coin_proxy, call, tenth()).await;
    let data = verified(&world, 2, &receipt, ("0.005", "ETH")).await;
    assert_fiat_unverified(&data);
}
